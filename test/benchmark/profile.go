package benchmark

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"
)

// profile takes a CPU profile of the server for the length of the window, and what the statements of Postgres took meanwhile.
func (b *measurement) profile(ctx context.Context) error {
	if _, err := b.db.conn.Exec(ctx, "SELECT pg_stat_statements_reset()"); err != nil {
		return fmt.Errorf("begin to count statements: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+b.service.admin+"/debug/pprof/profile?seconds="+seconds(b.Window), nil)
	if err != nil {
		return fmt.Errorf("ask for a profile: %w", err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask for a profile: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("the server gives no profile: %s", res.Status)
	}
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Errorf("read the profile: %w", err)
	}
	if err := os.WriteFile(filepath.Join(b.Profile, "server.pprof"), text, 0o600); err != nil {
		return fmt.Errorf("write the profile: %w", err)
	}
	return b.statements(ctx)
}

// statements writes which statements took the most time, those of triggers too, whose time is also part of their statement's.
func (b *measurement) statements(ctx context.Context) error {
	rows, err := b.db.conn.Query(ctx, `SELECT calls, rows, plans, total_plan_time, total_exec_time, toplevel, regexp_replace(query, '\s+', ' ', 'g') FROM pg_stat_statements
		WHERE dbid = (SELECT oid FROM pg_database WHERE datname = $1) ORDER BY total_exec_time + total_plan_time DESC LIMIT 60`, b.counted.Config().Database)
	if err != nil {
		return fmt.Errorf("read the statements: %w", err)
	}
	var out strings.Builder
	var calls, found, plans int64
	var planning, total float64
	var top bool
	var query string
	if _, err := pgx.ForEachRow(rows, []any{&calls, &found, &plans, &planning, &total, &top, &query}, func() error {
		inner := map[bool]string{false: "of a trigger: "}[top]
		fmt.Fprintf(&out, "%9.1f ms %8d calls %7.4f ms each %8d rows, %6d plans %8.1f ms  %s%s\n", total, calls, total/float64(calls), found, plans, planning, inner, query)
		return nil
	}); err != nil {
		return fmt.Errorf("read the statements: %w", err)
	}
	if err := os.WriteFile(filepath.Join(b.Profile, "statements.txt"), []byte(out.String()), 0o600); err != nil {
		return fmt.Errorf("write the statements: %w", err)
	}
	return nil
}
