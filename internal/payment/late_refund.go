package payment

import (
	"fmt"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
)

// A provider may carry out a refund that it had refused, or that somebody gave up. The refund stays as it ended. What went back is a
// dispute of the payment, so that it cannot be refunded once more.

// SetPayment gives a failed refund its payment, which is locked with it. The payment gathers the steps of disputes that the refund
// leads to, and is saved with it.
func (o *Order) SetPayment(payment *Order) { o.payment = payment }

// carriedOut reports whether an observation says that a refund which had failed was carried out, and nothing is on record of that.
func (o *Order) carriedOut(r Observation) bool {
	return o.Kind == gateway.KindRefund && o.endedWithoutMoney() && o.SupersededBy == nil && o.payment != nil && o.payment.Status == StatusSucceeded &&
		r.Status == StatusSucceeded && o.impossibleSum(r) == ""
}

// judgeCarriedOut judges an observation that says so.
func (o *Order) judgeCarriedOut(r Observation) (Verdict, string) {
	if o.wentBackLate(r) <= 0 {
		return Stale, "what went back of the payment is on record"
	}
	return Apply, ""
}

// wentBackLate is how much went back by a refund that had failed. A callback is about the refund, and so is an answer about its own
// id. Without one only the payment can be asked about, so what is on record of that already is nothing new.
func (o *Order) wentBackLate(r Observation) int64 {
	if !o.carriedOut(r) {
		return 0
	}
	minor := o.Amount.Minor()
	if r.Settled != nil {
		minor = *r.Settled
	}
	if r.Source == SourceCallback || o.ProviderReference != "" || r.ProviderReference != "" {
		return minor
	}
	p := o.payment
	return min(minor, p.Captured-p.RefundReserved-p.Disputed-p.Overdrawn)
}

// disputeRefund opens a dispute of the payment for what a failed refund gave back after all, and names it in the refund.
func (o *Order) disputeRefund(r Observation, minor int64) {
	refund := o.ID
	d := o.payment.openDispute(
		Dispute{Kind: DisputeExternalRefund, Amount: money.New(minor, o.Amount.Currency()), RefundID: &refund},
		r, fmt.Sprintf("refund %s had ended as %s, and the provider says that it was carried out", o.ID, o.Status),
	)
	o.supersededBy(d.ID, fmt.Sprintf("The provider carried the refund out after all: dispute %s of the payment has the sum. Do not refund it again.", d.ID), r)
}
