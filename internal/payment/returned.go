package payment

import (
	"payrelay/internal/gateway"
)

// Money of a transfer or payout may come back long after it was sent. No refund of ours does that, so what the provider says
// came back is booked, as a step of the order from succeeded to succeeded.

// sendsMoney reports whether the order sends money to somebody, so that no refund can be made of it.
func (o *Order) sendsMoney() bool {
	return o.Kind == gateway.KindTransfer || o.Kind == gateway.KindPayout
}

// mayComeBack reports whether money of the order is out and could come back.
func (o *Order) mayComeBack() bool {
	return o.sendsMoney() && o.Status == StatusSucceeded && o.Refunded < o.Captured
}

// moreCameBack reports whether an observation of a success says that more came back than is booked.
func (o *Order) moreCameBack(r Observation) bool {
	return o.mayComeBack() && r.Refunded != nil && *r.Refunded > o.Refunded
}

// cameBack books that more of what was sent came back.
func (o *Order) cameBack(r Observation) {
	o.step(StatusSucceeded, r.Source, r.providerData(), r.At)
	o.Refunded = min(*r.Refunded, o.Captured)
	o.RefundReserved = o.Refunded
	o.snapshot()
}
