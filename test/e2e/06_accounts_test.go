package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/secrets"
)

// What an account does not list among its capabilities is refused, and not asked of a provider that answers nothing else.
func TestAccountsListWhatTheyCanDo(t *testing.T) {
	t.Parallel()
	d := startUAPAY(t)
	type account struct {
		Name, Currency string
		Capabilities   []string
	}
	var all, page struct {
		Data []account
		Next string `json:"next_cursor"`
	}
	d.call(http.MethodGet, "/v1/accounts", "", &all)
	var paged []account
	for query := "?limit=1"; ; query = "?limit=1&cursor=" + page.Next {
		page.Data, page.Next = nil, ""
		d.call(http.MethodGet, "/v1/accounts"+query, "", &page)
		require.Len(t, page.Data, 1)
		paged = append(paged, page.Data...)
		if page.Next == "" {
			break
		}
		require.LessOrEqual(t, len(paged), len(all.Data), "it never ends")
	}
	require.Equal(t, all.Data, paged)

	for _, a := range all.Data {
		var answer struct{ Code string }
		res := d.call(http.MethodGet, "/v1/accounts/"+a.Name+"/balance", "", &answer)
		if slices.Contains(a.Capabilities, "balance") {
			require.Equal(t, http.StatusOK, res.StatusCode, a.Name)
		} else {
			require.Equal(t, http.StatusUnprocessableEntity, res.StatusCode, a.Name)
			require.Equal(t, "not_supported_by_provider", answer.Code, a.Name)
		}
		for capability, call := range map[string][2]string{
			"payout":          {"/v1/payouts", `{"reference":"c","amount":100,"account":"ACCOUNT","method":{"type":"phone","phone":"+79123456789"}}`},
			"payout_card":     {"/v1/payout-cards", `{"reference":"c","account":"ACCOUNT"}`},
			"transfer":        {"/v1/transfers", `{"reference":"c","account":"ACCOUNT","amount":100,"currency":"` + a.Currency + `","from":{"card_id":"x"},"to":{"card_id":"y"}}`},
			"transfer_import": {"/v1/transfers/import", `{"account":"ACCOUNT","provider_id":"x"}`},
			"card_frame":      {"/v1/accounts/ACCOUNT/card-frame", `{"for":"payments"}`},
		} {
			if !slices.Contains(a.Capabilities, capability) {
				put := strings.NewReplacer("ACCOUNT", a.Name)
				res := d.call(http.MethodPost, put.Replace(call[0]), put.Replace(call[1]), &answer)
				require.Equal(t, http.StatusUnprocessableEntity, res.StatusCode, "%s of %s", capability, a.Name)
				require.Contains(t, []string{"not_supported_by_provider", "unknown_account"}, answer.Code, "%s of %s", capability, a.Name)
			}
		}
	}
}

// A new account takes no traffic until an operator gives it a priority, and a drained one is passed over. Requests that name an
// account go there, whatever the routing says.
func TestRoutingFollowsPriorities(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("qwerty\n"), 0o600))
	account := func(reference, member string) string {
		t.Helper()
		var o struct{ Account string }
		res := d.call(http.MethodPost, "/v1/payments", fmt.Sprintf(`{"reference":%q,"amount":1000,"currency":"EUR","description":"Socks",%s%s}`, reference, member, customer), &o)
		require.Equal(t, http.StatusCreated, res.StatusCode)
		return o.Account
	}
	printed := d.operator("account", "create", "AAA", "--provider", "smartcore", "--currency", "EUR", "--merchant-key", "test", "--secret-file", secret, "--shop", "demo",
		"--pci-url", d.Sandbox+"/smartcore/pci", "--gateway-url", d.Sandbox+"/smartcore/gateway")
	require.Contains(t, printed, "Shop demo reaches account AAA by name only")
	require.Equal(t, "EUR-sandbox", account("route-1", ""), "linking moves nothing")
	require.Equal(t, "AAA", account("route-2", `"account":"AAA",`))

	require.Contains(t, d.operator("account", "link", "AAA", "--shop", "demo", "--priority", "2"), "routes to account AAA with priority 2")
	d.operator("account", "disable", "EUR-sandbox", "--mode", "drain", "--reason", "maintenance")
	require.Equal(t, "AAA", account("route-3", ""), "from the commit on, without waiting for the replicas")
	d.refuses("/v1/payments", fmt.Sprintf(`{"reference":"route-4","amount":1000,"currency":"EUR","description":"Socks","account":"EUR-sandbox",%s}`, customer), http.StatusForbidden, "disabled")
	d.operator("account", "enable", "EUR-sandbox")
	require.Eventually(t, func() bool { return account("route-"+uuid.NewString(), "") == "EUR-sandbox" }, 20*time.Second, 100*time.Millisecond)

	d.operator("account", "unlink", "AAA", "--shop", "demo")
	require.Contains(t, d.operator("account", "list"), "EUR-sandbox")
	environ := []string{"DATABASE_URL=" + d.DatabaseURL, "SECRET_KEYSET=" + secrets.DemoKeyset}
	code, _, text := command(environ, "account", "link", "EUR-sandbox", "--shop", "demo", "--priority", "0")
	require.Equal(t, 1, code)
	require.Contains(t, text, "--priority is 1 to 1000")
	code, _, text = command(environ, "account", "unlink", "EUR-sandbox", "--shop", "demo")
	require.Equal(t, 1, code)
	require.Contains(t, text, "has no other in its routing that begins orders of EUR")
}

// With a dead account first in the routing, every payment succeeds at the next one, in the same request. A request that names the
// dead one is answered with its failure.
func TestAnOrderGoesToTheNextAccountIfNothingWasSent(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("qwerty\n"), 0o600))
	d.operator("account", "create", "dead", "--provider", "smartcore", "--currency", "EUR", "--for", "payments", "--merchant-key", "test", "--secret-file", secret, "--shop", "demo",
		"--pci-url", "http://127.0.0.1:1/pci", "--gateway-url", "http://127.0.0.1:1/gateway")
	d.operator("account", "link", "EUR-sandbox", "--shop", "demo", "--priority", "2")
	d.operator("account", "link", "dead", "--shop", "demo", "--priority", "1")
	body := func(reference, member string) string {
		return fmt.Sprintf(`{"reference":%q,"amount":1000,"currency":"EUR","description":"Socks",%s%s}`, reference, member, customer)
	}
	type attempt struct {
		Number                   int
		Account, Status          string
		Reason                   *string
		ProviderOrderID, EndedAt string
	}
	attempts := func(id string) (list struct{ Data []attempt }) {
		t.Helper()
		res := d.call(http.MethodGet, "/v1/orders/"+id+"/attempts", "", &list)
		require.Equal(t, http.StatusOK, res.StatusCode)
		return list
	}
	for n := range 12 { // the account is passed over once its failures hold it back
		request, key := body(fmt.Sprint("elsewhere-", n), ""), http.Header{"Idempotency-Key": {fmt.Sprint("elsewhere-", n)}}
		res, text := d.raw(http.MethodPost, "/v1/payments", request, key)
		require.Equal(t, http.StatusCreated, res.StatusCode, "%s", text)
		var o full
		require.NoError(t, json.Unmarshal(text, &o))
		require.Equal(t, "EUR-sandbox", o.Account)
		require.Equal(t, "requires_action", o.Status, "the answer is kept with the last attempt")
		_, repeated := d.raw(http.MethodPost, "/v1/payments", request, key)
		require.Equal(t, string(text), string(repeated))
		if n > 0 {
			continue
		}
		list := attempts(o.ID).Data
		require.Len(t, list, 2)
		require.Equal(t, [3]any{1, "dead", "failed"}, [3]any{list[0].Number, list[0].Account, list[0].Status})
		require.Equal(t, "not_sent", *list[0].Reason)
		require.Equal(t, [3]any{2, "EUR-sandbox", "requires_action"}, [3]any{list[1].Number, list[1].Account, list[1].Status})
		require.Nil(t, list[1].Reason)
		require.Contains(t, d.operator("order", "show", o.ID), "1: account dead, not_sent; the order went to the next account")
	}
	_, metrics := d.adminGet("/metrics")
	require.Contains(t, metrics, `payrelay_failovers_total{from="dead",reason="not_sent",to="EUR-sandbox"}`)
	require.Contains(t, d.log.String(), "the order goes to another account")

	pinned := d.makes("/v1/payments", body("pinned", `"account":"EUR-sandbox",`), http.StatusCreated)
	require.Len(t, attempts(pinned.ID).Data, 1)
	d.call(http.MethodGet, "/v1/orders/"+uuid.NewString()+"/attempts", "", nil)
	refunded := d.makes(refundsOf(d.paid("elsewhere-paid", 1000, "")), refund("elsewhere-refund", 400), http.StatusCreated)
	require.Equal(t, "EUR-sandbox", refunded.Account)
	require.Contains(t, d.operator("audit", "verify"), "Differences: 0", "an order that went to another account is sealed with it")
}

// With an account first in the routing whose host resets each connection, the account of the same provider behind it goes on: what
// went out is unknown, and then the dead account is passed over. Nothing of the healthy one is held back, and an order that tries
// the dead host later, and proves that nothing was sent, goes on to the healthy one.
func TestADeadAccountLeavesTheOthersOfItsProviderAlone(t *testing.T) {
	t.Parallel()
	d := startDev(t, allConnections)
	host := resetting(t)
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("qwerty\n"), 0o600))
	d.operator("account", "create", "dead", "--provider", "smartcore", "--currency", "EUR", "--for", "payments", "--merchant-key", "test", "--secret-file", secret, "--shop", "demo",
		"--pci-url", "http://"+host.Addr().String()+"/pci", "--gateway-url", "http://"+host.Addr().String()+"/gateway")
	d.operator("account", "link", "EUR-sandbox", "--shop", "demo", "--priority", "2")
	d.operator("account", "link", "dead", "--shop", "demo", "--priority", "1")
	made := 0
	pays := func(member string) (o full) {
		t.Helper()
		made++
		body := fmt.Sprintf(`{"reference":"reset-%d","amount":1000,"currency":"EUR","description":"Socks",%s%s}`, made, member, customer)
		res, text := d.send(http.MethodPost, "/v1/payments", body, nil)
		require.NotContains(t, string(text), "provider_unavailable")
		if res.StatusCode == http.StatusServiceUnavailable { // a busy machine
			res, text = d.raw(http.MethodPost, "/v1/payments", body, nil)
		}
		require.Contains(t, []int{http.StatusCreated, http.StatusAccepted}, res.StatusCode, "%s", text)
		require.NoError(t, json.Unmarshal(text, &o))
		return o
	}
	for o := pays(""); o.Account == "dead"; o = pays("") {
		require.Less(t, made, 30, "the dead account is never passed over")
		require.Equal(t, "unknown", o.Status)
		d.makes("/v1/orders/"+o.ID+"/refresh", "", http.StatusOK) // so that checks of the dead account are held back, too
	}
	named := pays(`"account":"EUR-sandbox",`)
	require.Equal(t, "requires_action", named.Status)
	d.makes("/v1/orders/"+named.ID+"/refresh", "", http.StatusOK)
	require.NotContains(t, d.operator("order", "show", named.ID), "breaker_open", "the checks of the healthy account go on")

	require.NoError(t, host.Close()) // from now on the host refuses connections
	eventually(t, func() bool {
		o := pays("")
		if o.Account == "dead" {
			require.Equal(t, "unknown", o.Status, "it was sent before the host was closed")
			return false
		}
		require.Equal(t, "requires_action", o.Status)
		var list struct {
			Data []struct{ Account, Reason string }
		}
		d.call(http.MethodGet, "/v1/orders/"+o.ID+"/attempts", "", &list)
		return len(list.Data) == 2 && list.Data[0].Account == "dead" && list.Data[0].Reason == "not_sent"
	}, "an order tries the dead host, and goes on to the healthy account")
}

// resetting is a host that takes connections, reads a little, and resets them.
func resetting(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 1))
			_ = c.(*net.TCPConn).SetLinger(0)
			_ = c.Close()
		}
	}()
	return l
}
