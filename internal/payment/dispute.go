package payment

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
)

// Dispute is money of a payment that moved without us: it was charged back, given back elsewhere, or taken twice. Each step of a
// dispute is a step of its payment's history, from succeeded to succeeded, so the shop hears of it in the payment's own order.
type Dispute struct {
	ID, ShopID, OrderID uuid.UUID
	Kind                DisputeKind
	Status              DisputeStatus
	Amount              money.Money
	// Overdrawn is how much of it was more than what was left of the payment when it was opened.
	Overdrawn int64
	// RefundsAllowed says that an operator lets the shop refund the payment although the dispute is open.
	RefundsAllowed bool
	// ReasonCode and ProviderCase are what the provider or the card network calls it, "" where nobody said.
	ReasonCode, ProviderCase string
	// DueAt is until when somebody must answer, nil if that is not known.
	DueAt  *time.Time
	Source Source // on which road it was opened
	// RefundID is the refund that failed here and that the provider carried out all the same, nil for every other dispute.
	RefundID *uuid.UUID
	// Sequence is the number of steps so far.
	Sequence            int
	OpenedAt, UpdatedAt time.Time
	ClosedAt            *time.Time
}

// DisputeKind says how money moved without us.
type DisputeKind string

// The kinds. The first four took money of the payment, the next three brought money beside it, and an inquiry moved none.
const (
	DisputeChargeback       DisputeKind = "chargeback"        // the customer's bank took it back
	DisputeSecondChargeback DisputeKind = "second_chargeback" // once more, after the first was won
	DisputeReversal         DisputeKind = "reversal"          // the provider gave all of it back
	DisputeExternalRefund   DisputeKind = "external_refund"   // a part of it was given back, or all by several refunds, and not by us
	DisputeLateSuccess      DisputeKind = "late_success"      // it was taken although the payment had ended without money
	DisputeDuplicateCharge  DisputeKind = "duplicate_charge"  // it was taken twice
	DisputeSurplusCapture   DisputeKind = "surplus_capture"   // more was taken than was captured
	// DisputeUnauthorizedCharge: a provider charged by its own schedule what the mandate does not allow.
	DisputeUnauthorizedCharge DisputeKind = "unauthorized_charge"
	DisputeInquiry            DisputeKind = "inquiry" // a bank asks what the payment was for
)

// DisputeKinds lists every kind.
var DisputeKinds = []DisputeKind{
	DisputeChargeback, DisputeSecondChargeback, DisputeReversal, DisputeExternalRefund, DisputeLateSuccess, DisputeDuplicateCharge, DisputeSurplusCapture,
	DisputeUnauthorizedCharge, DisputeInquiry,
}

// brings reports whether a dispute of this kind is about an order that carries the money, and that payrelay made for it.
func (k DisputeKind) brings() bool { return k == DisputeLateSuccess || k == DisputeUnauthorizedCharge }

// takes reports whether money of the payment left by a dispute of this kind, so that it cannot be refunded any more.
func (k DisputeKind) takes() bool {
	return k == DisputeChargeback || k == DisputeSecondChargeback || k == DisputeReversal || k == DisputeExternalRefund
}

// DisputeStatus is the state of a dispute.
type DisputeStatus string

// The statuses of a dispute. internal/store keeps the same steps in the table legal_dispute_steps; a test compares the two.
const (
	// DisputeOpen: known, and nobody has done anything about it.
	DisputeOpen DisputeStatus = "open"
	// DisputeNeedsResponse: the bank waits for evidence until DueAt.
	DisputeNeedsResponse DisputeStatus = "needs_response"
	// DisputeUnderReview: evidence was handed in.
	DisputeUnderReview DisputeStatus = "under_review"
	// DisputeRefunding: its money is being given back by a refund, so nobody decides otherwise meanwhile.
	DisputeRefunding DisputeStatus = "refunding"
	// DisputeWon: the money came back to the shop. Final.
	DisputeWon DisputeStatus = "won"
	// DisputeLost: the money is gone. Final.
	DisputeLost DisputeStatus = "lost"
	// DisputeAccepted: the shop, or an operator, takes it as it is. Final.
	DisputeAccepted DisputeStatus = "accepted"
	// DisputeExpired: nobody answered in time, so the money is gone. Final.
	DisputeExpired DisputeStatus = "expired"
	// DisputeClosed: there is nothing to it any more: it was opened by mistake, withdrawn, or the surplus was given back. Final.
	DisputeClosed DisputeStatus = "closed"
)

// DisputeStatuses lists every status.
var DisputeStatuses = []DisputeStatus{
	DisputeOpen, DisputeNeedsResponse, DisputeUnderReview, DisputeRefunding, DisputeWon, DisputeLost, DisputeAccepted, DisputeExpired, DisputeClosed,
}

var disputeEnds = []DisputeStatus{DisputeWon, DisputeLost, DisputeAccepted, DisputeExpired, DisputeClosed}

// disputeSteps is the table of legal steps. A step to the same status tells of a new fact, such as a date.
var disputeSteps = map[DisputeStatus][]DisputeStatus{
	"":                   {DisputeOpen},
	DisputeOpen:          append([]DisputeStatus{DisputeOpen, DisputeNeedsResponse, DisputeUnderReview, DisputeRefunding}, disputeEnds...),
	DisputeNeedsResponse: append([]DisputeStatus{DisputeNeedsResponse, DisputeUnderReview, DisputeRefunding}, disputeEnds...),
	DisputeUnderReview:   append([]DisputeStatus{DisputeUnderReview, DisputeRefunding}, disputeEnds...),
	DisputeRefunding:     {DisputeOpen, DisputeClosed}, // and none to itself: its step names the refund
}

// DisputeSteps returns every legal step as pairs from, to.
func DisputeSteps() [][2]DisputeStatus {
	var all [][2]DisputeStatus
	for _, from := range append([]DisputeStatus{""}, DisputeStatuses...) {
		for _, to := range disputeSteps[from] {
			all = append(all, [2]DisputeStatus{from, to})
		}
	}
	return all
}

// Final reports whether no step leads on.
func (s DisputeStatus) Final() bool { return slices.Contains(disputeEnds, s) }

// taken is how much of the payment's money is gone by the dispute. What was won, or was nothing, is not.
func (d Dispute) taken() int64 {
	if !d.Kind.takes() || d.Sequence == 0 || d.Status == DisputeWon || d.Status == DisputeClosed {
		return 0
	}
	return d.Amount.Minor()
}

// holdsRefunds is 1 if the payment is not to be refunded while the dispute is as it is.
func (d Dispute) holdsRefunds() int {
	if d.Sequence == 0 || d.Status.Final() || d.RefundsAllowed || d.Kind == DisputeInquiry {
		return 0
	}
	return 1
}

// Weight is how much of its payment's money a dispute took, and 1 if it refuses refunds.
func (d Dispute) Weight() (taken int64, refuses int) { return d.taken(), d.holdsRefunds() }

// DisputeStep is a step of a dispute, with the dispute as it was after it.
type DisputeStep struct {
	From, To DisputeStatus
	After    Dispute
}

// take changes how much of the order's money disputes took. As much of that as was not refunded is Disputed, and cannot be
// refunded any more; what goes beyond is Overdrawn.
func (o *Order) take(minor int64) {
	whole := o.Disputed + o.Overdrawn + minor
	o.Disputed = max(0, min(whole, o.Captured-o.RefundReserved))
	o.Overdrawn = whole - o.Disputed
}

// MoveRefunds changes the sums of refunds. What a refund leaves free, disputes took first.
func (o *Order) MoveRefunds(reserved, refunded int64) {
	o.RefundReserved, o.Refunded = o.RefundReserved+reserved, o.Refunded+refunded
	if reserved < 0 {
		o.take(0)
	}
}

// openDispute writes down money of a succeeded payment that moved without us.
func (o *Order) openDispute(d Dispute, r Observation, reason string) Dispute {
	d.ID, d.ShopID, d.OrderID = idAt(r.At), o.ShopID, o.ID
	d.Source, d.OpenedAt = r.Source, r.At
	return o.stepDispute(Dispute{}, d, DisputeOpen, r, reason)
}

// stepDispute takes a dispute from before to another status, with what changed about it in after.
func (o *Order) stepDispute(before, after Dispute, to DisputeStatus, r Observation, reason string) Dispute {
	after.Status, after.Sequence, after.UpdatedAt = to, before.Sequence+1, r.At
	if to.Final() {
		after.ClosedAt = &r.At
	}
	overdrawn := o.Overdrawn
	o.take(after.taken() - before.taken())
	if before.Sequence == 0 {
		after.Overdrawn = min(o.Overdrawn-overdrawn, after.Amount.Minor())
	}
	o.DisputesOpen += after.holdsRefunds() - before.holdsRefunds()
	o.step(o.Status, r.Source, after.providerData(r, reason), r.At)
	o.snapshot()
	o.transitions[len(o.transitions)-1].Dispute = &DisputeStep{before.Status, to, after}
	return after
}

// providerData is what the order's history keeps of a step of the dispute.
func (d Dispute) providerData(r Observation, reason string) gateway.ProviderData {
	data := r.providerData()
	for name, value := range map[string]string{
		"dispute": d.ID.String(), "dispute_kind": string(d.Kind), "dispute_status": string(d.Status), "dispute_amount": strconv.FormatInt(d.Amount.Minor(), 10), "reason": reason,
	} {
		data = withField(data, name, value)
	}
	if d.RefundID != nil {
		data = withField(data, "refund", d.RefundID.String())
	}
	return data
}

// PaymentDisputed refuses a refund of a payment with an open dispute.
func PaymentDisputed() *Error {
	return &Error{
		Code:    CodePaymentDisputed,
		Message: "The payment has an open dispute: a refund could give its money back twice. GET /v1/disputes names it. Resolve it, or wait until it is settled; if it must be refunded meanwhile, ask the operators.",
	}
}

// unasked is money of a payment that moved without us, as an observation tells of it.
type unasked struct {
	kind   DisputeKind
	minor  int64
	reason string
}

// movedUnasked is what an observation of a success tells of money that moved without us and is not on record.
func (o *Order) movedUnasked(r Observation) (all []unasked) {
	if o.Kind != gateway.KindPayment || o.Status != StatusSucceeded || r.Status != StatusSucceeded {
		return nil
	}
	if back := o.wentBackElsewhere(r); back > 0 {
		kind := DisputeExternalRefund
		if back == o.Captured {
			kind = DisputeReversal
		}
		all = append(all, unasked{kind, back, fmt.Sprintf("the provider says that %d went back, of which %d is on record", min(*r.Refunded, o.Captured), min(*r.Refunded, o.Captured)-back)})
	}
	if reason := o.secondMovement(r); reason != "" {
		all = append(all, unasked{DisputeDuplicateCharge, o.Captured, reason})
	}
	return all
}

// wentBackElsewhere is how much went back beyond the refunds and disputes on record.
func (o *Order) wentBackElsewhere(r Observation) int64 {
	if o.Kind != gateway.KindPayment || r.Refunded == nil {
		return 0
	}
	return min(*r.Refunded, o.Captured) - o.RefundReserved - o.Disputed - o.Overdrawn
}

// reversedInPart reports whether a payment with a refund of a part is shown as wholly given back. No document says whether a
// provider that names no sum calls it so after a part, too.
func (o *Order) reversedInPart(r Observation) bool {
	return o.wentBackElsewhere(r) > 0 && *r.Refunded >= o.Captured && o.RefundReserved > 0
}

// openUnasked opens a dispute for each.
func (o *Order) openUnasked(all []unasked, r Observation) {
	for _, u := range all {
		o.openDispute(Dispute{Kind: u.kind, Amount: money.New(u.minor, o.Amount.Currency())}, r, u.reason)
	}
}
