package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/store/storetest"
)

// A payment of 100.00 is refunded a thousand times at once, through two servers.
func TestAThousandRefundsThroughTwoServersNeverExceedThePayment(t *testing.T) {
	t.Parallel()
	url := storetest.URL(t)
	d := startDevOn(t, url)
	replicas := []*dev{d, startReplica(t, d)}
	p := d.paid("thousand", 10000, "")
	var next, accepted atomic.Int64
	var mu sync.Mutex
	odd := map[string]int{}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for n := next.Add(1); n <= 1000; n = next.Add(1) {
				amount := 1 + rand.Int64N(2500) //nolint:gosec // any sum will do
				body := refund(fmt.Sprintf("thousand-%d", n), amount)
				req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, replicas[n%2].API+refundsOf(p), strings.NewReader(body))
				if err != nil {
					panic(err)
				}
				req.Header.Set("Authorization", "Bearer "+d.ShopKey)
				req.Header.Set("Content-Type", "application/json")
				res, err := client.Do(req)
				if err != nil {
					panic(err)
				}
				var said refusal
				_ = json.NewDecoder(res.Body).Decode(&said)
				_ = res.Body.Close()
				switch {
				case res.StatusCode == http.StatusCreated || res.StatusCode == http.StatusAccepted:
					accepted.Add(amount)
				case said.Code != "refund_in_progress" && said.Code != "refund_exceeds_captured" && said.Code != "service_unavailable":
					mu.Lock()
					odd[fmt.Sprintf("%d %s", res.StatusCode, said.Code)]++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	require.Empty(t, odd)
	require.Positive(t, accepted.Load())
	require.LessOrEqual(t, accepted.Load(), int64(10000))
	eventually(t, func() bool { return d.full(p.ID).AmountRefunded == accepted.Load() })
	require.Equal(t, accepted.Load(), d.simulator(p.ProviderOrderID).Refunded, "the provider gave back what we say")
}

// Strangers who send half a request each do not keep the providers out: nobody waits for the rest, and their connections end.
func TestHalfSentBodiesKeepNoCallbackOut(t *testing.T) {
	t.Parallel()
	d := startDevOn(t, storetest.URL(t))
	d.control(http.MethodPost, "/faults", map[string]any{"kind": "callback_off"})
	o := d.create("half-sent")
	target := d.callbackTarget("EUR-sandbox")
	var strangers []net.Conn
	for range 60 {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(d.API, "http://"))
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Close() })
		_, err = io.WriteString(c, "POST /callbacks/smartcore/nobody HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\na=")
		require.NoError(t, err)
		strangers = append(strangers, c)
	}
	require.Equal(t, http.StatusOK, deliver(d.API+target, signedEvent(o.ProviderOrderID, nil)))
	d.rejectedNothing()
	d.await(o.ID, "succeeded")
	for _, c := range strangers {
		require.NoError(t, c.SetReadDeadline(time.Now().Add(waitTimeout)))
		answer, err := io.ReadAll(c)
		require.False(t, errors.Is(err, os.ErrDeadlineExceeded), "the connection stays open")
		require.Regexp(t, `^HTTP/1.1 (404|429) `, string(answer))
	}
	_, metrics := d.adminGet("/metrics")
	require.Contains(t, metrics, `payrelay_auth_failures_total{reason="callback"} 60`)
}

func TestTheSameCallbackFiftyTimesAtOnce(t *testing.T) {
	t.Parallel()
	url := storetest.URL(t)
	d := startDevOn(t, url)
	replicas := []*dev{d, startReplica(t, d)}
	d.control(http.MethodPost, "/faults", map[string]any{"kind": "callback_off"})
	o := d.create("fifty")
	target, body := d.callbackTarget("EUR-sandbox"), signedEvent(o.ProviderOrderID, nil)
	var mu sync.Mutex
	answers := map[int]int{}
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			status := deliver(replicas[i%2].API+target, body)
			mu.Lock()
			defer mu.Unlock()
			answers[status]++
		})
	}
	wg.Wait()
	require.Equal(t, map[int]int{http.StatusOK: 50}, answers)
	for _, r := range replicas {
		r.rejectedNothing()
	}
	d.requireTimeline(o.ID, "created by request", "requires_action by answer", "succeeded by callback")
	require.Equal(t, []string{"apply"}, d.verdicts(o.ID), "it is kept once")
	require.EqualValues(t, 1000, d.full(o.ID).AmountCaptured)
}

// Five callbacks of one payment arrive in each of the 120 orders, some at once. They all end in the same state.
func TestFiveCallbacksInEveryOrderEndTheSame(t *testing.T) {
	t.Parallel()
	url := storetest.URL(t)
	d := startDevOn(t, url)
	replicas := []*dev{d, startReplica(t, d)}
	d.control(http.MethodPost, "/faults", map[string]any{"kind": "callback_off"})
	target := d.callbackTarget("EUR-sandbox")
	events := []map[string]string{
		{"status": "0", "finalAmount": "0", "rrn": "null"},
		{"status": "1", "finalAmount": "0", "rrn": "null"},
		{"status": "1", "rrn": "318513456789"},
		{"status": "2"},
		{"status": "2", "message": "settled"},
	}
	var wg sync.WaitGroup
	type end struct {
		id string
		ok bool
	}
	ends := make(chan end, 120)
	limit := make(chan struct{}, 8)
	for n, order := range permutations(5) {
		o := d.create(fmt.Sprintf("five-%d", n))
		wg.Go(func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			ok := true
			for i, e := range order {
				ok = deliver(replicas[(n+i)%2].API+target, signedEvent(o.ProviderOrderID, events[e])) == http.StatusOK && ok
			}
			ends <- end{o.ID, ok}
		})
	}
	wg.Wait()
	close(ends)
	count := 0
	for e := range ends {
		count++
		require.True(t, e.ok, "every callback is acknowledged")
		o := d.full(e.id)
		require.Equal(t, "succeeded", o.Status)
		require.EqualValues(t, 1000, o.AmountCaptured)
		history := d.history(e.id)
		require.Equal(t, "succeeded by callback", history[len(history)-1])
		require.Len(t, history, o.Sequence)
	}
	require.Equal(t, 120, count)
	require.NotContains(t, d.operator("order", "list", "--older", "0s"), "contradicts")
}

func permutations(n int) (all [][]int) {
	var build func(left, taken []int)
	build = func(left, taken []int) {
		if len(left) == 0 {
			all = append(all, taken)
		}
		for i := range left {
			build(slices.Concat(left[:i], left[i+1:]), append(slices.Clone(taken), left[i]))
		}
	}
	left := make([]int, n)
	for i := range left {
		left[i] = i
	}
	build(left, nil)
	return all
}
