package app

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"payrelay/internal/gateway/transport"
	"payrelay/internal/payment"
	"payrelay/internal/pgsession"
	"payrelay/internal/plural"
	"payrelay/internal/shop"
	"payrelay/internal/store"
	"payrelay/migrations"
)

// The versions of Postgres that are tested.
const oldestPostgres, newestPostgres = 14, 18

// certificateNotice is how long before the end of a host's certificate it is worth a word.
const certificateNotice = 14 * 24 * time.Hour

// database checks the database, and what stands in it.
func (d *doctor) database(ctx context.Context) {
	d.config.DatabasePool = max(d.config.DatabasePool, 2)
	pool, err := openPool(ctx, d.config)
	if err != nil {
		d.problem("database", "%v", err)
		return
	}
	defer pool.Close()
	if err := pool.Ping(ctx); err != nil { // the session's settings are checked, too: synchronous_commit among them
		d.problem("database", "%s", inPlainWords(err))
		return
	}
	d.server(ctx, pool)
	d.pooler(ctx, pool)
	d.disk(ctx, pool)
	d.slots(ctx, pool)
	d.locks(ctx, pool)
	if !d.schema(ctx, pool) {
		return
	}
	if role, err := roleOf(ctx, pool); err != nil {
		d.problem("role", "%s", inPlainWords(err))
	} else {
		d.role(role)
	}
	d.partitions(ctx, pool)
	if clock := d.clock(ctx, pool); clock != nil {
		d.work(ctx, pool, clock)
		d.contents(ctx, pool, clock)
	}
}

// ask reads one row.
func (d *doctor) ask(ctx context.Context, pool *pgxpool.Pool, check, sql string, into ...any) bool {
	err := pool.QueryRow(ctx, sql).Scan(into...)
	if err != nil {
		d.problem(check, "%s", inPlainWords(err))
	}
	return err == nil
}

func (d *doctor) server(ctx context.Context, pool *pgxpool.Pool) {
	var version, connections int
	var commit string
	var standby bool
	if !d.ask(ctx, pool, "database", "SELECT current_setting('server_version_num')::int / 10000, current_setting('max_connections')::int, current_setting('synchronous_commit'), pg_is_in_recovery()", &version, &connections, &commit, &standby) {
		return
	}
	switch {
	case version < oldestPostgres:
		d.problem("database", "Postgres %d is too old: use %d to %d", version, oldestPostgres, newestPostgres)
	case version > newestPostgres:
		d.warn("database", "Postgres %d is newer than what was tested: use %d to %d", version, oldestPostgres, newestPostgres)
	default:
		d.ok("database", "Postgres %d is reached, synchronous_commit is %s", version, commit)
	}
	if standby {
		d.problem("database", "this server is a read-only replica: name the primary in DATABASE_URL")
	}
	if connections < d.config.DatabasePool {
		d.problem("database", "Postgres takes %d connections, and DATABASE_POOL is %d for each replica: raise max_connections, or lower DATABASE_POOL", connections, d.config.DatabasePool)
	}
	link, _ := pgsession.LinkOf(pool.Config().ConnConfig) // an address without an answer is refused before
	if complaint := linkComplaint(link); complaint != "" {
		d.warn("database link", "%s", complaint)
	} else {
		d.ok("database link", "%s", link)
	}
}

// pooler finds one that the configuration does not know of: two transactions of a connection meet two sessions of the server.
func (d *doctor) pooler(ctx context.Context, pool *pgxpool.Pool) {
	known := pgsession.Pooled(pool.Config().ConnConfig)
	sessions := map[int]bool{}
	err := pool.AcquireFunc(ctx, func(c *pgxpool.Conn) error {
		for range 5 {
			var pid int
			if err := c.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&pid); err != nil {
				return err
			}
			sessions[pid] = true
		}
		return nil
	})
	switch {
	case err != nil:
		d.problem("pooler", "%s", inPlainWords(err))
	case known && d.config.MigrateURL == "":
		d.warn("pooler", "the database is behind a transaction pooler, and MIGRATE_DATABASE_URL is empty: migrations need a direct connection")
	case known:
		d.ok("pooler", "the database is behind a transaction pooler, and the service knows it")
	case len(sessions) > 1:
		d.problem("pooler", "a transaction pooler stands before the database: add default_query_exec_mode=exec to DATABASE_URL, and set MIGRATE_DATABASE_URL to a direct connection")
	default:
		d.ok("pooler", "none")
	}
}

// schema reports whether what stands in the database can be read.
func (d *doctor) schema(ctx context.Context, pool *pgxpool.Pool) bool {
	var there bool
	if !d.ask(ctx, pool, "schema", "SELECT to_regclass('goose_db_version') IS NOT NULL", &there) {
		return false
	}
	if !there { // looking for what is pending would make its table
		d.problem("schema", "the database has none: run 'server migrate up', and see that the role's search_path names the schema of payrelay's tables")
		return false
	}
	pending, err := migrations.Pending(ctx, d.config.migrateURL())
	switch {
	case err != nil:
		d.problem("schema", "%s", inPlainWords(err))
		return false
	case pending:
		d.problem("schema", "the database lacks migrations: run 'server migrate up'")
		return false
	}
	if err := pgsession.Finds(ctx, pool, "orders"); err != nil {
		d.problem("schema", "%v", err)
		return false
	}
	d.ok("schema", "every migration of this program ran")
	return true
}

func (d *doctor) role(role databaseRole) {
	switch lack, complaint := role.lack(), role.complaint(); {
	case lack != "":
		d.problem("role", "%s", lack)
	case complaint == "":
		d.ok("role", "%s may do what the service needs, and no more", role.name)
	case d.demo:
		d.ok("role", "%s may do everything, as in development", role.name)
	case d.config.RoleCheck == "enforce":
		d.problem("role", "%s", complaint)
	default:
		d.warn("role", "%s", complaint)
	}
}

// partitions finds tables that lack the partition of this month or of the next.
func (d *doctor) partitions(ctx context.Context, pool *pgxpool.Pool) {
	missing, ok := askRows[struct{ Name string }](ctx, d, pool, "partitions", `SELECT name FROM (
			SELECT c.relname || to_char(date_trunc('month', now() AT TIME ZONE 'UTC') + ahead * interval '1 month', '"_"YYYY"_"MM') AS name
			FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partrelid, generate_series(0, 1) ahead
			WHERE c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'orders'::regclass) AND c.oid <> 'request_log'::regclass
		) wanted WHERE to_regclass(name) IS NULL ORDER BY 1`)
	switch {
	case !ok:
	case len(missing) == 0:
		d.ok("partitions", "those of this month and the next are there")
	default:
		names := make([]string, len(missing))
		for i, m := range missing {
			names[i] = m.Name
		}
		d.warn("partitions", "missing: %s. The service makes them at its start, and 'server migrate up' does", strings.Join(names, ", "))
	}
}

// clock compares this machine's clock with the database's, and returns the one that the service goes by.
func (d *doctor) clock(ctx context.Context, pool *pgxpool.Pool) *store.Clock {
	clock, err := store.NewClock(ctx, pool)
	if err != nil {
		d.problem("clock", "%v", err)
		return nil
	}
	off := time.Until(clock.Now()).Round(100 * time.Millisecond).Abs()
	if off > clockTolerance {
		d.warn("clock", "this machine's clock and the database's differ by %s: let both follow a time server. The service goes by the database's", off)
	} else {
		d.ok("clock", "this machine's and the database's differ by %s", off)
	}
	return clock
}

// contents checks what stands in the database: keys and accounts.
func (d *doctor) contents(ctx context.Context, pool *pgxpool.Pool, clock *store.Clock) {
	if !d.demo { // before the keyset, as at a start
		if err := rejectDemo(ctx, store.New(pool, store.Options{})); err != nil {
			d.problem("demo", "%s", inPlainWords(err))
			return
		}
	}
	keyring, err := openKeyring(d.config.SecretKeyset, true)
	if err != nil {
		return // the keyset was judged before
	}
	var used bool
	if !d.ask(ctx, pool, "keyset", "SELECT EXISTS (SELECT 1 FROM service_keys)", &used) {
		return
	}
	if !used {
		d.ok("keyset", "the database is new: nothing was encrypted yet")
		return
	}
	st := store.New(pool, store.Options{Keyring: keyring, Now: clock.Now, OwnSchedules: ownSchedules()})
	switch opens, err := st.OpensServiceKeys(ctx); {
	case err != nil:
		d.problem("keyset", "%s", inPlainWords(err))
		return
	case !opens:
		d.problem("keyset", "SECRET_KEYSET is not the one this database was made with: nothing in it can be read")
		return
	}
	d.ok("keyset", "it opens this database")
	if d.rows {
		d.missingKeys(ctx, st)
	}
	d.keys(ctx, st, clock.Now())
	d.webhookSecrets(ctx, pool)
	d.accounts(ctx, st)
}

// missingKeys finds rows that no key of the keyset decrypts.
func (d *doctor) missingKeys(ctx context.Context, st *store.Store) {
	rows, err := st.SealedBy(ctx)
	if err != nil {
		d.problem("rows", "%s", inPlainWords(err))
		return
	}
	enabled := map[uint32]bool{}
	for _, k := range st.Keyring.Keys() {
		enabled[k.ID] = k.Enabled
	}
	missing := false
	for _, r := range rows {
		if !enabled[r.Key] {
			missing = true
			d.problem("rows", "in %s %s key %d, which SECRET_KEYSET lacks or has retired: put it back", r.Place, plural.Of(r.Rows, "row needs", "rows need"), r.Key)
		}
	}
	if !missing {
		d.ok("rows", "the keyset has every key that a row needs")
	}
}

// keys finds live API keys that end soon.
func (d *doctor) keys(ctx context.Context, st *store.Store, now time.Time) {
	all, err := st.ShopKeys(ctx, "")
	if err != nil {
		d.problem("API keys", "%s", inPlainWords(err))
		return
	}
	live, ending := 0, 0
	for _, k := range all {
		if k.RevokedAt != nil || !k.ExpiresAt.After(now) {
			continue
		}
		live++
		if left := k.ExpiresAt.Sub(now); left < shop.ExpiryNotice && k.ReplacedBy == "" {
			ending++
			d.warn("API keys", "key %s of shop %s ends in %s: 'server key rotate %s' makes another", k.ID, k.Shop, plural.Of(int(left.Hours()/24), "day", "days"), k.ID)
		}
	}
	if ending == 0 {
		d.ok("API keys", "%s live, none ends within %s", plural.Of(live, "is", "are"), plural.Of(int(shop.ExpiryNotice.Hours()/24), "day", "days"))
	}
}

func (d *doctor) webhookSecrets(ctx context.Context, pool *pgxpool.Pool) {
	var shops []string
	if !d.ask(ctx, pool, "webhook secrets", "SELECT coalesce(array_agg(s.name || ' until ' || to_char(w.expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') ORDER BY s.name), '{}') FROM webhook_secrets w JOIN shops s ON s.id = w.shop_id WHERE w.expires_at > now()", &shops) {
		return
	}
	if len(shops) == 0 {
		d.ok("webhook secrets", "no rotation is under way")
		return
	}
	d.warn("webhook secrets", "two secrets sign for %s: see that the shop has taken the new one into use", strings.Join(shops, ", "))
}

// accounts checks the hosts of every account that is not closed, each host once.
func (d *doctor) accounts(ctx context.Context, st *store.Store) {
	accounts, err := st.Accounts(ctx)
	if err != nil {
		d.problem("accounts", "%s", inPlainWords(err))
		return
	}
	drivers := offlineDrivers()
	seen := map[string]bool{}
	for _, a := range accounts {
		if a.Mode == shop.ModeClosed {
			continue
		}
		driver, err := drivers.Driver(a.Provider)
		switch {
		case a.Unusable != nil:
			d.problem("account "+a.Name, "%s", inPlainWords(a.Unusable))
		case err != nil:
			d.problem("account "+a.Name, "%v", err)
		default:
			for _, host := range hostsOf(driver, a) {
				if at := transport.HostOf(host.address); !seen[a.Provider+at] {
					seen[a.Provider+at] = true
					d.host(ctx, a, host, at)
				}
			}
		}
	}
}

func (d *doctor) host(ctx context.Context, a payment.Account, host accountHost, name string) {
	probe, err := d.config.probe(ctx, a.Provider, host.address)
	check := "host " + name
	said := []string{}
	for _, c := range hostChecks(host.address, probe, err, time.Now()) {
		if c.Result == store.CheckFailed {
			d.problem(check, "%s: %s. See that it is what %s of account %s should be, and that it can be reached from here", c.Check, c.Detail, host.setting, a.Name)
			return
		}
		said = append(said, c.Check+": "+c.Detail)
	}
	if left := time.Until(probe.CertificateEnds); !probe.CertificateEnds.IsZero() && left < certificateNotice {
		d.warn(check, "its certificate ends in %s: ask the provider", plural.Of(int(left.Hours()/24), "day", "days"))
		return
	}
	d.ok(check, "%s", strings.Join(said, "; "))
}
