package uapay

import (
	"cmp"
	"context"
	"slices"
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

// isScheduled reports whether an order is a charge that the provider made by its own schedule.
func isScheduled(ref gateway.Ref) bool { return ref.State[stateLater] != "" }

// providerCharges are the payments of a subscription beside its first one, the oldest first: each that has or had money, and each
// newer one that was refused. One under way is shown when it has ended. One that cannot be told from the others is an error.
func (g *Gateway) providerCharges(f found, ref gateway.Ref) ([]gateway.Result, error) {
	if f.Type != "SUBSCRIBE" {
		return nil, nil
	}
	var later []answer
	for i := range *f.Payments {
		p := (*f.Payments)[i]
		m := shownState(p).meaning(gateway.OpSale)
		if string(p.PaymentID) == string(f.payment.PaymentID) || !m.money() && (m.status != gateway.StatusFailed || !older(*f.payment, p)) {
			continue
		}
		if kit.Fit(p.PaymentID, kit.IDShape) == "" || otherCurrency(p.Currency) {
			return nil, f.err(gateway.KindUnknown, invoicesShow, "unreadable_charge")
		}
		later = append(later, p)
	}
	slices.SortStableFunc(later, func(a, b answer) int {
		return cmp.Or(cmp.Compare(len(a.Number), len(b.Number)), cmp.Compare(a.Number, b.Number))
	})
	all := make([]gateway.Result, len(later))
	for i, p := range later {
		all[i] = g.providerCharge(f, p, ref)
	}
	return all, nil
}

// providerCharge reads one later charge of a subscription.
func (g *Gateway) providerCharge(f found, p answer, ref gateway.Ref) gateway.Result {
	id, shown := string(p.PaymentID), reply{answer: p, providerData: gateway.ProviderData{}}
	p.addProviderData(shown.providerData, f.hide)
	of := gateway.Ref{Kind: gateway.KindPayment, Operation: gateway.OpSale, Amount: ref.Amount}
	charge := g.result(shown, p, shownState(p).meaning(gateway.OpSale), of)
	charge.ProviderReference, charge.BankReferences = id, []string{id}
	charge.State = saved(stateInvoice, f.id, statePayment, id, stateLater, "1")
	return charge
}
