package httpapi

import (
	"context"
	"net/http"

	"payrelay/internal/http/internal/oapi"
	"payrelay/internal/payment"
)

// mandated answers with the mandate in the address after something was done to it.
func mandated(do func(context.Context, payment.Key) (*payment.Mandate, error)) endpoint {
	return func(ctx context.Context, c *call) (reply, error) {
		m, err := do(ctx, c.key())
		if err != nil {
			return reply{}, err
		}
		return reply{status: http.StatusOK, body: RenderMandate(m)}, nil
	}
}

func (s *server) listMandates(ctx context.Context, _ *call, q oapi.ListMandatesParams) (reply, error) {
	page, err := s.Orders.Mandates(ctx, shopID(ctx), valueOf(q.Cursor), pageSize(q.Limit))
	if err != nil {
		return reply{}, err
	}
	list := oapi.MandateList{Data: []oapi.Mandate{}, NextCursor: nullable(page.Next)}
	for _, m := range page.Items {
		list.Data = append(list.Data, RenderMandate(m))
	}
	return reply{status: http.StatusOK, body: list}, nil
}

// RenderMandate is a mandate as the API shows it.
func RenderMandate(m *payment.Mandate) oapi.Mandate {
	first := m.First
	out := oapi.Mandate{
		Id: first.ID, Object: "mandate", Status: string(m.Status(m.AsOf)), Reference: first.Reference, Provider: first.Provider, Account: first.AccountName,
		Driver: "on_demand", Currency: string(first.Amount.Currency()), MaxAmount: m.MaxAmount, ExpiresAt: utc(m.ExpiresAt),
		Charges: m.Succeeded, LastChargedAt: utc(m.LastAt), NextChargeFrom: utc(m.NextChargeAt(m.AsOf)), OpenChargeId: m.Open, DecidedAt: utc(m.DecidedAt), ScheduleEndsAt: utc(m.ScheduleEndsAt), CreatedAt: first.CreatedAt.UTC(),
	}
	if m.MinDays > 0 {
		out.MinDays = &m.MinDays
	}
	if m.MaxCharges > 0 {
		out.MaxCharges = &m.MaxCharges
	}
	if s := m.Schedule; s != nil {
		out.Schedule = &oapi.MandateSchedule{Every: string(s.Every), Interval: s.Interval, Amount: s.Amount, RetryDays: append([]int{}, s.RetryDays...)}
	}
	if m.ByProvider {
		out.Driver = "provider"
	}
	return out
}
