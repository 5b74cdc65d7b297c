package payment

import (
	"fmt"
	"maps"
	"time"

	"payrelay/internal/gateway"
)

// An attempt that has ended moved no money: that was proven before the order went to another account. A provider may say otherwise
// later. The order stays as it is. Another order takes over what the attempt became: it is polled like any other, and if it is paid, a
// dispute asks the shop what is to become of the money.

// observeEndedAttempt judges an authentic callback about an attempt of the order that has ended.
func (o *Order) observeEndedAttempt(a EndedAttempt, n gateway.Notification, at time.Time) (verdict Verdict, rule, reason string) {
	operation := o.intent()
	r := ObservationOf(n.ResultFor(operation), SourceCallback, 0, at)
	moved := r.Status == StatusSucceeded || r.Status == StatusAuthorized
	switch {
	case n.Result.Kind == gateway.KindRefund:
		reason = fmt.Sprintf("money went back of attempt %d, which had ended without any", a.Number)
		o.contradict(r, reason)
		return Conflict, "", reason
	case moved, !a.Declined() && r.Status.Valid() && !r.Status.Final():
		reason = fmt.Sprintf("attempt %d had ended, and is reported as %s", a.Number, r.Status)
		r.Reason = fmt.Sprintf("Attempt %d is reported as %s.", a.Number, r.Status)
		o.takeOver(a, r, n.Weak == "" && n.VerifyReason == "")
		return Verify, ruleEndedAttempt, reason
	case r.Status.Final():
		return Repeat, "", "the attempt has ended without money"
	}
	return Stale, "", "the attempt has ended"
}

// takeOver makes an order of an attempt that had ended, which is polled at once. The observation's reason says why. If the provider denies
// what a strong callback says, a person is called.
func (o *Order) takeOver(a EndedAttempt, r Observation, strong bool) {
	at := *o
	at.Provider, at.AccountID, at.AccountName, at.ProviderOrderID = a.Provider, a.AccountID, a.AccountName, a.ProviderOrderID
	at.ProviderReference, at.BankReferences, at.ProviderState, at.PaymentMethod = "", nil, nil, nil
	late := at.lateOrder(fmt.Sprintf("%s%d", LateSuffix, a.Number), r)
	o.late = &LateSuccess{Order: late, complete: func() { late.beAsked(r, strong) }}
	if o.endedWithoutMoney() {
		o.adviseAgainstRetry(fmt.Sprintf("%s Order %s shows what became of it. Do not charge the customer again while it may be paid.", r.Reason, late.ID))
	}
}

// beAsked makes an order that was taken over due for a poll. A provider that called about it has it, so no denial ends it.
func (o *Order) beAsked(r Observation, strong bool) {
	o.Record(Observation{Source: r.Source, Status: StatusUnknown, Reason: r.Reason + " The provider is being asked.", ProviderData: maps.Clone(r.ProviderData), At: r.At})
	if r.Source == SourceCallback {
		o.Verification = o.OnAcknowledgment(o.facts())
	}
	if r.Status.Final() {
		o.Verification = o.OnPending(o.facts(), r.Status, r.At)
		if strong && o.impossibleSum(r) == "" { // else the poll alone says what moved
			o.keepLateClaim(r)
		}
	}
	o.verify(r.At)
}

// surplusOf is what a success is of an order that was taken over: nobody asked for it any more. A hold that the shop captures is its own
// doing.
func (o *Order) surplusOf() []unasked {
	if !o.ofEndedAttempt() || o.Kind != gateway.KindPayment || o.Manual || o.Status != StatusSucceeded {
		return nil
	}
	return []unasked{{DisputeLateSuccess, o.Captured, "an attempt had ended, and the order went to another account"}}
}
