package benchmark

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// plainSchema is what one would write by hand for the same rows: primary and foreign keys, unique references, the index
// that callbacks need, and no triggers.
const plainSchema = `
CREATE TABLE shops (id uuid PRIMARY KEY);
INSERT INTO shops VALUES ('00000000-0000-0000-0000-000000000001');
CREATE TABLE orders (
    shop_id uuid NOT NULL REFERENCES shops (id), id uuid NOT NULL, kind text NOT NULL, reference text NOT NULL, request_hash bytea NOT NULL, status text NOT NULL,
    operation text NOT NULL, sequence integer NOT NULL, amount bigint NOT NULL CHECK (amount > 0), currency text NOT NULL, amount_captured bigint NOT NULL DEFAULT 0 CHECK (amount_captured BETWEEN 0 AND amount),
    flow text NOT NULL, provider text NOT NULL, account_name text NOT NULL, provider_order_id text NOT NULL, provider_reference text NOT NULL DEFAULT '', next_action bytea, details bytea,
    description text NOT NULL DEFAULT '', metadata jsonb NOT NULL DEFAULT '{}', created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL, finalized_at timestamptz, next_poll_at timestamptz,
    PRIMARY KEY (shop_id, id), UNIQUE (shop_id, kind, reference)
);
CREATE INDEX ON orders (provider_order_id);
CREATE TABLE order_transitions (
    shop_id uuid NOT NULL, order_id uuid NOT NULL, sequence integer NOT NULL, from_status text NOT NULL, to_status text NOT NULL, source text NOT NULL, provider_data jsonb NOT NULL DEFAULT '{}', at timestamptz NOT NULL,
    PRIMARY KEY (shop_id, order_id, sequence), FOREIGN KEY (shop_id, order_id) REFERENCES orders (shop_id, id)
);
CREATE TABLE provider_calls (
    shop_id uuid NOT NULL, order_id uuid NOT NULL, id uuid NOT NULL, operation text NOT NULL, outcome text NOT NULL, started_at timestamptz NOT NULL, duration_ms bigint NOT NULL, provider_data jsonb NOT NULL,
    PRIMARY KEY (shop_id, order_id, id), FOREIGN KEY (shop_id, order_id) REFERENCES orders (shop_id, id)
);
CREATE TABLE callbacks (
    dedupe_key bytea PRIMARY KEY, shop_id uuid NOT NULL, order_id uuid NOT NULL, verdict text NOT NULL, reported text NOT NULL, provider_data jsonb NOT NULL, received_at timestamptz NOT NULL,
    FOREIGN KEY (shop_id, order_id) REFERENCES orders (shop_id, id)
);
CREATE TABLE notifications (
    shop_id uuid NOT NULL, order_id uuid NOT NULL, sequence integer NOT NULL, id uuid NOT NULL, type text NOT NULL, payload text NOT NULL, url text NOT NULL, created_at timestamptz NOT NULL,
    PRIMARY KEY (shop_id, order_id, sequence), FOREIGN KEY (shop_id, order_id, sequence) REFERENCES order_transitions (shop_id, order_id, sequence)
);
`

// The scripts. A client numbers what it writes, and its keys count up from a base.
const nextKey = `
\set i :i + 1
\set key :base + :client_id * 1000000 + :i
`

// A life is eight rows in three commits: the order with its first step; the outcome with the call and a notification; the
// callback with its step and a notification.
const (
	insertOrder = `INSERT INTO orders (shop_id, id, kind, reference, request_hash, status, operation, sequence, amount, currency, flow, provider, account_name, provider_order_id, details, description, created_at, updated_at, next_poll_at)
    VALUES (:shop, :id, 'payment', 'order-' || :key, sha256(int8send(:key)), 'created', 'sale', 1, 1000, 'EUR', 'hosted', 'smartcore', 'EUR-bench', 'pr-' || lpad(to_hex(:key), 32, '0'), decode(repeat('ab', 330), 'hex'), '', now(), now(), now() + interval '1 minute');
INSERT INTO order_transitions (shop_id, order_id, sequence, from_status, to_status, source, at) VALUES (:shop, :id, 1, '', 'created', 'request', now());`
	writeOutcome = `SELECT status FROM orders WHERE shop_id = :shop AND id = :id FOR UPDATE;
UPDATE orders SET status = 'requires_action', sequence = 2, provider_reference = 'order-' || :key, next_action = decode(repeat('ab', 150), 'hex'), updated_at = now(), next_poll_at = now() + interval '10 seconds' WHERE shop_id = :shop AND id = :id;
INSERT INTO order_transitions (shop_id, order_id, sequence, from_status, to_status, source, provider_data, at) VALUES (:shop, :id, 2, 'created', 'requires_action', 'answer', '{"status": "1", "response_type": "REDIRECT"}', now());
INSERT INTO provider_calls (shop_id, order_id, id, operation, outcome, started_at, duration_ms, provider_data) VALUES (:shop, :id, gen_random_uuid(), 'create_payment', 'requires_action', now(), 1, '{"status": "1"}');
INSERT INTO notifications (shop_id, order_id, sequence, id, type, payload, url, created_at) VALUES (:shop, :id, 2, gen_random_uuid(), 'payment.requires_action', repeat('x', 1200), 'http://127.0.0.1/', now());`
	writeCallback = `SELECT status FROM orders WHERE shop_id = :shop AND id = :id FOR UPDATE;
INSERT INTO callbacks (dedupe_key, shop_id, order_id, verdict, reported, provider_data, received_at)
    VALUES (sha256(int8send(:key)), :shop, :id, 'apply', 'succeeded', '{"amount": "1000", "status": "2", "type": "Payment", "currency": "EUR", "rrn": "318513456789"}', now());
UPDATE orders SET status = 'succeeded', sequence = 3, amount_captured = 1000, next_action = NULL, updated_at = now(), finalized_at = now(), next_poll_at = NULL WHERE shop_id = :shop AND id = :id;
INSERT INTO order_transitions (shop_id, order_id, sequence, from_status, to_status, source, provider_data, at)
    VALUES (:shop, :id, 3, 'requires_action', 'succeeded', 'callback', '{"amount": "1000", "status": "2", "type": "Payment", "currency": "EUR", "rrn": "318513456789"}', now());
INSERT INTO notifications (shop_id, order_id, sequence, id, type, payload, url, created_at)
    VALUES (:shop, :id, 3, gen_random_uuid(), 'payment.succeeded', repeat('x', 1200), 'http://127.0.0.1/', now());`

	lifeScript     = nextKey + "BEGIN;\n" + insertOrder + "\nCOMMIT;\nBEGIN;\n" + writeOutcome + "\nCOMMIT;\nBEGIN;\n" + writeCallback + "\nCOMMIT;\n"
	openScript     = nextKey + "BEGIN;\n" + insertOrder + "\n" + writeOutcome + "\nCOMMIT;\n"
	callbackScript = nextKey + "BEGIN;\n" + writeCallback + "\nCOMMIT;\n"
)

// statements makes statements of a script: the shop, and the id that belongs to a key. Keys of a client count up, so ids are as
// well ordered as the service's own.
func (p *pgbench) statements(script string) string {
	return strings.NewReplacer(
		":shop", "'00000000-0000-0000-0000-000000000001'::uuid", ":id", "('"+p.month+"' || lpad(to_hex(:key::bigint), 16, '0'))::uuid", ":key", ":key::bigint",
	).Replace(script)
}

// pgbench runs scripts on a database.
type pgbench struct {
	program, url, dir    string
	life, open, callback string // scripts
	base                 int64  // of the next run's keys
	month                string // the beginning of ids: they tell their time
}

// pgbenchRun is what pgbench did.
type pgbenchRun struct {
	rate float64       // scripts a second
	cpu  time.Duration // of pgbench itself
	done int
}

// newPgbench prepares pgbench on the plain tables, and on the service's own schema.
func newPgbench(ctx context.Context, d *database, dir string) (plain, own *pgbench, err error) {
	program, err := exec.LookPath("pgbench")
	if err != nil {
		found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pgbench") // the pattern is right
		if len(found) == 0 {
			return nil, nil, fmt.Errorf("pgbench is missing (Debian: apt-get install postgresql)")
		}
		program = found[len(found)-1]
	}
	month := fmt.Sprintf("%012x7000", time.Now().UnixMilli())
	plain = &pgbench{program: program, url: d.plain, dir: dir, life: lifeScript, open: openScript, callback: callbackScript, month: month}
	own = &pgbench{program: program, url: d.own, dir: dir, life: ownLifeScript, open: ownOpenScript, callback: ownCallbackScript, month: month}
	return plain, own, errors.Join(plain.prepare(ctx, plainSchema), own.prepare(ctx, ownSchema))
}

func (p *pgbench) prepare(ctx context.Context, schema string) error {
	conn, err := connectTo(ctx, p.url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, schema); err != nil {
		return fmt.Errorf("make the tables of pgbench: %w", err)
	}
	return nil
}

// newBase begins keys that nobody has used.
func (p *pgbench) newBase() { p.base += 1 << 32 }

var (
	pgbenchRate = regexp.MustCompile(`tps = ([0-9.]+)`)
	pgbenchDone = regexp.MustCompile(`number of transactions actually processed: ([0-9]+)`)
)

// run runs a script from so many clients. more are further arguments, such as how long.
func (p *pgbench) run(ctx context.Context, text string, clients int, more ...string) (pgbenchRun, error) {
	var r pgbenchRun
	file := filepath.Join(p.dir, "script.sql")
	if err := os.WriteFile(file, []byte(p.statements(text)), 0o600); err != nil {
		return r, fmt.Errorf("write the script of pgbench: %w", err)
	}
	args := append([]string{
		"-n", "-M", "prepared", "-f", file, "-c", strconv.Itoa(clients), "-j", "2", "-D", "i=0", "-D", "base=" + strconv.FormatInt(p.base, 10),
	}, more...)
	cmd := exec.CommandContext(ctx, p.program, append(args, p.url)...) //nolint:gosec // pgbench
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "PGOPTIONS=-c enable_seqscan=off") // as the service's own transactions: its plans would be made for empty tables
	out, err := cmd.CombinedOutput()
	rate, done := pgbenchRate.FindSubmatch(out), pgbenchDone.FindSubmatch(out)
	if err != nil || rate == nil || done == nil {
		return r, fmt.Errorf("pgbench: %w: %s", errors.Join(err), out)
	}
	r.rate, _ = strconv.ParseFloat(string(rate[1]), 64) // the patterns match numbers
	r.done, _ = strconv.Atoi(string(done[1]))
	r.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return r, nil
}

// latencies reads what a run with --log wrote, and removes it. A script counts from when it began, not from when it should.
func (p *pgbench) latencies() (took []time.Duration, err error) {
	files, err := filepath.Glob(filepath.Join(p.dir, "pgbench_log.*"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read what pgbench logged: %w", err)
		}
		for line := range strings.Lines(string(text)) {
			const elapsed, lag = 2, 6 // in microseconds
			f := strings.Fields(line)
			took = append(took, time.Duration(number(f, elapsed)-number(f, lag))*time.Microsecond)
		}
		_ = os.Remove(file)
	}
	return took, nil
}
