package smartcore

import (
	"fmt"
	"slices"
	"time"
)

// Settings are the switches of the simulator's behaviour. They can change at any
// time and apply to what happens afterwards. All times are milliseconds.
type Settings struct {
	// OrderIDInAnswer selects the id in answers of initPayment, direct payment,
	// authorize, tokenization and short capture and cancel: "example" (as the
	// documented examples, the default), "merchant" or "processing".
	OrderIDInAnswer string `json:"order_id_in_answer"`
	// CaptureAnswer is "short" (two fields) or "full" (the body of check).
	CaptureAnswer string `json:"capture_answer"`
	// CapturePendingMS lets capture and cancel answer 1 first and finish later; 0 finishes at once.
	CapturePendingMS int `json:"capture_pending_ms"`
	// CaptureIgnoresAmount lets a capture take all that is held, whatever sum it names: the older text knows no amount of a
	// capture (smartcore.md 4.4).
	CaptureIgnoresAmount bool `json:"capture_ignores_amount"`
	// CaptureNewRRN gives a capture an RRN of its own; else it keeps the hold's. Inferred.
	CaptureNewRRN bool `json:"capture_new_rrn"`
	// ThreeDS is how a direct challenge is handed over: "redirect" (form_url), "3ds1" or "3ds2".
	ThreeDS string `json:"three_ds"`
	// GooglePay is "cryptogram" (no challenge) or "pan_only" (always a challenge).
	GooglePay string `json:"google_pay"`
	// ValidationStatus is the HTTP status of a validation error, 200 or 400. Inferred.
	ValidationStatus int `json:"validation_status"`
	// UnknownOrder is what check answers for an id it does not know: "err" (HTTP 200,
	// err without status), "404" (the same with HTTP 404) or "status" (err and status -1). Inferred.
	UnknownOrder string `json:"unknown_order"`
	// CheckFinalAmount adds finalAmount to check (the newer text).
	CheckFinalAmount bool `json:"check_final_amount"`
	// CheckTableFields adds the fields that only the tables list: rrn, eci, parentTransaction and the card's holder and expiry.
	CheckTableFields bool `json:"check_table_fields"`
	// CheckRefundKnown lets check find refunds by refund_id. Inferred.
	CheckRefundKnown bool `json:"check_refund_known"`
	// CheckProcessingIDKnown lets check find orders by their processing id. Inferred.
	CheckProcessingIDKnown bool `json:"check_processing_id_known"`
	// AuthorizedStatus is what check shows for an authorized, uncaptured order: 2 or 1. Inferred.
	AuthorizedStatus int `json:"authorized_status"`
	// AuthorizeStatusText is the authorize_status of an authorized order; empty is null. Inferred.
	AuthorizeStatusText string `json:"authorize_status_text"`
	// RefundSuccess is the success field of an accepted refund; the documented example says false.
	RefundSuccess bool `json:"refund_success"`
	// RefundFails lets accepted refunds end with status -1.
	RefundFails bool `json:"refund_fails"`
	// RefundReducesFinal subtracts finished refunds from the payment's finalAmount. Inferred.
	RefundReducesFinal bool `json:"refund_reduces_final"`
	// RefundCallbackFallback sends refund callbacks to the payment's callback_url when the refund names none. Inferred.
	RefundCallbackFallback bool `json:"refund_callback_fallback"`
	// RecurrentSuccess is the success field of an accepted recurrent charge.
	RecurrentSuccess bool `json:"recurrent_success"`
	// RecurrentErr refuses recurrent charges with this err and status -1, and makes no order of them; empty refuses none. Inferred.
	RecurrentErr string `json:"recurrent_err"`
	// RecurrentForm makes recurrent charges need the customer: a form_url is answered.
	RecurrentForm bool `json:"recurrent_form"`
	// RecurrentAnyParent accepts parents that were not marked recurrent. Inferred.
	RecurrentAnyParent bool `json:"recurrent_any_parent"`
	// WithdrawalImmediate lets withdrawal/init answer with the final status.
	WithdrawalImmediate bool `json:"withdrawal_immediate"`
	// TokenHost is where method token is accepted: "gateway", "pci" or "both".
	TokenHost string `json:"token_host"`
	// AccountHost is where method account is accepted: "pci", "gateway" or "both". Inferred.
	AccountHost string `json:"account_host"`
	// AnyCurrency accepts a currency other than the account's. Inferred.
	AnyCurrency bool `json:"any_currency"`
	// DeclineCode is the error of a card that is not a documented test card.
	DeclineCode string `json:"decline_code"`
	// CardTimeLimit declines the same card within 60 seconds with CARD_TIME_LIMIT_PROCESSING_ERROR.
	CardTimeLimit bool `json:"card_time_limit"`
	// Rules force outcomes by amount or order id prefix; the first that fits wins.
	Rules []Rule `json:"rules"`

	// ProcessingMS is how long a payment without a customer step, a recurrent charge or a refund takes.
	ProcessingMS int `json:"processing_ms"`
	// WithdrawalMS is how long a withdrawal takes.
	WithdrawalMS int `json:"withdrawal_ms"`
	// FormTimeoutMS ends a form that was never completed.
	FormTimeoutMS int `json:"form_timeout_ms"`
	// RedirectTimeoutMS ends a direct payment whose 3-D Secure page was never opened.
	RedirectTimeoutMS int `json:"redirect_timeout_ms"`
	// ThreeDSTimeoutMS ends a payment whose customer did not come back from the 3-D Secure page.
	ThreeDSTimeoutMS int `json:"three_ds_timeout_ms"`

	// CallbackNonTerminal also sends callbacks for status 0 and 1.
	CallbackNonTerminal bool `json:"callback_non_terminal"`
	// CallbackRetryMS are the pauses before each redelivery after an answer other than 200. Inferred.
	CallbackRetryMS []int `json:"callback_retry_ms"`
	// CallbackTimeoutMS limits one delivery.
	CallbackTimeoutMS int `json:"callback_timeout_ms"`

	// ExportPendingPolls is how many status polls of an export task answer "pending".
	ExportPendingPolls int `json:"export_pending_polls"`
	// ExportFails lets export tasks end with status -1.
	ExportFails bool `json:"export_fails"`
}

// Rule forces the outcome of orders.
type Rule struct {
	// OrderPrefix, Amount (minor units) and Merchant (a key) select orders; empty and 0 fit all, but one of them must be set.
	OrderPrefix string `json:"order_prefix,omitempty"`
	Amount      int64  `json:"amount,omitempty"`
	Merchant    string `json:"merchant,omitempty"`
	// Code is the error with which the order fails; empty means success whatever the card.
	Code    string         `json:"code,omitempty"`
	Cascade []CascadeError `json:"cascade,omitempty"`
}

// CascadeError is the decline of one route that was tried.
type CascadeError struct {
	GatePriority  int    `json:"gatePriority"`
	ErrorCategory string `json:"errorCategory"`
}

// DefaultSettings behave like the documented provider, with unhurried timeouts.
func DefaultSettings() Settings {
	return Settings{
		OrderIDInAnswer: "example", CaptureAnswer: "short", ThreeDS: "redirect", GooglePay: "cryptogram",
		ValidationStatus: 200, UnknownOrder: "err", CheckFinalAmount: true, CheckRefundKnown: true, CheckProcessingIDKnown: true,
		AuthorizedStatus: StatusSuccess, RecurrentSuccess: true, TokenHost: "gateway", AccountHost: "pci",
		DeclineCode: CodeEmitterDenial, Rules: []Rule{},
		ProcessingMS: 300, WithdrawalMS: 1000,
		FormTimeoutMS: 30 * 60_000, RedirectTimeoutMS: 15 * 60_000, ThreeDSTimeoutMS: 10 * 60_000,
		CallbackRetryMS: []int{1000, 5000, 30_000, 120_000}, CallbackTimeoutMS: 10_000, ExportPendingPolls: 1,
	}
}

// Validate names a switch whose value makes no sense.
func (s Settings) Validate() error {
	for _, c := range []struct {
		name, value string
		allowed     []string
	}{
		{"order_id_in_answer", s.OrderIDInAnswer, []string{"example", "merchant", "processing"}},
		{"capture_answer", s.CaptureAnswer, []string{"short", "full"}},
		{"three_ds", s.ThreeDS, []string{"redirect", "3ds1", "3ds2"}},
		{"google_pay", s.GooglePay, []string{"cryptogram", "pan_only"}},
		{"unknown_order", s.UnknownOrder, []string{"err", "404", "status"}},
		{"token_host", s.TokenHost, []string{"gateway", "pci", "both"}},
		{"account_host", s.AccountHost, []string{"gateway", "pci", "both"}},
	} {
		if !slices.Contains(c.allowed, c.value) {
			return fmt.Errorf("setting %s: %q is none of %v", c.name, c.value, c.allowed)
		}
	}
	if s.ValidationStatus != 200 && s.ValidationStatus != 400 {
		return fmt.Errorf("setting validation_status: %d is neither 200 nor 400", s.ValidationStatus)
	}
	if s.AuthorizedStatus != StatusSuccess && s.AuthorizedStatus != StatusProcessing {
		return fmt.Errorf("setting authorized_status: %d is neither 2 nor 1", s.AuthorizedStatus)
	}
	for _, r := range s.Rules {
		if r.OrderPrefix == "" && r.Amount == 0 && r.Merchant == "" {
			return fmt.Errorf("setting rules: a rule needs order_prefix, amount or merchant")
		}
	}
	for _, n := range append([]int{
		s.CapturePendingMS, s.ProcessingMS, s.WithdrawalMS, s.FormTimeoutMS, s.RedirectTimeoutMS,
		s.ThreeDSTimeoutMS, s.CallbackTimeoutMS, s.ExportPendingPolls,
	}, s.CallbackRetryMS...) {
		if n < 0 {
			return fmt.Errorf("settings: times and counts must not be negative")
		}
	}
	if len(s.CallbackRetryMS) > 20 {
		return fmt.Errorf("setting callback_retry_ms: at most 20 redeliveries")
	}
	return nil
}

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }
