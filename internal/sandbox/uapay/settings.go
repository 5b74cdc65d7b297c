package uapay

import (
	"fmt"
	"slices"
	"time"

	"payrelay/internal/sandbox/names"
)

// Settings are the switches of the simulator's behaviour. They can change at any
// time and apply to what happens afterwards. Times that end in _ms are
// milliseconds; those marked "scaled" are divided by TimeScale.
type Settings struct {
	// ErrorStatus is the HTTP status of errors, 200 or 400. Assumed.
	ErrorStatus int `json:"error_status"`
	// ErrorWithStatus adds the member status 0 to errors; both forms are attested.
	ErrorWithStatus bool `json:"error_with_status"`
	// StringStatus answers status as text ("1"), as one documented example does.
	StringStatus bool `json:"string_status"`
	// SessionTopLevel answers the session id at top level and unsigned, as documented.
	SessionTopLevel bool `json:"session_top_level"`
	// UnsignedAnswers sends keyed clients plain data.
	UnsignedAnswers bool `json:"unsigned_answers"`
	// AnswerIAT adds iat to the claims of signed answers.
	AnswerIAT bool `json:"answer_iat"`
	// AnswerSkewS shifts that iat, and the simulator's idea of now, by so many seconds.
	AnswerSkewS int `json:"answer_skew_s"`
	// OuterMustMatch rejects requests whose params or data differ from those in the token. Assumed.
	OuterMustMatch bool `json:"outer_must_match"`
	// ClockWindowS is the documented limit of |now - iat|; it being two-sided is assumed.
	ClockWindowS int `json:"clock_window_s"`
	// SessionTTLMS ends sessions. Assumed.
	SessionTTLMS int `json:"session_ttl_ms"`
	// UniqueExternalID rejects a second invoice of the same externalId. Assumed.
	UniqueExternalID bool `json:"unique_external_id"`

	// LookupCode is the code that LOOKUP cards want, LookupAttempts how often a payer may try.
	LookupCode     string `json:"lookup_code"`
	LookupAttempts int    `json:"lookup_attempts"`
	// ConfirmNeedsKey rejects payments/confirm without the key, which is documented as required.
	ConfirmNeedsKey bool `json:"confirm_needs_key"`
	// ThreeDSForm is what a challenge carries: "full" (PaReq and MD), "pareq" or "none".
	ThreeDSForm string `json:"three_ds_form"`
	// RedirectNested puts redirect into confirmation, as the field table says, instead of beside it.
	RedirectNested bool `json:"redirect_nested"`
	// UnknownCard is what happens to cards outside the table: "reject" or "succeed". Assumed.
	UnknownCard string `json:"unknown_card"`
	// RedirectBack is "auto" (the finished payer goes to redirectUrl at once, assumed) or "button".
	RedirectBack string `json:"redirect_back"`
	// CaptureChangesAmount shows the captured sum as the payment's amount. Assumed.
	CaptureChangesAmount bool `json:"capture_changes_amount"`
	// PartialReverse is what a partly refunded payment shows: "keep" (FINISHED) or "reversed". Assumed.
	PartialReverse string `json:"partial_reverse"`
	// PartialReverseOnce rejects a second partial refund. Assumed.
	PartialReverseOnce bool `json:"partial_reverse_once"`
	// ReverseIgnored acknowledges refunds without carrying them out.
	ReverseIgnored bool `json:"reverse_ignored"`
	// CommissionPercents and CommissionFixed (kopecks) are the payer's commission of invoices.
	CommissionPercents int64 `json:"commission_percents"`
	CommissionFixed    int64 `json:"commission_fixed"`
	// P2PCommissionPercents and P2PCommissionFixed (kopecks) are those of transfers.
	P2PCommissionPercents int64 `json:"p2p_commission_percents"`
	P2PCommissionFixed    int64 `json:"p2p_commission_fixed"`
	// Rules force outcomes by amount or externalId prefix; the first that fits wins.
	Rules []Rule `json:"rules"`

	// ProcessingMS is how long a server-to-server payment stays OPEN before its outcome or challenge is known.
	ProcessingMS int `json:"processing_ms"`
	// PayedMS lets success pass through PAYED/PAID for so long; 0 skips it.
	PayedMS int `json:"payed_ms"`
	// HoldUnpaidMS lets a hold show HOLDED/NEW for so long before HOLDED/PAID; 0 skips it.
	HoldUnpaidMS int `json:"hold_unpaid_ms"`
	// FollowUpMS delays what complete, cancel and reverse have acknowledged; 0 does it at once.
	FollowUpMS int `json:"follow_up_ms"`
	// ConfirmTimeoutMS cancels a payment whose payer did not answer the challenge. Assumed.
	ConfirmTimeoutMS int `json:"confirm_timeout_ms"`
	// InvoiceTTLMS makes an invoice that nobody began to pay INACTIVE, besides its payExpiresAt; 0 never does. Assumed.
	InvoiceTTLMS int `json:"invoice_ttl_ms"`
	// HoldTTLMS cancels a hold that was neither completed nor cancelled (scaled). Assumed.
	HoldTTLMS int `json:"hold_ttl_ms"`
	// AutoCancelMS cancels a C2A, A2C or reverse that was initiated and not followed up (scaled); documented as one hour.
	AutoCancelMS int `json:"auto_cancel_ms"`
	// TimeScale divides the scaled times: 3600 makes an hour a second.
	TimeScale float64 `json:"time_scale"`

	// CallbackIAT adds iat to callback claims. Whether the provider does is not known.
	CallbackIAT bool `json:"callback_iat"`
	// CallbackNonTerminal also sends callbacks for all other changes of status.
	CallbackNonTerminal bool `json:"callback_non_terminal"`
	// CallbackRetryMS are the documented pauses before each redelivery after an answer other than 200 (scaled).
	CallbackRetryMS []int `json:"callback_retry_ms"`
	// CallbackTimeoutMS limits one delivery. Assumed.
	CallbackTimeoutMS int `json:"callback_timeout_ms"`
}

// Rule forces the outcome of payments.
type Rule struct {
	// ExternalPrefix and Amount (kopecks) select payments; empty and 0 fit all, but one of them must be set.
	ExternalPrefix string `json:"external_prefix,omitempty"`
	Amount         int64  `json:"amount,omitempty"`
	// Outcome is one of Outcomes.
	Outcome Outcome `json:"outcome"`
}

// DefaultSettings behave like the documented provider.
func DefaultSettings() Settings {
	const minute, hour = 60_000, 3_600_000
	return Settings{
		ErrorStatus: 200, AnswerIAT: true, OuterMustMatch: true, ClockWindowS: 20, SessionTTLMS: 24 * hour,
		LookupCode: "123456", LookupAttempts: 3, ConfirmNeedsKey: true, ThreeDSForm: "full", UnknownCard: "reject",
		RedirectBack: "auto", CaptureChangesAmount: true, PartialReverse: "keep", P2PCommissionPercents: 2, P2PCommissionFixed: 100,
		Rules: []Rule{}, ProcessingMS: 300, ConfirmTimeoutMS: 10 * minute, HoldTTLMS: 7 * 24 * hour, AutoCancelMS: hour, TimeScale: 1,
		CallbackRetryMS: []int{5_000, 5 * minute, hour, 2 * hour, 24 * hour}, CallbackTimeoutMS: 10_000,
	}
}

// Validate names a switch whose value makes no sense.
func (s Settings) Validate() error {
	for _, c := range []struct {
		name, value string
		allowed     []string
	}{
		{"three_ds_form", s.ThreeDSForm, []string{"full", "pareq", "none"}},
		{"unknown_card", s.UnknownCard, []string{"reject", "succeed"}},
		{"redirect_back", s.RedirectBack, []string{"auto", "button"}},
		{"partial_reverse", s.PartialReverse, []string{"keep", "reversed"}},
	} {
		if !slices.Contains(c.allowed, c.value) {
			return fmt.Errorf("setting %s: %q is none of %v", c.name, c.value, c.allowed)
		}
	}
	if s.ErrorStatus != 200 && s.ErrorStatus != 400 {
		return fmt.Errorf("setting error_status: %d is neither 200 nor 400", s.ErrorStatus)
	}
	if !(s.TimeScale > 0) || s.TimeScale > 1e9 {
		return fmt.Errorf("setting time_scale: must be above 0 and at most 1e9")
	}
	if s.LookupCode == "" || s.LookupAttempts < 1 {
		return fmt.Errorf("settings: lookup_code must not be empty, lookup_attempts at least 1")
	}
	for _, r := range s.Rules {
		if err := r.validate(); err != nil {
			return err
		}
	}
	for _, n := range append([]int{
		s.ClockWindowS, s.SessionTTLMS, s.ProcessingMS, s.PayedMS, s.HoldUnpaidMS, s.FollowUpMS, s.ConfirmTimeoutMS,
		s.InvoiceTTLMS, s.HoldTTLMS, s.AutoCancelMS, s.CallbackTimeoutMS, int(s.CommissionPercents), int(s.CommissionFixed),
		int(s.P2PCommissionPercents), int(s.P2PCommissionFixed),
	}, s.CallbackRetryMS...) {
		if n < 0 {
			return fmt.Errorf("settings: times, counts and commissions must not be negative")
		}
	}
	if len(s.CallbackRetryMS) > 20 {
		return fmt.Errorf("setting callback_retry_ms: at most 20 redeliveries")
	}
	return nil
}

func (r Rule) validate() error {
	if r.ExternalPrefix == "" && r.Amount == 0 {
		return fmt.Errorf("setting rules: a rule needs external_prefix or amount")
	}
	if err := names.Check("outcome", r.Outcome, Outcomes()); err != nil {
		return fmt.Errorf("setting rules: %w", err)
	}
	return nil
}

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

// scaled is a documented time divided by TimeScale.
func (s *Settings) scaled(n int) time.Duration {
	return time.Duration(float64(n) / s.TimeScale * float64(time.Millisecond))
}
