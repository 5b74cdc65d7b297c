package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"payrelay/internal/app"
	"payrelay/internal/localpg"
)

// The benchmarks compare the service with pgbench writing the same rows in the same number of commits, on the same
// durable Postgres, with the same number of clients, one right after the other. `make bench` prints the ratios.
const (
	measuredClients = 16
	measuredSeconds = 5
)

func BenchmarkPaymentsCreated(b *testing.B) {
	d, databaseURL := startMeasured(b)
	next := atomic.Int64{}
	ours := throughput(b, func(client *http.Client) {
		n := next.Add(1)
		status := d.post(client, d.API+"/v1/payments", "application/json",
			fmt.Sprintf(`{"reference":"bench-%d","amount":1000,"currency":"EUR",%s}`, n, customer))
		if status != http.StatusCreated {
			panic(fmt.Sprint("status ", status))
		}
	})
	report(b, "payments", ours, pgbench(b, databaseURL, createScript))
}

func BenchmarkCallbacksTakenIn(b *testing.B) {
	d, databaseURL := startMeasured(b)
	bodies, target := d.signedCallbacks(b, databaseURL)
	next := atomic.Int64{}
	ours := throughput(b, func(client *http.Client) {
		n := int(next.Add(1)) - 1
		if n >= len(bodies) {
			panic("not enough orders were prepared: raise the number")
		}
		if status := d.post(client, target, "application/x-www-form-urlencoded", bodies[n]); status != http.StatusOK {
			panic(fmt.Sprint("status ", status))
		}
	})
	prepareQueue(b, databaseURL)
	report(b, "callbacks", ours, pgbench(b, databaseURL, callbackScript))
}

func report(b *testing.B, what string, ours, theirs float64) {
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ours, what+"/s")
	b.ReportMetric(theirs, "pgbench/s")
	b.ReportMetric(ours/theirs, "ratio")
}

// startBench runs the service on a durable Postgres of its own.
func startMeasured(b *testing.B) (*dev, string) {
	pg, err := localpg.Start(context.Background(), localpg.Options{Dir: b.TempDir(), Database: "payrelay"})
	require.NoError(b, err)
	b.Cleanup(func() { _ = pg.Stop(context.Background()) })
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan int, 1)
	out, in := io.Pipe()
	go func() {
		done <- app.Execute(ctx, []string{
			"dev", "--json", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--sandbox", "127.0.0.1:0", "--shop", "127.0.0.1:0",
			"--data", b.TempDir(), "--log-level", "error",
		}, &app.Streams{Out: in, Err: io.Discard, Environ: []string{"DATABASE_URL=" + pg.URL()}})
	}()
	b.Cleanup(func() { stop(); <-done })
	return readReady(b, out), pg.URL()
}

// throughput runs do from many clients for a while and returns how often a second it was done.
func throughput(b *testing.B, do func(*http.Client)) float64 {
	transport := &http.Transport{MaxIdleConnsPerHost: measuredClients}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	run := func(length time.Duration) float64 {
		var count atomic.Int64
		var wg sync.WaitGroup
		begin := time.Now()
		for range measuredClients {
			wg.Go(func() {
				for time.Since(begin) < length {
					do(client)
					count.Add(1)
				}
			})
		}
		wg.Wait()
		return float64(count.Load()) / time.Since(begin).Seconds()
	}
	run(time.Second) // warm
	b.ResetTimer()
	return run(measuredSeconds * time.Second)
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

// signedCallbacks creates orders and a genuine callback for each.
func (d *dev) signedCallbacks(b *testing.B, databaseURL string) (bodies []string, target string) {
	const orders = 16000
	d.control(http.MethodPost, "/faults", map[string]any{"kind": "callback_off"})
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: measuredClients}}
	var wg sync.WaitGroup
	for c := range measuredClients {
		wg.Go(func() {
			for n := c; n < orders; n += measuredClients {
				d.post(client, d.API+"/v1/payments", "application/json", fmt.Sprintf(`{"reference":"prep-%d","amount":1000,"currency":"EUR",%s}`, n, customer))
			}
		})
	}
	wg.Wait()
	pool, err := pgxpool.New(context.Background(), databaseURL)
	require.NoError(b, err)
	defer pool.Close()
	rows, err := pool.Query(context.Background(), "SELECT provider_order_id FROM orders WHERE finalized_at IS NULL")
	require.NoError(b, err)
	for rows.Next() {
		var id string
		require.NoError(b, rows.Scan(&id))
		bodies = append(bodies, signedEvent(id, nil))
	}
	require.NoError(b, rows.Err())
	return bodies, d.API + d.callbackTarget("EUR-sandbox")
}

var tps = regexp.MustCompile(`tps = ([0-9.]+)`)

// pgbench runs a script with the same clients for the same time and returns transactions (of the whole script) a second.
func pgbench(b *testing.B, databaseURL, script string) float64 {
	file := filepath.Join(b.TempDir(), "script.sql")
	require.NoError(b, os.WriteFile(file, []byte(script), 0o600))
	path, err := exec.LookPath("pgbench")
	if err != nil {
		found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pgbench")
		require.NotEmpty(b, found, "pgbench is missing (Debian: apt-get install postgresql)")
		path = found[len(found)-1]
	}
	out, err := exec.CommandContext(context.Background(), path, "-n", "-M", "prepared", "-f", file, "-c", strconv.Itoa(measuredClients), "-j", "2",
		"-T", strconv.Itoa(measuredSeconds), databaseURL).CombinedOutput()
	require.NoError(b, err, "%s", out)
	m := tps.FindSubmatch(out)
	require.NotNil(b, m, "%s", out)
	v, err := strconv.ParseFloat(string(m[1]), 64)
	require.NoError(b, err)
	return v
}

// readReady waits for the line that says where everything is.
func readReady(b *testing.B, out io.Reader) *dev {
	d := &dev{t: b, log: &lockedBuffer{}}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	require.NoError(b, err)
	require.NoError(b, json.Unmarshal(line, &d.Ready))
	return d
}

// createScript writes what creating a hosted payment writes, in the same two commits: the order with its first
// transition; then the outcome, its transition, the call, the notification and its job.
const createScript = `
SELECT gen_random_uuid() AS id, (SELECT id FROM shops LIMIT 1) AS shop, (SELECT id FROM accounts WHERE name = 'EUR-sandbox') AS account \gset
BEGIN;
INSERT INTO orders (shop_id, id, kind, reference, request_hash, status, operation, amount, currency, flow, provider, account_id, account_name, provider_order_id, description, sequence, created_at, updated_at, next_poll_at, polls_since)
VALUES (:shop::uuid, :id::uuid, 'payment', :id::text, decode(repeat('ab', 32), 'hex'), 'created', 'sale', 1000, 'EUR', 'hosted', 'smartcore', :account::uuid, 'EUR-sandbox', 'pr-' || :id::text, 'Socks', 1, now(), now(), now() + interval '1 hour', now());
INSERT INTO order_transitions (shop_id, order_id, sequence, from_status, to_status, source, at) VALUES (:shop::uuid, :id::uuid, 1, '', 'created', 'request', now());
COMMIT;
BEGIN;
SELECT status FROM orders WHERE shop_id = :shop::uuid AND id = :id::uuid FOR UPDATE;
UPDATE orders SET status = 'requires_action', sequence = 2, provider_reference = 'x', next_action = decode(repeat('ab', 150), 'hex'), updated_at = now(), next_poll_at = now() + interval '1 hour' WHERE shop_id = :shop::uuid AND id = :id::uuid;
INSERT INTO order_transitions (shop_id, order_id, sequence, from_status, to_status, source, provider_data, at) VALUES (:shop::uuid, :id::uuid, 2, 'created', 'requires_action', 'answer', '{"status": "1", "response_type": "REDIRECT"}', now());
INSERT INTO provider_calls (shop_id, order_id, id, operation, outcome, started_at, duration_ms, provider_data, last_at) VALUES (:shop::uuid, :id::uuid, gen_random_uuid(), 'create_payment', 'requires_action', now(), 1, '{"status": "1"}', now());
INSERT INTO notifications (shop_id, order_id, sequence, id, type, payload, url, state, next_attempt_at, created_at) VALUES (:shop::uuid, :id::uuid, 2, gen_random_uuid(), 'order.requires_action', repeat('x', 1200), 'http://127.0.0.1/', 'pending', now(), now());
INSERT INTO river.river_job (kind, queue, max_attempts, args, state) VALUES ('bench', 'bench', 1, '{"shop": "x", "order": "y"}', 'available');
COMMIT;
`

// callbackScript writes what taking a callback in writes, in the same one commit, for one of the prepared orders that
// the service has not been told about.
const callbackScript = `
SELECT nextval('bench_next') AS n \gset
SELECT shop_id AS shop, order_id AS id, account_id AS account FROM bench_queue WHERE n = :n::bigint \gset
BEGIN;
INSERT INTO callbacks (account_id, dedupe_key, shop_id, order_id, provider_order_id, verdict, reported, provider_data, received_at)
VALUES (:account::uuid, decode(md5(:n::text) || md5(random()::text), 'hex'), :shop::uuid, :id::uuid, 'pr-' || :id::text, 'apply', 'succeeded', '{"amount": "1000", "status": "2", "type": "Payment", "currency": "EUR", "rrn": "318513456789"}', now());
SELECT status FROM orders WHERE shop_id = :shop::uuid AND id = :id::uuid FOR UPDATE;
UPDATE orders SET status = 'succeeded', sequence = 3, amount_captured = 1000, next_action = NULL, updated_at = now(), finalized_at = now(), next_poll_at = NULL WHERE shop_id = :shop::uuid AND id = :id::uuid;
INSERT INTO order_transitions (shop_id, order_id, sequence, from_status, to_status, source, provider_data, at) VALUES (:shop::uuid, :id::uuid, 3, 'requires_action', 'succeeded', 'callback', '{"amount": "1000", "status": "2", "type": "Payment", "currency": "EUR", "rrn": "318513456789"}', now());
INSERT INTO notifications (shop_id, order_id, sequence, id, type, payload, url, state, next_attempt_at, created_at) VALUES (:shop::uuid, :id::uuid, 3, gen_random_uuid(), 'order.succeeded', repeat('x', 1200), 'http://127.0.0.1/', 'pending', now(), now());
INSERT INTO river.river_job (kind, queue, max_attempts, args, state) VALUES ('bench', 'bench', 1, '{"shop": "x", "order": "y"}', 'available');
COMMIT;
`

// prepareQueue numbers the orders that are still open, for pgbench to take one after the other.
func prepareQueue(b *testing.B, databaseURL string) {
	pool, err := pgxpool.New(context.Background(), databaseURL)
	require.NoError(b, err)
	defer pool.Close()
	_, err = pool.Exec(context.Background(), `CREATE SEQUENCE bench_next;
		CREATE TABLE bench_queue AS SELECT row_number() OVER () AS n, shop_id, id AS order_id, account_id FROM orders WHERE status = 'requires_action';
		CREATE UNIQUE INDEX ON bench_queue (n); ANALYZE`)
	require.NoError(b, err)
}
