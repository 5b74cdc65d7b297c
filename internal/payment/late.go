package payment

import (
	"fmt"
	"maps"
	"regexp"
	"strings"

	"github.com/google/uuid"

	"payrelay/internal/gateway"
)

// Money may move after a payment or payout has ended without any. The order stays as it ended. A new order carries the money, so that it
// is in the sums. That of a payment can be refunded, and a dispute of it asks the shop what is to become of the money.

// LateSuffix is what the reference of an order that carries late money ends with; the number of an attempt follows if it is of one
// that had ended. No shop may give such a reference.
const LateSuffix = "~late"

var lateReference = regexp.MustCompile(`^(.*)` + LateSuffix + `(\d?)$`)

// BeforeLate is the reference of the order whose late money an order carries, and whether a reference is of such an order.
func BeforeLate(reference string) (of string, late bool) {
	m := lateReference.FindStringSubmatch(reference)
	if m == nil {
		return reference, false
	}
	return m[1], true
}

// Late reports whether the order carries money that came after its parent, or an attempt of it, had ended.
func (o *Order) Late() bool {
	_, late := BeforeLate(o.Reference)
	return late && o.carriesLate() && o.ParentID != nil
}

// carriesLate reports whether late money of an order of this kind goes to a new order.
func (o *Order) carriesLate() bool {
	return o.Kind == gateway.KindPayment || o.Kind == gateway.KindPayout
}

// ofEndedAttempt reports whether the order took over an attempt of its parent that had ended.
func (o *Order) ofEndedAttempt() bool { return o.Late() && !strings.HasSuffix(o.Reference, LateSuffix) }

// mayBePaidLate reports whether the order ended without money, and a new order would carry what moves of it after all. Of one that was
// to be held first a success may be the hold's, so that is for a person.
func (o *Order) mayBePaidLate(source Source) bool {
	return o.carriesLate() && o.endedWithoutMoney() && o.SupersededBy == nil && (!o.Manual || source == SourceOperator)
}

// paidLate reports whether an observation is about money of a payment or payout that has ended without any.
func (o *Order) paidLate(r Observation) bool {
	return o.mayBePaidLate(r.Source) && r.Status == StatusSucceeded && o.impossibleSum(r) == ""
}

// keepLateClaim keeps what a callback says was paid of an order that has ended without money, until the provider was asked. Of one
// that the provider is not known to have, its answers prove nothing, so a person is told at once.
func (o *Order) keepLateClaim(r Observation) {
	minor := o.asked()
	if r.Settled != nil {
		minor = *r.Settled
	}
	o.ReportedAmount = &minor
	if o.endedWithoutMoney() {
		o.adviseAgainstRetry("A callback says that money moved after all, and the provider is being asked. Do not try it once more meanwhile.")
	}
	if o.neverArrived() {
		o.contradict(r, fmt.Sprintf("reported %s, but the order is already %s", r.Status, o.Status))
	}
}

// denyLateClaim calls a person if polls have confirmed that an order ended without money, of which a callback says that it was paid.
func (o *Order) denyLateClaim(answered Answer, r Observation) {
	if answered != AnswerEnded || o.NextPollAt != nil || o.ReportedAmount == nil || o.Manual || !o.endedWithoutMoney() {
		return
	}
	moved := "was paid"
	if o.Kind == gateway.KindRefund {
		moved = "went back"
	}
	o.contradict(r, fmt.Sprintf("a callback says that %d %s, and the provider's own answers that the %s is %s", *o.ReportedAmount, moved, o.Kind, o.Status))
	o.ReportedAmount = nil
}

// LateSuccess is a new order that carries money which came late. The store writes the order as it is at first, then has it
// completed, and writes the rest.
type LateSuccess struct {
	Order    *Order
	complete func()
}

// supersede writes down that another order carries the money of this one.
func (o *Order) supersede(r Observation) {
	late, ended := o.lateOrder(LateSuffix, r), o.Status
	o.late = &LateSuccess{Order: late, complete: func() {
		late.Record(r)
		if late.Kind == gateway.KindPayment { // what was paid out is gone: nobody can decide about it here
			late.openUnasked([]unasked{{DisputeLateSuccess, late.Captured, fmt.Sprintf("the payment had ended as %s", ended)}}, r)
		}
	}}
	o.supersededBy(late.ID, fmt.Sprintf(lateReason[o.Kind], late.ID), r)
}

// lateReason tells a shop what became of an order whose money moved late.
var lateReason = map[gateway.Kind]string{
	gateway.KindPayment: "The customer paid after all: order %s carries the money. Do not charge the customer again.",
	gateway.KindPayout:  "The provider paid it out after all: order %s carries the money. Do not send it again.",
}

// supersededBy names the record that carries the money of an order which had ended without any.
func (o *Order) supersededBy(id uuid.UUID, reason string, r Observation) {
	o.SupersededBy = &id
	o.adviseAgainstRetry(reason)
	o.step(o.Status, r.Source, withField(r.providerData(), "superseded_by", id.String()), r.At)
	o.snapshot()
}

// adviseAgainstRetry tells the shop of a payment or refund without money not to try another one.
func (o *Order) adviseAgainstRetry(reason string) {
	if o.Failure != nil {
		failure := *o.Failure // snapshots share it
		failure.Advice = gateway.AdviceDoNotRetry
		o.Failure = &failure
	}
	o.StatusReason = reason
}

// lateOrder is a new order for the money of this one, at the same place of the provider.
func (o *Order) lateOrder(suffix string, r Observation) *Order {
	parent := o.ID
	late := &Order{
		ID: idAt(r.At), ShopID: o.ShopID, Kind: o.Kind, Reference: o.Reference + suffix, ParentID: &parent, Operation: o.intent(), Manual: o.Manual, Amount: o.Amount, Flow: o.Flow,
		Provider: o.Provider, AccountID: o.AccountID, AccountName: o.AccountName, ProviderOrderID: o.ProviderOrderID, ProviderReference: o.ProviderReference,
		BankReferences: maps.Clone(o.BankReferences), ProviderState: maps.Clone(o.ProviderState), PaymentMethod: o.PaymentMethod,
		Description: o.Description, Details: o.Details, Metadata: o.Metadata, NotificationURL: o.NotificationURL, CreatedAt: r.At, UpdatedAt: r.At,
	}
	late.PollsSince = r.At
	late.step(StatusCreated, r.Source, nil, r.At)
	late.snapshot()
	return late
}

// Complete gives the order the money, and opens the dispute about it; or has the provider asked, where nobody knows yet.
func (l *LateSuccess) Complete() { l.complete() }

// NewLate returns the order that carries late money, if an observation since the order was loaded told of any, else nil.
func (o *Order) NewLate() *LateSuccess { return o.late }
