package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/store/storetest"
)

// twoHosts are options of `dev` that give two merchants of SmartCore a host each.
var twoHosts = []string{"--sandbox-host", "test=127.0.0.1:0", "--sandbox-host", "second=127.0.0.1:0"}

// hosts are where SmartCore's merchants have hosts of their own.
func (d *dev) hosts() map[string]string {
	d.t.Helper()
	var list []struct{ Merchant, Address string }
	require.NoError(d.t, json.Unmarshal(d.control(http.MethodGet, "/hosts", nil), &list))
	at := map[string]string{}
	for _, h := range list {
		at[h.Merchant] = h.Address
	}
	return at
}

// host changes how a merchant's host behaves.
func (d *dev) host(merchant, state string) {
	d.t.Helper()
	d.control(http.MethodPost, "/hosts", map[string]string{"merchant": merchant, "state": state})
}

// secondAccount links an account of SmartCore's second merchant behind EUR-sandbox.
func (d *dev) secondAccount(dir string) {
	d.t.Helper()
	secret := filepath.Join(dir, "secret")
	require.NoError(d.t, os.WriteFile(secret, []byte("asdfgh\n"), 0o600))
	at := "http://" + d.hosts()["second"] + "/smartcore/"
	d.operator("account", "create", "EUR-second", "--provider", "smartcore", "--currency", "EUR", "--merchant-key", "second", "--secret-file", secret, "--shop", "demo",
		"--pci-url", at+"pci", "--gateway-url", at+"gateway")
	d.operator("account", "link", "EUR-second", "--shop", "demo", "--priority", "2")
}

type attemptView struct {
	Number          int
	Account         string
	ProviderOrderID string `json:"provider_order_id"`
	Status, Reason  string
	FailureCode     string `json:"failure_code"`
}

func (d *dev) attempts(id string) []attemptView {
	d.t.Helper()
	var list struct{ Data []attemptView }
	res := d.call(http.MethodGet, "/v1/orders/"+id+"/attempts", "", &list)
	require.Equal(d.t, http.StatusOK, res.StatusCode)
	return list.Data
}

// merchantOf is whose order the simulator has under a name; "" if it has none.
func (d *dev) merchantOf(providerOrderID string) string {
	d.t.Helper()
	var all struct {
		Orders []struct {
			OrderID  string `json:"order_id"`
			Merchant string `json:"merchant"`
		}
	}
	require.NoError(d.t, json.Unmarshal(d.control(http.MethodGet, "/orders?limit=10000", nil), &all))
	for _, o := range all.Orders {
		if o.OrderID == providerOrderID {
			return o.Merchant
		}
	}
	return ""
}

// Two accounts, one dies. While its host takes requests and answers nothing, its payments are unknown, and none goes to the other
// account. When it takes no connection or refuses them, all payments succeed at the other one, and can be refunded there. When it lives again,
// payments go there again.
func TestTwoAccountsOneDies(t *testing.T) {
	t.Parallel()
	d := startDevWith(t, storetest.URL(t), []string{"PROVIDER_TIMEOUT=1s"}, twoHosts...)
	d.secondAccount(t.TempDir())
	made := 0
	pays := func(want int) full {
		t.Helper()
		made++
		return d.makes("/v1/payments", direct(fmt.Sprintf("two-%d", made), 1000, cardMethod(cardSuccess), ""), want)
	}
	first := pays(http.StatusCreated)
	require.Equal(t, "EUR-sandbox", first.Account)
	require.Equal(t, "test", d.merchantOf(first.ProviderOrderID))
	d.ends(first.ID, "succeeded")

	d.host("test", "hanging")
	unanswered := pays(http.StatusAccepted)
	require.Equal(t, "unknown", unanswered.Status)
	require.Equal(t, "EUR-sandbox", unanswered.Account)
	require.Len(t, d.attempts(unanswered.ID), 1, "a request that was sent goes nowhere else")

	d.host("test", "vanished")
	lost := pays(http.StatusCreated)
	require.Equal(t, "EUR-second", lost.Account)
	require.Equal(t, "not_sent", d.attempts(lost.ID)[0].Reason)

	d.host("test", "refused")
	for range 20 {
		o := pays(http.StatusCreated)
		require.Equal(t, "EUR-second", o.Account)
		require.Equal(t, "second", d.merchantOf(o.ProviderOrderID))
		d.ends(o.ID, "succeeded")
		list := d.attempts(o.ID)
		last := list[len(list)-1]
		require.Equal(t, attemptView{len(list), "EUR-second", o.ProviderOrderID, "succeeded", "", ""}, last)
		for _, ended := range list[:len(list)-1] {
			require.Equal(t, attemptView{1, "EUR-sandbox", ended.ProviderOrderID, "failed", "not_sent", ""}, ended)
			require.Empty(t, d.merchantOf(ended.ProviderOrderID))
		}
	}
	moved := d.paid("two-refunded", 1000, "")
	require.Equal(t, "EUR-second", d.makes(refundsOf(moved), refund("two-refund", 400), http.StatusCreated).Account)

	d.host("test", "open")
	eventually(t, func() bool { return pays(http.StatusCreated).Account == "EUR-sandbox" })
	d.ends(unanswered.ID, "failed") // it never arrived
	require.Len(t, d.attempts(unanswered.ID), 1)
	require.Contains(t, d.operator("audit", "verify"), "Differences: 0")
}

// Both accounts of a shop refuse connections: its payments fail or are put off, and no one is unknown.
func TestTwoAccountsBothDie(t *testing.T) {
	t.Parallel()
	d := startDevWith(t, storetest.URL(t), nil, twoHosts...)
	d.secondAccount(t.TempDir())
	d.host("test", "refused")
	d.host("second", "refused")
	o := d.makes("/v1/payments", direct("none", 1000, cardMethod(cardSuccess), ""), http.StatusCreated)
	require.Equal(t, "failed", o.Status)
	require.Equal(t, "EUR-second", o.Account)
	list := d.attempts(o.ID)
	require.Len(t, list, 2)
	require.Equal(t, []string{"failed", "failed"}, []string{list[0].Status, list[1].Status})
	require.Empty(t, d.simulatorOrders())
}
