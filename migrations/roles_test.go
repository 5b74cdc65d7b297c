package migrations_test

import (
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"payrelay/internal/store/storetest"
	"payrelay/migrations"
)

func connected(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	return conn
}

// TestEveryTableHasItsRights finds tables for which nobody has said what the roles may do.
func TestEveryTableHasItsRights(t *testing.T) {
	t.Parallel()
	as := storetest.Roles(t)
	owner := connected(t, as(""))
	rows, err := owner.Query(t.Context(), `SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition`)
	require.NoError(t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.ElementsMatch(t, tables, migrations.TablesWithRights())
	var foreign int
	require.NoError(t, owner.QueryRow(t.Context(), "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relowner <> 'payrelay_owner'::regrole").Scan(&foreign))
	require.Zero(t, foreign, "all that a migration made belongs to the owner")
	require.NoError(t, migrations.Up(t.Context(), as(migrations.RoleMigrate)), "a second time")
	require.NoError(t, migrations.Up(t.Context(), as(migrations.RoleApp)), "who grants nothing finds nothing to do")
}

// Programs that start at the same time migrate at the same time.
func TestSeveralMigrateAtOnce(t *testing.T) {
	t.Parallel()
	as := storetest.Roles(t)
	var all errgroup.Group
	for range 4 {
		all.Go(func() error { return migrations.Up(t.Context(), as(migrations.RoleMigrate)) })
	}
	require.NoError(t, all.Wait())
}

// Somebody else, who waits for no migration, changes the rights of a table meanwhile: they are granted all the same.
func TestRightsAreGrantedWhileOthersChangeThem(t *testing.T) {
	t.Parallel()
	as := storetest.Roles(t)
	conn := connected(t, as(""))
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "GRANT REFERENCES ON orders TO payrelay_read")
	require.NoError(t, err)
	var migrating errgroup.Group
	migrating.Go(func() error { return migrations.Up(t.Context(), as(migrations.RoleMigrate)) })
	watch := connected(t, as(""))
	require.Eventually(t, func() bool {
		waits := 0
		require.NoError(t, watch.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE 'REVOKE ALL%'").Scan(&waits))
		return waits == 1
	}, time.Minute, 5*time.Millisecond)
	require.NoError(t, tx.Commit(t.Context()))
	require.NoError(t, migrating.Wait())
	var may, other bool
	require.NoError(t, watch.QueryRow(t.Context(), "SELECT has_table_privilege('payrelay_app', 'orders', 'SELECT, INSERT'), has_table_privilege('payrelay_read', 'orders', 'REFERENCES')").Scan(&may, &other))
	require.Equal(t, []bool{true, false}, []bool{may, other})
}

// attacks are what nobody but the owner may do to the history and to the rules that keep it.
var attacks = []string{
	"UPDATE order_transitions SET to_status = 'succeeded'",
	"UPDATE order_transitions SET at = at",
	"DELETE FROM order_transitions",
	"TRUNCATE order_transitions",
	"TRUNCATE orders CASCADE",
	"DELETE FROM orders",
	"ALTER TABLE order_transitions DISABLE TRIGGER ALL",
	"ALTER TABLE order_transitions DROP COLUMN at",
	"ALTER TABLE audit_log DISABLE TRIGGER USER",
	"DROP TABLE order_transitions CASCADE",
	"CREATE TRIGGER mine BEFORE INSERT ON order_transitions FOR EACH ROW EXECUTE FUNCTION append_only()",
	"DROP TRIGGER order_transitions_append_only ON order_transitions",
	"CREATE OR REPLACE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
	"CREATE RULE quiet AS ON INSERT TO audit_log DO INSTEAD NOTHING",
	"CREATE TABLE mine (id int)",
	"CREATE TEMPORARY TABLE audit_log (id int)",
	"UPDATE audit_log SET reason = 'x'",
	"DELETE FROM audit_log",
	"TRUNCATE audit_log",
	"UPDATE order_references SET reference = 'x'",
	"DELETE FROM order_references",
	"UPDATE order_conflicts SET reported = 'succeeded'",
	"DELETE FROM order_conflicts",
	"UPDATE notifications SET url = 'https://thief.example'",
	"DELETE FROM notifications",
	"UPDATE legal_transitions SET to_status = 'succeeded'",
	"INSERT INTO legal_transitions VALUES ('failed', 'succeeded')",
	"SET session_replication_role = replica",
	"SET ROLE payrelay_owner",
	"SET SESSION AUTHORIZATION payrelay_owner",
	"SELECT drop_partition('order_transitions')",
	"SELECT drop_partition('orders')",
	"SELECT pg_read_file('/etc/passwd')",
	"COPY audit_log TO PROGRAM 'cat'",
	"ALTER ROLE payrelay_app SUPERUSER",
	"CREATE ROLE mine SUPERUSER",
	"DELETE FROM goose_db_version",
}

// configured are attacks on where money goes, which operators' commands change.
var configured = []string{
	"UPDATE shops SET notification_url = 'https://thief.example'",
	"INSERT INTO shops (id, name, created_at) VALUES (gen_random_uuid(), 'mine', now())",
	"UPDATE shop_keys SET scopes = '{payouts}'",
	"DELETE FROM shop_keys",
	"UPDATE accounts SET settings = '{}'",
	"UPDATE account_secrets SET value = ''",
	"INSERT INTO account_shops VALUES (gen_random_uuid(), gen_random_uuid())",
	"UPDATE limits SET amount = 1",
	"DELETE FROM limits",
	"UPDATE shop_rates SET quota = 1000000",
	"UPDATE webhook_secrets SET secret = ''",
	"UPDATE service_keys SET value = ''",
	"DELETE FROM service_keys",
	"DELETE FROM order_holds",
	"UPDATE orders SET amount = 1",
	"UPDATE orders SET notification_url = 'https://thief.example'",
	"UPDATE orders SET reference = 'other'",
	"UPDATE orders SET shop_id = gen_random_uuid()",
	"UPDATE directory SET generation = 0",
}

func TestNoRoleButTheOwnerChangesHistory(t *testing.T) {
	t.Parallel()
	as := storetest.Roles(t)
	for role, list := range map[string][]string{
		migrations.RoleApp: slices.Concat(attacks, configured), migrations.RoleOperator: attacks, migrations.RoleRead: slices.Concat(attacks, configured),
	} {
		conn := connected(t, as(role))
		for _, sql := range list {
			_, err := conn.Exec(t.Context(), sql)
			require.Error(t, err, "%s may: %s", role, sql)
			pg := &pgconn.PgError{}
			require.ErrorAs(t, err, &pg)
			require.Contains(t, []string{"42501", "P0001"}, pg.Code, "%s: %s: %s", role, sql, pg.Message) // insufficient_privilege, or a function's own refusal
		}
	}
	_, err := connected(t, as(migrations.RoleApp)).Exec(t.Context(), "GRANT ALL ON order_transitions TO payrelay_app") // Postgres only warns
	require.NoError(t, err)
	var may bool
	require.NoError(t, connected(t, as("")).QueryRow(t.Context(), "SELECT has_table_privilege('payrelay_app', 'order_transitions', 'UPDATE, DELETE, TRUNCATE, TRIGGER')").Scan(&may))
	require.False(t, may)
	partition := connected(t, as(migrations.RoleApp))
	now := time.Now().UTC()
	month := time.Date(now.Year(), now.Month()-2, 1, 0, 0, 0, 0, time.UTC) // it is over
	_, err = partition.Exec(t.Context(), "SELECT make_partitions($1::text::date)", month.Format(time.DateOnly))
	require.NoError(t, err)
	_, err = partition.Exec(t.Context(), "DELETE FROM provider_calls"+month.Format("_2006_01"))
	require.NoError(t, err, "a new partition has the rights of its table")
	_, err = partition.Exec(t.Context(), "SELECT drop_partition($1)", "provider_calls"+month.Format("_2006_01"))
	require.NoError(t, err)
}

// People who read see no ciphertext, and nothing of the service's keys.
func TestReadersSeeNoEncryptedColumn(t *testing.T) {
	t.Parallel()
	as := storetest.Roles(t)
	conn := connected(t, as(migrations.RoleRead))
	for _, sql := range []string{"SELECT secret FROM webhook_secrets", "SELECT mac FROM shop_keys", "SELECT details FROM orders", "SELECT * FROM service_keys", "SELECT value FROM account_secrets"} {
		_, err := conn.Exec(t.Context(), sql)
		require.ErrorContains(t, err, "permission denied", sql)
	}
	for _, sql := range []string{"SELECT id, status, amount_captured FROM orders", "SELECT name, notification_url FROM shops", "SELECT action, reason FROM audit_log", "SELECT to_status FROM order_transitions"} {
		_, err := conn.Exec(t.Context(), sql)
		require.NoError(t, err, sql)
	}
}
