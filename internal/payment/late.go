package payment

import (
	"fmt"
	"maps"
	"strings"

	"github.com/google/uuid"

	"payrelay/internal/gateway"
)

// Money may come after a payment has ended without any. The payment stays as it ended. A new order carries the money, so that it can
// be refunded, and a dispute of that order asks the shop what is to become of it.

// LateSuffix is what the reference of an order that carries late money ends with. No shop may give such a reference.
const LateSuffix = "~late"

// Late reports whether the order carries money that came after its parent had ended.
func (o *Order) Late() bool {
	return o.Kind == gateway.KindPayment && o.ParentID != nil && strings.HasSuffix(o.Reference, LateSuffix)
}

// paidLate reports whether an observation is about money of a payment that has ended without any. Of one that was to be held first a
// success may be the hold's, so that is for a person.
func (o *Order) paidLate(r Observation) bool {
	return o.Kind == gateway.KindPayment && o.endedWithoutMoney() && r.Status == StatusSucceeded && !o.Manual && o.SupersededBy == nil && o.impossibleSum(r) == ""
}

// keepLateClaim keeps what a callback says was paid of a payment that has ended without money, until the provider was asked. Of one
// that the provider is not known to have, its answers prove nothing, so a person is told at once.
func (o *Order) keepLateClaim(r Observation) {
	minor := o.asked()
	if r.Settled != nil {
		minor = *r.Settled
	}
	o.ReportedAmount = &minor
	if o.neverArrived() {
		o.contradict(r, fmt.Sprintf("reported %s, but the order is already %s", r.Status, o.Status))
	}
}

// denyLateClaim calls a person if polls have confirmed that a payment ended without money, of which a callback says that it was paid.
func (o *Order) denyLateClaim(answered Answer, r Observation) {
	if answered != AnswerEnded || o.NextPollAt != nil || o.ReportedAmount == nil || o.Manual || !o.endedWithoutMoney() {
		return
	}
	o.contradict(r, fmt.Sprintf("a callback says that %d was paid, and the provider's own answers that the payment is %s", *o.ReportedAmount, o.Status))
	o.ReportedAmount = nil
}

// LateSuccess is a new order that carries money which came late. The store writes the order as it is at first, then has it
// completed, and writes the rest.
type LateSuccess struct {
	Order *Order
	r     Observation
	ended Status
}

// supersede writes down that another order carries the money of this one.
func (o *Order) supersede(r Observation) {
	late := o.lateOrder(r)
	o.late = &LateSuccess{late, r, o.Status}
	o.supersededBy(late.ID, fmt.Sprintf("The customer paid after all: order %s carries the money. Do not charge the customer again.", late.ID), r)
}

// supersededBy names the record that carries the money of an order which had ended without any.
func (o *Order) supersededBy(id uuid.UUID, reason string, r Observation) {
	o.SupersededBy = &id
	if o.Failure != nil {
		failure := *o.Failure // snapshots share it
		failure.Advice = gateway.AdviceDoNotRetry
		o.Failure = &failure
	}
	o.StatusReason = reason
	o.step(o.Status, r.Source, withField(r.providerData(), "superseded_by", id.String()), r.At)
	o.snapshot()
}

// lateOrder is a new order for the money of this one, at the same place of the provider.
func (o *Order) lateOrder(r Observation) *Order {
	parent := o.ID
	late := &Order{
		ID: idAt(r.At), ShopID: o.ShopID, Kind: o.Kind, Reference: o.Reference + LateSuffix, ParentID: &parent, Operation: gateway.OpSale, Amount: o.Amount, Flow: o.Flow,
		Provider: o.Provider, AccountID: o.AccountID, AccountName: o.AccountName, ProviderOrderID: o.ProviderOrderID, ProviderReference: o.ProviderReference,
		BankReferences: maps.Clone(o.BankReferences), ProviderState: maps.Clone(o.ProviderState), PaymentMethod: o.PaymentMethod,
		Description: o.Description, Details: o.Details, Metadata: o.Metadata, NotificationURL: o.NotificationURL, CreatedAt: r.At, UpdatedAt: r.At,
	}
	late.PollsSince = r.At
	late.step(StatusCreated, r.Source, nil, r.At)
	late.snapshot()
	return late
}

// Complete gives the order the money, and opens the dispute about it.
func (l *LateSuccess) Complete() {
	l.Order.Record(l.r)
	l.Order.openUnasked([]unasked{{DisputeLateSuccess, l.Order.Captured, fmt.Sprintf("the payment had ended as %s", l.ended)}}, l.r)
}

// NewLate returns the order that carries late money, if an observation since the order was loaded told of any, else nil.
func (o *Order) NewLate() *LateSuccess { return o.late }
