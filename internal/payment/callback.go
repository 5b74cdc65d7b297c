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
		s.Observe(Event{Provider: provider, Source: SourceCallback, Callback: CallbackRejected, Account: account.Name})
		if gateway.KindOf(err) == gateway.KindInvalidSignature {
			return "", &Error{Code: CodeCallbackForged, Message: "The signature does not hold.", Err: err}
		}
		return "", &Error{Code: CodeCallbackMalformed, Message: "The callback cannot be read.", Err: err}
	}
	cb := Callback{
		AccountID: account.ID, DedupeKey: dedupeKey(account, n, raw), ProviderOrderID: n.OrderID, Kind: n.Result.Kind,
		Reported: string(n.Result.Status), ProviderData: n.Result.ProviderData, ReceivedAt: raw.ReceivedAt,
	}
	if n.Result.Amount != nil {
		cb.Minor = *n.Result.Amount
	}
	var judged Verdict
	var kind gateway.Kind
	var order uuid.UUID
	conflicts, rule := 0, ""
	faultpoint.Hit("callback-verified")
	verdict, seen, err := s.Store.ApplyCallback(ctx, cb, func(o *Order) (CallbackVerdict, string) {
		kind, order = o.Kind, o.ID
		v, doubted, reason := s.applyCallback(o, account, n)
		s.AnnotateRequest(ctx, o)
		rule = doubted
		judged, conflicts = Verdict(v), len(o.NewConflicts())
		return v, reason
	})
	if err != nil {
		return "", err
	}
	if seen {
		verdict, rule = CallbackRepeat, ""
	}
	s.Observe(Event{
		Provider: provider, Source: SourceCallback, Verdict: judged, Callback: string(verdict), Rule: rule,
		Conflicts: conflicts, Kind: kind, Order: order, Account: account.Name,
	})
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

// The rules by which payment itself has a callback settled by asking, for counting. An adapter names its own. The ones of
// asked are no fault of the callback: payrelay asks as a matter of course.
const (
	ruleOtherAccount  = "other_account"
	ruleOtherMoney    = "other_money"
	ruleOtherOrder    = "other_provider_reference"
	ruleNotUnderstood = "ended_without_money"

	rulePolicy    = "asked_by_policy"
	ruleCommanded = "asked_under_command"
	ruleHoldsSum  = "asked_for_the_sum"
	ruleNamesake  = "asked_which_refund"
)

// doubtOf says by which rule, and why, a verified callback must be settled by asking the provider, or "" and "".
func (s *Service) doubtOf(o *Order, n gateway.Notification, r Observation) (rule, reason string) {
	judged, _ := o.Judge(r)
	final := o.Status.Final()
	switch {
	case n.VerifyReason != "":
		return n.Rule, n.VerifyReason
	case n.Weak != "" && (!final || judged == Conflict):
		return n.Rule, n.Weak
	case s.AlwaysConfirm && !final:
		return rulePolicy, "policy"
	case o.otherMoney(r) != "":
		return ruleOtherMoney, o.otherMoney(r)
	case o.impossibleSum(r) != "":
		return ruleOtherMoney, o.impossibleSum(r)
	case o.Kind == gateway.KindPayment && o.ProviderReference != "" && r.ProviderReference != "" && r.ProviderReference != o.ProviderReference:
		return ruleOtherOrder, "the provider knows this order by another id"
	case o.SameSumRefunds > 0 && !final:
		// It names the payment alone, and another refund of the same sum may be the one that it is about.
		return ruleNamesake, "the payment has another refund of this sum"
	case o.modificationPending() && !final:
		// Providers use the same word for the hold and for the capture that follows it.
		return ruleCommanded, "a capture or cancel is under way"
	case o.mayBeTheHolds(r):
		return ruleHoldsSum, "it may be the hold's own: it names the sum that was held"
	case o.contradictedBy(r):
		return ruleNotUnderstood, "money is held or on its way of an order that ended without any"
	}
	return "", ""
}

// applyCallback judges a verified callback about o. One in doubt changes nothing but the time of the next check. rule is the
// one by which it is in doubt.
func (s *Service) applyCallback(o *Order, account Account, n gateway.Notification) (verdict CallbackVerdict, rule, reason string) {
	now := s.Now()
	if o.AccountID != account.ID {
		return CallbackVerify, ruleOtherAccount, "the order belongs to another account"
	}
	if o.Kind != gateway.KindRefund { // a refund's callback names the payment
		o.Verification = o.OnAcknowledgment(o.facts())
	}
	r := ObservationOf(n.ResultFor(o.Operation), SourceCallback, 0, now)
	if n.Result.Kind == gateway.KindRefund && o.Kind == gateway.KindPayment && o.Status.Final() {
		if n.VerifyReason != "" || r.Status != StatusSucceeded {
			return CallbackStale, "", "no such refund of this payment is on record"
		}
		// It was made elsewhere, or is a chargeback. No check of the payment need show it, and a refund of ours on top would
		// give the money back twice.
		o.contradict(r, unrecordedRefund)
		o.noteReferences(r.BankReferences, "")
		return CallbackVerdict(Conflict), "", unrecordedRefund
	}
	if o.SameSumRefunds > 0 { // it may be the other refund's: kept for a search, and compared with nothing
		o.noteReferences(r.BankReferences, StatusProcessing)
		r.BankReferences = nil
	}
	if rule, reason = s.doubtOf(o, n, r); reason != "" {
		if n.VerifyReason != "" || r.Status.Final() { // what is on its way the order overtakes
			o.Verification = o.OnPending(o.facts(), r.Status, now)
		}
		if rule == ruleCommanded || rule == ruleHoldsSum {
			o.keepReportedAmount(r)
		}
		if rule == ruleOtherMoney || rule == ruleOtherOrder { // kept for a search: whether such a thing happened is to be seen
			o.noteReferences(r.BankReferences, StatusProcessing)
		} else {
			o.noteReferences(r.BankReferences, r.Status)
		}
		o.verify(now)
		return CallbackVerify, rule, reason
	}
	return CallbackVerdict(o.observe(s.policy(), r)), "", ""
}
