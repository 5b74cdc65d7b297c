package simulation

import (
	"context"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
)

// ApplyCallback implements payment.Store.
func (s *store) ApplyCallback(_ context.Context, cb payment.Callback, pick func([]payment.RefundFacts) *payment.RefundFacts, fn func(*payment.Order) (payment.Verdict, string)) (payment.Verdict, bool, error) {
	s.w.step(true)
	key := cb.AccountID.String() + string(cb.DedupeKey)
	if before := s.received[key]; before != nil {
		return before.verdict, true, nil
	}
	r := s.byProviderOrderID(cb.ProviderOrderID)
	var ended *payment.EndedAttempt
	if r == nil {
		if r, ended = s.endedCalled(cb.ProviderOrderID); ended != nil && ended.AccountID != cb.AccountID {
			r = nil
		}
	}
	if r == nil || ended == nil && r.order.AccountID != cb.AccountID {
		s.received[key] = &received{verdict: payment.NoOrder}
		s.w.step(true)
		return payment.NoOrder, false, nil
	}
	if ended == nil && cb.Kind == gateway.KindRefund && r.order.Kind == gateway.KindPayment {
		if meant := pick(s.refundFacts(r)); meant != nil {
			r = s.find(payment.Key{Shop: r.order.ShopID, Order: meant.ID})
		}
	}
	if s.w.chance(s.w.faults.retriedCommit) {
		retried, _ := s.loaded(r)
		retried.EndedAttempt = ended
		fn(retried)
	}
	o, paid := s.loaded(r)
	o.EndedAttempt = ended
	verdict, reason := fn(o)
	s.received[key] = &received{order: r, reported: cb.Reported, verdict: verdict}
	s.w.say("%s: the callback (%s) is taken in: %s %s", s.name(r, o), cb.Reported, verdict, reason)
	s.commit(r, o)
	s.commitPayment(paid)
	s.w.step(true)
	return verdict, false, nil
}

func (s *store) refunds(payment *record) []*record {
	var of []*record
	for _, r := range s.orders {
		if r.order.Kind == gateway.KindRefund && *r.order.ParentID == payment.order.ID {
			of = append(of, r)
		}
	}
	return of
}

// refundFacts lists the refunds of a payment, with what callbacks said of them.
func (s *store) refundFacts(paid *record) []payment.RefundFacts {
	var facts []payment.RefundFacts
	for _, r := range s.refunds(paid) {
		o := &r.order
		f := payment.RefundFacts{ID: o.ID, Minor: o.Amount.Minor(), Status: o.Status, FinalizedAt: o.FinalizedAt, ProviderReference: o.ProviderReference, CarriedOut: o.SupersededBy != nil, BankReferences: o.BankReferences}
		if o.Failure != nil {
			f.FailureCode = o.Failure.Code
		}
		for _, c := range s.received {
			if c.order == r {
				f.Judged = append(f.Judged, payment.JudgedCallback{Reported: c.reported, Verdict: c.verdict})
			}
		}
		facts = append(facts, f)
	}
	return facts
}
