package simulation

import (
	"cmp"
	"context"
	"slices"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
)

// ApplyCallback implements payment.Store.
func (s *store) ApplyCallback(_ context.Context, cb payment.Callback, fn func(*payment.Order) (payment.Verdict, string)) (payment.Verdict, bool, error) {
	s.w.step(true)
	key := cb.AccountID.String() + string(cb.DedupeKey)
	if before := s.received[key]; before != nil {
		return before.verdict, true, nil
	}
	r := s.byProviderOrderID(cb.ProviderOrderID)
	if r == nil || r.order.AccountID != cb.AccountID {
		s.received[key] = &received{verdict: payment.NoOrder}
		s.w.step(true)
		return payment.NoOrder, false, nil
	}
	others := 0
	if cb.Kind == gateway.KindRefund && r.order.Kind == gateway.KindPayment {
		if refund := s.refundOf(r, cb); refund != nil && !unrecorded(refund, cb) {
			others = s.sameSum(r, refund)
			r = refund
		}
	}
	if s.w.chance(s.w.faults.retriedCommit) {
		trial := s.copied(&r.order)
		trial.SameSumRefunds = others
		fn(trial)
	}
	o := s.copied(&r.order)
	o.SameSumRefunds = others
	verdict, reason := fn(o)
	s.received[key] = &received{order: r, reported: cb.Reported, verdict: verdict}
	s.w.say("%s: the callback (%s) is taken in: %s %s", s.name(r, o), cb.Reported, verdict, reason)
	s.commit(r, o)
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

// refundOf returns the refund that a callback on its payment is about: the open one of the sum named, else one of that sum
// that ended: as reported and not settled by a callback yet, else otherwise. Else the open one, or the only one.
func (s *store) refundOf(paid *record, cb payment.Callback) *record {
	all := s.refunds(paid)
	fit := slices.DeleteFunc(slices.Clone(all), func(r *record) bool {
		return r.order.Status.Final() && r.order.Amount.Minor() != cb.Minor && len(all) > 1
	})
	if len(fit) == 0 {
		return nil
	}
	return slices.MinFunc(fit, func(a, b *record) int {
		for _, better := range []func(*record) bool{
			func(r *record) bool {
				return !r.order.Status.Final() && (cb.Minor == 0 || cb.Minor == r.order.Amount.Minor())
			},
			func(r *record) bool { return r.order.Amount.Minor() == cb.Minor },
			func(r *record) bool { return !r.order.Status.Final() },
			func(r *record) bool { return string(r.order.Status) == cb.Reported && !s.settled(r, cb.Reported) },
			func(r *record) bool { return string(r.order.Status) != cb.Reported },
		} {
			if x, y := better(a), better(b); x != y {
				if x {
					return -1
				}
				return 1
			}
		}
		if a.order.FinalizedAt == nil || b.order.FinalizedAt == nil {
			return 0
		}
		return cmp.Compare(b.order.FinalizedAt.UnixNano(), a.order.FinalizedAt.UnixNano())
	})
}

// settled reports whether a callback with that status was applied to the refund before, or repeated what it is.
func (s *store) settled(r *record, reported string) bool {
	for _, c := range s.received {
		if c.order == r && c.reported == reported && (c.verdict == payment.Apply || c.verdict == payment.Repeat) {
			return true
		}
	}
	return false
}

// sameSum counts the other refunds of the payment and sum that a callback could as well be about.
func (s *store) sameSum(paid, refund *record) int {
	n := 0
	for _, other := range s.refunds(paid) {
		o := &other.order
		if other == refund || o.Amount != refund.order.Amount {
			continue
		}
		unsent := o.Status == payment.StatusFailed && o.ProviderReference == "" && o.Failure != nil &&
			(o.Failure.Code == "not_sent" || o.Failure.Code == "answer_not_signed")
		if unsent || refund.order.ProviderReference == "" && s.ended(other) {
			continue
		}
		n++
	}
	return n
}

// ended reports whether a callback has said how the refund ended.
func (s *store) ended(r *record) bool {
	for _, c := range s.received {
		if c.order == r && (c.reported == "succeeded" || c.reported == "failed") &&
			(c.verdict == payment.Apply || c.verdict == payment.Repeat || c.verdict == payment.Conflict) {
			return true
		}
	}
	return false
}

// unrecorded reports whether a callback says that a sum went back for which there is no refund.
func unrecorded(refund *record, cb payment.Callback) bool {
	return cb.Reported == string(payment.StatusSucceeded) && cb.Minor > 0 && refund.order.Amount.Minor() != cb.Minor
}
