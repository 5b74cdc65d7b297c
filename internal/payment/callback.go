package payment

import (
	"context"
	"crypto/sha256"
	"maps"

	"github.com/google/uuid"

	"payrelay/internal/faultpoint"
	"payrelay/internal/gateway"
	"payrelay/internal/orderid"
)

// CallbackRejected is the Event.Callback of a callback that must not be believed.
const CallbackRejected = "rejected"

// HandleCallback verifies a callback and takes it in. When it returns without an error, the callback is durable: applied,
// or kept as evidence. Errors: CodeCallbackUnknown for an address that is not ours, CodeCallbackMalformed,
// CodeCallbackForged, CodeUnavailable (the provider should send it again).
func (s *Service) HandleCallback(ctx context.Context, provider, token string, raw gateway.RawCallback) (Verdict, error) {
	account, err := s.CallbackAccount(ctx, provider, token)
	if err != nil {
		return "", err
	}
	n, secrets, err := s.readCallback(account, raw)
	if err != nil {
		return "", err
	}
	event := Event{Provider: provider, Source: SourceCallback, Account: account.Name, Secrets: secrets}
	faultpoint.Hit("callback-verified")
	if account, err = s.parentsAccount(ctx, account, n.OrderID); err != nil {
		return "", err
	}
	cb, sameSum := callbackOf(account, n, raw), 0
	pick := func(refunds []RefundFacts) (meant *RefundFacts) {
		meant, sameSum = cb.RefundMeant(refunds)
		return meant
	}
	verdict, seen, err := s.Store.ApplyCallback(ctx, cb, pick, func(o *Order) (Verdict, string) {
		o.sameSumRefunds = sameSum
		verdict, rule, reason := s.applyCallback(o, account, n)
		s.AnnotateRequest(ctx, o)
		event.Kind, event.Order, event.Verdict, event.Rule = o.Kind, o.ID, verdict, rule
		event.Conflicts, event.Ended = len(o.NewConflicts()), o.endedNow()
		return verdict, reason
	})
	if err != nil {
		return "", err
	}
	if seen {
		verdict, event.Rule, event.Ended = Repeat, "", nil
	}
	event.Callback = string(verdict)
	s.Observe(event)
	return verdict, nil
}

// parentsAccount is the account at which a payment was imported that a callback is about, if it came to another account of the same
// merchant: the import names one of them, and the provider may call at any. Else it is the account that it came to.
func (s *Service) parentsAccount(ctx context.Context, account Account, id string) (Account, error) {
	if s.Imports == nil || id == "" || orderid.HasForm(id) { // an id of ours was not imported
		return account, nil
	}
	to, err := s.targetOf(account)
	if err != nil {
		return account, err
	}
	at, err := s.Imports.AccountOfParent(ctx, Parent{Merchant: to.merchant(), Account: account.ID, ID: id})
	if err != nil || at == uuid.Nil || at == account.ID {
		return account, err
	}
	return s.Store.Account(ctx, at)
}

// CallbackAccount returns the account whose callbacks come to this address.
func (s *Service) CallbackAccount(ctx context.Context, provider, token string) (Account, error) {
	account, err := s.Store.AccountByCallbackToken(ctx, token)
	if CodeOf(err) == CodeNotFound || err == nil && account.Provider != provider {
		return Account{}, &Error{Code: CodeCallbackUnknown, Message: "This is no callback address."}
	}
	return account, err
}

// Which secrets of an account a callback was signed with.
const (
	SecretsCurrent  = "current"
	SecretsPrevious = "previous"
	SecretsStaged   = "staged"
)

// readCallback returns what a callback says, if it may be believed at all, and which secrets it was signed with.
func (s *Service) readCallback(account Account, raw gateway.RawCallback) (n gateway.Notification, secrets string, err error) {
	gw, err := s.open(account)
	if err != nil {
		return gateway.Notification{}, "", err
	}
	n, err = gw.gateway.ReadCallback(raw)
	if err == nil {
		return n, SecretsCurrent, nil
	}
	if gateway.KindOf(err) == gateway.KindInvalidSignature {
		if n, secrets := s.readBySpare(account, raw); secrets != "" {
			return n, secrets, nil
		}
	}
	s.Observe(Event{Provider: account.Provider, Source: SourceCallback, Callback: CallbackRejected, Account: account.Name})
	if gateway.KindOf(err) == gateway.KindInvalidSignature {
		return n, "", &Error{Code: CodeCallbackForged, Message: "The signature does not hold.", Err: err}
	}
	return n, "", &Error{Code: CodeCallbackMalformed, Message: "The callback cannot be read.", Err: err}
}

// readBySpare reads a callback by the secrets that calls do not use: those before the last promotion, which the provider may have
// signed with, and those that are staged, which it may sign with already.
func (s *Service) readBySpare(account Account, raw gateway.RawCallback) (gateway.Notification, string) {
	for _, spare := range []struct {
		stage   string
		secrets map[string]gateway.Secret
	}{{SecretsPrevious, account.Previous}, {SecretsStaged, account.Staged}} {
		if len(spare.secrets) == 0 {
			continue
		}
		as := account
		as.Secrets = maps.Clone(account.Secrets)
		maps.Copy(as.Secrets, spare.secrets)
		gw, err := s.openAs(as, openedAs{account.ID, spare.stage})
		if err != nil {
			continue
		}
		if n, err := gw.gateway.ReadCallback(raw); err == nil {
			return n, spare.stage
		}
	}
	return gateway.Notification{}, ""
}

// callbackOf is a callback as the store keeps it.
func callbackOf(account Account, n gateway.Notification, raw gateway.RawCallback) Callback {
	cb := Callback{
		AccountID: account.ID, DedupeKey: dedupeKey(account, n, raw), ProviderOrderID: n.OrderID, Kind: n.Result.Kind,
		Reported: string(n.Result.Status), ProviderData: n.Result.ProviderData, BankReferences: n.Result.BankReferences, ReceivedAt: raw.ReceivedAt,
	}
	if n.Result.Amount != nil {
		cb.Minor = *n.Result.Amount
	}
	return cb
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

// unrecordedRefund is why a callback about a refund opens a dispute.
const unrecordedRefund = "money went back, and no refund of this sum is on record"

// The rules by which payment itself has a callback settled by asking, for counting. An adapter names its own. The ones of
// asked are no fault of the callback: payrelay asks as a matter of course.
const (
	ruleOtherAccount  = "other_account"
	ruleOtherMoney    = "other_money"
	ruleOtherOrder    = "other_provider_reference"
	ruleNotUnderstood = "ended_without_money"
	rulePaidLate      = "paid_late"
	ruleEndedAttempt  = "ended_attempt_paid"

	rulePolicy   = "asked_by_policy"
	ruleCommand  = "asked_under_command"
	ruleHoldsSum = "asked_for_the_sum"
	ruleSameSum  = "asked_which_refund"
	ruleInCall   = "asked_during_its_call"
)

// unverified says by which rule, and why, a callback must be settled by asking the provider, or "" and "".
func (s *Service) unverified(o *Order, n gateway.Notification, r Observation) (rule, reason string) {
	if rule, reason = s.weak(o, n, r); reason != "" {
		return rule, reason
	}
	final := o.Status.Final()
	switch wrong := o.wrongMoney(r); {
	case wrong != "":
		return ruleOtherMoney, wrong
	case o.Kind == gateway.KindPayment && o.ProviderReference != "" && r.ProviderReference != "" && r.ProviderReference != o.ProviderReference:
		return ruleOtherOrder, "the provider knows this order by another id"
	case o.sameSumRefunds > 0 && o.tellsApart(r):
		// It names the payment alone, and another refund of the same sum may be the one that it is about.
		return ruleSameSum, "the payment has another refund of this sum"
	case o.otherHoldUnderCommand(r):
		return "", ""
	case o.modificationPending() && !final:
		// Providers use the same word for the hold and for the capture that follows it.
		return ruleCommand, "a capture or cancel is under way"
	case o.mayBeTheHolds(r):
		return ruleHoldsSum, "it may be the hold's own: it names the sum that was held"
	case o.paidLate(r):
		return rulePaidLate, "it says that the money moved, and the order had ended without any"
	case o.contradictedBy(r):
		return ruleNotUnderstood, "money is held or on its way of an order that ended without any"
	}
	return "", ""
}

// tellsApart reports whether asking the provider may tell which of two refunds of a sum a callback is about: of an open one, or of one
// that failed and has an id of its own.
func (o *Order) tellsApart(r Observation) bool {
	return !o.Status.Final() || o.carriedOut(r) && o.ProviderReference != ""
}

// weak says why a callback proves nothing by itself: because of how it is signed, because the operators want each to be verified,
// because the attempt had ended, or because the call that it is about has the last word.
func (s *Service) weak(o *Order, n gateway.Notification, r Observation) (rule, reason string) {
	verdict, _ := o.Judge(r)
	final := o.Status.Final()
	switch {
	case n.VerifyReason != "":
		return n.Rule, n.VerifyReason
	case n.Weak != "" && (!final || verdict == Conflict || verdict == Apply):
		return n.Rule, n.Weak
	case s.AlwaysConfirm && !final:
		return rulePolicy, "policy"
	case o.ofEndedAttempt() && (!final || o.Status == StatusSucceeded && r.Status == StatusFailed): // the decline that ended it may come once more
		return ruleEndedAttempt, "it is about an attempt that had ended"
	case o.leftToItsCall(s.policy(), r.Status, r.At):
		return ruleInCall, "the call that it is about is under way, and may take the order to another account"
	}
	return "", ""
}

// applyCallback judges an authentic callback about o. One that must be verified changes nothing but the time of the next poll;
// rule is the one that says so.
func (s *Service) applyCallback(o *Order, account Account, n gateway.Notification) (verdict Verdict, rule, reason string) {
	now := s.Now()
	if o.EndedAttempt != nil {
		return o.observeEndedAttempt(*o.EndedAttempt, n, now)
	}
	if o.AccountID != account.ID {
		return Verify, ruleOtherAccount, "the order belongs to another account"
	}
	if o.Kind != gateway.KindRefund { // a refund's callback names the payment
		o.Verification = o.OnAcknowledgment(o.facts())
	}
	r := ObservationOf(n.ResultFor(o.Operation), SourceCallback, 0, now)
	if n.Result.Kind == gateway.KindRefund && o.Kind == gateway.KindPayment && o.Status.Final() {
		verdict, reason = o.observeUnrecordedRefund(r, n)
		return verdict, "", reason
	}
	if o.sameSumRefunds > 0 { // it may be the other refund's: kept for a search, and compared with nothing
		o.noteReferences(r.BankReferences, StatusProcessing)
		r.BankReferences = nil
	}
	if rule, reason = s.unverified(o, n, r); reason == "" {
		return o.observe(s.policy(), r), "", ""
	}
	if n.VerifyReason != "" || r.Status.Final() { // what is on its way the order overtakes
		o.Verification = o.OnPending(o.facts(), r.Status, now)
	}
	o.keepClaim(rule, r)
	if rule == ruleOtherMoney || rule == ruleOtherOrder { // kept for a search: whether such a thing happened is to be seen
		o.noteReferences(r.BankReferences, StatusProcessing)
	} else {
		o.noteReferences(r.BankReferences, r.Status)
	}
	o.verify(now)
	return Verify, rule, reason
}

// keepClaim keeps the sum that a callback names, for the poll that settles it.
func (o *Order) keepClaim(rule string, r Observation) {
	switch {
	case rule == ruleCommand, rule == ruleHoldsSum:
		o.keepReportedAmount(r)
	case rule == rulePaidLate, rule == ruleSameSum && o.carriedOut(r):
		o.keepLateClaim(r)
	}
}

// observeUnrecordedRefund judges a callback about a refund of which nothing is on record. It was made elsewhere, or is a
// chargeback: the callback does not say which. No poll of the payment need show it, and a refund of ours on top would give the
// money back twice. One that is not signed well enough, or names no sum that can be, is for a person.
func (o *Order) observeUnrecordedRefund(r Observation, n gateway.Notification) (Verdict, string) {
	minor := reportedSum(r)
	switch {
	case n.VerifyReason != "" || r.Status != StatusSucceeded:
		return Stale, "no such refund of this payment is on record"
	case o.contradictionsKnown(r.BankReferences):
		return Repeat, ""
	case n.Weak != "", o.Status != StatusSucceeded, minor <= 0, minor > o.Captured, r.Currency != "" && r.Currency != o.Amount.Currency():
		o.contradict(r, unrecordedRefund)
		o.noteReferences(r.BankReferences, "")
		return Conflict, unrecordedRefund
	}
	o.noteReferences(r.BankReferences, "")
	o.openUnasked([]unasked{{DisputeExternalRefund, minor, unrecordedRefund}}, r)
	return Apply, unrecordedRefund
}

// reportedSum is the sum that a callback about a refund names, 0 for none.
func reportedSum(r Observation) int64 {
	switch {
	case r.Settled != nil:
		return *r.Settled
	case r.Amount != nil:
		return *r.Amount
	}
	return 0
}
