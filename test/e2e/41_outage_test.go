package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A provider that fails again and again is left alone for a while. A new order is then refused before anything of it is
// stored, so the same request makes the order when the provider is back.
func TestANewOrderDuringAnOutageKeepsItsReference(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	early := d.create("before-the-outage")
	d.fault("bad_gateway_before", "initPayment", "", map[string]any{"count": 1000})
	body := func(reference string) string {
		return fmt.Sprintf(`{"reference":%q,"amount":1000,"currency":"EUR","description":"Socks",%s}`, reference, customer)
	}
	refused, key := "", http.Header{"Idempotency-Key": {"one-key"}}
	for n := 0; refused == ""; n++ {
		require.Less(t, n, 100, "the breaker never opened")
		reference := "outage-" + strconv.Itoa(n)
		res, text := d.send(http.MethodPost, "/v1/payments", body(reference), nil)
		if res.StatusCode == http.StatusAccepted {
			continue
		}
		var p refusal
		require.NoError(t, json.Unmarshal(text, &p))
		require.Equal(t, http.StatusServiceUnavailable, res.StatusCode, "%s", text)
		require.Equal(t, "provider_unavailable", p.Code)
		seconds, err := strconv.Atoi(res.Header.Get("Retry-After"))
		require.NoError(t, err)
		require.Positive(t, seconds)
		refused = reference
	}
	var list struct{ Data []order }
	d.call(http.MethodGet, "/v1/orders?reference="+refused, "", &list)
	require.Empty(t, list.Data, "nothing was stored")
	res, text := d.send(http.MethodPost, "/v1/payments", body("before-the-outage"), nil)
	require.Equal(t, http.StatusOK, res.StatusCode, "%s", text)
	require.Contains(t, string(text), early.ID, "a repeat gives its order, provider or not")
	res, _ = d.send(http.MethodPost, "/v1/payments", body(refused), key)
	require.Equal(t, http.StatusServiceUnavailable, res.StatusCode)

	d.control(http.MethodDelete, "/faults", nil)
	var made order
	eventually(t, func() bool {
		res, text := d.send(http.MethodPost, "/v1/payments", body(refused), key)
		return res.StatusCode == http.StatusCreated && json.Unmarshal(text, &made) == nil
	}, "the same request under the same key, when the provider is back")
	require.Equal(t, "requires_action", made.Status)
}

// What an operator can mend is answered anew under the same Idempotency-Key.
func TestAMendedCauseIsSeenUnderTheSameKey(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("qwerty\n"), 0o600))
	for code, member := range map[string]string{"unknown_account": `"currency":"EUR","account":"EUR-second"`, "currency_not_supported": `"currency":"USD"`} {
		body := fmt.Sprintf(`{"reference":%q,"amount":1000,"description":"Socks",%s,%s}`, code, member, customer)
		key := http.Header{"Idempotency-Key": {code}}
		for range 2 {
			res, text := d.raw(http.MethodPost, "/v1/payments", body, key)
			require.Equal(t, http.StatusUnprocessableEntity, res.StatusCode)
			require.Contains(t, string(text), code)
			require.Empty(t, res.Header.Get("Idempotency-Replayed"))
		}
		name, currency := "EUR-second", "EUR"
		if code == "currency_not_supported" {
			name, currency = "USD-first", "USD"
		}
		d.operator("account", "create", name, "--provider", "smartcore", "--currency", currency, "--merchant-key", "test", "--secret-file", secret, "--shop", "demo",
			"--pci-url", d.Sandbox+"/smartcore/pci", "--gateway-url", d.Sandbox+"/smartcore/gateway")
		res, text := d.raw(http.MethodPost, "/v1/payments", body, key)
		require.Equal(t, http.StatusCreated, res.StatusCode, "%s", text)
		repeated, same := d.raw(http.MethodPost, "/v1/payments", body, key)
		require.Equal(t, "true", repeated.Header.Get("Idempotency-Replayed"))
		require.Equal(t, text, same)
	}
}

// A refund beside an open one is told to wait, also if the open one has reserved all there is; one without an amount gives
// back what is left.
func TestARefundBesideAnOpenOne(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	p := d.paid("beside", 1000, "")
	d.fault("callback_off", "", p.ProviderOrderID, nil)
	d.fault("drop_before", "refund", p.ProviderOrderID, map[string]any{"count": 1})
	open := d.makes(refundsOf(p), refund("beside-1", 1000), http.StatusAccepted)
	for _, body := range []string{refund("beside-2", 100), refund("beside-2", 1000), `{"reference":"beside-2","reason":"returned"}`} {
		res, text := d.raw(http.MethodPost, refundsOf(p), body, nil)
		require.Equal(t, http.StatusConflict, res.StatusCode, "%s", text)
		require.Contains(t, string(text), `"refund_in_progress"`)
		require.NotEmpty(t, res.Header.Get("Retry-After"))
	}
	d.refuses(refundsOf(p), refund("beside-3", 1001), http.StatusConflict, "refund_exceeds_captured")
	d.operator("order", "resolve", open.ID, "--status", "failed", "--reason", "the provider says no")

	d.refunded(p, "beside-4", 300)
	rest := d.makes(refundsOf(p), `{"reference":"beside-5","reason":"returned"}`, http.StatusCreated)
	require.EqualValues(t, 700, rest.Amount)
	d.ends(rest.ID, "succeeded")
	require.EqualValues(t, 1000, d.full(p.ID).AmountRefunded)
	d.refuses(refundsOf(p), `{"reference":"beside-6","reason":"returned"}`, http.StatusConflict, "refund_exceeds_captured")
	require.Equal(t, rest.ID, d.makes(refundsOf(p), `{"reference":"beside-5","reason":"returned"}`, http.StatusOK).ID)
}

// However often a provider cannot be asked about an order, its story says so in a line, with how often and until when.
func TestAnOutageIsALineOfAnOrdersStory(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	o := d.create("outage")
	d.fault("bad_gateway_before", "check", o.ProviderOrderID, map[string]any{"count": 1000})
	for range 30 {
		d.makes("/v1/orders/"+o.ID+"/refresh", "", http.StatusOK)
	}
	var failed []string
	for _, line := range strings.Split(d.operator("order", "show", o.ID), "\n") {
		if strings.Contains(line, "fetch:") && !strings.Contains(line, "requires_action") {
			failed = append(failed, line)
		}
	}
	require.LessOrEqual(t, len(failed), 3, "bad gateway, then a breaker that is open: %v", failed)
	require.Contains(t, strings.Join(failed, "\n"), "times until")
}
