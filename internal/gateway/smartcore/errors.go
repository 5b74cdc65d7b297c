package smartcore

import (
	"slices"
	"strings"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/kit"
)

// codeDuplicate says that the order id is taken.
const codeDuplicate = "PLATFORM_ERROR_DUPLICATED_ORDER_ID"

// codeNoRoute hides its reason in the cascade.
const codeNoRoute = "PLATFORM_ERROR_GATE_NOT_FOUND"

type meaning struct {
	category gateway.FailureCategory
	advice   gateway.Advice
	retry    gateway.RetryClass
}

// dictionary is smartcore.md 8. "After check" there means that a new attempt is safe once a check has shown the
// failure. No code of the provider's own trouble reaches a shop without one (see declines), so it reads retry_later
// here. What may follow a decline is the column "new attempt" there: another account may help against the provider's own
// trouble, and against an issuer that refuses this account's payments.
var dictionary = map[string]meaning{
	"PROCESSING_ERROR":                               {gateway.FailureUnknown, gateway.AdviceRetryLater, gateway.RetryUnknown},
	"AUTHENTICATION_PROCESSING_ERROR":                {gateway.FailureAuthentication, gateway.AdviceCustomerMayRetry, gateway.RetryCustomer},
	"DO_NOT_HONOUR_PROCESSING_ERROR":                 {gateway.FailureFraud, gateway.AdviceDoNotRetry, gateway.RetryNever}, // smartcore.md A26
	"EMITTER_DENIAL_PROCESSING_ERROR":                {gateway.FailureDeclined, gateway.AdviceCustomerMayRetry, gateway.RetryIssuer},
	"FORM_TIMEOUT_PROCESSING_ERROR":                  {gateway.FailureAbandoned, gateway.AdviceCustomerMayRetry, gateway.RetryCustomer},
	"INSUFFICIENT_FUNDS_PROCESSING_ERROR":            {gateway.FailureFunds, gateway.AdviceCustomerMayRetry, gateway.RetrySameLater},
	"LIMIT_PROCESSING_ERROR":                         {gateway.FailureLimit, gateway.AdviceCustomerMayRetry, gateway.RetryIssuer},
	"PROCESSOR_DENIAL_PROCESSING_ERROR":              {gateway.FailureUnavailable, gateway.AdviceRetryLater, gateway.RetryOtherAccount},
	"3DS_REDIRECT_TIMEOUT_PROCESSING_ERROR":          {gateway.FailureAbandoned, gateway.AdviceCustomerMayRetry, gateway.RetryCustomer},
	"3DS_TIMEOUT_PROCESSING_ERROR":                   {gateway.FailureAuthTimeout, gateway.AdviceCustomerMayRetry, gateway.RetryCustomer},
	"TECHNICAL_PROCESSING_ERROR":                     {gateway.FailureUnavailable, gateway.AdviceRetryLater, gateway.RetryOtherAccount},
	"VALIDATION_PROCESSING_ERROR":                    {gateway.FailureInvalid, gateway.AdviceFixRequest, gateway.RetryNever},
	codeDuplicate:                                    {gateway.FailureDuplicate, gateway.AdviceDoNotRetry, gateway.RetryNever},
	"PLATFORM_ERROR_ERROR_GATE_EXCHANGE_NOT_ALLOWED": {gateway.FailureUnavailable, gateway.AdviceContactProvider, gateway.RetryNever},
	"PLATFORM_ERROR_GATE_EXCHANGE_NOT_ALLOWED":       {gateway.FailureUnavailable, gateway.AdviceContactProvider, gateway.RetryNever}, // smartcore.md A27
	codeNoRoute:                             {gateway.FailureUnavailable, gateway.AdviceRetryLater, gateway.RetryOtherAccount},
	"PLATFORM_ORDER_BILLING_ERROR":          {gateway.FailureUnknown, gateway.AdviceRetryLater, gateway.RetryUnknown},
	"CARD_TIME_LIMIT_PROCESSING_ERROR":      {gateway.FailureLimit, gateway.AdviceRetryLater, gateway.RetrySameLater},
	"3DS Redirect Timeout":                  {gateway.FailureAuthTimeout, gateway.AdviceCustomerMayRetry, gateway.RetryCustomer}, // smartcore.md A27
	"3DS_CANCEL_PROCESSING_ERROR":           {gateway.FailureAbandoned, gateway.AdviceCustomerMayRetry, gateway.RetryCustomer},
	"PLATFORM_ERROR_ANTIFRAUD_RULES":        {gateway.FailureFraud, gateway.AdviceDoNotRetry, gateway.RetryNever},
	"PLATFORM_ERROR_GATE_SKIPPED":           {gateway.FailureUnavailable, gateway.AdviceRetryLater, gateway.RetryOtherAccount},
	"PLATFORM_ERROR_CARD_BRAND_UNAVAILABLE": {gateway.FailureInvalid, gateway.AdviceCustomerMayRetry, gateway.RetryCustomer},
}

// declines reports whether a code is a documented decline of what was asked. Unlisted codes are not. Nor are codes about
// the provider's own trouble, about nothing in particular, or about an earlier order of the same id.
func declines(code string) bool {
	m, ok := dictionary[code]
	return ok && m.category != gateway.FailureUnknown && m.category != gateway.FailureUnavailable && m.category != gateway.FailureDuplicate
}

// telling lists categories, the most specific first. It serves failures whose own code only says that no route took them.
var telling = []gateway.FailureCategory{
	gateway.FailureFraud, gateway.FailureDeclined, gateway.FailureFunds, gateway.FailureLimit, gateway.FailureInvalid, gateway.FailureUnavailable,
}

// sentences are ours: the provider's free text is nobody's to parse or to pass on (smartcore.md A21).
var sentences = map[gateway.FailureCategory]string{
	gateway.FailureDeclined:       "The issuer of the card or account refused it.",
	gateway.FailureFunds:          "There is not enough money.",
	gateway.FailureFraud:          "It was refused as suspicious.",
	gateway.FailureAuthentication: "The customer could not be authenticated.",
	gateway.FailureAuthTimeout:    "The customer did not complete the authentication in time.",
	gateway.FailureAbandoned:      "The customer gave up.",
	gateway.FailureLimit:          "A limit was exceeded.",
	gateway.FailureInvalid:        "The provider did not accept the data.",
	gateway.FailureDuplicate:      "The provider has an order of this id already.",
	gateway.FailureUnavailable:    "The provider could not process the order.",
	gateway.FailureUnknown:        "The provider gave no reason that is understood.",
}

// failureOf is the reason of a failed order. An unlisted code stays as it is, with category unknown.
func failureOf(code string, routes cascade, hide kit.Redactor) *gateway.Failure {
	m, ok := dictionary[code]
	if !ok {
		m = meaning{gateway.FailureUnknown, gateway.AdviceContactProvider, gateway.RetryUnknown}
	}
	if code == codeNoRoute {
		best := len(telling)
		for _, route := range routes {
			r, ok := dictionary[string(route.Code)]
			if i := slices.Index(telling, r.category); ok && i >= 0 && i < best {
				best, m = i, r
			}
		}
	}
	f := &gateway.Failure{
		Category: m.category, Code: hide.Text(code), Message: sentences[m.category], Advice: m.advice, Cascade: []gateway.CascadeError{}, Retry: retryOf(m.retry, routes),
	}
	for _, route := range routes {
		f.Cascade = append(f.Cascade, gateway.CascadeError{Priority: int(route.Priority.Value), Code: hide.Text(string(route.Code))})
	}
	return f
}

// strictness orders what may follow a decline, the strictest first.
var strictness = []gateway.RetryClass{gateway.RetryNever, gateway.RetryUnknown, gateway.RetryCustomer, gateway.RetrySameLater, gateway.RetryIssuer, gateway.RetryOtherAccount}

// retryOf is what may follow a decline whose own code says class: each of the provider's own routes counts, and the strictest decides.
func retryOf(class gateway.RetryClass, routes cascade) gateway.RetryClass {
	strictest := slices.Index(strictness, class)
	for _, route := range routes {
		r := gateway.RetryUnknown
		if m, ok := dictionary[string(route.Code)]; ok {
			r = m.retry
		}
		strictest = min(strictest, slices.Index(strictness, r))
	}
	return strictness[strictest]
}

// notFound lists the words that can only mean "no such order", without the provider's prefixes and suffixes. No
// document has any, and an err that stands in no table means that the question failed.
var notFound = []string{
	"ORDER_NOT_FOUND", "ORDER_ID_NOT_FOUND", "TRANSACTION_NOT_FOUND", "PAYMENT_NOT_FOUND", "NOT_FOUND",
	"ORDER_DOES_NOT_EXIST", "ORDER_NOT_EXIST", "ORDER_NOT_EXISTS", "NO_SUCH_ORDER", "UNKNOWN_ORDER", "UNKNOWN_ORDER_ID", "ORDER_UNKNOWN",
}

// saysNotFound reports whether err can only mean that the order is not known.
func saysNotFound(err string) bool {
	word := strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		}
		return '_'
	}, strings.Trim(strings.TrimSpace(err), "."))
	for _, prefix := range []string{"PLATFORM_", "ERROR_"} {
		word = strings.TrimPrefix(word, prefix)
	}
	for _, suffix := range []string{"_ERROR", "_PROCESSING"} {
		word = strings.TrimSuffix(word, suffix)
	}
	return slices.Contains(notFound, word)
}
