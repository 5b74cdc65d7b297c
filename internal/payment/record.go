package payment

import (
	"fmt"
	"strconv"
	"time"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
)

// Verdict is what became of a report.
type Verdict string

// The verdicts. Repeats and late arrivals are ordinary; only a conflict wakes a person.
const (
	// Apply: the report led to a new status, or to a fact that was missing.
	Apply Verdict = "apply"
	// Repeat: the order is already as reported.
	Repeat Verdict = "repeat"
	// Stale: the order has gone further, or the report says nothing that is understood.
	Stale Verdict = "stale"
	// Conflict: the report contradicts a final status, or talks about other money. Nothing changes; an operator is told.
	Conflict Verdict = "conflict"
)

// Report is what somebody says about an order.
type Observation struct {
	Source Source
	Status Status
	// Reason, if not empty, becomes the order's StatusReason.
	Reason string
	// FormLost says that the order waits for a customer who has no address of its form.
	FormLost bool
	// Basis is the order's Sequence when the question was asked, for an answer or a check: the report is about the
	// provider's state after that transition. Zero means that the report's age is unknown, as with callbacks.
	AsOf int
	// Settled is how much the reporter says moved or is held; nil is no statement.
	Settled *int64
	// Refunded is how much of it the reporter says went back so far; nil is no statement.
	Refunded *int64
	// Amount and Currency are what the reporter says the order is about; nil and "" are no statement.
	Amount   *int64
	Currency money.Currency
	Kind     gateway.Kind

	ProviderReference string
	BankReferences    []string
	NextAction        *gateway.NextAction
	PaymentMethod     *gateway.MaskedMethod
	Failure           *gateway.Failure
	State             map[string]gateway.Secret
	ProviderData      gateway.ProviderData
	At                time.Time
}

// ReportOf turns what a provider said into a report.
func ObservationOf(r gateway.Result, cause Source, basis int, at time.Time) Observation {
	return Observation{
		Source: cause, Status: Status(r.Status), AsOf: basis, Settled: r.Settled, Refunded: r.Refunded, Amount: r.Amount, Currency: r.Currency, Kind: r.Kind,
		ProviderReference: r.ProviderReference, BankReferences: r.BankReferences, NextAction: r.NextAction, PaymentMethod: r.PaymentMethod, Failure: r.Failure,
		State: r.State, ProviderData: r.ProviderData, At: at,
	}
}

// Judge says what a report means for the order, and why, without changing anything.
func (o *Order) Judge(r Observation) (Verdict, string) { return o.judge(o.reading(r)) }

// judge is Judge for a report that was read.
func (o *Order) judge(r Observation) (Verdict, string) {
	if !r.Status.Valid() || r.Status == StatusCreated {
		return Stale, "no status that is understood"
	}
	if reason := o.otherMoney(r); reason != "" {
		return Conflict, reason
	}
	if reason := o.impossibleSum(r); reason != "" && r.Source == SourceCallback {
		return Conflict, reason
	}
	switch {
	case o.Status.Final() && r.Status == o.Status:
		if reason := o.otherEnd(r); reason != "" {
			return Conflict, reason
		}
		if o.moreCameBack(r) {
			return Apply, ""
		}
		return Repeat, ""
	case o.Status.Final() && r.Status.Final() && o.Status != StatusSucceeded && r.Status != StatusSucceeded:
		return Stale, "either way no money moved" // what we failed, the provider may call canceled
	case o.Status.Final() && r.Status.Final():
		return Conflict, fmt.Sprintf("reported %s, but the order is already %s", r.Status, o.Status)
	case o.endedWithoutMoney() && r.Status == StatusAuthorized && !o.wasAuthorized() && r.Source == SourceStatusPoll && r.AsOf == o.Sequence:
		return Conflict, fmt.Sprintf("money is held, but the order is already %s", o.Status)
	case o.Status.Final():
		return Stale, "the order is final"
	case r.Status == o.Status:
		if reason := o.secondMovement(r); reason != "" {
			return Conflict, reason
		}
		return Repeat, ""
	case !Legal(o.Status, r.Status):
		return Stale, fmt.Sprintf("no step leads from %s to %s", o.Status, r.Status)
	case o.needsSum(r):
		return o.judgeUnnamed(r)
	case r.Status.Final():
		return Apply, ""
	case r.AsOf == o.Sequence && r.AsOf > 0:
		return Apply, "" // asked after the present status was written: this is how things are now
	case r.Status.rank() > o.Status.rank() && (r.Status != StatusAuthorized || !o.modificationPending()):
		return Apply, ""
	}
	return Stale, "older than what is recorded"
}

// otherEnd says in what way a report of the order's own final status is about other money than what is recorded, or "".
func (o *Order) otherEnd(r Observation) string {
	switch {
	case o.Status != StatusSucceeded:
		return ""
	case r.Settled != nil && *r.Settled != o.Captured && o.Amount.Currency() != "":
		return fmt.Sprintf("succeeded with another sum than the one recorded: %d, and not %d", *r.Settled, o.Captured)
	case o.Kind != gateway.KindRefund && !o.sendsMoney() && r.Refunded != nil && min(*r.Refunded, o.Captured) > o.RefundReserved:
		return "more went back than the refunds on record"
	}
	return o.secondMovement(r)
}

// commanded reports whether a capture or cancel was asked for: "authorized" of unknown age is then old news.
func (o *Order) modificationPending() bool {
	return o.Operation == gateway.OpCapture || o.Operation == gateway.OpCancel
}

// waits reports whether the next step is the customer's or the shop's, and not the provider's.
func (o *Order) awaitsOthers() bool {
	return (o.Status == StatusRequiresAction || o.Status == StatusAuthorized) && !o.modificationPending()
}

// unpaid reports whether the customer was asked to pay and, for all that is known, has not: nothing is under way.
func (o *Order) unpaid() bool {
	return o.Status == StatusRequiresAction || o.Status == StatusProcessing && o.FormLost && !o.modificationPending()
}

// begun is what the order was made for.
func (o *Order) intent() gateway.Operation {
	if o.Manual {
		return gateway.OpAuthorize
	}
	return gateway.OpSale
}

// held reports whether money was held before what was commanded last; if not, an unpaid order was given up.
func (o *Order) wasAuthorized() bool { return o.Manual && o.Authorized > 0 }

// endedWithoutMoney reports whether the order is final and nothing was taken or paid.
func (o *Order) endedWithoutMoney() bool {
	return o.Status == StatusFailed || o.Status == StatusCanceled
}

// neverArrived reports whether the order failed because the provider was not known to have it.
func (o *Order) neverArrived() bool {
	return o.Failure != nil && (o.Failure.Code == codeNotFound || o.Failure.Code == codeNotSent)
}

// asBefore reports whether a status is the one that the order had before what was commanded last.
func (o *Order) asBefore(s gateway.Status) bool {
	if o.wasAuthorized() {
		return s == gateway.StatusAuthorized
	}
	return s == gateway.StatusRequiresAction || s == gateway.StatusProcessing
}

// otherMoney says in what way a report is about other money than the order, or "".
func (o *Order) otherMoney(r Observation) string {
	switch {
	case r.Kind != "" && r.Kind != o.Kind:
		return "the report is about a " + string(r.Kind)
	case o.Amount.Currency() == "":
		return "" // a payout card has no sum
	case r.Amount != nil && *r.Amount != o.Amount.Minor():
		return "the report names another amount"
	case r.Currency != "" && r.Currency != o.Amount.Currency():
		return "the report names another currency"
	case r.Refunded != nil && (*r.Refunded < 0 || *r.Refunded > o.Amount.Minor()):
		return "the refunded sum is not within the amount"
	}
	return ""
}

// Record judges a report and acts on the verdict. It is the one road to a new status. Record may run twice for one
// report, on two loads of the order, so it touches nothing but the order.
func (o *Order) Record(r Observation) Verdict {
	r = o.reading(r)
	verdict, reason := o.judge(r)
	if r.Status == StatusSucceeded && r.Source != SourceCallback {
		o.ReportedAmount = nil // it was asked about, and judged with this report
	}
	switch verdict { //nolint:exhaustive // Apply goes on below
	case Conflict:
		o.contradict(r, reason)
		o.noteReferences(r.BankReferences, r.Status)
		return verdict
	case Stale, Repeat:
		if verdict == Stale && o.needsSum(r) {
			o.StatusReason, o.FormLost = sumNotNamed, false
		}
		o.learn(r)
		if verdict == Repeat && o.StatusReason == "" && !o.Status.Final() {
			o.StatusReason, o.FormLost = r.Reason, r.FormLost
		}
		return verdict
	}
	second := o.secondMovement(r)
	o.learn(r)
	if o.Status.Final() {
		o.cameBack(r)
		return verdict
	}
	o.step(r.Status, r.Source, r.providerData(), r.At)
	o.StatusReason, o.FormLost = r.Reason, r.FormLost
	defer o.snapshot()
	if second != "" {
		o.contradict(r, second)
	}
	switch r.Status { //nolint:exhaustive // the others have nothing of their own
	case StatusRequiresAction:
		if o.modificationPending() {
			o.Operation, o.CommandAccepted = o.intent(), false // what was asked did not happen
		}
		if r.NextAction != nil {
			o.NextAction = r.NextAction
		}
	case StatusAuthorized:
		held := o.wasAuthorized()
		if o.modificationPending() {
			o.Operation, o.CaptureAmount, o.CommandAccepted = gateway.OpAuthorize, 0, false // what was asked did not happen
		}
		if !held { // also if the customer paid while the order was being given up
			o.Authorized = o.settle(r)
		}
	case StatusSucceeded:
		o.succeed(r)
	case StatusFailed, StatusCanceled:
		o.endWithoutMoney(r)
	}
	return verdict
}

// evidence is what a report says, with its sums.
func (r Observation) providerData() gateway.ProviderData {
	e := r.ProviderData
	if r.Settled != nil {
		e = withField(e, "settled", strconv.FormatInt(*r.Settled, 10))
	}
	if r.Refunded != nil {
		e = withField(e, "refunded", strconv.FormatInt(*r.Refunded, 10))
	}
	return e
}

// succeed records the sums of a success.
func (o *Order) succeed(r Observation) {
	o.Captured = o.settle(r)
	if o.Kind == gateway.KindRefund {
		o.parentRefunded = o.Captured
	} else if r.Refunded != nil {
		// It went back before we saw it succeed, so no refund of ours did it: those begin at a success.
		o.Refunded = min(*r.Refunded, o.Captured)
		o.RefundReserved = o.Refunded
	}
}

// endWithoutMoney records why an order failed or was canceled.
func (o *Order) endWithoutMoney(r Observation) {
	o.Failure = r.Failure
	if r.Status == StatusFailed && o.Failure == nil {
		o.Failure = &gateway.Failure{Category: gateway.FailureUnknown, Advice: gateway.AdviceContactProvider, Message: "The provider gave no reason."}
	}
	if o.Kind == gateway.KindRefund {
		o.parentReserved = -o.Amount.Minor()
	}
}

// contradict keeps a report that contradicts what is recorded, for an operator.
func (o *Order) contradict(r Observation, reason string) {
	o.Conflicts++
	o.conflicts = append(o.conflicts, ConflictRecord{Source: r.Source, Reason: reason, Reported: r.Status, ProviderData: r.ProviderData, At: r.At})
}

// learn keeps facts that a report adds, also a late one. A fact that is known is not overwritten, so that the order of
// reports does not matter; only the adapter's own state may be renewed.
func (o *Order) learn(r Observation) {
	if !r.Status.Valid() {
		return
	}
	if o.ProviderReference == "" {
		o.ProviderReference = r.ProviderReference
	}
	o.noteReferences(r.BankReferences, r.Status)
	o.PaymentMethod = completed(o.PaymentMethod, r.PaymentMethod)
	if o.Status == StatusRequiresAction && r.Status == StatusRequiresAction && r.NextAction != nil && (o.NextAction == nil || r.AsOf == o.Sequence) {
		o.NextAction = r.NextAction
	}
	for k, v := range r.State {
		if o.ProviderState == nil {
			o.ProviderState = map[string]gateway.Secret{}
		}
		o.ProviderState[k] = v
	}
}

// completed returns a payment method with what another report adds about the same one: callbacks tell less than checks.
func completed(known, reported *gateway.MaskedMethod) *gateway.MaskedMethod {
	switch {
	case known == nil:
		return reported
	case reported == nil, reported.Type != known.Type, reported.Masked != known.Masked:
		return known
	}
	out := *known
	for _, f := range []struct{ have, add *string }{{&out.BIN, &reported.BIN}, {&out.Brand, &reported.Brand}, {&out.Country, &reported.Country}} {
		if *f.have == "" {
			*f.have = *f.add
		}
	}
	return &out
}

func withField(e gateway.ProviderData, name, value string) gateway.ProviderData {
	out := make(gateway.ProviderData, len(e)+1)
	for k, v := range e {
		out[k] = v
	}
	out[name] = value
	return out
}
