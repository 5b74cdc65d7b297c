//go:build drill

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"payrelay/internal/sandbox"
	"payrelay/internal/sandbox/callback"
	"payrelay/internal/sandbox/fault"
	"payrelay/internal/sandbox/smartcore"
	"payrelay/internal/sandbox/uapay"
	"payrelay/internal/store/storetest"
)

// drill is two replicas behind one address, the simulators, and a shop that makes 20 orders a second.
type drill struct {
	t           *testing.T
	databaseURL string
	keyset      string
	front       *balancer
	simulators  *sandbox.Sandbox
	sandboxURL  string
	shop        *drillShop
	replicas    []*drillReplica
	load        drillLoad
	keyID       string
	died        []time.Duration // after which the revoked key was dead, by replica
}

// Every kind of secret is rotated while orders run: the keyset through all its steps, the shop's key, its webhook secret, the secrets
// and the callback addresses of both providers' accounts. In the middle a replica is killed. No call, callback or notification is
// refused, and the revoked key is dead on every replica within 5 s.
func TestEverySecretIsRotatedUnderLoadAndAKill(t *testing.T) {
	t.Parallel()
	d := newDrill(t, storetest.URL(t), os.Args[0])
	d.load.begin()
	old := d.step("keyset add, promote", d.newKeyset)
	d.step("keyset reencrypt, a replica killed", func() uint32 { d.reencryptAndKill(); return 0 })
	killed := time.Now()
	d.step("keyset retire", func() uint32 { d.next("keyset", "retire", fmt.Sprint(old)); return 0 })
	d.step("API key", func() uint32 { d.rotateKey(); return 0 })
	d.step("webhook secret", func() uint32 { d.rotateWebhookSecret(); return 0 })
	d.step("secrets of both providers", func() uint32 { d.rotateProviderSecrets(); return 0 })
	d.step("callback addresses", func() uint32 {
		d.operator("account", "callback-token", "rotate", "EUR-sandbox")
		d.operator("account", "callback-token", "rotate", "UAH-sandbox")
		return 0
	})
	d.step("keyset destroy", func() uint32 {
		d.orders(int(time.Until(killed.Add(35*time.Second)) / (50 * time.Millisecond))) // the killed replica is taken for gone after 30 s
		d.next("keyset", "destroy", fmt.Sprint(old), "--reason", "a drill")
		return 0
	})
	d.orders(40)
	d.load.end()
	d.everythingArrived()
	t.Logf("the revoked key was last taken %s after its revocation (by replica: %s)", max(d.died[0], d.died[1]), d.died)
}

// newDrill starts two replicas of a build on a database that was migrated.
func newDrill(t *testing.T, databaseURL, program string) *drill {
	d := &drill{t: t, databaseURL: databaseURL, front: newBalancer(t), shop: newDrillShop(t)}
	d.load.d = d
	_, keyset, _ := command(nil, "keyset", "new")
	d.keyset = strings.TrimSpace(keyset)
	d.startSimulators()
	d.seed()
	for range 2 {
		r := &drillReplica{d: d, address: freeAddress(t), admin: freeAddress(t), program: program}
		r.start(d.keyset)
		d.replicas = append(d.replicas, r)
	}
	return d
}

func (d *drill) startSimulators() {
	sc, ua := smartcore.DefaultSettings(), uapay.DefaultSettings()
	retries := []int{200, 400, 800, 1500, 3000, 5000, 5000, 10_000}
	sc.ProcessingMS, sc.CallbackRetryMS = 150, retries
	ua.ProcessingMS, ua.CallbackRetryMS = 150, retries
	var err error
	d.simulators, err = sandbox.New(sandbox.Config{SmartCore: &sc, UAPAY: &ua, Log: zerolog.Nop()})
	require.NoError(d.t, err)
	server := httptest.NewServer(d.simulators.Handler())
	d.simulators.SetPublicURL(server.URL)
	d.sandboxURL = server.URL
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = d.simulators.Run(ctx) }()
	d.t.Cleanup(func() { cancel(); <-done; server.Close() })
}

// secretFile is a file with a secret, as commands want it.
func (d *drill) secretFile(secret string) string {
	file := filepath.Join(d.t.TempDir(), "secret")
	require.NoError(d.t, os.WriteFile(file, []byte(secret), 0o600))
	return file
}

// seed makes a shop and an account of each provider.
func (d *drill) seed() {
	var made struct {
		Key           string `json:"key"`
		WebhookSecret string `json:"webhook_secret"`
	}
	require.NoError(d.t, json.Unmarshal([]byte(d.operator("shop", "create", "books", "--notification-url", d.shop.url+"/hook",
		"--allow-cidr", strings.TrimPrefix(d.shop.url, "http://"), "--json")), &made))
	d.load.key.Store(&made.Key)
	d.shop.learns(d.t, made.WebhookSecret)
	d.keyID = strings.Split(made.Key, "_")[2]
	d.operator("account", "create", "EUR-sandbox", "--provider", "smartcore", "--currency", "EUR", "--merchant-key", "test", "--secret-file", d.secretFile("qwerty"), "--shop", "books",
		"--pci-url", d.sandboxURL+"/smartcore/pci", "--gateway-url", d.sandboxURL+"/smartcore/gateway", "--reporting-url", d.sandboxURL+"/smartcore/reporting")
	d.operator("account", "create", "UAH-sandbox", "--provider", "uapay", "--currency", "UAH", "--client-id", "90001", "--secret-file", d.secretFile(uapay.DefaultMerchants()[0].Key),
		"--shop", "books", "--api-url", d.sandboxURL+"/uapay")
}

func (d *drill) operator(args ...string) string {
	d.t.Helper()
	code, out, text := command([]string{"DATABASE_URL=" + d.databaseURL, "SECRET_KEYSET=" + d.keyset}, args...)
	require.Zero(d.t, code, "%q: %s%s", args, out, text)
	return out
}

// step takes a step of the drill while orders run, before it and after it.
func (d *drill) step(name string, do func() uint32) uint32 {
	began := time.Now()
	d.orders(10)
	result := do()
	d.orders(10)
	d.load.mu.Lock()
	defer d.load.mu.Unlock()
	d.t.Logf("%-36s %5.1f s, %d calls so far, %d cut off, %d answered as busy, %d refused", name, time.Since(began).Seconds(), d.load.done, d.load.cut, d.load.busy, len(d.load.refused))
	return result
}

// orders waits until so many more orders were made.
func (d *drill) orders(n int) {
	d.t.Helper()
	made := func() int { d.load.mu.Lock(); defer d.load.mu.Unlock(); return len(d.load.orders) }
	from := made()
	require.Eventually(d.t, func() bool { return made() >= from+n }, waitTimeout+time.Duration(max(0, n))*100*time.Millisecond, 10*time.Millisecond)
}

// next takes a step of the keyset, and gives what it prints to one replica after the other.
func (d *drill) next(args ...string) {
	d.t.Helper()
	d.keyset = strings.TrimSpace(d.operator(args...))
	for _, r := range d.replicas {
		r.restart(d.keyset)
	}
}

// newKeyset adds a key and promotes it. It returns the id of the key before.
func (d *drill) newKeyset() (old uint32) {
	keys := func() map[string]string {
		var status struct{ Keys map[string]string }
		require.NoError(d.t, json.Unmarshal([]byte(d.operator("keyset", "status", "--json")), &status))
		return status.Keys
	}
	for id := range keys() {
		_, err := fmt.Sscan(id, &old)
		require.NoError(d.t, err)
	}
	d.next("keyset", "add")
	for id, state := range keys() {
		if state != "primary" {
			d.next("keyset", "promote", id)
		}
	}
	return old
}

// reencryptAndKill kills a replica and the re-encryption in the middle, and begins both again.
func (d *drill) reencryptAndKill() {
	run := startProcess(d.t, []string{"DATABASE_URL=" + d.databaseURL, "SECRET_KEYSET=" + d.keyset}, "keyset", "reencrypt", "--rate", "50")
	require.Contains(d.t, run.line(d.t), "rows rewritten")
	// The provider takes orders and answers late, so the kill comes when some are sent and not answered.
	_, err := d.simulators.SmartCore().AddFault(fault.Fault{Kind: fault.DelayAfter, DelayMS: 2000, Count: 20})
	require.NoError(d.t, err)
	require.Eventually(d.t, func() bool { return d.front.requests(d.replicas[0].address) >= 3 }, waitTimeout, time.Millisecond)
	d.replicas[0].process.kill()
	d.simulators.SmartCore().ClearFaults()
	d.orders(10)
	run.kill()
	d.front.out(d.t, d.replicas[0].address)
	d.replicas[0].start(d.keyset)
	require.Contains(d.t, d.operator("keyset", "reencrypt", "--rate", "5000"), "orders.data_key")
}

// rotateKey gives the shop another key under load, and finds out when the one before is dead.
func (d *drill) rotateKey() {
	before := *d.load.key.Load()
	var made struct{ Key string }
	require.NoError(d.t, json.Unmarshal([]byte(d.operator("key", "rotate", d.keyID, "--overlap", "1h", "--json")), &made))
	d.orders(10) // under the old key
	d.load.key.Store(&made.Key)
	d.orders(10)
	d.operator("key", "revoke", d.keyID, "--reason", "a drill")
	revoked := time.Now()
	for _, r := range d.replicas {
		last := time.Duration(0) // since the revocation, of the last call that was taken
		require.Eventually(d.t, func() bool {
			asked := time.Since(revoked)
			req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+r.address+"/v1/accounts", nil)
			require.NoError(d.t, err)
			req.Header.Set("Authorization", "Bearer "+before)
			res, err := http.DefaultClient.Do(req)
			require.NoError(d.t, err)
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				last = asked
			}
			return res.StatusCode == http.StatusUnauthorized
		}, waitTimeout, 10*time.Millisecond)
		require.Less(d.t, last, 5*time.Second)
		d.died = append(d.died, last)
	}
}

// rotateWebhookSecret lets the shop know one secret at a time: the old one, then the new one.
func (d *drill) rotateWebhookSecret() {
	var made struct {
		WebhookSecret string `json:"webhook_secret"`
	}
	require.NoError(d.t, json.Unmarshal([]byte(d.operator("shop", "webhook-secret", "rotate", "books", "--overlap", "1h", "--json")), &made))
	d.known()
	d.orders(10)
	d.shop.learns(d.t, made.WebhookSecret)
}

// known waits until every replica knows of every change so far.
func (d *drill) known() {
	conn, err := pgx.Connect(context.Background(), d.databaseURL)
	require.NoError(d.t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	var generation int64
	require.NoError(d.t, conn.QueryRow(context.Background(), "SELECT generation FROM directory").Scan(&generation))
	for _, r := range d.replicas {
		r.knows(generation)
	}
}

// rotateProviderSecrets takes both accounts through staged, tested, current and previous.
func (d *drill) rotateProviderSecrets() {
	const merchant, client, secret, key = "test", "90001", "second-secret", "c2Vjb25kLWtleS1vZi10aGUtZHJpbGw="
	d.operator("account", "secret", "stage", "EUR-sandbox", "--secret-file", d.secretFile(secret))
	d.operator("account", "secret", "stage", "UAH-sandbox", "--secret-file", d.secretFile(key))
	d.known()
	change := func(overlap bool) {
		require.NoError(d.t, d.simulators.SmartCore().ChangeSecret(merchant, secret, overlap))
		require.NoError(d.t, d.simulators.UAPAY().ChangeKey(client, key, overlap))
	}
	change(true) // callbacks are signed with the new one from now on
	d.orders(10)
	for _, account := range []string{"EUR-sandbox", "UAH-sandbox"} {
		require.Contains(d.t, d.operator("account", "test", account, "--staged"), "takes")
		d.operator("account", "secret", "promote", account)
	}
	d.known()
	d.orders(10) // what was sent with the old one is answered by then
	change(false)
	d.orders(10)
	d.operator("account", "secret", "retire", "EUR-sandbox", "--leaked")
	d.operator("account", "secret", "retire", "UAH-sandbox", "--leaked")
}

// everythingArrived compares what was called, called back and notified with the orders.
func (d *drill) everythingArrived() {
	require.Empty(d.t, d.load.refused[:min(len(d.load.refused), 5)], "%d calls were refused", len(d.load.refused))
	require.Eventually(d.t, func() bool {
		d.shop.mu.Lock()
		defer d.shop.mu.Unlock()
		for _, id := range d.load.orders {
			if d.shop.ended[id] == "" {
				return false
			}
		}
		return true
	}, 2*waitTimeout, 100*time.Millisecond)
	require.Zero(d.t, d.shop.refused, "notifications without a signature that the shop knows")
	for _, id := range d.load.orders {
		if d.shop.ended[id] != "succeeded" {
			require.Fail(d.t, "an order ended otherwise", d.operator("order", "show", id))
		}
	}
	sent, cut := 0, 0
	answers := func(id string, attempts []callback.Attempt) {
		require.NotEmpty(d.t, attempts, "a callback about %s", id)
		for _, a := range attempts {
			sent++
			if a.Status != http.StatusOK { // the killed replica had it, or the machine was busy
				cut++
				require.Contains(d.t, []int{0, http.StatusBadGateway, http.StatusServiceUnavailable}, a.Status, "a callback about %s", id)
			}
		}
		require.Equal(d.t, http.StatusOK, attempts[len(attempts)-1].Status, "a callback about %s", id)
	}
	for _, o := range d.simulators.SmartCore().Orders(0) {
		for _, c := range o.Callbacks {
			answers(o.OrderID, c.Attempts)
		}
	}
	for _, o := range d.simulators.UAPAY().Orders(0) {
		for _, c := range o.Callbacks {
			answers(o.ExternalID, c.Attempts)
		}
	}
	d.t.Logf("%d orders, %d calls of which %d were cut off and %d answered as busy, and repeated, %d callbacks of which %d were repeated, %d orders notified: none refused",
		len(d.load.orders), d.load.done, d.load.cut, d.load.busy, sent, cut, len(d.shop.ended))
	d.t.Logf("the slowest call took %s", d.load.slowest)
}
