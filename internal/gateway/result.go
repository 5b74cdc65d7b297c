package gateway

import (
	"maps"
	"slices"

	"payrelay/internal/money"
)

// Status is what a provider says of an order, in neutral words. The zero value means that it said nothing that the
// adapter understands: such a result is counted, and changes nothing but that the order was sent.
type Status string

// The neutral statuses.
const (
	StatusProcessing     Status = "processing"      // the provider has it
	StatusRequiresAction Status = "requires_action" // the customer must do what NextAction says
	StatusAuthorized     Status = "authorized"      // money is held
	StatusSucceeded      Status = "succeeded"       // done
	StatusFailed         Status = "failed"          // refused, see Failure
	StatusCanceled       Status = "canceled"        // given up before money moved
)

// Result is what a provider said of one order.
type Result struct {
	Status            Status
	ProviderReference string
	// OrderID is the id that whoever started a transfer gave it, as FindTransfer finds it; empty if the provider names none.
	OrderID    string
	NextAction *NextAction
	// Amount is the order's sum as the provider names it, nil if it names none. payment compares it with ours.
	Amount *int64
	// Currency is the order's currency as the provider names it, empty if it names none.
	Currency money.Currency
	// Settled is how much the provider says moved, or is held, in minor units: as it says it, also if that cannot be. Nil
	// means that it names no sum. An adapter never makes one up; payment judges what is named.
	Settled *int64
	// BankReferences names the movements of money that the provider shows for the order: by the RRN, or by another name that
	// one movement has to itself. The first is the one that the result is about. More than one may be a second charge.
	BankReferences []string
	// Refunded is how much of a payment the provider says went back so far, nil if it does not say.
	Refunded *int64
	// Kind is the kind of order that the provider talks about, empty if it does not say.
	Kind          Kind
	PaymentMethod *MaskedMethod
	Failure       *Failure
	// State is what the adapter wants to be handed back in Ref.State, stored encrypted.
	State map[string]Secret
	// ProviderData is what the provider said, field by allow-listed field, masked.
	ProviderData ProviderData
	// ProviderCharges are the payments that the provider took, or tried to, by its own schedule after the first one. Each names its
	// ProviderReference, its own State, and the Amount that the provider says. Only Fetch of a ScheduleEnder shows any.
	ProviderCharges []Result
}

// NextAction is what the customer must do.
type NextAction struct {
	Type         ActionType        `json:"type"`
	URL          string            `json:"url,omitempty"`
	Fields       map[string]string `json:"fields,omitempty"`
	AttemptsLeft *int              `json:"attempts_left,omitempty"`
}

// ActionType is the way of a NextAction.
type ActionType string

// The ways.
const (
	ActionRedirect    ActionType = "redirect"     // browser GET of URL
	ActionPostForm    ActionType = "post_form"    // browser POST of Fields to URL
	ActionConfirmCode ActionType = "confirm_code" // the customer types a code
)

// MaskedMethod is a payment method as it may be shown.
type MaskedMethod struct {
	Type    string `json:"type"`
	Masked  string `json:"masked,omitempty"`
	BIN     string `json:"bin,omitempty"`
	Brand   string `json:"brand,omitempty"`
	Country string `json:"country,omitempty"` // ISO 3166 alpha-3
}

// After is a poll's answer as the last word about the order of a call's answer: what only that one tells is taken over.
func (r Result) After(answer Result) Result {
	r.ProviderReference = answer.ProviderReference
	if r.Failure != nil && r.Failure.Code == "" && answer.Failure != nil {
		r.Failure = answer.Failure
	}
	return r
}

// Failure is why an order failed.
type Failure struct {
	Category FailureCategory `json:"category"`
	Code     string          `json:"code"` // the provider's own word
	Message  string          `json:"message"`
	Advice   Advice          `json:"advice"`
	Cascade  []CascadeError  `json:"cascade"`
	// Retry is what may follow the decline. It serves the request that was declined, and is not stored.
	Retry RetryClass `json:"-"`
}

// RetryClass says what may follow a declined payment.
type RetryClass string

// The classes. A word that stands in no table has RetryUnknown, and nothing follows it.
const (
	RetryOtherAccount RetryClass = "other_account" // the provider's own trouble: another account may take it
	RetryIssuer       RetryClass = "issuer"        // the issuer declined it: another account may take it, if the shop asks for that
	RetrySameLater    RetryClass = "same_later"    // the same may succeed another day
	RetryCustomer     RetryClass = "customer"      // only the customer can do something about it
	RetryNever        RetryClass = "never"         // not with this card, or not with this request
	RetryUnknown      RetryClass = "unknown"
)

// RetryClasses lists every class.
var RetryClasses = []RetryClass{RetryOtherAccount, RetryIssuer, RetrySameLater, RetryCustomer, RetryNever, RetryUnknown}

// CascadeError is what one of the provider's own routes said.
type CascadeError struct {
	Priority int    `json:"priority"`
	Code     string `json:"code"`
}

// FailureCategory sorts failures for programs.
type FailureCategory string

// The categories.
const (
	FailureDeclined       FailureCategory = "declined_by_issuer"
	FailureFunds          FailureCategory = "insufficient_funds"
	FailureFraud          FailureCategory = "fraud_suspected"
	FailureAuthentication FailureCategory = "authentication_failed"
	FailureAuthTimeout    FailureCategory = "authentication_timeout"
	FailureAbandoned      FailureCategory = "abandoned"
	FailureLimit          FailureCategory = "limit_exceeded"
	FailureInvalid        FailureCategory = "invalid_request"
	FailureDuplicate      FailureCategory = "duplicate_order"
	FailureUnavailable    FailureCategory = "provider_unavailable"
	FailureUnknown        FailureCategory = "unknown"
)

// Advice says what a shop should do about a failure.
type Advice string

// The advice.
const (
	AdviceDoNotRetry       Advice = "do_not_retry"
	AdviceCustomerMayRetry Advice = "customer_may_retry"
	AdviceRetryLater       Advice = "retry_later"
	AdviceFixRequest       Advice = "fix_request"
	AdviceContactProvider  Advice = "contact_provider"
)

// ProviderData is what a provider said: allow-listed fields, masked, as text.
type ProviderData map[string]string

// Names returns the fields' names in order.
func (e ProviderData) Names() []string { return slices.Sorted(maps.Keys(e)) }

// Notification is a callback that was verified.
type Notification struct {
	// Fingerprint identifies what was signed: it is the same however the callback was written down, and another for whatever
	// else the provider signs. It is how a callback that comes again is known; without one, only the same bytes are.
	Fingerprint []byte
	// OrderID is our id of the order it talks about. For a refund without an id of its own it is the payment's, and
	// Result.Kind says refund.
	OrderID string
	// VerifyReason, if not empty, says why the callback must be settled by asking the provider.
	VerifyReason string
	// Weak, if not empty, says why a callback that passes every documented rule must be settled by asking all the same.
	Weak string
	// Rule names VerifyReason or Weak for counting: one of few.
	Rule   string
	Result Result
	// Statuses, if not nil, is the result's status by the last operation that was asked for the order, where the
	// provider's word depends on it and a callback cannot know it. An operation without an entry has Result.Status.
	Statuses map[Operation]Status
}

// ResultFor returns the result as it reads for an order whose last operation was op.
func (n Notification) ResultFor(op Operation) Result {
	result := n.Result
	if status, ok := n.Statuses[op]; ok {
		result.Status = status
	}
	if result.Status != StatusFailed {
		result.Failure = nil
	}
	return result
}

// Secret is text that prints as ***: credentials and keys that an adapter keeps with an order.
type Secret string

const hidden = "***"

// Reveal returns the text.
func (s Secret) Reveal() string { return string(s) }

// String returns ***.
func (s Secret) String() string { return hidden }

// GoString returns ***.
func (s Secret) GoString() string { return hidden }

// MarshalText returns ***.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }
