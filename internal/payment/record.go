package payment

import (
	"maps"
	"strconv"

	"payrelay/internal/gateway"
)

// Record judges an observation and acts on the verdict. It is the one road to a new status. Record may run twice for one
// observation, on two loads of the order, so it touches nothing but the order.
func (o *Order) Record(r Observation) Verdict {
	r = o.reading(r)
	verdict, reason := o.judge(r)
	if o.settlesClaim(r) {
		o.ReportedAmount = nil
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
	if o.Status.Final() {
		o.amend(r)
	} else {
		o.advance(r)
	}
	return verdict
}

// amend records what an observation adds to an order that has ended: money that moved without us, or came or went back late.
func (o *Order) amend(r Observation) {
	moved, late, back := o.movedUnasked(r), o.paidLate(r), o.wentBackLate(r)
	o.learn(r)
	switch {
	case back > 0:
		o.disputeRefund(r, back)
	case len(moved) > 0:
		o.openUnasked(moved, r)
	case late:
		o.supersede(r)
	default:
		o.cameBack(r)
	}
}

// advance takes an order to the status of an observation.
func (o *Order) advance(r Observation) {
	second := o.secondMovement(r)
	o.learn(r)
	o.step(r.Status, r.Source, r.providerData(), r.At)
	o.StatusReason, o.FormLost = r.Reason, r.FormLost
	twice := second != "" && o.Kind == gateway.KindPayment && o.Status == StatusSucceeded
	if second != "" && !twice {
		o.contradict(r, second)
	}
	o.enter(r)
	o.snapshot()
	if twice {
		o.openUnasked([]unasked{{DisputeDuplicateCharge, o.Captured, second}}, r)
	}
	o.openUnasked(o.surplusOf(), r)
}

// enter does what belongs to the status that the order has just got.
func (o *Order) enter(r Observation) {
	switch r.Status { //nolint:exhaustive // the others have nothing of their own
	case StatusRequiresAction:
		o.abandonModification(o.intent())
		if r.NextAction != nil {
			o.NextAction = r.NextAction
		}
	case StatusAuthorized:
		held := o.wasAuthorized()
		o.abandonModification(gateway.OpAuthorize)
		if !held { // also if the customer paid while the order was being given up
			o.Authorized = o.settle(r)
		}
	case StatusSucceeded:
		o.succeed(r)
	case StatusFailed, StatusCanceled:
		o.endWithoutMoney(r)
	}
}

// abandonModification is when a capture or cancel did not happen: the order is as before it.
func (o *Order) abandonModification(before gateway.Operation) {
	if o.modificationPending() {
		o.Operation, o.CaptureAmount, o.CommandAccepted = before, 0, false
	}
}

// providerData is what an observation says, with its sums.
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

// contradict keeps an observation that contradicts what is recorded, for an operator.
func (o *Order) contradict(r Observation, reason string) {
	o.Conflicts++
	o.conflicts = append(o.conflicts, ConflictRecord{Source: r.Source, Reason: reason, Reported: r.Status, ProviderData: r.ProviderData, At: r.At})
}

// learn keeps facts that an observation adds, also a late one. A fact that is known is not overwritten, so that the order of
// observations does not matter; only the adapter's own state may be renewed.
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

// completed returns a payment method with what another observation adds about the same one: callbacks tell less than status polls.
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
	out := gateway.ProviderData{}
	maps.Copy(out, e)
	out[name] = value
	return out
}
