package benchmark

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"payrelay/internal/localpg"
	"payrelay/migrations"
)

// database is a durable Postgres with three databases: the service's, and two that pgbench writes the same rows to. One has plain
// tables, the other the service's own schema.
type database struct {
	server              *localpg.Server
	conn                *pgx.Conn // to the service's database
	service, plain, own string    // URLs
	postmaster          int
}

// startDatabase starts Postgres in dir. With statements it counts what each statement takes, which costs a little.
func startDatabase(ctx context.Context, dir string, statements bool) (*database, error) {
	server, err := localpg.Start(ctx, localpg.Options{Dir: dir, Database: "payrelay", InstalledOnly: true})
	if err != nil {
		return nil, err
	}
	d := &database{server: server}
	if statements {
		err = d.countStatements(ctx)
	}
	if err = errors.Join(err, d.prepare(ctx)); err != nil {
		_ = server.Stop(context.WithoutCancel(ctx))
		return nil, err
	}
	return d, nil
}

func (d *database) prepare(ctx context.Context) error {
	var err error
	d.service = d.server.URL()
	if d.conn, err = pgx.Connect(ctx, d.service); err != nil {
		return fmt.Errorf("connect to Postgres: %w", err)
	}
	var durable bool
	if err := d.conn.QueryRow(ctx, "SELECT current_setting('fsync') = 'on' AND current_setting('synchronous_commit') = 'on' AND current_setting('full_page_writes') = 'on'").Scan(&durable); err != nil {
		return fmt.Errorf("read the settings of Postgres: %w", err)
	}
	if !durable {
		return fmt.Errorf("this Postgres is not durable: its figures would mean nothing")
	}
	for name, url := range map[string]*string{"plain": &d.plain, "own": &d.own} {
		if *url, err = d.create(ctx, name); err != nil {
			return err
		}
	}
	if err := migrations.Up(ctx, d.own); err != nil {
		return fmt.Errorf("make the service's tables for pgbench: %w", err)
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", d.conn.PgConn().PID()))
	if err != nil {
		return fmt.Errorf("find the process of Postgres: %w", err)
	}
	d.postmaster = int(number(statFields(stat), statParent))
	return nil
}

// create makes another database and returns its URL.
func (d *database) create(ctx context.Context, name string) (string, error) {
	u, err := url.Parse(d.server.URL())
	if err != nil {
		return "", fmt.Errorf("read the URL of Postgres: %w", err)
	}
	u.Path = "/" + name
	if _, err := d.conn.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		return "", fmt.Errorf("make the database %s: %w", name, err)
	}
	return u.String(), nil
}

// countStatements has Postgres count what statements take, those of triggers and the making of plans too.
func (d *database) countStatements(ctx context.Context) error {
	if err := d.exec(ctx, "CREATE EXTENSION pg_stat_statements", "ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'"); err != nil {
		return fmt.Errorf("count statements: %w", err)
	}
	if err := d.server.Restart(ctx); err != nil {
		return err
	}
	if err := d.exec(ctx, "ALTER SYSTEM SET pg_stat_statements.track = 'all'", "ALTER SYSTEM SET pg_stat_statements.track_planning = on", "SELECT pg_reload_conf()"); err != nil {
		return fmt.Errorf("count statements: %w", err)
	}
	return nil
}

// exec runs statements on a connection of their own.
func (d *database) exec(ctx context.Context, statements ...string) error {
	conn, err := pgx.Connect(ctx, d.server.URL())
	if err != nil {
		return err
	}
	for _, sql := range statements {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return errors.Join(err, conn.Close(ctx))
		}
	}
	return conn.Close(ctx)
}

func (d *database) stop(ctx context.Context) {
	_ = d.conn.Close(ctx)
	_ = d.server.Stop(ctx)
}

// connectTo connects to a database of pgbench.
func connectTo(ctx context.Context, url string) (*pgx.Conn, error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("connect to a database of pgbench: %w", err)
	}
	return conn, nil
}

// statFields are the fields of /proc/<pid>/stat after the program's name: the state is field 0.
func statFields(stat []byte) []string {
	_, rest, _ := strings.Cut(string(stat), ") ")
	return strings.Fields(rest)
}

func number(fields []string, i int) int64 {
	if i >= len(fields) {
		return 0
	}
	n, _ := strconv.ParseInt(fields[i], 10, 64) // the kernel writes numbers
	return n
}

// Places in statFields.
const (
	statParent   = 1
	statUser     = 11 // and system, 12; those of children that have ended, 13 and 14
	clockTicks   = 100
	statPageSize = 4096
)

// cpuOf is the processor time that a process has used.
func cpuOf(pid int) time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	f := statFields(stat)
	return time.Duration(number(f, statUser)+number(f, statUser+1)) * time.Second / clockTicks
}

// cpu is the processor time that Postgres has used: all of its processes, those that have ended too.
func (d *database) cpu() time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", d.postmaster))
	if err != nil {
		return 0
	}
	f := statFields(stat)
	ticks := number(f, statUser) + number(f, statUser+1) + number(f, statUser+2) + number(f, statUser+3)
	all, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is right
	for _, path := range all {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // it has just ended
		}
		if f := statFields(stat); number(f, statParent) == int64(d.postmaster) {
			ticks += number(f, statUser) + number(f, statUser+1)
		}
	}
	return time.Duration(ticks) * time.Second / clockTicks
}

// memoryOf is how much memory a process holds, in bytes.
func memoryOf(pid int) float64 {
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	return float64(number(strings.Fields(string(statm)), 1) * statPageSize)
}

// counters are what Postgres counts. Backends that are busy tell it once a second, so both ends of a measurement must lie in
// the midst of the same steady load.
type counters struct {
	Commits, WALBytes, WALSyncs, Inserted, Updated, HOT, Deleted, OrdersUpdated, OrdersHOT float64
}

const countersQuery = `
SELECT (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database())::float8,
       (pg_current_wal_lsn() - '0/0')::float8,
       coalesce((SELECT (to_jsonb(w) ->> 'wal_sync')::float8 FROM pg_stat_wal w), 0),
       coalesce(sum(n_tup_ins), 0)::float8, coalesce(sum(n_tup_upd), 0)::float8, coalesce(sum(n_tup_hot_upd), 0)::float8, coalesce(sum(n_tup_del), 0)::float8,
       coalesce(sum(n_tup_upd) FILTER (WHERE relname ~ '^orders(_p|$)'), 0)::float8, coalesce(sum(n_tup_hot_upd) FILTER (WHERE relname ~ '^orders(_p|$)'), 0)::float8
FROM pg_stat_user_tables`

func readCounters(ctx context.Context, conn *pgx.Conn) (counters, error) {
	var c counters
	if err := conn.QueryRow(ctx, countersQuery).Scan(&c.Commits, &c.WALBytes, &c.WALSyncs, &c.Inserted, &c.Updated, &c.HOT, &c.Deleted, &c.OrdersUpdated, &c.OrdersHOT); err != nil {
		return c, fmt.Errorf("read what Postgres counts: %w", err)
	}
	return c, nil
}

func (c counters) minus(b counters) counters {
	return counters{
		Commits: c.Commits - b.Commits, WALBytes: c.WALBytes - b.WALBytes, WALSyncs: c.WALSyncs - b.WALSyncs, Inserted: c.Inserted - b.Inserted,
		Updated: c.Updated - b.Updated, HOT: c.HOT - b.HOT, Deleted: c.Deleted - b.Deleted, OrdersUpdated: c.OrdersUpdated - b.OrdersUpdated, OrdersHOT: c.OrdersHOT - b.OrdersHOT,
	}
}
