// Package pgsession sets what payrelay depends on in a session of Postgres, or refuses the connection.
//
// A database or role may have other settings, and behind a pooler values come as text, in the session's format. PgBouncer in
// transaction mode gives a client's transactions whatever session is free: it carries some settings along, and refuses a
// connection that asks for others. So those are asked for everywhere, the others only of Postgres itself, and all are looked at.
package pgsession

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// setting is one that reading or writing values depends on.
type setting struct {
	name, value string
	// carried says that PgBouncer carries it along with a client's transactions.
	carried bool
	// checked says that it is not asked for: the role may have a stricter value.
	checked bool
}

var settings = []setting{
	{name: "client_encoding", value: "UTF8", carried: true},
	{name: "DateStyle", value: "ISO, MDY", carried: true},
	{name: "TimeZone", value: "UTC", carried: true},
	{name: "standard_conforming_strings", value: "on", carried: true},
	{name: "IntervalStyle", value: "postgres"},
	{name: "bytea_output", value: "hex"},
	{name: "extra_float_digits", value: "1"},
	{name: "array_nulls", value: "on"},
	{name: "synchronous_commit", value: "on", checked: true},
}

// Configure makes a connection ask for the settings. pooled says that a transaction pooler may stand in between.
func Configure(c *pgx.ConnConfig, pooled bool) {
	for _, s := range settings {
		if s.checked {
			continue
		}
		for name := range c.RuntimeParams { // names are not case-sensitive, and the address may hold another value
			if strings.EqualFold(name, s.name) {
				delete(c.RuntimeParams, name)
			}
		}
		if s.carried || !pooled {
			c.RuntimeParams[s.name] = s.value
		}
	}
}

// Pooled reports whether a connection is made for a transaction pooler: its statements are not prepared.
func Pooled(c *pgx.ConnConfig) bool {
	return c.DefaultQueryExecMode == pgx.QueryExecModeExec || c.DefaultQueryExecMode == pgx.QueryExecModeSimpleProtocol
}

// Check reports which setting of a new connection is another one than payrelay can work with.
func Check(ctx context.Context, conn *pgx.Conn) error {
	columns := make([]string, 0, len(settings)+1)
	values := make([]*string, len(settings)+1)
	targets := make([]any, 0, len(settings)+1)
	for i, s := range settings {
		columns = append(columns, "current_setting('"+s.name+"')")
		targets = append(targets, &values[i])
	}
	columns, targets = append(columns, "current_schema()::text"), append(targets, &values[len(settings)])
	if err := conn.QueryRow(ctx, "SELECT "+strings.Join(columns, ", ")).Scan(targets...); err != nil {
		return fmt.Errorf("read the session's settings: %w", err)
	}
	for i, s := range settings {
		if got := *values[i]; !s.fits(got) {
			return fmt.Errorf("the session's %s is %q, and payrelay needs %q: run ALTER ROLE %s SET %s = '%s', and reconnect the pooler if there is one",
				s.name, got, s.value, pgx.Identifier{conn.Config().User}.Sanitize(), s.name, s.value)
		}
	}
	if values[len(settings)] == nil {
		return fmt.Errorf("the session's search_path names no schema that exists: set it for the role to the schema of payrelay's tables")
	}
	return nil
}

// Querier is a connection or pool.
type Querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Finds reports whether a table of payrelay is on the search_path, where all its statements look for it.
func Finds(ctx context.Context, q Querier, table string) error {
	var path string
	found := false
	err := q.QueryRow(ctx, "SELECT current_setting('search_path'), to_regclass($1::text) IS NOT NULL", table).Scan(&path, &found)
	switch {
	case err != nil:
		return fmt.Errorf("read the session's settings: %w", err)
	case !found:
		return fmt.Errorf("the session's search_path is %q, and payrelay's tables are not on it: set it for the role to their schema", path)
	}
	return nil
}

// fits reports whether a value serves as well as the one that is asked for.
func (s setting) fits(got string) bool {
	switch s.name {
	case "DateStyle": // the order of day and month matters only for dates that are written without a year in front
		return strings.HasPrefix(got, "ISO")
	case "TimeZone": // times carry their offset
		return true
	case "synchronous_commit": // off acknowledges what a crash can take back; every other value waits for the disk
		return got != "off"
	case "extra_float_digits": // from 1 on a number is written exactly
		return got == "1" || got == "2" || got == "3"
	}
	return got == s.value
}
