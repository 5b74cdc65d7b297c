package payment

import (
	"time"

	"payrelay/internal/gateway"
)

// Money of a transfer or payout may come back long after it was sent. No refund of ours does that, so what the provider says
// came back is booked, as a step of the order from succeeded to succeeded.

// sendsMoney reports whether the order sends money to somebody, so that no refund can be made of it.
func (o *Order) sendsMoney() bool {
	return o.Kind == gateway.KindTransfer || o.Kind == gateway.KindPayout
}

// imported reports whether the order is a transfer that was started elsewhere: no shop chose a flow for it.
func (o *Order) imported() bool { return o.Kind == gateway.KindTransfer && o.Flow == "" }

// mayComeBack reports whether money of the order is out and could come back.
func (o *Order) mayComeBack() bool {
	return o.sendsMoney() && o.Status == StatusSucceeded && o.Refunded < o.Captured
}

// moreCameBack reports whether a report of a success says that more came back than is booked.
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

// watched reports whether the order is asked about although it succeeded. The provider does not call us about an imported
// transfer, so nothing else would tell that its money came back.
func (o *Order) watched(now time.Time) bool {
	return o.imported() && o.mayComeBack() && now.Sub(*o.FinalizedAt) < watchedFor
}

// watchedFor is for how long an imported transfer is asked about after it succeeded, and longestWatch how long the pauses
// between two questions get: each is half as long as the time since the success.
const (
	watchedFor   = 30 * 24 * time.Hour
	longestWatch = 24 * time.Hour
)

// watch sets when a watched order is asked about next.
func (s Schedule) watch(o *Order, now time.Time) {
	shortest := s[min(waitingSkips, len(s)-1)]
	at := now.Add(min(max(now.Sub(*o.FinalizedAt)/2, shortest), longestWatch)).Truncate(time.Microsecond)
	o.NextPollAt = &at
}
