package payment

import (
	"errors"
	"time"

	"github.com/google/uuid"

	"payrelay/internal/gateway"
)

// Code names an error for programs. The merchant API passes it on as it is.
type Code string

// The codes.
const (
	CodeInvalid            Code = "invalid_request"
	CodeMissingFields      Code = "missing_fields"
	CodeNotFound           Code = "not_found"
	CodeReferenceConflict  Code = "reference_conflict"
	CodeUnknownAccount     Code = "unknown_account"
	CodeNoRoute            Code = "no_route"
	CodeCurrency           Code = "currency_not_supported"
	CodeUnsupported        Code = "not_supported_by_provider"
	CodeInvalidState       Code = "invalid_state"
	CodeFrozen             Code = "order_frozen"
	CodeRefundTooLarge     Code = "refund_exceeds_captured"
	CodeRefundInProgress   Code = "refund_in_progress"
	CodePaymentDisputed    Code = "payment_disputed"
	CodeAmountTooLarge     Code = "amount_exceeds_authorized"
	CodeWrongCode          Code = "wrong_code"
	CodeDisabled           Code = "disabled"
	CodePossibleDuplicate  Code = "possible_duplicate"
	CodeApprovalPending    Code = "approval_pending"
	CodeApprovalRejected   Code = "approval_rejected"
	CodeVelocityExceeded   Code = "velocity_exceeded"
	CodeCardPaymentsPaused Code = "card_payments_paused"
	CodeLimitExceeded      Code = "limit_exceeded"
	CodeShopFrozen         Code = "shop_frozen"
	CodeAccountFrozen      Code = "account_frozen"
	CodeMandateNotActive   Code = "mandate_not_active"
	CodeMandateExpired     Code = "mandate_expired"
	CodeMandateLimit       Code = "mandate_limit"
	CodeMandateTooSoon     Code = "mandate_too_soon"
	CodeMandateChargeOpen  Code = "mandate_charge_open"
	CodeUnavailable        Code = "service_unavailable"
	CodeCallbackUnknown    Code = "unknown_callback"
	CodeCallbackMalformed  Code = "malformed_callback"
	CodeCallbackForged     Code = "forged_callback"
	CodeProviderFailed     Code = "provider_unavailable"
)

// Error is an error that a caller may be told of. Message is safe to show and says what to do; Err is for us and never
// leaves the process.
type Error struct {
	Code    Code
	Message string
	Fields  []gateway.FieldError
	// RetryAfter is when the same request may be answered otherwise, 0 where nobody can say.
	RetryAfter time.Duration
	// Limit is what CodeLimitExceeded is about.
	Limit *LimitHit
	// DuplicateOf is the order that CodePossibleDuplicate is about.
	DuplicateOf *uuid.UUID
	// Approval is what CodeApprovalPending and CodeApprovalRejected are about.
	Approval *Approval
	Err      error
}

// providerFailed is an error of CodeProviderFailed. A call that was held back tells when such calls are sent again.
func providerFailed(message string, err error) *Error {
	e := &Error{Code: CodeProviderFailed, Message: message, Err: err}
	if g, ok := errors.AsType[*gateway.Error](err); ok {
		e.RetryAfter = g.RetryAfter
	}
	return e
}

// heldBack refuses an order or command that would not be sent now, because the provider failed again and again. Nothing
// of it was stored, so its reference stays free.
func heldBack(gw gateway.Gateway, ref gateway.Ref) error {
	holder, ok := gw.(gateway.Holder)
	if !ok {
		return nil
	}
	wait := holder.HeldBack(ref)
	if wait <= 0 {
		return nil
	}
	return &Error{
		Code: CodeProviderFailed, RetryAfter: wait,
		Message: "The provider does not answer at the moment. Nothing was stored or sent. Send the same request again when Retry-After has passed.",
	}
}

// isHeldBack reports whether an error is heldBack's.
func isHeldBack(err error) bool { return CodeOf(err) == CodeProviderFailed }

// Error implements error.
func (e *Error) Error() string {
	if e.Err != nil {
		return string(e.Code) + ": " + e.Message + ": " + e.Err.Error()
	}
	return string(e.Code) + ": " + e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns err's code, or "" for an error that nobody may be told of.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}

// ErrCursor is returned for a cursor that no list gave.
var ErrCursor = &Error{Code: CodeInvalid, Message: "The request is not valid.", Fields: []gateway.FieldError{{Field: "cursor", Message: "is none that a list gave: send it exactly as it came, or leave it out to begin at the beginning"}}}

// ErrFrozen is returned for an order whose record was changed by something else than payrelay.
var ErrFrozen = &Error{Code: CodeFrozen, Message: "The record of this order was changed by something else than payrelay. Nothing is done with the order, and nobody is told what the record says, until an operator has checked it. Ask the operator, and name the order's id."}

// ErrNotFound is returned for an order, account or shop that does not exist or belongs to another shop.
var ErrNotFound = &Error{Code: CodeNotFound, Message: "There is no such order. Check the id, and that the key belongs to the shop that created it."}
