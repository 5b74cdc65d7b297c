package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/secrets"
)

// Orders follow their account to another host: what was paid at the old one is asked about, and refunded, at the new one.
func TestOrdersFollowAMovedHost(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	old, open := d.paid("moved-host", 1000, ""), d.create("moved-open")
	to, err := url.Parse(d.Sandbox)
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(to)
	var checks, refunds atomic.Int32
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/check"):
			checks.Add(1)
		case strings.Contains(r.URL.Path, "refund"):
			refunds.Add(1)
		}
		proxy.ServeHTTP(w, r)
	}))
	defer host.Close()
	text := d.operator("account", "set", "EUR-sandbox", "gateway_url="+host.URL+"/smartcore/gateway", "pci_url="+host.URL+"/smartcore/pci", "--reason", "the provider moves")
	require.Contains(t, text, "is changed, and at version ")
	eventually(t, func() bool {
		d.makes("/v1/orders/"+open.ID+"/refresh", "", http.StatusOK)
		return checks.Load() > 0
	})
	d.refunded(old, "moved-host-refund", 400)
	require.Positive(t, refunds.Load())
	audit := d.operator("audit", "export", "--action", "account set", "--object", "EUR-sandbox")
	require.Contains(t, audit, host.URL)
	require.Contains(t, audit, "the provider moves")
}

// An account is drained, closed when nothing is open there, and stays closed. Its orders can be read.
func TestAnAccountIsClosed(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	environ := []string{"DATABASE_URL=" + d.DatabaseURL, "SECRET_KEYSET=" + secrets.DemoKeyset}
	refused := func(want string, args ...string) {
		t.Helper()
		code, out, text := command(environ, args...)
		require.Equal(t, 1, code, out)
		require.Contains(t, text, want)
	}
	paid, held := d.paid("close-paid", 1000, ""), d.held("close-held", 1000)
	d.operator("account", "disable", "EUR-sandbox", "--mode", "drain", "--reason", "the contract ends")
	refused("something is open there: 1 × payment authorized", "account", "close", "EUR-sandbox", "--reason", "the contract has ended")
	require.Regexp(t, `(?m)^`+held.ID+` .* close-held .* the shop's capture or cancel$`, d.operator("order", "list", "--account", "EUR-sandbox"))
	refused("leave the order's name", "order", "list", "close-held", "--account", "EUR-sandbox")
	d.makes(cancelOf(held), "", http.StatusOK)
	d.ends(held.ID, "canceled")
	eventually(t, func() bool {
		code, _, _ := command(environ, "account", "close", "EUR-sandbox", "--reason", "the contract has ended")
		return code == 0
	})

	body := fmt.Sprintf(`{"reference":"close-new","amount":1000,"currency":"EUR","description":"Socks","account":"EUR-sandbox",%s}`, customer)
	d.refuses("/v1/payments", body, http.StatusForbidden, "disabled")
	eventually(t, func() bool {
		res, text := d.send(http.MethodPost, refundsOf(paid), refund("close-refund", 100), nil)
		return res.StatusCode == http.StatusForbidden && strings.Contains(string(text), "is closed for good")
	})
	require.Equal(t, "succeeded", d.get(paid.ID).Status)
	refused("is closed, and stays so", "account", "enable", "EUR-sandbox")
	var list struct {
		Data []struct{ Name, Mode string }
	}
	d.call(http.MethodGet, "/v1/accounts", "", &list)
	require.Equal(t, "closed", list.Data[0].Mode)

	// A late callback is kept.
	require.Less(t, deliver(d.API+d.callbackTarget("EUR-sandbox"), signedEvent(paid.ProviderOrderID, nil)), 300)
	require.Contains(t, d.operator("order", "show", paid.ID), "callback")
}

// What an account does not do stands in the list with its reason, and an order that needs it is refused with it.
func TestAnAccountSaysWhatItDoesNotDo(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	paid := d.paid("withheld-paid", 1000, "")
	type account struct {
		Name         string
		Capabilities []string
		Off          []struct{ Capability, Reason string } `json:"capabilities_off"`
		Limits       []struct {
			Rule   string
			Amount int64
		}
	}
	listed := func() (a account) {
		t.Helper()
		var list struct{ Data []account }
		d.call(http.MethodGet, "/v1/accounts", "", &list)
		require.Equal(t, "EUR-sandbox", list.Data[0].Name)
		return list.Data[0]
	}
	require.Contains(t, listed().Capabilities, "refund")
	d.operator("account", "withhold", "EUR-sandbox", "refund", "--reason", "refunds by the bank only")
	d.operator("account", "set", "EUR-sandbox", "partial_capture=no")
	d.operator("limit", "set", "--account", "EUR-sandbox", "--kind", "payment", "--rule", "minimum", "--currency", "EUR", "--amount", "500", "--mode", "enforce")
	eventually(t, func() bool { return len(listed().Off) >= 2 && len(listed().Limits) == 1 })
	off := map[string]string{}
	for _, o := range listed().Off {
		off[o.Capability] = o.Reason
	}
	require.Equal(t, "refunds by the bank only", off["refund"])
	require.Equal(t, "the account's setting partial_capture is no", off["partial_capture"])
	require.Equal(t, "the account is for payments", off["payout"])
	require.Equal(t, "minimum", listed().Limits[0].Rule)

	res, text := d.raw(http.MethodPost, refundsOf(paid), refund("withheld-refund", 100), nil)
	require.Equal(t, http.StatusUnprocessableEntity, res.StatusCode)
	require.Contains(t, string(text), "refunds by the bank only")
	require.Contains(t, d.operator("account", "show", "EUR-sandbox"), "refunds by the bank only")
	var shown struct {
		Off []struct{ Capability, Reason string } `json:"capabilities_off"`
	}
	require.NoError(t, json.Unmarshal([]byte(d.operator("account", "show", "EUR-sandbox", "--json")), &shown))
	require.NotEmpty(t, shown.Off)
	d.operator("account", "allow", "EUR-sandbox", "refund")
	eventually(t, func() bool {
		res, _ := d.send(http.MethodPost, refundsOf(paid), refund("withheld-refund", 100), nil)
		return res.StatusCode == http.StatusCreated
	})
	d.refuses("/v1/payments", fmt.Sprintf(`{"reference":"too-small","amount":499,"currency":"EUR","description":"Socks",%s}`, customer), http.StatusUnprocessableEntity, "limit_exceeded")
}

// Only a proof passes a test of an account, and UAPAY's answers prove their signature, too.
func TestAnAccountIsTested(t *testing.T) {
	t.Parallel()
	d := startUAPAY(t)
	text := d.operator("account", "test", "UAH-sandbox")
	require.Regexp(t, `name +passed +api_url http://`, text)
	require.Regexp(t, `clock +passed`, text)
	require.Regexp(t, `credentials +passed`, text)
	require.Regexp(t, `signature +passed`, text)
	require.Regexp(t, `signature +not_proven`, d.operator("account", "test", "EUR-sandbox"))
	require.Contains(t, d.operator("account", "list"), "passed 20")
	orders := len(d.simulatorOrders())
	require.Contains(t, d.operator("account", "list", "--json"), `"check":"signature"`)
	environ := []string{"DATABASE_URL=" + d.DatabaseURL, "SECRET_KEYSET=" + secrets.DemoKeyset}
	d.operator("account", "set", "UAH-sandbox", "api_url=http://127.0.0.1:1")
	code, out, errs := command(environ, "account", "test", "UAH-sandbox")
	require.Equal(t, 1, code)
	require.Contains(t, errs, "did not pass")
	require.Regexp(t, `tls +failed`, out)
	require.Regexp(t, `credentials +not_proven`, out)
	require.Len(t, d.simulatorOrders(), orders, "nothing was begun")
}
