package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"payrelay/internal/docsite"
	"payrelay/internal/gateway"
	"payrelay/internal/payment"
)

// problem is an RFC 9457 document on its way out.
type problem struct {
	Status int
	Code   string
	Detail string
	Fields []gateway.FieldError
	// RetryAfter is in seconds, 0 for none.
	RetryAfter int
	// Limit is what was gone beyond, nil for none.
	Limit *limitDoc
	// DuplicateOf is the order that this one looks like, nil for none.
	DuplicateOf *uuid.UUID
	// Approval is what the order waits for, nil for nothing.
	Approval *approvalDoc
}

// statuses is the one table from what a use case says to what HTTP says.
var statuses = map[payment.Code]int{
	payment.CodeInvalid:            http.StatusUnprocessableEntity,
	payment.CodeMissingFields:      http.StatusUnprocessableEntity,
	payment.CodeNotFound:           http.StatusNotFound,
	payment.CodeReferenceConflict:  http.StatusConflict,
	payment.CodeUnknownAccount:     http.StatusUnprocessableEntity,
	payment.CodeNoRoute:            http.StatusUnprocessableEntity,
	payment.CodeCurrency:           http.StatusUnprocessableEntity,
	payment.CodeUnsupported:        http.StatusUnprocessableEntity,
	payment.CodeInvalidState:       http.StatusConflict,
	payment.CodeFrozen:             http.StatusConflict,
	payment.CodeRefundTooLarge:     http.StatusConflict,
	payment.CodeRefundInProgress:   http.StatusConflict,
	payment.CodePaymentDisputed:    http.StatusConflict,
	payment.CodeMandateNotActive:   http.StatusConflict,
	payment.CodeMandateExpired:     http.StatusConflict,
	payment.CodeMandateLimit:       http.StatusConflict,
	payment.CodeMandateTooSoon:     http.StatusConflict,
	payment.CodeMandateChargeOpen:  http.StatusConflict,
	payment.CodeAmountTooLarge:     http.StatusUnprocessableEntity,
	payment.CodeWrongCode:          http.StatusUnprocessableEntity,
	payment.CodeDisabled:           http.StatusForbidden,
	payment.CodeApprovalPending:    http.StatusConflict,
	payment.CodeApprovalRejected:   http.StatusConflict,
	payment.CodeVelocityExceeded:   http.StatusTooManyRequests,
	payment.CodeCardPaymentsPaused: http.StatusForbidden,
	payment.CodePossibleDuplicate:  http.StatusConflict,
	payment.CodeLimitExceeded:      http.StatusUnprocessableEntity,
	payment.CodeShopFrozen:         http.StatusForbidden,
	payment.CodeAccountFrozen:      http.StatusForbidden,
	payment.CodeUnavailable:        http.StatusServiceUnavailable,
	payment.CodeProviderFailed:     http.StatusBadGateway,
}

// titles says each code in a few words.
var titles = map[string]string{
	"invalid_request": "The request is not valid", "missing_fields": "The provider needs more", "not_found": "Not found",
	"reference_conflict": "The reference is taken", "unknown_account": "No such account", "no_route": "No account takes it", "currency_not_supported": "The currency does not fit",
	"not_supported_by_provider": "The provider cannot do this", "invalid_state": "Not possible in this state", "order_frozen": "The order is frozen",
	"refund_exceeds_captured": "More than was captured", "refund_in_progress": "Another refund is open", "payment_disputed": "The payment is disputed", "amount_exceeds_authorized": "More than is held", "wrong_code": "The code is wrong",
	"mandate_not_active": "The mandate is not active", "mandate_expired": "The mandate has expired", "mandate_limit": "Beyond the mandate", "mandate_too_soon": "Too soon for the mandate", "mandate_charge_open": "Another charge is open",
	"service_unavailable": "Not available right now", "provider_unavailable": "The provider did not answer", "internal_error": "Something went wrong",
	codeCardInText: "Card data where none belongs", "malformed_json": "The body cannot be read", "request_timeout": "The body came too slowly", "unsupported_media_type": "Send JSON", "body_too_large": "The body is too large",
	"unauthorized": "The API key is missing or wrong", "forbidden": "Your key may not do this", "disabled": "Switched off", "shop_frozen": "The shop is frozen", "account_frozen": "The account is frozen", "method_not_allowed": "Not this method",
	"idempotency_mismatch": "The key was used for another request", "idempotency_in_progress": "The first request is still running",
	"limit_exceeded": "Beyond a limit", "possible_duplicate": "This looks like another order", "velocity_exceeded": "Too many declined cards", "card_payments_paused": "Direct card payments are paused", "approval_pending": "The operators must release it", "approval_rejected": "The operators rejected it",
	codeRateLimited: "Too many requests",
	"caller_left":   "The caller left",
}

// problemOf turns an error into what may be told of it. Anything that is no payment.Error is internal, and its text
// stays inside.
func problemOf(err error) problem {
	if e, ok := errors.AsType[*payment.Error](err); ok {
		if status, ok := statuses[e.Code]; ok {
			p := problem{Status: status, Code: string(e.Code), Detail: e.Message, Fields: e.Fields, RetryAfter: int(math.Ceil(e.RetryAfter.Seconds()))}
			p.DuplicateOf, p.Approval = e.DuplicateOf, approvalDocOf(e.Approval)
			if e.Limit != nil {
				p.Limit = limitDocOf(*e.Limit)
			}
			if status == http.StatusBadGateway && p.RetryAfter > 0 { // it was not even asked
				p.Status = http.StatusServiceUnavailable
			}
			if p.Status == http.StatusServiceUnavailable {
				p.RetryAfter = max(p.RetryAfter, 1)
			}
			return p
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return problem{
			Status: http.StatusServiceUnavailable, Code: string(payment.CodeUnavailable), RetryAfter: 1,
			Detail: "This took too long. Send the request again with the same reference: it is safe.",
		}
	}
	return problem{
		Status: http.StatusInternalServerError, Code: "internal_error",
		Detail: "Something went wrong here. Send the request again with the same reference: it is safe. If it goes on, tell the operators the request_id.",
	}
}

// notValid is the head of what is said about a request that breaks the contract.
const notValid = "The request is not valid."

// text is what p says to people about a request of a method, with every field that is wrong.
func (p problem) text(method string) string {
	switch payment.Code(p.Code) {
	case payment.CodeInvalid, payment.CodeMissingFields, payment.CodeUnsupported, codeCardInText:
	default:
		return p.Detail
	}
	if len(p.Fields) == 0 {
		return p.Detail
	}
	wrong := make([]string, len(p.Fields))
	for i, f := range p.Fields {
		wrong[i] = f.Field + " " + f.Message
	}
	return strings.TrimSuffix(p.Detail, ".") + ": " + strings.Join(wrong, "; ") + "." + nothingDone(method)
}

// nothingDone says of a request that would have done something that it did nothing.
func nothingDone(method string) string {
	if method == http.MethodPost {
		return " Nothing was stored or sent."
	}
	return ""
}

// problem writes p. instance is the route that matched, never the address as it came.
func (s *server) problem(w http.ResponseWriter, r *http.Request, p problem) {
	type field struct {
		Field   string `json:"field"`
		Message string `json:"message"`
	}
	doc := struct {
		Type        string       `json:"type"`
		Title       string       `json:"title"`
		Status      int          `json:"status"`
		Detail      string       `json:"detail"`
		Instance    string       `json:"instance"`
		Code        string       `json:"code"`
		RequestID   string       `json:"request_id"`
		Errors      []field      `json:"errors,omitempty"`
		Limit       *limitDoc    `json:"limit,omitempty"`
		DuplicateOf *uuid.UUID   `json:"duplicate_of,omitempty"`
		Approval    *approvalDoc `json:"approval,omitempty"`
	}{docsite.ErrorsAddress + "#" + p.Code, titles[p.Code], p.Status, p.text(r.Method), "/requests/" + RequestID(r.Context()), p.Code, RequestID(r.Context()), nil, p.Limit, p.DuplicateOf, p.Approval}
	for _, f := range p.Fields {
		doc.Errors = append(doc.Errors, field{f.Field, f.Message})
	}
	if p.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(p.RetryAfter))
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(doc)
	if record := recordOf(r.Context()); record != nil {
		record.code = p.Code
	}
}
