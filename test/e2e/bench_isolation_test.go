package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"payrelay/internal/app"
	"payrelay/internal/localpg"
)

// busyClients is how many shops wait for their answers at once.
const busyClients = 16

// requestOutcome is how one request of a shop went.
type requestOutcome struct {
	at, took time.Duration // since the beginning of the load
	status   int           // 0: no answer
}

// load is shops that send requests at a fixed rate, whatever becomes of the earlier ones.
type load struct {
	client *http.Client
	d      *dev
	next   atomic.Int64
}

func newLoad(d *dev) *load {
	return &load{d: d, client: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 2000, MaxConnsPerHost: 2000}}}
}

// create makes a hosted payment on an account, or where routing sends it, and returns the answer's status.
func (l *load) create(account, currency string) int {
	if account != "" {
		account = fmt.Sprintf(`"account":%q,`, account)
	}
	body := fmt.Sprintf(`{"reference":"load-%d","amount":1000,"currency":%q,%s%s}`, l.next.Add(1), currency, account, customer)
	req, err := http.NewRequest(http.MethodPost, l.d.API+"/v1/payments", strings.NewReader(body)) //nolint:noctx // the client has a timeout
	if err != nil {
		panic(err)
	}
	req.Header.Set("Authorization", "Bearer "+l.d.ShopKey)
	req.Header.Set("Content-Type", "application/json")
	res, err := l.client.Do(req)
	if err != nil {
		return 0
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	return res.StatusCode
}

// steady sends perSecond requests a second for a while, and waits for their answers.
func (l *load) steady(perSecond float64, length time.Duration, account, currency string) []requestOutcome {
	var mu sync.Mutex
	var wg sync.WaitGroup
	var all []requestOutcome
	begin := time.Now()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	sent := 0
	for now := range ticker.C {
		since := now.Sub(begin)
		if since >= length {
			break
		}
		for ; float64(sent) < perSecond*since.Seconds(); sent++ {
			wg.Go(func() {
				at := time.Since(begin)
				status := l.create(account, currency)
				mu.Lock()
				defer mu.Unlock()
				all = append(all, requestOutcome{at, time.Since(begin) - at, status})
			})
		}
	}
	wg.Wait()
	return all
}

// busy keeps busyClients busy for a while: each sends its next request when the one before is answered.
func (l *load) busy(length time.Duration) []requestOutcome {
	var mu sync.Mutex
	var wg sync.WaitGroup
	var all []requestOutcome
	begin := time.Now()
	for range busyClients {
		wg.Go(func() {
			for at := time.Since(begin); at < length; at = time.Since(begin) {
				status := l.create("EUR-sandbox", "EUR")
				mu.Lock()
				all = append(all, requestOutcome{at, time.Since(begin) - at, status})
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return all
}

// goodput is how many requests a second were answered 201, of those sent between two moments.
func goodput(all []requestOutcome, from, to time.Duration) float64 {
	good := 0
	for _, o := range all {
		if o.status == http.StatusCreated && o.at+o.took >= from && o.at+o.took < to {
			good++
		}
	}
	return float64(good) / (to - from).Seconds()
}

func quantile(all []requestOutcome, q float64) time.Duration {
	took := make([]time.Duration, 0, len(all))
	for _, o := range all {
		took = append(took, o.took)
	}
	slices.Sort(took)
	if len(took) == 0 {
		return 0
	}
	return took[min(int(float64(len(took))*q), len(took)-1)]
}

// BenchmarkIsolation measures the calls of one provider while the other one never answers, against the same load with
// both well, in turns so that the machine's moods hit both alike. Of the rounds' 99th percentiles and medians the middle ones
// are compared: a machine that stood still in one round says nothing about the provider. How far two such figures differ
// when nothing differs is measured beside it: the noise.
func BenchmarkIsolation(b *testing.B) {
	const rate, length, rounds = 20, 8 * time.Second, 4
	d, _ := startMeasured(b)
	l := newLoad(d)
	round := func() []requestOutcome {
		// Every round has the same quiet after it, in which requests of the dead provider end and orders are checked for the
		// first time, 10 s after they were made: it must not be the next round that bears this.
		quiet := time.NewTimer(20 * time.Second)
		defer func() { <-quiet.C }()
		var others sync.WaitGroup
		others.Go(func() { l.steady(rate/4, length, "UAH-sandbox", "UAH") })
		all := l.steady(rate, length, "EUR-sandbox", "EUR")
		others.Wait()
		return all
	}
	l.steady(rate, 3*time.Second, "EUR-sandbox", "EUR") // warm
	b.ResetTimer()
	var well, repeated, dead [][]requestOutcome
	for range rounds {
		well = append(well, round())
		uapayDev{d}.control(http.MethodPost, "/faults", map[string]any{"kind": "delay_before", "delay_ms": 60000})
		dead = append(dead, round())
		uapayDev{d}.control(http.MethodDelete, "/faults", nil)
		repeated = append(repeated, round())
	}
	b.Logf("p99 of each round, well %v, well again %v, dead %v", quantiles(well, 0.99), quantiles(repeated, 0.99), quantiles(dead, 0.99))
	all := slices.Concat(well, repeated)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(1000*middle(all, 0.99), "well-p99-ms")
	b.ReportMetric(1000*middle(dead, 0.99), "dead-p99-ms")
	b.ReportMetric(middle(dead, 0.99)/middle(all, 0.99), "ratio")
	b.ReportMetric(middle(repeated, 0.99)/middle(well, 0.99), "noise-ratio")
	b.ReportMetric(middle(dead, 0.5)/middle(all, 0.5), "median-ratio")
	b.ReportMetric(middle(repeated, 0.5)/middle(well, 0.5), "noise-median-ratio")
}

// middle is the middle one of several rounds' quantiles, in seconds.
func middle(rounds [][]requestOutcome, q float64) float64 {
	all, n := quantiles(rounds, q), len(rounds)
	return (all[(n-1)/2] + all[n/2]).Seconds() / 2
}

// quantiles are those of several rounds, the smallest first.
func quantiles(rounds [][]requestOutcome, q float64) []time.Duration {
	all := make([]time.Duration, 0, len(rounds))
	for _, r := range rounds {
		all = append(all, quantile(r, q))
	}
	slices.Sort(all)
	return all
}

// BenchmarkTruth loses every callback and every fifth answer, and measures, of payments whose answer was lost, how long
// after the provider's own end of one it is final here.
func BenchmarkTruth(b *testing.B) {
	const payments, perSecond, every = 1000, 20, 5
	d, databaseURL := startMeasured(b)
	l := newLoad(d)
	d.control(http.MethodPost, "/faults", map[string]any{"kind": "callback_off"})
	b.ResetTimer()
	ticker := time.NewTicker(time.Second / perSecond)
	defer ticker.Stop()
	for n := range payments {
		<-ticker.C
		if n%every == 0 {
			d.control(http.MethodPost, "/faults", map[string]any{"kind": "drop_after", "endpoint": "initPaymentHost2Host", "count": 1})
		}
		d.post(l.client, d.API+"/v1/payments", "application/json", direct(fmt.Sprintf("truth-%d", n), 1000, cardMethod(cardSuccess), ""))
	}
	pool, err := pgxpool.New(context.Background(), databaseURL)
	require.NoError(b, err)
	defer pool.Close()
	open := func() (n int) {
		require.NoError(b, pool.QueryRow(context.Background(), "SELECT count(*) FROM orders WHERE finalized_at IS NULL").Scan(&n))
		return n
	}
	require.Eventually(b, func() bool { return open() == 0 }, time.Minute, 100*time.Millisecond)
	rows, err := pool.Query(context.Background(), `SELECT provider_order_id, finalized_at FROM orders o
		WHERE status = 'succeeded' AND EXISTS (SELECT 1 FROM order_transitions t WHERE t.order_id = o.id AND t.to_status = 'unknown')`)
	require.NoError(b, err)
	type end struct {
		ID string
		At time.Time
	}
	ends, err := pgx.CollectRows(rows, pgx.RowToStructByPos[end])
	require.NoError(b, err)
	require.Len(b, ends, payments/every)
	var all []requestOutcome
	for _, e := range ends {
		var there struct {
			EndedAt time.Time `json:"ended_at"`
		}
		require.NoError(b, json.Unmarshal(d.control(http.MethodGet, "/orders/"+e.ID, nil), &there))
		all = append(all, requestOutcome{took: e.At.Sub(there.EndedAt)})
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(quantile(all, 0.5).Seconds(), "p50-s")
	b.ReportMetric(quantile(all, 0.99).Seconds(), "p99-s")
	b.ReportMetric(quantile(all, 1).Seconds(), "max-s")
}

// startMeasured runs the service on a durable Postgres of its own.
func startMeasured(b *testing.B, options ...string) (*dev, string) {
	pg, err := localpg.Start(context.Background(), localpg.Options{Dir: b.TempDir(), Database: "payrelay"})
	require.NoError(b, err)
	b.Cleanup(func() { _ = pg.Stop(context.Background()) })
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan int, 1)
	out, in := io.Pipe()
	go func() {
		done <- app.Execute(ctx, append([]string{
			"dev", "--json", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--sandbox", "127.0.0.1:0", "--shop", "127.0.0.1:0",
			"--data", b.TempDir(), "--log-level", "error",
		}, options...), &app.Streams{Out: in, Err: io.Discard, Environ: []string{"DATABASE_URL=" + pg.URL()}})
	}()
	b.Cleanup(func() { stop(); <-done })
	return readReady(b, out), pg.URL()
}

func (d *dev) post(client *http.Client, to, kind, body string) int {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, to, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	req.Header.Set("Authorization", "Bearer "+d.ShopKey)
	req.Header.Set("Content-Type", kind)
	res, err := client.Do(req)
	if err != nil {
		panic(err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	return res.StatusCode
}

// readReady waits for the line that says where everything is.
func readReady(b *testing.B, out io.Reader) *dev {
	d := &dev{t: b, log: &lockedBuffer{}}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	require.NoError(b, err)
	require.NoError(b, json.Unmarshal(line, &d.Ready))
	return d
}
