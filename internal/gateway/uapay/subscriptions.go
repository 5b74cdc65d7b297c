package uapay

import (
	"context"
	"time"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/kit"
)

const (
	// scheduleGrace is how soon a schedule is asked to end: no call that stops one is documented, and an end in the near future comes
	// closest (uapay.md 7.5).
	scheduleGrace = 5 * time.Minute
	// scheduleMargin is how late a planned charge may come.
	scheduleMargin = 24 * time.Hour
)

// EndSchedule implements gateway.ScheduleEnder (uapay.md 7.5). The answer is believed only if it names the end that was asked for.
func (g *Gateway) EndSchedule(ctx context.Context, ref gateway.Ref, days int) (time.Time, error) {
	id := recall(ref, stateInvoice)
	if id == "" {
		id = kit.Fit(ref.ProviderReference, kit.IDShape)
	}
	if id == "" {
		return time.Time{}, &gateway.Error{Kind: gateway.KindInvalid, Op: subscriptionsUpdate.op, Code: "no_invoice"}
	}
	end := g.now().UTC().Add(scheduleGrace).Truncate(time.Millisecond)
	r, err := g.call(ctx, subscriptionsUpdate, &subscriptionParams{ID: id, InvoiceID: id}, scheduleData{Interval: days, ExpiresAt: end.UnixMilli()})
	if err != nil {
		return time.Time{}, err
	}
	shown, err := time.Parse(time.RFC3339, string(r.ExpiresAt))
	switch {
	case string(r.InvoiceID) != id:
		return time.Time{}, r.err(gateway.KindUnknown, subscriptionsUpdate, "other_order")
	case err != nil || shown.After(end):
		return time.Time{}, r.err(gateway.KindUnknown, subscriptionsUpdate, "not_ended")
	}
	until := end
	if planned, err := time.Parse(time.RFC3339, string(r.PlannedPaidAt)); err == nil && planned.After(until) {
		until = planned
	}
	return until.Add(scheduleMargin), nil
}
