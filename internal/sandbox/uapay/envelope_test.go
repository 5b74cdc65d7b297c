package uapay

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/sandbox/clock"

	"payrelay/internal/sandbox/simulatortest"
)

type example struct {
	Name     string          `json:"name"`
	Method   string          `json:"method"`
	Request  json.RawMessage `json:"request"`
	Response json.RawMessage `json:"response"`
	Valid    *bool           `json:"valid"`
}

func examples(t *testing.T) map[string]example {
	t.Helper()
	raw, err := os.ReadFile("testdata/cases.json")
	require.NoError(t, err)
	var list []example
	require.NoError(t, json.Unmarshal(raw, &list))
	out := map[string]example{}
	for _, e := range list {
		out[e.Name] = e
	}
	return out
}

// The signing vectors of the worked example: the simulator signs and verifies the same bytes.
func TestSigningVectors(t *testing.T) {
	t.Parallel()
	checked := 0
	for name, e := range examples(t) {
		if e.Valid == nil {
			continue
		}
		body, ok := parse(e.Request)
		require.True(t, ok, name)
		claims, err := verify(testKey, body.text("token"))
		require.Equal(t, *e.Valid, err == nil, name)
		if *e.Valid {
			require.Equal(t, body.text("token"), Sign(testKey, claims), name)
		}
		checked++
	}
	require.GreaterOrEqual(t, checked, 14)
	for _, alg := range []string{"none", "HS512", "RS512", "hs256", ""} { // the right signature under another name
		_, err := verify(testKey, signAs(`{"alg":"`+alg+`"}`, []byte(testKey), []byte(`{}`)))
		require.Error(t, err, alg)
	}
}

func TestVectorsAtTheDoor(t *testing.T) {
	t.Parallel()
	at := time.Unix(1795219200, 0)
	settings := DefaultSettings()
	simulator, err := New(Config{Settings: &settings, Clock: clock.New(func() time.Time { return at }, 0)})
	require.NoError(t, err)
	for name, want := range map[string]string{
		"sessions_create_signed_live": "", "any_method_stale_iat": CodeTimeLimit, "signing_negative_bad_signature": CodeSignature,
		"signing_negative_alg_none": CodeSignature, "signing_negative_key_base64_decoded": CodeSignature,
		"signing_negative_hs512": CodeSignature, "sessions_create_missing_client_id": CodeFormat,
		"sessions_create_unsigned_live": CodeTokenRequired,
	} {
		body, _ := parse(examples(t)[name].Request)
		got := ""
		if bad := simulator.open(&call{endpoint: "sessions/create"}, body); bad != nil {
			got = bad.code
		}
		require.Equal(t, want, got, name)
	}
}

// An answer has the members of the documented one, with the same JSON types.
func TestAnswersHaveTheDocumentedShape(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	all := examples(t)
	shape := func(name string, got object) {
		t.Helper()
		want, ok := parse(all[name].Response)
		require.True(t, ok, name)
		for key, v := range want.object("data") {
			require.Contains(t, got, key, name)
			if v != nil && got[key] != nil {
				require.IsType(t, v, got[key], name+" "+key)
			}
		}
	}
	made := b.invoice("shape", nil)
	shape("invoice_create_pay", made)
	shape("invoice_show_no_payment_yet", b.call("invoicer/invoices/show", object{"id": made["id"]}, nil))
	invoice, payment, _ := b.direct("shape-2", Card3DS, nil)
	shape("checkstatus_3ds_with_md_and_receipt", b.status(invoice, payment, SystemConfirm))
	invoice, payment, _ = b.direct("shape-3", CardLookup, nil)
	shape("seed_checkstatus_lookup_needs_confirmation", b.status(invoice, payment, SystemConfirm))
	invoice, payment, _ = b.direct("shape-4", CardSuccess, nil)
	shape("checkstatus_finished_finished", b.status(invoice, payment, SystemFinished))
	shape("payment_show_finished_finished", b.call("invoicer/payments/show", object{"paymentId": payment}, nil))
	show := b.call("invoicer/invoices/show", object{"id": invoice}, nil)
	shape("invoice_show_finished", show)
	want, _ := parse(all["invoice_show_finished"].Response)
	for key := range want.object("data")["payments"].([]any)[0].(map[string]any) {
		require.Contains(t, show["payments"].([]any)[0], key)
	}
	shape("payment_show_commission", b.call("invoicer/payments/showCommission", object{"invoiceId": invoice}, object{"amount": 1}))
	shape("p2p_commission", b.call("payments/p2p/commission/calculate", object{"amount": 10000}, nil))
	id := b.initiate("c2a", "shape-c")
	shape("p2p_payments_show_c2a_waiting_complete", b.call("p2p/payments/show", object{"id": id}, object{}))
	shape("c2a_cancel", b.call("p2p/payments/c2a/cancel", object{"paymentId": id}, nil))
	list := b.call("invoicer/invoices/show/list", object{"ids": []string{invoice}}, nil)["invoices"].([]any)[0].(map[string]any)
	want, _ = parse(all["invoices_show_list_by_ids"].Response)
	for key := range want.object("data")["invoices"].([]any)[0].(map[string]any) {
		require.Contains(t, list, key)
	}
}

func TestEnvelopeChecks(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	code := func(body string) string {
		t.Helper()
		status, raw, err := b.raw(http.MethodPost, "/api/sessions/create", body)
		require.NoError(t, err)
		require.Equal(t, 200, status)
		out, _ := parse(raw)
		return out.object("error").text("code")
	}
	sign := func(claims string) string { return Sign(testKey, []byte(claims)) }
	now := time.Now().Unix()
	iat := func(offset int64) string { raw, _ := json.Marshal(now + offset); return string(raw) }
	claims := func(offset int64) string { return `{"params":{"clientId":"90001"},"iat":` + iat(offset) + `}` }
	require.Equal(t, CodeFormat, code(`[]`))
	require.Equal(t, CodeFormat, code(`{} {}`))
	require.Equal(t, CodeClientNotFound, code(`{"params":{"clientId":"7"}}`))
	require.Equal(t, CodeTokenRequired, code(`{"params":{"clientId":"90001"}}`))
	// the signature comes before the clock
	require.Equal(t, CodeSignature, code(`{"params":{"clientId":"90001"},"token":"`+Sign("x", []byte(claims(-60)))+`"}`))
	for offset, want := range map[int64]string{-30: CodeTimeLimit, 30: CodeTimeLimit, -15: "", 15: ""} {
		require.Equal(t, want, code(`{"params":{"clientId":"90001"},"token":"`+sign(claims(offset))+`"}`), offset)
	}
	require.Empty(t, code(`{"token":"`+sign(claims(0))+`"}`))
	require.Empty(t, code(`{"token":"`+sign(`{"params":{"clientId":"90001"},"iat":"`+iat(0)+`"}`)+`"}`))
	require.Equal(t, CodeTokenMismatch, code(`{"params":{"clientId":"90001","a":1},"token":"`+sign(claims(0))+`"}`))
	require.NoError(t, b.simulator.UpdateSettings(func(s *Settings) { s.OuterMustMatch = false }))
	require.Empty(t, code(`{"params":{"clientId":"90001","a":1},"token":"`+sign(claims(0))+`"}`))

	require.Equal(t, CodeSessionNotFound, b.refused("invoicer/invoices/show", object{"sessionId": newID(), "id": "x"}, nil))
	require.Equal(t, CodeMethodNotFound, b.refused("no/such", nil, nil))
	b.simulator.ExpireSessions()
	require.Equal(t, CodeSessionExpired, b.refused("invoicer/invoices/show", object{"id": "x"}, nil))
	b.session = b.call("sessions/create", object{"clientId": testClient}, nil).text("id")
	out := b.send("invoicer/invoices/create", nil, object{"type": "ODD", "amount": "1"})
	require.Equal(t, map[string]any{
		"params": map[string]any{"systemType": FieldRequired},
		"data":   map[string]any{"externalId": FieldRequired, "description": FieldRequired, "type": FieldFormat, "amount": FieldFormat},
	}, out.object("error")["fields"])
	require.NotContains(t, out, "status")

	require.NoError(t, b.simulator.UpdateSettings(func(s *Settings) { s.ErrorStatus, s.ErrorWithStatus = 400, true }))
	status, raw, err := b.raw(http.MethodPost, "/api/sessions/create", `{}`)
	require.NoError(t, err)
	require.Equal(t, 400, status)
	require.Contains(t, string(raw), `"status":0`)
}

func TestAKeyIsChanged(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	code := func(key string) string {
		t.Helper()
		claims, err := json.Marshal(object{"params": object{"clientId": testClient}, "iat": time.Now().Unix()})
		require.NoError(t, err)
		_, raw, err := b.raw(http.MethodPost, "/api/sessions/create", `{"token":"`+Sign(key, claims)+`"}`)
		require.NoError(t, err)
		out, _ := parse(raw)
		if token := out.object("data").text("token"); token != "" {
			_, err := verify(key, token)
			require.NoError(t, err, "an answer is signed like its call")
		}
		return out.object("error").text("code")
	}
	change := func(body string, want int) {
		t.Helper()
		got, _, err := b.raw(http.MethodPost, "/control/merchant-secrets", body)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	change(`{"merchant":"90001","secret":"second","overlap":true}`, http.StatusNoContent)
	require.Equal(t, []string{"", "", CodeSignature}, []string{code(testKey), code("second"), code("third")})
	change(`{"merchant":"90001","secret":"second"}`, http.StatusNoContent)
	require.Equal(t, []string{CodeSignature, ""}, []string{code(testKey), code("second")})
	change(`{"merchant":"7","secret":"x"}`, http.StatusBadRequest)
}

func TestUnsignedClientAndLenientForms(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	get := func(path, body string) object {
		t.Helper()
		_, raw, err := b.raw(http.MethodPost, "/api/"+path, body)
		require.NoError(t, err)
		out, _ := parse(raw)
		return out
	}
	const one = `{"params":{"clientId":"1"}}`
	session := get("sessions/create", one).object("data").text("id")
	made := get("invoicer/invoices/create", `{"params":{"sessionId":"`+session+`","systemType":"ECOM"},"data":{"externalId":"u","type":"PAY","description":"d","amount":5}}`)
	require.Contains(t, made.object("data").text("paymentPageUrl"), "/payment/")
	// another client's invoice is not known
	require.Equal(t, CodeNotFound, b.refused("invoicer/invoices/show", object{"id": made.object("data")["id"]}, nil))
	require.NoError(t, b.simulator.UpdateSettings(func(s *Settings) { s.StringStatus, s.SessionTopLevel = true, true }))
	out := get("sessions/create", one)
	require.Equal(t, "1", out["status"])
	require.NotEmpty(t, out.text("id"))
	require.NotContains(t, out, "data")
}

// What a payer or an adapter sends in secret is in no record and no log.
func TestNothingSecretIsKept(t *testing.T) {
	t.Parallel()
	log := &simulatortest.Log{}
	b := newLoggedBundle(t, nil, log)
	invoice, payment, key := b.direct("quiet", CardLookup, object{"description": "my card 4111 1111 1111 1111"})
	b.status(invoice, payment, SystemConfirm)
	b.call("invoicer/payments/confirm", with(ids(invoice, payment), object{"code": "123456", "key": key}), nil)
	b.status(invoice, payment, SystemFinished)
	raw, err := json.Marshal(b.simulator.Requests(""))
	require.NoError(t, err)
	orders, err := json.Marshal(b.simulator.Orders(0))
	require.NoError(t, err)
	for _, kept := range []string{string(raw), string(orders), log.String()} {
		require.NotEmpty(t, kept)
		for _, secret := range []string{CardLookup, CardSuccess, "4111 1111", key, "eyJ", testKey, `"123"`, `"123456"`} {
			require.NotContains(t, kept, secret)
		}
	}
	require.Contains(t, string(raw), `"securityCode":"[3 characters]"`)
	require.True(t, strings.Contains(string(raw), `"pan":"400000******0101"`))
}
