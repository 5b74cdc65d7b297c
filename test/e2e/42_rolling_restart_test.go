package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/store/storetest"
)

// production seeds a database for `server run`, and returns a shop's key and the service's environment. Payments go to the
// simulators of d.
func (d *dev) production(t *testing.T) (key string, environ []string) {
	_, keyset, _ := command(nil, "keyset", "new")
	environ = []string{"DATABASE_URL=" + storetest.URL(t), "SECRET_KEYSET=" + strings.TrimSpace(keyset)}
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("qwerty\n"), 0o600))
	code, out, text := command(environ, "shop", "create", "books", "--json")
	require.Zero(t, code, text)
	var made struct{ Key string }
	require.NoError(t, json.Unmarshal([]byte(out), &made))
	code, _, text = command(environ, "account", "create", "EUR-sandbox", "--provider", "smartcore", "--currency", "EUR", "--merchant-key", "test", "--secret-file", secret, "--shop", "books",
		"--pci-url", d.Sandbox+"/smartcore/pci", "--gateway-url", d.Sandbox+"/smartcore/gateway")
	require.Zero(t, code, text)
	return made.Key, environ
}

// Two replicas are restarted one at a time while shops pay through balancers that poll readiness every 200 ms and repeat nothing. No
// request is refused or cut. ROLLING_REQUESTS and ROLLING_DRAIN_DELAY make it longer, or show what is lost without a drain delay.
func TestARollingRestartLosesNoRequest(t *testing.T) {
	t.Parallel()
	requests, err := strconv.ParseInt(cmp.Or(os.Getenv("ROLLING_REQUESTS"), "300"), 10, 64)
	require.NoError(t, err)
	simulators := startDev(t)
	simulators.swift()
	key, environ := simulators.production(t)
	environ = append(environ, "LOG_LEVEL=warn", "DRAIN_DELAY="+cmp.Or(os.Getenv("ROLLING_DRAIN_DELAY"), "2s"))
	load := &rollingLoad{key: key, replicas: []*rollingReplica{startRollingReplica(t, environ), startRollingReplica(t, environ)}}
	load.left.Store(requests)

	polling, stopPolls := context.WithCancel(context.Background())
	var polls, shops sync.WaitGroup
	polls.Go(func() { load.poll(polling) })
	defer polls.Wait()
	defer stopPolls()
	for _, r := range load.replicas {
		eventually(t, r.ready.Load)
	}
	began, restarts := time.Now(), 0
	for n := range 2 * int(keepings) {
		shops.Go(func() { load.shop(fmt.Sprint("rolling-", n), keeping(n)%keepings) })
	}
	for restarts == 0 || load.left.Load() > 0 {
		if restarts == 0 {
			load.left.Add(1 << 40) // there is load as long as the first round lasts
		}
		for _, r := range load.replicas {
			r.restart()
			restarts++
		}
		if restarts == len(load.replicas) {
			load.left.Store(requests - load.done.Load())
		}
	}
	shops.Wait()
	t.Logf("%d requests in %.0f s, %d restarts: %d refused or cut, %d answered as busy", load.done.Load(), time.Since(began).Seconds(), restarts, len(load.lost), load.busy.Load())
	require.Empty(t, load.lost[:min(len(load.lost), 5)])
	require.GreaterOrEqual(t, load.done.Load(), requests)
	require.Less(t, load.busy.Load(), load.done.Load()/10, "a service that is always busy shows nothing")

	last := load.replicas[0] // a second signal does not wait for the drain delay
	last.signal()
	require.NoError(t, last.process.cmd.Wait())
	last.start("DRAIN_DELAY=5m")
	ended := make(chan error, 1)
	go func() { ended <- last.process.cmd.Wait() }()
	eventually(t, func() bool {
		_ = last.process.cmd.Process.Signal(syscall.SIGTERM)
		return len(ended) > 0
	})
	require.EqualError(t, <-ended, "signal: terminated")
}

// What a balancer and a shop see of one stop, in order: not ready; served as before, but each answer ends its connection; closed to
// new requests while one is under way; the admin port closed, last of all.
func TestAStopIsSeenBeforeItIsFelt(t *testing.T) {
	t.Parallel()
	simulators := startDev(t)
	key, environ := simulators.production(t)
	address := freeAddress(t)
	service := startService(t, append(environ, "LISTEN_ADDR="+address, "PUBLIC_URL=http://"+address, "DRAIN_DELAY=1s", "SHUTDOWN_TIMEOUT=1m")...)
	d := &dev{t: t, Ready: service.Ready}
	d.ShopKey = key
	require.Equal(t, http.StatusOK, d.adminStatus("/readyz"))
	res, _ := d.send(http.MethodGet, "/v1/accounts", "", nil)
	require.False(t, res.Close)

	simulators.control(http.MethodPost, "/faults", map[string]any{"kind": "delay_after", "endpoint": "initPaymentHost2Host", "delay_ms": 4000, "count": 1})
	slow := make(chan int, 1)
	go func() {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, d.API+"/v1/payments", strings.NewReader(direct("slow", 1000, cardMethod(cardSuccess), "")))
		if err != nil {
			panic(err)
		}
		req.Header = http.Header{"Authorization": {"Bearer " + key}, "Content-Type": {"application/json"}}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			slow <- 0
			return
		}
		slow <- res.StatusCode
	}()
	require.Eventually(t, func() bool { return len(simulators.simulatorOrders()) == 1 }, waitTimeout, 10*time.Millisecond)
	stopped := make(chan int, 1)
	go func() { stopped <- service.stop() }()
	require.Eventually(t, func() bool { return d.adminStatus("/readyz") == http.StatusServiceUnavailable }, waitTimeout, 5*time.Millisecond)
	res, _ = d.send(http.MethodGet, "/v1/accounts", "", nil)
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.True(t, res.Close, "a kept connection is let go while nothing is on its way")
	eventually(t, func() bool {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, d.API+"/docs", nil)
		require.NoError(t, err)
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			_ = res.Body.Close()
		}
		return err != nil
	}, "new requests are refused after the drain delay")
	status, text := d.adminGet("/readyz")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Equal(t, "stopping\n", text)
	require.Equal(t, http.StatusCreated, <-slow, "what was under way is answered")
	require.Zero(t, <-stopped, service.log)
}
