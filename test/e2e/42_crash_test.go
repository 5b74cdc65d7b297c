package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/localpg"
	"payrelay/internal/store/storetest"
)

// The server is killed after the provider has taken the order and before its answer is written down. After a restart
// the order ends as the provider says.
func TestKilledBetweenTheProvidersAnswerAndTheCommit(t *testing.T) {
	t.Parallel()
	simulator := startProcess(t, nil, "sandbox", "--listen", "127.0.0.1:0", "--log-level", "error")
	sandboxURL := simulatorURL(t, simulator.line(t))
	databaseURL := storetest.URL(t)
	data := t.TempDir()
	start := func() (*process, *dev) {
		p := startProcess(t, []string{"DATABASE_URL=" + databaseURL}, "dev", "--json", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0",
			"--shop", "127.0.0.1:0", "--data", data, "--external-sandbox", sandboxURL)
		d := &dev{t: t}
		require.NoError(t, json.Unmarshal([]byte(p.line(t)), &d.Ready))
		d.Sandbox = sandboxURL
		return p, d
	}

	server, d := start()
	d.operator("limit", "set", "--shop", "demo", "--kind", "payment", "--rule", "day", "--currency", "EUR", "--amount", "1500", "--mode", "enforce")
	d.control(http.MethodPost, "/faults", map[string]any{"kind": "delay_after", "endpoint": "initPayment", "delay_ms": 120000, "count": 1})
	go func() { // the answer never comes: the server dies first
		req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, d.API+"/v1/payments",
			strings.NewReader(fmt.Sprintf(`{"reference":"crash-1","amount":1000,"currency":"EUR",%s}`, customer)))
		if err == nil {
			req.Header.Set("Authorization", "Bearer "+d.ShopKey)
			req.Header.Set("Content-Type", "application/json")
			if res, err := http.DefaultClient.Do(req); err == nil {
				_ = res.Body.Close()
			}
		}
	}()
	var id string
	require.Eventually(t, func() bool { // the provider has the order
		if list := d.simulatorOrders(); len(list) == 1 {
			id = list[0]
		}
		return id != ""
	}, waitTimeout, 10*time.Millisecond)
	server.kill()

	_, d = start()
	var found struct {
		Data []order `json:"data"`
	}
	d.call(http.MethodGet, "/v1/orders?reference=crash-1", "", &found)
	require.Len(t, found.Data, 1, "the order was written down before it was sent")
	d.beyond("/v1/payments", fmt.Sprintf(`{"reference":"crash-2","amount":501,"currency":"EUR",%s}`, customer)) // a crash gives nothing back
	require.Equal(t, id, found.Data[0].ProviderOrderID)
	d.control(http.MethodPost, "/orders/"+id+"/complete", map[string]any{"outcome": "success"})
	end := d.await(found.Data[0].ID, "succeeded")
	require.EqualValues(t, 1000, end.AmountCaptured)

	// the shop repeats its request, as it should, and gets the same order; the provider has one order
	repeated := order{}
	res := d.call(http.MethodPost, "/v1/payments", fmt.Sprintf(`{"reference":"crash-1","amount":1000,"currency":"EUR",%s}`, customer), &repeated)
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Equal(t, end.ID, repeated.ID)
	require.Len(t, d.simulatorOrders(), 1)
}

func TestADatabaseThatIsDownIsSaidAndRecoveredFrom(t *testing.T) {
	t.Parallel()
	pg, err := localpg.Start(context.Background(), localpg.Options{Dir: t.TempDir(), Database: "payrelay"})
	require.NoError(t, err)
	t.Cleanup(func() { _ = pg.Stop(context.Background()) })
	d := startDevOn(t, pg.URL())
	o := d.create("before-1")
	require.NoError(t, pg.Kill())

	res, text := d.send(http.MethodPost, "/v1/payments", fmt.Sprintf(`{"reference":"during-1","amount":1000,"currency":"EUR",%s}`, customer), nil)
	require.Equal(t, http.StatusServiceUnavailable, res.StatusCode, "%s", text)
	require.NotEmpty(t, res.Header.Get("Retry-After"))
	require.Equal(t, "application/problem+json", res.Header.Get("Content-Type"))
	require.Equal(t, http.StatusServiceUnavailable, d.adminStatus("/readyz"))
	require.Equal(t, http.StatusOK, d.adminStatus("/healthz"))
	d.pay(o.NextAction.URL, cardSuccess, "") // its callback meets the outage

	require.NoError(t, pg.Restart(context.Background()))
	d.await(o.ID, "succeeded")
	eventually(t, func() bool { return d.adminStatus("/readyz") == http.StatusOK })
	eventually(t, func() bool { // connections from before the outage are found dead one by one
		res, _ := d.send(http.MethodPost, "/v1/payments", fmt.Sprintf(`{"reference":"after-1","amount":1000,"currency":"EUR",%s}`, customer), nil)
		return res.StatusCode == http.StatusCreated || res.StatusCode == http.StatusOK
	})
}
