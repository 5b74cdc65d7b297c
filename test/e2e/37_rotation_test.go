package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Keys, webhook secrets and callback addresses are rotated under 20 orders a second. No call is refused, and no callback or notification
// is lost.
func TestSecretsAreRotatedUnderLoad(t *testing.T) {
	t.Parallel()
	d := startDev(t, allConnections)
	var key atomic.Pointer[string]
	var made struct{ ID, Key string }
	require.NoError(t, json.Unmarshal([]byte(d.operator("key", "create", "demo", "--json")), &made))
	key.Store(&made.Key)

	var mu sync.Mutex
	var ids, refused []string
	var calls sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	pay := func(n int) {
		req, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodPost, d.API+"/v1/payments", strings.NewReader(direct(fmt.Sprint("rotated-", n), 1000, cardMethod(cardSuccess), "")))
		if err != nil {
			panic(err)
		}
		req.Header.Set("Authorization", "Bearer "+*key.Load())
		req.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(req)
		var o struct{ ID, Code string }
		status := 0
		if err == nil {
			status = res.StatusCode
			err = json.NewDecoder(res.Body).Decode(&o)
			_ = res.Body.Close()
		}
		mu.Lock()
		defer mu.Unlock()
		if err != nil || status/100 != 2 {
			refused = append(refused, fmt.Sprint(status, o.Code, err))
		} else {
			ids = append(ids, o.ID)
		}
	}
	calls.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				calls.Go(func() { pay(n) })
			}
		}
	})
	reached := func(n int) {
		t.Helper()
		require.Eventually(t, func() bool { mu.Lock(); defer mu.Unlock(); return len(ids)+len(refused) >= n }, waitTimeout, 10*time.Millisecond)
	}
	reached(20)
	old := made.ID
	require.NoError(t, json.Unmarshal([]byte(d.operator("key", "rotate", old, "--overlap", "1h", "--json")), &made))
	reached(40) // under the old key
	key.Store(&made.Key)
	d.operator("shop", "webhook-secret", "rotate", "demo", "--overlap", "1h") // the demo shop keeps the old one
	reached(70)
	d.operator("account", "callback-token", "rotate", "EUR-sandbox")
	reached(100)
	d.operator("key", "revoke", old, "--reason", "rotated")
	reached(120)
	stop()
	calls.Wait()

	require.Empty(t, refused)
	for _, id := range ids {
		d.await(id, "succeeded")
	}
	eventually(t, func() bool {
		_, metrics := d.adminGet("/metrics")
		return strings.Contains(metrics, "payrelay_notification_backlog 0\n")
	})
	_, metrics := d.adminGet("/metrics")
	require.NotRegexp(t, `payrelay_callbacks_total\{[^}]*verdict="rejected"\} [1-9]`, metrics)
	for _, line := range regexp.MustCompile(`payrelay_notification_attempts_total\{outcome="([a-z_]+)"\} [1-9]`).FindAllStringSubmatch(metrics, -1) {
		require.Equal(t, "delivered", line[1], "the shop, which knows the old secret only, takes every notification")
	}
}
