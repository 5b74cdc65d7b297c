package smartcore

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
)

func TestDictionaryIsTheReferences(t *testing.T) {
	t.Parallel()
	rows := loadCases(t).Dictionary
	require.Len(t, rows, 22)
	advice := map[string]gateway.Advice{
		"after_check": gateway.AdviceRetryLater, "customer": gateway.AdviceCustomerMayRetry, "no": gateway.AdviceDoNotRetry, "delayed": gateway.AdviceRetryLater,
	}
	for _, row := range rows {
		f := failureOf(row.Code, nil, nil)
		require.EqualValues(t, row.Category, f.Category, row.Code)
		require.Equal(t, row.Code, f.Code)
		require.NotEmpty(t, f.Message, row.Code)
		want := advice[row.Retry]
		switch row.Code { // "no" there has its reason in the notes
		case "VALIDATION_PROCESSING_ERROR":
			want = gateway.AdviceFixRequest
		case "PLATFORM_ERROR_ERROR_GATE_EXCHANGE_NOT_ALLOWED":
			want = gateway.AdviceContactProvider
		}
		require.Equal(t, want, f.Advice, row.Code)
	}
	require.Len(t, dictionary, 23, "and the single spelling of one")
	require.Equal(t, gateway.FailureUnavailable, failureOf("PLATFORM_ERROR_GATE_EXCHANGE_NOT_ALLOWED", nil, nil).Category)
}

func TestUnlistedCodesStayAsTheyAre(t *testing.T) {
	t.Parallel()
	f := failureOf("Something New 17", nil, nil)
	require.Equal(t, &gateway.Failure{
		Category: gateway.FailureUnknown, Code: "Something New 17", Advice: gateway.AdviceContactProvider,
		Message: sentences[gateway.FailureUnknown], Cascade: []gateway.CascadeError{}, Retry: gateway.RetryUnknown,
	}, f)
	require.Equal(t, "card 401200******3010 refused", failureOf("card 4012 0000 0000 3010 refused", nil, nil).Code)
}

// What may follow a decline, by the column "new attempt": only the provider's own trouble and an issuer's refusal may be mended by
// another account. Each of the provider's own routes counts, and a word in no table stops.
func TestWhatMayFollowADecline(t *testing.T) {
	t.Parallel()
	classes := map[gateway.RetryClass][]string{
		gateway.RetryOtherAccount: {"PROCESSOR_DENIAL_PROCESSING_ERROR", "TECHNICAL_PROCESSING_ERROR", codeNoRoute, "PLATFORM_ERROR_GATE_SKIPPED"},
		gateway.RetryIssuer:       {"EMITTER_DENIAL_PROCESSING_ERROR", "LIMIT_PROCESSING_ERROR"},
		gateway.RetrySameLater:    {"INSUFFICIENT_FUNDS_PROCESSING_ERROR", "CARD_TIME_LIMIT_PROCESSING_ERROR"},
		gateway.RetryCustomer: {
			"AUTHENTICATION_PROCESSING_ERROR", "FORM_TIMEOUT_PROCESSING_ERROR", "3DS_REDIRECT_TIMEOUT_PROCESSING_ERROR", "3DS_TIMEOUT_PROCESSING_ERROR", "3DS Redirect Timeout",
			"3DS_CANCEL_PROCESSING_ERROR", "PLATFORM_ERROR_CARD_BRAND_UNAVAILABLE",
		},
		gateway.RetryNever: {
			"DO_NOT_HONOUR_PROCESSING_ERROR", "VALIDATION_PROCESSING_ERROR", codeDuplicate, "PLATFORM_ERROR_ERROR_GATE_EXCHANGE_NOT_ALLOWED", "PLATFORM_ERROR_GATE_EXCHANGE_NOT_ALLOWED",
			"PLATFORM_ERROR_ANTIFRAUD_RULES",
		},
		gateway.RetryUnknown: {"PROCESSING_ERROR", "PLATFORM_ORDER_BILLING_ERROR", "Something New 17"},
	}
	listed := 0
	for class, codes := range classes {
		listed += len(codes)
		for _, code := range codes {
			require.Equal(t, class, failureOf(code, nil, nil).Retry, code)
		}
	}
	require.Equal(t, len(dictionary)+1, listed)
	for code, class := range map[string]gateway.RetryClass{
		"PLATFORM_ERROR_GATE_SKIPPED": gateway.RetryOtherAccount, "EMITTER_DENIAL_PROCESSING_ERROR": gateway.RetryIssuer, "INSUFFICIENT_FUNDS_PROCESSING_ERROR": gateway.RetrySameLater,
		"PLATFORM_ERROR_ANTIFRAUD_RULES": gateway.RetryNever, "Something New 17": gateway.RetryUnknown,
	} {
		require.Equal(t, class, failureOf(codeNoRoute, cascade{{Code: text("PLATFORM_ERROR_GATE_SKIPPED")}, {Code: text(code)}}, nil).Retry, code)
	}
}

func TestCascadeInEveryEncoding(t *testing.T) {
	t.Parallel()
	list := `[{"gatePriority":1,"errorCategory":"PLATFORM_ERROR_GATE_SKIPPED"},{"gatePriority":0,"errorCategory":"INSUFFICIENT_FUNDS_PROCESSING_ERROR"}]`
	quoted, err := json.Marshal(list)
	require.NoError(t, err)
	for encoded, n := range map[string]int{
		list: 2, string(quoted): 2, `null`: 0, `"null"`: 0, `"N/A"`: 0, `""`: 0, `[]`: 0, `"[]"`: 0, `"garbage"`: 0, `{}`: 0, `[1]`: 0, `7`: 0,
	} {
		a, err := parseAnswer([]byte(`{"status":-1,"cascadeErrors":` + encoded + `}`))
		require.NoError(t, err, encoded)
		require.Len(t, a.Cascade, n, encoded)
		f := failureOf(codeNoRoute, a.Cascade, nil)
		if n == 2 {
			require.Equal(t, gateway.FailureFunds, f.Category, encoded)
			require.Equal(t, gateway.AdviceCustomerMayRetry, f.Advice, encoded)
			require.Equal(t, gateway.CascadeError{Priority: 1, Code: "PLATFORM_ERROR_GATE_SKIPPED"}, f.Cascade[0], encoded)
			require.Equal(t, gateway.FailureLimit, failureOf("LIMIT_PROCESSING_ERROR", a.Cascade, nil).Category, "only one code is refined")
		} else {
			require.Equal(t, gateway.FailureUnavailable, f.Category, encoded)
			require.NotNil(t, f.Cascade, encoded)
		}
	}
	order := []string{
		"PLATFORM_ERROR_ANTIFRAUD_RULES", "EMITTER_DENIAL_PROCESSING_ERROR", "INSUFFICIENT_FUNDS_PROCESSING_ERROR",
		"LIMIT_PROCESSING_ERROR", "PLATFORM_ERROR_CARD_BRAND_UNAVAILABLE", "PLATFORM_ERROR_GATE_SKIPPED",
	}
	for i, stronger := range order {
		for _, weaker := range order[i:] {
			f := failureOf(codeNoRoute, cascade{{Code: text(weaker)}, {Code: text(stronger)}, {Code: "UNLISTED"}}, nil)
			require.Equal(t, dictionary[stronger].category, f.Category, "%s before %s", stronger, weaker)
		}
	}
}

func TestSaysNotFound(t *testing.T) {
	t.Parallel()
	for err, want := range map[string]bool{
		"ORDER_NOT_FOUND": true, "PLATFORM_ERROR_ORDER_NOT_FOUND": true, "Order not found": true, "order not found.": true,
		"TRANSACTION_NOT_FOUND": true, "ORDER_NOT_FOUND_PROCESSING_ERROR": true, "NOT_FOUND": true, "Unknown order": true,
		"": false, "PLATFORM_ERROR_GATE_NOT_FOUND": false, "PROCESSING_ERROR": false, "VALIDATION_PROCESSING_ERROR": false,
		"account not found": false, "card not found": false, "order not found in cache, try later": false, "not": false,
	} {
		require.Equal(t, want, saysNotFound(err), err)
	}
}

// A -1 that no check confirms ends an order only with a code that refuses it. After any other the call may be carried out yet.
func TestAFailureThatNoCheckConfirms(t *testing.T) {
	t.Parallel()
	calls := map[string]func(*Gateway, gateway.Ref) (gateway.Result, error){
		"/withdrawal/init": func(g *Gateway, r gateway.Ref) (gateway.Result, error) {
			r.Kind = gateway.KindPayout
			return g.Payout(t.Context(), gateway.PayoutRequest{Ref: r, Method: gateway.PayoutMethod{Phone: "79123456789"}})
		},
		"/initPaymentHost2Host": func(g *Gateway, r gateway.Ref) (gateway.Result, error) {
			return g.start(t.Context(), initDirect, r, directRequest{})
		},
		"/recurrent": func(g *Gateway, r gateway.Ref) (gateway.Result, error) {
			return g.Charge(t.Context(), gateway.ChargeRequest{Ref: r, Parent: r, Description: "month"})
		},
	}
	for path, call := range calls {
		for _, tc := range []struct {
			name, answer, check string
			status              int
			failed              bool
		}{
			{"own trouble, check away", `{"order_id":"o-1","status":-1,"err":"TECHNICAL_PROCESSING_ERROR"}`, `{}`, http.StatusBadGateway, false},
			{"own trouble, check denies at once", `{"order_id":"o-1","status":-1,"err":"TECHNICAL_PROCESSING_ERROR"}`, `{"err":"ORDER_NOT_FOUND"}`, 0, false},
			{"unlisted word, check away", `{"order_id":"o-1","status":-1,"err":"gateway timeout"}`, `{}`, http.StatusBadGateway, false},
			{"unlisted word, check denies at once", `{"order_id":"o-1","status":-1,"err":"gateway timeout"}`, `{"err":"ORDER_NOT_FOUND"}`, 0, false},
			{"no word, check away", `{"order_id":"o-1","status":-1}`, `{}`, http.StatusBadGateway, false},
			{"refused, check away", `{"order_id":"o-1","status":-1,"err":"LIMIT_PROCESSING_ERROR"}`, `{}`, http.StatusBadGateway, true},
			{"refused, check denies", `{"order_id":"o-1","status":-1,"err":"LIMIT_PROCESSING_ERROR"}`, `{"err":"ORDER_NOT_FOUND"}`, 0, true},
			{"own trouble, check confirms", `{"order_id":"o-1","status":-1,"err":"TECHNICAL_PROCESSING_ERROR"}`, `{"order_id":"o-1","status":-1,"amount":1000}`, 0, true},
		} {
			p := newProvider(t, map[string]string{path: tc.answer, "/check": tc.check})
			p.statuses = map[string]int{"/check": tc.status}
			result, err := call(open(t, p.account()), ref("o-1", 1000))
			if tc.failed {
				require.NoError(t, err, path+": "+tc.name)
				require.Equal(t, gateway.StatusFailed, result.Status, path+": "+tc.name)
				continue
			}
			require.Equal(t, gateway.KindUnknown, gateway.KindOf(err), path+": "+tc.name)
			require.Error(t, err, path+": "+tc.name)
			require.Empty(t, result.Status, path+": "+tc.name)
		}
	}
}
