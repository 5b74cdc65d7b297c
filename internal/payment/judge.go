package payment

import (
	"cmp"
	"fmt"
	"time"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
)

// Verdict is what became of an observation.
type Verdict string

// The verdicts on observations, and two that only callbacks get. Repeats and late arrivals are ordinary; only a conflict wakes a
// person.
const (
	// Apply: it led to a new status, or to a fact that was missing.
	Apply Verdict = "apply"
	// Repeat: the order is already as reported.
	Repeat Verdict = "repeat"
	// Stale: the order has gone further, or the observation says nothing that is understood.
	Stale Verdict = "stale"
	// Conflict: it contradicts a final status, or talks about other money. Nothing changes; an operator is told.
	Conflict Verdict = "conflict"

	// Verify: a callback that cannot be believed by itself. It is kept, and the provider is asked.
	Verify Verdict = "verify"
	// NoOrder: a callback that is authentic, but about an order that is not ours.
	NoOrder Verdict = "no_order"
)

// Observation is what somebody says about an order.
type Observation struct {
	Source Source
	Status Status
	// Reason, if not empty, becomes the order's StatusReason.
	Reason string
	// FormLost says that the order waits for a customer who has no address of its form.
	FormLost bool
	// AsOf is the order's Sequence when the question was asked, for an answer or a status poll: it is about the
	// provider's state after that transition. Zero means that its age is unknown, as with callbacks.
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

// ObservationOf turns what a provider said into an observation.
func ObservationOf(r gateway.Result, source Source, asOf int, at time.Time) Observation {
	return Observation{
		Source: source, Status: Status(r.Status), AsOf: asOf, Settled: r.Settled, Refunded: r.Refunded, Amount: r.Amount, Currency: r.Currency, Kind: r.Kind,
		ProviderReference: r.ProviderReference, BankReferences: r.BankReferences, NextAction: r.NextAction, PaymentMethod: r.PaymentMethod, Failure: r.Failure,
		State: r.State, ProviderData: r.ProviderData, At: at,
	}
}

// Judge says what an observation means for the order, and why, without changing anything.
func (o *Order) Judge(r Observation) (Verdict, string) { return o.judge(o.reading(r)) }

// judge is Judge for an observation that was read. The first rule that fits decides.
func (o *Order) judge(r Observation) (Verdict, string) {
	switch {
	case !r.Status.Valid() || r.Status == StatusCreated:
		return Stale, "no status that is understood"
	case o.wrongMoney(r) != "":
		return Conflict, o.wrongMoney(r)
	case o.Status.Final() && r.Status.Final():
		return o.judgeEnd(r)
	case o.Status.Final():
		return o.judgeAfterEnd(r)
	case r.Status == o.Status:
		return o.judgeRepeat(r)
	}
	return o.judgeStep(r)
}

// judgeEnd judges an end of an order that has one.
func (o *Order) judgeEnd(r Observation) (Verdict, string) {
	switch same := r.Status == o.Status; {
	case same && o.otherEnd(r) != "":
		return Conflict, o.otherEnd(r)
	case same && len(o.movedUnasked(r)) > 0:
		return Apply, ""
	case same && o.moreCameBack(r):
		return Apply, ""
	case same:
		return Repeat, ""
	case o.Status != StatusSucceeded && r.Status != StatusSucceeded:
		return Stale, "either way no money moved" // what we failed, the provider may call canceled
	case o.paidLate(r):
		return Apply, ""
	case o.carriedOut(r):
		return o.judgeCarriedOut(r)
	case o.SupersededBy != nil && o.Kind == gateway.KindRefund:
		return Repeat, ""
	case o.SupersededBy != nil:
		return Stale, "another order carries this money"
	}
	return Conflict, fmt.Sprintf("reported %s, but the order is already %s", r.Status, o.Status)
}

// judgeAfterEnd judges what is no end, of an order that has one. Only a hold that a poll has seen since is more than old news.
func (o *Order) judgeAfterEnd(r Observation) (Verdict, string) {
	if o.endedWithoutMoney() && r.Status == StatusAuthorized && !o.wasAuthorized() && r.Source == SourceStatusPoll && r.AsOf == o.Sequence {
		return Conflict, fmt.Sprintf("money is held, but the order is already %s", o.Status)
	}
	if reason := o.otherHold(r); reason != "" {
		return Conflict, reason
	}
	return Stale, "the order is final"
}

// judgeRepeat judges what is known.
func (o *Order) judgeRepeat(r Observation) (Verdict, string) {
	if reason := cmp.Or(o.otherHold(r), o.secondMovement(r)); reason != "" {
		return Conflict, reason
	}
	return Repeat, ""
}

// judgeStep judges another status of an order that has not ended.
func (o *Order) judgeStep(r Observation) (Verdict, string) {
	switch {
	case o.otherHoldUnderCommand(r):
		return Conflict, o.otherHold(r)
	case !Legal(o.Status, r.Status):
		return Stale, fmt.Sprintf("no step leads from %s to %s", o.Status, r.Status)
	case o.needsSum(r):
		return o.judgeUnnamed(r)
	case r.Status.Final():
		return Apply, ""
	case r.AsOf == o.Sequence:
		return Apply, "" // asked after the present status was written: this is how things are now
	case rank[r.Status] > rank[o.Status] && (r.Status != StatusAuthorized || !o.modificationPending()):
		return Apply, ""
	}
	return Stale, "older than what is recorded"
}

// wrongMoney says in what way an observation is about other money than the order, or "". A sum that cannot be is a reason only
// for a callback: where we asked, the order is what is answered, and the sum is judged with it.
func (o *Order) wrongMoney(r Observation) string {
	if reason := o.otherMoney(r); reason != "" || r.Source != SourceCallback {
		return reason
	}
	return o.impossibleSum(r)
}

// otherEnd says in what way an observation of the order's own final status is about other money than what is recorded, or "".
func (o *Order) otherEnd(r Observation) string {
	switch {
	case o.Status != StatusSucceeded:
		return ""
	case r.Settled != nil && *r.Settled != o.Captured && o.Amount.Currency() != "":
		return fmt.Sprintf("succeeded with another sum than the one recorded: %d, and not %d", *r.Settled, o.Captured)
	case o.reversedInPart(r):
		return "the provider shows the whole payment as given back, and the refunds on record are of a part"
	case o.Kind == gateway.KindPayment:
		return "" // see movedUnasked
	}
	return o.secondMovement(r)
}

// modificationPending reports whether a capture or cancel was asked for: "authorized" of unknown age is then old news.
func (o *Order) modificationPending() bool {
	return o.Operation == gateway.OpCapture || o.Operation == gateway.OpCancel
}

// awaitsOthers reports whether the next step is the customer's or the shop's, and not the provider's.
func (o *Order) awaitsOthers() bool {
	return (o.Status == StatusRequiresAction || o.Status == StatusAuthorized) && !o.modificationPending()
}

// unpaid reports whether the customer was asked to pay and, for all that is known, has not: nothing is under way.
func (o *Order) unpaid() bool {
	return o.Status == StatusRequiresAction || o.Status == StatusProcessing && o.FormLost && !o.modificationPending()
}

// intent is what the order was made for.
func (o *Order) intent() gateway.Operation {
	if o.Manual {
		return gateway.OpAuthorize
	}
	return gateway.OpSale
}

// wasAuthorized reports whether money was held before what was asked for last; if not, an unpaid order was given up.
func (o *Order) wasAuthorized() bool { return o.Manual && o.Authorized > 0 }

// endedWithoutMoney reports whether the order is final and nothing was taken or paid.
func (o *Order) endedWithoutMoney() bool {
	return o.Status == StatusFailed || o.Status == StatusCanceled
}

// neverArrived reports whether the order failed because the provider was not known to have it.
func (o *Order) neverArrived() bool {
	return o.Failure != nil && (o.Failure.Code == codeNotFound || o.Failure.Code == codeNotSent)
}

// asBefore reports whether a status is one that the order may have had before what was asked for last. A customer may have
// paid just before an unpaid order was given up, so its money may be held.
func (o *Order) asBefore(s gateway.Status) bool {
	return s == gateway.StatusAuthorized || !o.wasAuthorized() && (s == gateway.StatusRequiresAction || s == gateway.StatusProcessing)
}

// otherMoney says in what way an observation is about other money than the order, or "".
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
