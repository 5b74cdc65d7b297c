package payment

import (
	"context"
	"crypto/sha256"

	"github.com/google/uuid"

	"payrelay/internal/faultpoint"
	"payrelay/internal/gateway"
)

// CallbackRejected is the Event.Callback of a callback that must not be believed.
const CallbackRejected = "rejected"

// HandleCallback verifies a callback and takes it in. When it returns without an error, the callback is durable: applied,
// or kept as evidence. Errors: CodeCallbackUnknown for an address that is not ours, CodeCallbackMalformed,
// CodeCallbackForged, CodeUnavailable (the provider should send it again).
func (s *Service) HandleCallback(ctx context.Context, provider, token string, raw gateway.RawCallback) (CallbackVerdict, error) {
	account, err := s.Store.AccountByCallbackToken(ctx, token)
	switch {
	case CodeOf(err) == CodeNotFound, err == nil && account.Provider != provider:
		return "", &Error{Code: CodeCallbackUnknown, Message: "This is no callback address."}
	case err != nil:
		return "", err
	}
	gw, err := s.open(account)
	if err != nil {
		return "", err
	}
	n, err := gw.gateway.ReadCallback(raw)
	if err != nil {
		s.Observe(Event{Provider: provider, Cause: CauseCallback, Callback: CallbackRejected})
		if gateway.KindOf(err) == gateway.KindForged {
			return "", &Error{Code: CodeCallbackForged, Message: "The signature does not hold.", Err: err}
		}
		return "", &Error{Code: CodeCallbackMalformed, Message: "The callback cannot be read.", Err: err}
	}
	cb := Callback{
		AccountID: account.ID, DedupeKey: dedupeKey(account, n, raw), ProviderOrderID: n.OrderID, Kind: n.Result.Kind,
		Reported: string(n.Result.Status), Evidence: n.Result.Evidence, ReceivedAt: raw.ReceivedAt,
	}
	if n.Result.Amount != nil {
		cb.Minor = *n.Result.Amount
	}
	var judged Verdict
	var kind gateway.Kind
	var order uuid.UUID
	conflicts := 0
	faultpoint.Hit("callback-verified")
	verdict, seen, err := s.Store.ApplyCallback(ctx, cb, func(o *Order) (CallbackVerdict, string) {
		kind, order = o.Kind, o.ID
		v, why := s.applyCallback(o, account, n)
		s.Noted(ctx, o)
		judged, conflicts = Verdict(v), len(o.NewConflicts())
		return v, why
	})
	if err != nil {
		return "", err
	}
	if seen {
		verdict = CallbackRepeat
	}
	s.Observe(Event{Provider: provider, Cause: CauseCallback, Verdict: judged, Callback: string(verdict), Conflicts: conflicts, Kind: kind, Order: order})
	return verdict, nil
}

// dedupeKey tells callbacks apart by what was signed. A body can be written in many ways that all verify, and one that was
// taken in before must not be judged again as news: a refund's callback names the payment alone, and would end the next refund.
func dedupeKey(a Account, n gateway.Notification, raw gateway.RawCallback) []byte {
	content := n.Fingerprint
	if len(content) == 0 {
		content = raw.Body
	}
	key := sha256.New()
	for _, part := range [][]byte{[]byte(a.Provider), {0}, a.ID[:], {0}, content} {
		key.Write(part)
	}
	return key.Sum(nil)
}

// unrecordedRefund is the reason of a conflict about a payment.
const unrecordedRefund = "money went back, and no refund of this sum is on record"

// applyCallback judges a verified callback about o. One in doubt changes nothing but the time of the next check.
func (s *Service) applyCallback(o *Order, account Account, n gateway.Notification) (CallbackVerdict, string) {
	now := s.Now()
	if o.AccountID != account.ID {
		return CallbackDoubt, "the order belongs to another account"
	}
	if o.Kind != gateway.KindRefund { // a refund's callback names the payment
		o.name()
	}
	r := ReportOf(n.ResultFor(o.Operation), CauseCallback, 0, now)
	doubt := func(why string) (CallbackVerdict, string) {
		if n.Doubt != "" || r.Status.Final() { // what is on its way the order overtakes
			o.remember(r.Status, now)
		}
		o.doubt(now)
		return CallbackDoubt, why
	}
	judged, _ := o.Judge(r)
	switch {
	case n.Result.Kind == gateway.KindRefund && o.Kind == gateway.KindPayment && o.Status.Final():
		if n.Doubt != "" || r.Status != StatusSucceeded {
			return CallbackStale, "no such refund of this payment is on record"
		}
		// It was made elsewhere, or is a chargeback. No check of the payment need show it, and a refund of ours on top would
		// give the money back twice.
		o.contradict(r, unrecordedRefund)
		return CallbackVerdict(ConflictVerdict), unrecordedRefund
	case n.Doubt != "":
		return doubt(n.Doubt)
	case n.Weak != "" && (!o.Status.Final() || judged == ConflictVerdict):
		return doubt(n.Weak)
	case s.AlwaysConfirm && !o.Status.Final():
		return doubt("policy")
	case o.otherMoney(r) != "":
		return doubt(o.otherMoney(r))
	case o.Kind == gateway.KindPayment && o.ProviderReference != "" && r.ProviderReference != "" && r.ProviderReference != o.ProviderReference:
		return doubt("the provider knows this order by another id")
	case o.Namesakes > 0 && !o.Status.Final():
		// It names the payment alone, and another refund of the same sum may be the one that it is about.
		return doubt("the payment has another refund of this sum")
	case o.commanded() && !o.Status.Final():
		// Providers use the same word for the hold and for the capture that follows it.
		return doubt("a capture or cancel is under way")
	}
	if o.doubtedBy(r) {
		return doubt("money is held or on its way of an order that ended without any")
	}
	verdict := o.Record(r)
	if !o.Status.Final() || verdict == Apply { // of a final one a check may be due, because it is in doubt
		s.Schedule.next(o, now)
	}
	return CallbackVerdict(verdict), ""
}
