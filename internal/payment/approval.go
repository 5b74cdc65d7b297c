package payment

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"payrelay/internal/gateway"
)

// ApprovalLife is for how long a payout waits for an operator, and how long the shop has to send it after the release.
const ApprovalLife = 24 * time.Hour

// ApprovalState says how a payout stands that an operator must release.
type ApprovalState string

// The states.
const (
	ApprovalWaiting  ApprovalState = "waiting"
	ApprovalReleased ApprovalState = "released"
	ApprovalRejected ApprovalState = "rejected"
	ApprovalUsed     ApprovalState = "used" // it became an order
	// ApprovalAltered is shown for one that something else than payrelay changed. It is never stored.
	ApprovalAltered ApprovalState = "altered"
)

// Approval is a payout that an operator must release. Its order is not there yet: a card number is kept nowhere, so the shop sends the
// request once more.
type Approval struct {
	ID          uuid.UUID
	State       ApprovalState
	ExpiresAt   time.Time
	RequestHash []byte
}

// NotReleased refuses a payout above the sum from which on an operator must release it.
func NotReleased(a Approval, o *Order) error {
	if !equalHash(a.RequestHash, o.RequestHash) || a.State == ApprovalUsed {
		return errReferenceConflict
	}
	until := a.ExpiresAt.UTC().Format(time.RFC3339)
	if a.State == ApprovalRejected {
		return &Error{Code: CodeApprovalRejected, Approval: &a, Message: fmt.Sprintf("The operators rejected this payout (%s). Nothing was sent, and it is not asked about anew before %s.", a.ID, until)}
	}
	return &Error{
		Code: CodeApprovalPending, Approval: &a, RetryAfter: approvalRetry,
		Message: fmt.Sprintf("This payout waits for the operators to release it (%s), until %s at most. Nothing was sent, and no order was made. Send the same request again after the release.", a.ID, until),
	}
}

// approvalRetry is when to send a payout again that waits.
const approvalRetry = time.Minute

// maskedDestination says where a payout goes, for an operator who decides about it.
func maskedDestination(m gateway.PayoutMethod) string {
	switch {
	case m.Card != nil:
		return "card " + m.Card.Number.Masked()
	case m.PayoutCardID != "":
		return "payout card"
	case m.BankAccount != nil:
		return "bank account " + lastFour(m.BankAccount.Number)
	}
	return "phone " + lastFour(m.Phone)
}

func lastFour(s string) string {
	if len(s) <= 8 {
		return "****"
	}
	return "****" + s[len(s)-4:]
}
