package migrations

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// The database's roles.
const (
	RoleOwner    = "payrelay_owner"    // owns everything; nobody logs in as it
	RoleMigrate  = "payrelay_migrate"  // runs migrations, as the owner
	RoleApp      = "payrelay_app"      // the service
	RoleOperator = "payrelay_operator" // operators' commands: what the service may, and the configuration
	RoleRead     = "payrelay_read"     // people and reports: no encrypted column
)

// RolesSQL are the statements that make the roles of a database, once.
func RolesSQL(database string) string {
	name := pgx.Identifier{database}.Sanitize()
	return `-- Roles of payrelay with the least rights that each needs. Run this once, as a superuser, connected to the database ` + name + `.
-- Then give each role that logs in a password, with \password or as your installation does it: payrelay_migrate, payrelay_app,
-- payrelay_operator, payrelay_read. Then run 'server migrate up' as payrelay_migrate: it grants what each role needs, and does so
-- after every later migration.
CREATE ROLE payrelay_owner NOLOGIN;
CREATE ROLE payrelay_migrate LOGIN IN ROLE payrelay_owner;
CREATE ROLE payrelay_app LOGIN;
CREATE ROLE payrelay_operator LOGIN IN ROLE payrelay_app;
CREATE ROLE payrelay_read LOGIN;

-- What a migration makes belongs to the owner.
ALTER ROLE payrelay_migrate IN DATABASE ` + name + ` SET role = payrelay_owner;

REVOKE ALL ON DATABASE ` + name + ` FROM PUBLIC;
GRANT CONNECT ON DATABASE ` + name + ` TO payrelay_migrate, payrelay_app, payrelay_operator, payrelay_read;
ALTER SCHEMA public OWNER TO payrelay_owner;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO payrelay_app, payrelay_read;

-- A database that another role has migrated before: give its tables to the owner.
-- REASSIGN OWNED BY that_role TO payrelay_owner;
`
}

// rights are what the service and operators may do with a table. Operators may do what the service may, too. A right to update a
// column may be there for its row lock alone: such a column never changes, and a change of it shows.
type rights struct{ table, app, operator string }

const (
	readAndAdd = "SELECT, INSERT"
	all        = "SELECT, INSERT, UPDATE, DELETE"
)

// ordersUpdated are the columns of an order that change in its life.
const ordersUpdated = "status, status_reason, operation, form_lost, amount_authorized, amount_captured, amount_refunded, amount_reserved, capture_amount, reported_amount, " +
	"amount_disputed, amount_overdrawn, disputes_open, superseded_by, " +
	"provider_reference, bank_references, provider_state, next_action, payment_method, failure, sequence, conflicts, updated_at, finalized_at, next_poll_at, polls_since, polls_done, " +
	"denials, first_denial_at, acknowledged, command_accepted, pending_since, pending_status, chain, seal, " +
	"provider, account_id, account_name, provider_order_id" // when it goes to another account

// disputesUpdated are the columns of a dispute that change in its life.
const disputesUpdated = "kind, status, refunds_allowed, reason_code, provider_case, due_at, sequence, updated_at, closed_at, seal"

// tableRights is every table. A test compares it with the schema.
var tableRights = []rights{
	// The configuration: the service reads it.
	{"shops", "SELECT, UPDATE (id)", all},
	{"webhook_secrets", "SELECT", all},
	{"shop_keys", "SELECT", all},
	{"shop_rates", "SELECT", all},
	{"limits", "SELECT, UPDATE (id)", all},
	{"paused_shops", readAndAdd, all}, // the service pauses, an operator resumes
	{"accounts", "SELECT", all},
	{"account_health", all, ""},
	{"account_demotions", all, ""},
	{"account_secrets", "SELECT", all},
	{"account_shops", "SELECT", all},
	{"routing_sets", "SELECT", readAndAdd + ", UPDATE (state, activated_at)"},
	{"bin_table", "SELECT", readAndAdd + ", UPDATE"},
	{"directory", "SELECT", "UPDATE"},
	{"shop_key_uses", "SELECT, INSERT, UPDATE", ""},
	{"service_keys", readAndAdd, "UPDATE"},
	{"replicas", all, ""},
	{"reencryptions", "SELECT", all},

	// The history, and what orders are recognized by: read, and added to.
	{"legal_transitions", "SELECT", ""},
	{"order_transitions", readAndAdd, ""},
	{"order_references", readAndAdd, ""},
	{"order_names", readAndAdd, ""},
	{"order_attempts", readAndAdd, ""},
	{"legal_dispute_steps", "SELECT", ""},
	{"dispute_steps", readAndAdd, ""},
	{"disputes", "SELECT, INSERT, UPDATE (" + disputesUpdated + ")", ""},
	{"mandates", "SELECT, INSERT, UPDATE (decision, decided_at, schedule_ends_at, seal)", ""},
	{"mandate_decisions", readAndAdd, ""},
	{"mandate_runs", all, ""},
	{"imported_orders", "SELECT", "INSERT"},
	{"order_conflicts", readAndAdd, "UPDATE (reason)"},
	{"audit_log", readAndAdd, ""},

	{"orders", "SELECT, INSERT, UPDATE (" + ordersUpdated + ")", "UPDATE"},
	{"open_orders", all, ""},
	{"order_holds", "SELECT", all},
	{"limit_uses", all, ""},
	{"limit_reservations", all, ""},
	{"order_fingerprints", all, ""},
	{"payout_approvals", all, ""},
	{"notifications", "SELECT, INSERT, UPDATE (payload, payload_digest)", ""},
	{"deliveries", all, ""},
	{"notification_attempts", all, ""},
	{"addresses_off", all, ""},
	{"failing_destinations", all, ""},
	{"feed_positions", "SELECT, INSERT, UPDATE", ""},
	{"feed_epochs", "SELECT", all},
	{"feed_rewinds", "SELECT", all},
	{"provider_calls", all, ""},
	{"callbacks", "SELECT, INSERT, DELETE", "UPDATE"},
	{"callback_keys", "SELECT, INSERT, DELETE", ""},
	{"orderless_callbacks", "SELECT, INSERT, DELETE", "UPDATE"},
	{"idempotency_keys", all, ""},
	{"request_log", "SELECT, INSERT, DELETE", ""},
	{"transaction_reports", all, ""},
	{"transaction_report_rows", all, ""},
	{"retention", "SELECT, UPDATE", ""},
	{"goose_db_version", "SELECT", ""},
}

// functionRights are the functions that the service calls with their owner's rights.
const functionRights = "make_partitions(date), make_request_day(date), drop_partition(text)"

// oneRight is a right in a list of them, with its columns.
var oneRight = regexp.MustCompile(`([A-Z]+)(?: \(([^)]*)\))?`)

// Lacking are the rights that payrelay_app has and the role of a session has not, such as "INSERT on deliveries, orders". Tables and
// columns that another version of the schema has are not asked for.
func Lacking(ctx context.Context, q interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
},
) ([]string, error) {
	var wanted, functions []string
	for _, r := range tableRights {
		for _, right := range oneRight.FindAllStringSubmatch(r.app, -1) {
			for column := range strings.SplitSeq(right[2], ", ") {
				wanted = append(wanted, fmt.Sprintf("('%s', '%s', '%s')", r.table, right[1], column))
			}
		}
	}
	for f := range strings.SplitSeq(functionRights, ", ") {
		functions = append(functions, "('"+f+"')")
	}
	rows, err := q.Query(ctx, `SELECT w.privilege, array_agg(DISTINCT w.name ORDER BY w.name)
		FROM (VALUES `+strings.Join(wanted, ", ")+`) w(name, privilege, col)
		LEFT JOIN pg_attribute a ON a.attrelid = to_regclass(w.name) AND a.attname = w.col AND NOT a.attisdropped
		WHERE CASE WHEN w.col = '' THEN NOT has_table_privilege(to_regclass(w.name), w.privilege) ELSE NOT has_column_privilege(to_regclass(w.name), a.attnum, w.privilege) END
		GROUP BY w.privilege
		UNION ALL SELECT 'EXECUTE', array_agg(f.name ORDER BY f.name) FROM (VALUES `+strings.Join(functions, ", ")+`) f(name)
		WHERE NOT has_function_privilege(to_regprocedure(f.name), 'EXECUTE') HAVING count(*) > 0
		ORDER BY 1 DESC`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (string, error) {
		var privilege string
		var names []string
		err := row.Scan(&privilege, &names)
		rest := ""
		if more := len(names) - namesSaid; more > 1 {
			names, rest = names[:namesSaid], fmt.Sprintf(" and %d more", more)
		}
		return privilege + " on " + strings.Join(names, ", ") + rest, err
	})
}

// namesSaid is how many tables a sentence names that says what a role lacks.
const namesSaid = 4

// grantTries and grantPause bound how often rights are granted again.
const (
	grantTries = 20
	grantPause = 250 * time.Millisecond
)

// Codes of Postgres.
const (
	internalError    = "XX000"
	undefinedTable   = "42P01"
	deadlockDetected = "40P01"
)

// grant gives the roles that exist what they need. Postgres takes no lock on a table for that, so another session that changes the
// same row of its catalog meanwhile, as whoever makes or drops a partition does, lets it fail; then it is done again.
func grant(ctx context.Context, db *sql.DB) error {
	for try := 1; ; try++ {
		err := grantOnce(ctx, db)
		if err == nil || !changedMeanwhile(err) || try == grantTries {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(grantPause):
		}
	}
}

// changedMeanwhile reports whether another session changed what rights were granted on: a row of the catalog, for which Postgres has
// no code but that of an internal error, or a partition that is gone.
func changedMeanwhile(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (e.Code == internalError && strings.HasPrefix(e.Message, "tuple concurrently ") || e.Code == undefinedTable || e.Code == deadlockDetected)
}

// grantOnce grants rights, and takes everything else from the roles. Only the owner of the tables can, and one of that name loses
// nothing.
func grantOnce(ctx context.Context, db *sql.DB) error {
	existing, err := listed(ctx, db, "SELECT r.rolname FROM pg_roles r, pg_class c WHERE r.rolname IN ('"+RoleApp+"', '"+RoleOperator+"', '"+RoleRead+"')"+
		" AND c.oid = to_regclass('orders') AND pg_has_role(c.relowner, 'USAGE') AND r.oid <> c.relowner")
	if err != nil || len(existing) == 0 {
		return err
	}
	statements := []string{"REVOKE EXECUTE ON FUNCTION " + functionRights + " FROM PUBLIC"}
	for _, role := range existing {
		statements = append(statements, "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM "+role, "REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM "+role)
	}
	for _, r := range tableRights {
		parts, err := listed(ctx, db, "SELECT i.inhrelid::regclass::text FROM pg_inherits i WHERE i.inhparent = to_regclass('"+r.table+"')")
		if err != nil {
			return err
		}
		on := " ON " + strings.Join(append(parts, r.table), ", ") + " TO "
		if slices.Contains(existing, RoleApp) {
			statements = append(statements, "GRANT "+r.app+on+RoleApp)
		}
		if r.operator != "" && slices.Contains(existing, RoleOperator) {
			statements = append(statements, "GRANT "+r.operator+on+RoleOperator)
		}
	}
	if slices.Contains(existing, RoleApp) {
		statements = append(statements, "GRANT EXECUTE ON FUNCTION "+functionRights+" TO "+RoleApp)
	}
	if slices.Contains(existing, RoleOperator) {
		statements = append(statements, "GRANT USAGE ON SEQUENCE shop_numbers TO "+RoleOperator)
	}
	if slices.Contains(existing, RoleRead) {
		readable, err := listed(ctx, db, `SELECT format('GRANT SELECT (%s) ON %I TO `+RoleRead+`', string_agg(quote_ident(a.attname), ', '), c.relname)
			FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
			WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname <> 'service_keys' AND a.atttypid <> 'bytea'::regtype
			GROUP BY c.relname`)
		if err != nil {
			return err
		}
		statements = append(statements, readable...)
	}
	return inOneTransaction(ctx, db, append([]string{"SELECT pg_advisory_xact_lock(hashtext('payrelay_roles'))"}, statements...))
}

func listed(ctx context.Context, db *sql.DB, question string) (list []string, err error) {
	rows, err := db.QueryContext(ctx, question)
	if err != nil {
		return nil, fmt.Errorf("read the roles: %w", err)
	}
	defer rows.Close() //nolint:errcheck // Err tells
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, fmt.Errorf("read the roles: %w", err)
		}
		list = append(list, s)
	}
	return list, rows.Err()
}

func inOneTransaction(ctx context.Context, db *sql.DB, statements []string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("grant rights: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // it does nothing after the commit
	for _, s := range statements {
		if _, err := tx.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("grant rights (are the tables owned by %s? 'server roles sql' says how): %s: %w", RoleOwner, s, err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("grant rights: %w", err)
	}
	return nil
}
