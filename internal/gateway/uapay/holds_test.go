package uapay

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
)

const ack = `{"paymentId":"` + testPayment + `"}`

// shown is an answer of payments/show.
func shown(system, invoicer string, amount int) string {
	return fmt.Sprintf(`{"paymentId":%q,"invoiceId":%q,"status":%q,"paymentStatus":%q,"amount":%d}`, testPayment, testInvoice, invoicer, system, amount)
}

func TestCaptureAndCancel(t *testing.T) {
	t.Parallel()
	vectors := loadVectors(t)
	lowered := int64(20000)
	for name, tc := range map[string]struct {
		vector, path string
		amount       int64 // 0 is a cancel
		read         string
		status       gateway.Status
		settled      *int64
	}{
		"all":                           {"payment_complete_full", "complete", 25000, shown("FINISHED", "FINISHED", 25000), gateway.StatusSucceeded, nil},
		"a part, named lower":           {"payment_complete_reduced", "complete", 20000, shown("FINISHED", "FINISHED", 20000), gateway.StatusSucceeded, &lowered},
		"a part, named as it was":       {"payment_complete_reduced", "complete", 20000, shown("FINISHED", "FINISHED", 25000), gateway.StatusSucceeded, nil},
		"a capture under way":           {"payment_complete_full", "complete", 25000, shown("HOLDED", "PAID", 25000), gateway.StatusProcessing, nil},
		"a capture that cannot be read": {"payment_complete_full", "complete", 25000, "!{}", gateway.StatusProcessing, nil},
		"a capture too late":            {"payment_complete_full", "complete", 25000, shown("CANCELED", "CANCELED", 25000), gateway.StatusCanceled, nil},
		"a cancel":                      {"payment_cancel_hold", "cancel", 0, shown("CANCELED", "CANCELED", 25000), gateway.StatusCanceled, nil},
		"a cancel under way":            {"payment_cancel_hold", "cancel", 0, shown("HOLDED", "PAID", 25000), gateway.StatusProcessing, nil},
		"a cancel that lets go":         {"payment_cancel_hold", "cancel", 0, shown("REVERSED", "REVERSED", 25000), gateway.StatusCanceled, nil},
		"a cancel too late":             {"payment_cancel_hold", "cancel", 0, shown("FINISHED", "FINISHED", 25000), gateway.StatusSucceeded, nil},
	} {
		v := vectors[tc.vector]
		p := newProvider(t, map[string][]string{"invoicer/payments/" + tc.path: {v.data(t)}, "invoicer/payments/show": {tc.read}})
		g, ref := open(t, account(p.url)), known(gateway.OpAuthorize)
		var result gateway.Result
		var err error
		if tc.amount > 0 {
			result, err = g.Capture(t.Context(), ref, uah(tc.amount))
		} else {
			result, err = g.Cancel(t.Context(), ref)
		}
		require.NoError(t, err, name)
		requireParams(t, v, p.seen()[0])
		require.Empty(t, p.seen()[0].Data)
		require.Equal(t, tc.status, result.Status, name)
		require.Equal(t, tc.settled, result.Settled, name)
		if tc.settled != nil {
			require.True(t, result.Amount == nil || *result.Amount == 25000, "%s: not another order", name)
		}
	}
}

func TestAnAccountCanRefuseToCaptureAPart(t *testing.T) {
	t.Parallel()
	p := newProvider(t, nil)
	a := account(p.url)
	a.Settings["partial_capture"] = "no"
	g := open(t, a)
	_, err := g.Capture(t.Context(), known(gateway.OpAuthorize), uah(20000))
	require.Equal(t, gateway.KindInvalid, gateway.KindOf(err))
	require.Empty(t, p.seen(), "nothing is sent")
	require.NotEmpty(t, g.Check(gateway.CaptureRequest{Ref: known(gateway.OpAuthorize), Amount: uah(20000)}))
	require.Empty(t, g.Check(gateway.CaptureRequest{Ref: known(gateway.OpAuthorize), Amount: uah(25000)}))

	a.Settings["partial_capture"] = "perhaps"
	_, err = New(testClient(t)).Open(a)
	require.ErrorContains(t, err, "partial_capture: use yes or no")
}

func TestCommandsThatFail(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer, read string
		status       gateway.Status
		kind         gateway.ErrorKind
		code         string
		http         int
	}{
		"refused, the hold stands":  {`!{"code":"BAD_STATE"}`, shown("HOLDED", "PAID", 25000), "", gateway.KindDeclined, "BAD_STATE", 400},
		"refused, already captured": {`!{"code":"BAD_STATE"}`, shown("FINISHED", "FINISHED", 25000), gateway.StatusSucceeded, 0, "", 200},
		"refused, nobody knows":     {`!{"code":"BAD_STATE"}`, "!{}", "", gateway.KindUnknown, "BAD_STATE", 200},
		"refused, on the way":       {`!{"code":"BAD_STATE"}`, shown("PENDING", "PAID", 25000), "", gateway.KindUnknown, "BAD_STATE", 200},
		"slow, the hold stands":     {`!{"code":"PROCESSING_TIMEOUT"}`, shown("HOLDED", "PAID", 25000), "", gateway.KindUnknown, "PROCESSING_TIMEOUT", 200},
		"unlisted, the hold stands": {`!{"code":"SOMETHING_ELSE"}`, shown("HOLDED", "PAID", 25000), "", gateway.KindUnknown, "SOMETHING_ELSE", 200},
		"slow, but captured":        {`!{"code":"PROCESSING_TIMEOUT"}`, shown("FINISHED", "FINISHED", 25000), gateway.StatusSucceeded, 0, "", 200},
		"format":                    {`!{"code":"FORMAT_ERROR","fields":{"params":{"amount":"TOO_LARGE"}}}`, "", "", gateway.KindDeclined, "FORMAT_ERROR", 200},
		"clock":                     {`!{"code":"TIMELIMIT_ERROR"}`, "", "", gateway.KindDeclined, "clock_skew", 200},
		"a broken server":           {`!{"code":"FORMAT_ERROR"}`, "", "", gateway.KindUnknown, "FORMAT_ERROR", 502},
		"acknowledged for another":  {`{"paymentId":"x"}`, "", "", gateway.KindUnknown, "other_order", 200},
		"too many":                  {`!{"code":"SLOW_DOWN"}`, "", "", gateway.KindUnknown, "SLOW_DOWN", 429},
	} {
		p := newProvider(t, map[string][]string{"invoicer/payments/complete": {tc.answer}})
		p.status = tc.http
		reader := newProvider(t, map[string][]string{"invoicer/payments/show": {tc.read}})
		g := open(t, account(p.url))
		mux := http.NewServeMux()
		mux.Handle("/api/invoicer/payments/show", reader)
		mux.Handle("/", p)
		g.base = serve(t, mux)
		result, err := g.Capture(t.Context(), known(gateway.OpAuthorize), uah(25000))
		if tc.status != "" {
			require.NoError(t, err, name)
			require.Equal(t, tc.status, result.Status, name)
			continue
		}
		require.Equal(t, tc.kind, kindOf(t, err), name)
		require.Equal(t, tc.code, asError(t, err).Code, name)
		require.Len(t, p.seen(), 1, name)
	}
	g := open(t, account(""))
	for _, minor := range []int64{0, -1, 25001} {
		_, err := g.Capture(t.Context(), known(gateway.OpAuthorize), uah(minor))
		require.Equal(t, gateway.KindInvalid, kindOf(t, err))
	}
}

func TestCommandsLookForTheIdsThatTheyLack(t *testing.T) {
	t.Parallel()
	list := `{"invoices":[{"id":"` + testInvoice + `","externalId":"ord-1001"}]}`
	invoice := `{"id":"` + testInvoice + `","invoiceStatus":"ACTIVE","amount":25000,"payments":[` + shown("HOLDED", "PAID", 25000) + `]}`
	p := newProvider(t, map[string][]string{
		"invoicer/invoices/show/list": {list}, "invoicer/invoices/show": {invoice},
		"invoicer/payments/complete": {ack}, "invoicer/payments/show": {shown("FINISHED", "FINISHED", 25000)},
	})
	result, err := open(t, account(p.url)).Capture(t.Context(), payment(gateway.OpAuthorize), uah(25000))
	require.NoError(t, err)
	require.Equal(t, gateway.StatusSucceeded, result.Status)
	require.Equal(t, testPayment, result.State[statePayment].Reveal())

	p = newProvider(t, map[string][]string{"invoicer/invoices/show/list": {"!{}"}})
	_, err = open(t, account(p.url)).Cancel(t.Context(), payment(gateway.OpAuthorize))
	require.Equal(t, gateway.KindNotSent, kindOf(t, err), "the cancel itself never went out")
	p = newProvider(t, map[string][]string{"invoicer/invoices/show/list": {`{"invoices":[]}`}})
	_, err = open(t, account(p.url)).Cancel(t.Context(), payment(gateway.OpAuthorize))
	require.Equal(t, gateway.KindDeclined, kindOf(t, err))
}

func TestConfirmCode(t *testing.T) {
	t.Parallel()
	vectors := loadVectors(t)
	for name, tc := range map[string]struct {
		answer, read string
		status       gateway.Status
		left         int // -1 for no action
		kind         gateway.ErrorKind
	}{
		"taken":                            {"", pending, gateway.StatusProcessing, -1, 0},
		"taken and done":                   {"", finished, gateway.StatusSucceeded, -1, 0},
		"taken, not looked at yet":         {"", lookup, gateway.StatusProcessing, -1, 0},
		"wrong, told by the attempts":      {"", lookup2, gateway.StatusRequiresAction, 2, 0},
		"wrong, told by an error":          {`!{"code":"WRONG_CODE"}`, lookup2, gateway.StatusRequiresAction, 2, 0},
		"wrong for the last time":          {`!{"code":"WRONG_CODE"}`, `{"id":"x","status":"REJECTED","paymentStatus":"CANCELED","amount":25000}`, gateway.StatusFailed, -1, 0},
		"taken, and nobody knows":          {"", "!{}", gateway.StatusProcessing, -1, 0},
		"an error, and nobody knows":       {`!{"code":"WRONG_CODE"}`, "!{}", "", -1, gateway.KindUnknown},
		"the provider dislikes the format": {`!{"code":"FORMAT_ERROR","fields":{"params":{"code":"FORMAT"}}}`, "", "", -1, gateway.KindDeclined},
	} {
		v := vectors["payment_confirm_lookup"]
		p := newProvider(t, map[string][]string{"invoicer/payments/confirm": {tc.answer}, "invoicer/payments/checkStatus": {tc.read}})
		ref := known(gateway.OpSale)
		ref.State[stateDirect], ref.State[stateLeft] = "1", "3"
		ref.State[stateKey] = "SimKey000000000000000000000000000000000000000.sim0000000000000001"
		result, err := open(t, account(p.url)).ConfirmCode(t.Context(), ref, "123456")
		requireParams(t, v, p.seen()[0])
		if tc.status == "" {
			require.Equal(t, tc.kind, kindOf(t, err), name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, tc.status, result.Status, name)
		require.Equal(t, tc.status == gateway.StatusFailed, result.Failure != nil && result.Failure.Category == gateway.FailureAuthentication, name)
		if tc.left < 0 {
			require.Nil(t, result.NextAction, name)
			continue
		}
		require.Equal(t, tc.left, *result.NextAction.AttemptsLeft, name)
		require.Equal(t, "2", result.State[stateLeft].Reveal(), "the next wrong code is measured against this")
	}
	// What costs no attempt was not about the code, and without the key of uapay.md 8.4 no code is sent.
	p := newProvider(t, map[string][]string{"invoicer/payments/confirm": {`!{"code":"KEY_ERROR"}`}, "invoicer/payments/checkStatus": {lookup}})
	ref := known(gateway.OpSale)
	ref.State[stateDirect], ref.State[stateLeft], ref.State[stateKey] = "1", "3", "another-key"
	_, err := open(t, account(p.url)).ConfirmCode(t.Context(), ref, "123456")
	require.Equal(t, gateway.KindDeclined, kindOf(t, err))
	require.Equal(t, gateway.CodeNotTried, asError(t, err).Code)
	require.Equal(t, "KEY_ERROR", asError(t, err).ProviderData["error_code"])
	delete(ref.State, stateKey)
	_, err = open(t, account(p.url)).ConfirmCode(t.Context(), ref, "123456")
	require.Equal(t, gateway.CodeKeyLost, asError(t, err).Code)
	require.Len(t, p.seen(), 2)
	shownTwice, err := open(t, account(p.url)).Fetch(t.Context(), ref)
	require.NoError(t, err)
	require.Equal(t, gateway.StatusRequiresAction, shownTwice.Status)
	require.Nil(t, shownTwice.NextAction, "a code that nobody can send is not asked for")

	g := open(t, account(""))
	_, err = g.ConfirmCode(t.Context(), payment(gateway.OpSale), "123456")
	require.Equal(t, gateway.KindDeclined, kindOf(t, err))
	_, err = g.ConfirmCode(t.Context(), known(gateway.OpSale), "")
	require.Equal(t, gateway.KindInvalid, kindOf(t, err))
}
