package app

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"payrelay/internal/pgsession"
	"payrelay/internal/plural"
)

// lockNotice is how long a session may wait for a lock before it is worth a word.
const lockNotice = time.Second

// askRows reads any number of rows.
func askRows[T any](ctx context.Context, d *doctor, pool *pgxpool.Pool, check, sql string, args ...any) (list []T, ok bool) {
	rows, err := pool.Query(ctx, sql, args...)
	if err == nil {
		list, err = pgx.CollectRows(rows, pgx.RowToStructByPos[T])
	}
	if err != nil {
		d.problem(check, "%s", inPlainWords(err))
	}
	return list, err == nil
}

// disk checks how much room there is where Postgres keeps its data, as far as that can be seen from here.
func (d *doctor) disk(ctx context.Context, pool *pgxpool.Pool) {
	var size string
	var folder *string // only a role that may read all settings is told
	if !d.ask(ctx, pool, "disk", "SELECT pg_size_pretty(pg_database_size(current_database())), (SELECT setting FROM pg_settings WHERE name = 'data_directory')", &size, &folder) {
		return
	}
	var seen []string
	if link, _ := pgsession.LinkOf(pool.Config().ConnConfig); link == pgsession.LinkLocal && folder != nil {
		seen = d.rooms(*folder, filepath.Join(*folder, "pg_wal"))
	}
	if len(seen) == 0 {
		seen = []string{"how much room its server has left cannot be seen from here: watch it there"}
	}
	d.ok("disk", "the database has %s; %s", size, strings.Join(seen, "; "))
}

// rooms checks the file systems of folders, each once, and says what each has left. Of a folder that this machine or process does not
// reach nothing is known.
func (d *doctor) rooms(folders ...string) (seen []string) {
	known := map[any]bool{}
	for _, folder := range folders {
		r, ok := roomOf(folder)
		if !ok || known[r.system] {
			continue
		}
		known[r.system] = true
		left := fmt.Sprintf("%d %% (%s) are free at %s", 100*r.free/r.all, bytesText(r.free), folder)
		if 100*r.free < uint64(d.free)*r.all { //nolint:gosec // a percentage
			d.problem("disk", "only %s: a full disk stops Postgres, and with it every payment. Make room, or enlarge it; see that no replication slot holds WAL and that WAL is archived", left)
			continue
		}
		seen = append(seen, left)
	}
	return seen
}

// room is what a file system has.
type room struct {
	free, all uint64 // bytes; free are those that a user may fill
	system    any
}

func bytesText(n uint64) string {
	const unit = 1 << 10
	if n < unit*unit*unit {
		return fmt.Sprintf("%d MB", n/unit/unit)
	}
	return fmt.Sprintf("%d GB", n/unit/unit/unit)
}

// slots finds replication slots that keep WAL for nobody, or have lost it.
func (d *doctor) slots(ctx context.Context, pool *pgxpool.Pool) {
	type slot struct {
		Name   string
		Active bool
		Lost   bool
		Held   int64
	}
	slots, ok := askRows[slot](ctx, d, pool, "replication slots", `SELECT slot_name::text, active, coalesce(wal_status = 'lost', false),
		coalesce(pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, restart_lsn), 0)::bigint
		FROM pg_replication_slots ORDER BY 1`)
	if !ok {
		return
	}
	fine := 0
	for _, s := range slots {
		drop := fmt.Sprintf("drop the slot with SELECT pg_drop_replication_slot('%s')", s.Name)
		switch {
		case s.Lost:
			d.warn("replication slots", "%s has lost WAL that its standby needed: make that standby anew, and %s", s.Name, drop)
		case !s.Active:
			d.warn("replication slots", "nobody reads %s, and it keeps %s of WAL, more with each payment until the disk is full: start its standby, or %s", s.Name, bytesText(uint64(max(s.Held, 0))), drop) //nolint:gosec // not negative
		default:
			fine++
		}
	}
	if fine == len(slots) {
		d.ok("replication slots", "%s, none keeps WAL for nobody", plural.Of(len(slots), "slot", "slots"))
	}
}

// locks finds sessions that others wait for.
func (d *doctor) locks(ctx context.Context, pool *pgxpool.Pool) {
	type blocker struct {
		PID     int
		Role    string
		Program string
		State   string
		Since   time.Duration // of its transaction
		Waiting int
		Longest time.Duration
	}
	blockers, ok := askRows[blocker](ctx, d, pool, "locks", `SELECT b.pid, coalesce(b.usename::text, '?'), coalesce(b.application_name, ''), coalesce(b.state, 'unknown to this role'),
			coalesce(now() - b.xact_start, '0'), count(DISTINCT l.pid), max(clock_timestamp() - l.waitstart)
		FROM pg_locks l JOIN pg_stat_activity w ON w.pid = l.pid AND w.datname = current_database(), unnest(pg_blocking_pids(l.pid)) AS blocking(pid) JOIN pg_stat_activity b ON b.pid = blocking.pid
		WHERE NOT l.granted AND l.waitstart < clock_timestamp() - $1::interval AND pg_blocking_pids(b.pid) = '{}' GROUP BY 1, 2, 3, 4, 5 ORDER BY 1`, lockNotice)
	if !ok {
		return
	}
	for _, b := range blockers {
		d.warn("locks", "%s for up to %s for session %d (role %s, program %q, %s, its transaction is %s old): end what it does, or the session with SELECT pg_terminate_backend(%d)",
			plural.Of(b.Waiting, "session waits", "sessions wait"), b.Longest.Round(time.Second), b.PID, b.Role, b.Program, b.State, b.Since.Round(time.Second), b.PID)
	}
	if len(blockers) == 0 {
		d.ok("locks", "no session has waited for another for more than %s", lockNotice)
	}
}
