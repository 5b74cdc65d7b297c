package payment

import (
	"errors"

	"payrelay/internal/gateway"
)

// Code names an error for programs. The merchant API passes it on as it is.
type Code string

// The codes.
const (
	CodeInvalid           Code = "invalid_request"
	CodeMissingFields     Code = "missing_fields"
	CodeNotFound          Code = "not_found"
	CodeReferenceConflict Code = "reference_conflict"
	CodeUnknownAccount    Code = "unknown_account"
	CodeCurrency          Code = "currency_not_supported"
	CodeUnsupported       Code = "not_supported_by_provider"
	CodeInvalidState      Code = "invalid_state"
	CodeRefundTooLarge    Code = "refund_exceeds_captured"
	CodeAmountTooLarge    Code = "amount_exceeds_authorized"
	CodeWrongCode         Code = "wrong_code"
	CodeUnavailable       Code = "service_unavailable"
	CodeCallbackUnknown   Code = "unknown_callback"
	CodeCallbackMalformed Code = "malformed_callback"
	CodeCallbackForged    Code = "forged_callback"
	CodeProviderFailed    Code = "provider_unavailable"
)

// Error is an error that a caller may be told of. Message is safe to show and says what to do; Err is for us and never
// leaves the process.
type Error struct {
	Code    Code
	Message string
	Fields  []gateway.FieldError
	Err     error
}

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

// ErrNotFound is returned for an order, account or shop that does not exist or belongs to another shop.
var ErrNotFound = &Error{Code: CodeNotFound, Message: "There is no such order. Check the id, and that the key belongs to the shop that created it."}
