package store_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/limit"
	"payrelay/internal/payment"
	"payrelay/internal/shop"
	"payrelay/internal/store"
)

// configured is a fixture with a row in every table of the configuration.
func configured(t *testing.T) *fixture {
	t.Helper()
	b := newFixture(t)
	require.NoError(t, b.AddHold(t.Context(), b.create(t, "held", 1000).Key(), "dispute"))
	require.NoError(t, b.SetShopRate(t.Context(), store.ShopRate{Shop: "first", Class: "writes", Rate: limit.Rate{Quota: 5, Window: time.Second}}))
	for _, l := range []payment.Limit{{Scope: payment.LimitGlobal}, {Scope: payment.LimitShop}, {Scope: payment.LimitKey}, {Scope: payment.LimitAccount}} {
		l.Kind, l.Currency, l.Rule, l.Amount, l.Orders, l.Enforced = gateway.KindPayment, "EUR", "day", 1_000_000, 500, true
		name := map[payment.LimitScope]string{payment.LimitShop: "first", payment.LimitKey: keyID(t, b.key), payment.LimitAccount: "EUR-1"}[l.Scope]
		require.NoError(t, b.SetLimit(t.Context(), store.NamedLimit{Limit: l, Name: name}))
	}
	for _, name := range []string{"", "first"} {
		_, err := b.AddRoutingSet(t.Context(), name, []byte(everythingTo("EUR-1")), true)
		require.NoError(t, err)
	}
	_, err := b.ImportBINs(t.Context(), bins(t, "bin,country", "401200,GB"))
	require.NoError(t, err)
	b.exec(t, "ALTER TABLE bin_table DROP CONSTRAINT bin_table_one_row") // its key is changed, too
	require.Empty(t, b.altered(t))
	return b
}

// byHand changes the database as somebody does who owns it: no trigger fires.
func (b *fixture) byHand(t *testing.T, sql string, args ...any) {
	t.Helper()
	tx, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "SET LOCAL session_replication_role = replica")
	require.NoError(t, err)
	tag, err := tx.Exec(t.Context(), sql, args...)
	require.NoError(t, err)
	require.NotZero(t, tag.RowsAffected(), sql)
	require.NoError(t, tx.Commit(t.Context()))
}

// altered names what a fresh process finds.
func (b *fixture) altered(t *testing.T) []string {
	t.Helper()
	findings, err := store.New(b.pool, b.Options).CheckConfiguration(t.Context())
	require.NoError(t, err)
	names := make([]string, len(findings))
	for i, f := range findings {
		names[i] = f.Table + ": " + f.What
	}
	return names
}

// other is another value of a column of that type.
func otherValue(column, kind string) string {
	switch {
	case strings.HasPrefix(kind, "timestamp"):
		return "coalesce(" + column + ", now()) + interval '1 day'"
	case kind == "bigint", kind == "integer":
		return column + " + 1"
	case kind == "boolean":
		return "NOT " + column
	case kind == "uuid":
		return "gen_random_uuid()"
	case kind == "bytea":
		return "set_byte(coalesce(" + column + ", '\\x00'), 0, 255 - get_byte(coalesce(" + column + ", '\\x00'), 0))"
	case kind == "jsonb":
		return column + ` || '{"url": "https://thief.example"}'`
	case kind == "text[]" && column == "scopes":
		return "'{payouts}'"
	case kind == "text[]":
		return column + " || '{0.0.0.0/0}'"
	}
	values := map[string]string{"mode": "CASE mode WHEN 'enforce' THEN 'observe' ELSE 'drain' END", "stage": "'previous'", "currency": "'UAH'", "purpose": "'payouts'", "class": "'reads'", "state": "'retired'", "kind": "'refund'", "rule": "'hour'", "flow": "'direct'", "on_surplus": "'refund'", "cascade": "'issuer'"}
	if column == "scope" || column == "object_id" { // a limit of one thing becomes that of another
		return "CASE WHEN scope IN ('shop', 'account') THEN " + map[string]string{"scope": "CASE scope WHEN 'shop' THEN 'account' ELSE 'shop' END", "object_id": "gen_random_uuid()::text"}[column] + " ELSE " + column + " END"
	}
	if v := values[column]; v != "" {
		return v
	}
	return "'altered'"
}

// TestEveryColumnOfTheConfigurationIsSealed changes each by hand.
func TestEveryColumnOfTheConfigurationIsSealed(t *testing.T) {
	t.Parallel()
	b := configured(t)
	// paused_shops is no configuration: the service itself adds to it, and its role can take nothing away.
	rows, err := b.pool.Query(t.Context(), `SELECT c.relname, a.attname, format_type(a.atttypid, NULL) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
		WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relname <> 'paused_shops' AND c.oid IN (SELECT tgrelid FROM pg_trigger WHERE tgfoid = 'directory_changed'::regproc) ORDER BY 1, a.attnum`)
	require.NoError(t, err)
	var found []string
	type column struct{ table, name, kind string }
	var columns []column
	for rows.Next() {
		var c column
		require.NoError(t, rows.Scan(&c.table, &c.name, &c.kind))
		columns = append(columns, c)
		if !slices.Contains(found, c.table) {
			found = append(found, c.table)
		}
	}
	require.NoError(t, rows.Err())
	require.ElementsMatch(t, found, store.ConfigTables(), "each table that the directory keeps is sealed")
	for _, c := range columns {
		b.alterAndPutBack(t, c.table, fmt.Sprintf("UPDATE %s SET %s = %s", c.table, c.name, otherValue(c.name, c.kind)), c.name)
	}
}

// alterAndPutBack changes a table by hand, wants that to be found, and puts the rows back.
func (b *fixture) alterAndPutBack(t *testing.T, table, sql, what string) {
	t.Helper()
	b.exec(t, "DROP TABLE IF EXISTS kept_rows")
	b.exec(t, "CREATE TABLE kept_rows AS SELECT * FROM "+table)
	b.byHand(t, sql)
	require.NotEmpty(t, b.altered(t), "%s.%s was changed by hand, and nobody noticed", table, what)
	b.byHand(t, "DELETE FROM "+table)
	b.byHand(t, "INSERT INTO "+table+" SELECT * FROM kept_rows")
	b.exec(t, "DROP TABLE kept_rows")
	require.Empty(t, b.altered(t), table)
}

func TestAKeyThatWasAlteredIsRefusedAndHurtsNoOther(t *testing.T) {
	t.Parallel()
	b := configured(t)
	reader := shop.NewKey()
	made, err := b.CreateKey(t.Context(), "first", store.NewKey{Key: reader, Scopes: []shop.Scope{shop.ScopeRead}})
	require.NoError(t, err)
	b.exec(t, "UPDATE shop_keys SET scopes = '{payouts}' WHERE id = $1", made.ID)
	b.ExpireDirectory()
	require.Equal(t, shop.KeyAltered, b.reason(t, reader))
	require.Empty(t, b.reason(t, b.key))
	require.Equal(t, []string{"shop_keys: " + store.RowChanged}, b.altered(t))

	// It is not made good by another act of its shop, and can be revoked.
	_, err = b.CreateKey(t.Context(), "first", store.NewKey{Key: shop.NewKey(), Scopes: []shop.Scope{shop.ScopeRead}})
	require.NoError(t, err)
	require.Equal(t, []string{"shop_keys: " + store.RowChanged}, b.altered(t))
	require.Equal(t, payment.CodeInvalidState, payment.CodeOf(b.SetKeyMode(t.Context(), made.ID, shop.ModeDrain)))
	require.NoError(t, b.RevokeKey(t.Context(), made.ID))
	require.Empty(t, b.altered(t))
	require.Equal(t, shop.KeyRevoked, b.reason(t, reader))
}

// A shop that has a key of its own cannot make it a key of another shop.
func TestAKeyCannotBeGivenToAnotherShop(t *testing.T) {
	t.Parallel()
	b := configured(t)
	other, theirs, _ := b.newShop(t, "other", "")
	b.exec(t, "INSERT INTO shop_keys SELECT $1, 'stolen1', mac, name, scopes, allow_cidrs, mode, created_at, expires_at FROM shop_keys WHERE shop_id = $2", b.shop.ID, other.ID)
	require.Equal(t, []string{"shop_keys: " + store.RowForeign}, b.altered(t))
	b.exec(t, "DELETE FROM shop_keys WHERE shop_id = $1 AND id = 'stolen1'", b.shop.ID)
	b.exec(t, "UPDATE shop_keys SET shop_id = $1 WHERE shop_id = $2", b.shop.ID, other.ID)
	require.ElementsMatch(t, []string{"shop_keys: " + store.RowForeign, "shop_keys: " + store.RowMissing}, b.altered(t))
	b.ExpireDirectory()
	require.Equal(t, shop.KeyAltered, b.reason(t, theirs))
}

func TestAShopThatWasAlteredIsFrozen(t *testing.T) {
	t.Parallel()
	b := configured(t)
	_, theirs, _ := b.newShop(t, "other", "https://other.example")
	key := b.create(t, "r-1", 1000).Key()
	b.report(t, key, payment.StatusSucceeded)
	b.byHand(t, "UPDATE shops SET notification_url = 'https://thief.example' WHERE name = 'first'")
	b.none(t, key, b.clock.Now().Add(10*time.Minute)) // nothing is signed for another address, though nobody counted the change
	due, _, err := b.DueDeliveries(t.Context(), 10)
	require.NoError(t, err)
	require.Empty(t, due, "it is put off, not tried again at once")

	_, err = b.CheckConfiguration(t.Context())
	require.NoError(t, err)
	_, err = b.Authenticate(t.Context(), b.key, netip.Addr{})
	require.Equal(t, payment.CodeShopFrozen, payment.CodeOf(err))
	_, err = b.WebhookSecrets(t.Context(), b.shop.ID)
	require.Equal(t, payment.CodeShopFrozen, payment.CodeOf(err))
	require.Empty(t, b.reason(t, theirs), "another shop works")
	require.Equal(t, payment.CodeInvalidState, payment.CodeOf(b.SetShopMode(t.Context(), "first", shop.ModeDrain)), "no act makes it good")

	require.NoError(t, b.AcceptShop(t.Context(), "first"))
	require.Equal(t, payment.CodeInvalid, payment.CodeOf(b.AcceptShop(t.Context(), "first")), "nothing is altered any more")
	require.Empty(t, b.altered(t))
	p, err := b.Authenticate(t.Context(), b.key, netip.Addr{})
	require.NoError(t, err)
	require.Equal(t, shop.ModeOff, p.Mode, "until an operator has looked")
	require.NoError(t, b.SetNotificationURL(t.Context(), "first", "https://shop.example/hook", nil))
	require.NoError(t, b.SetShopMode(t.Context(), "first", shop.ModeEnabled))
	b.clock.Add(10 * time.Minute)
	require.Equal(t, "https://shop.example/hook", b.lease(t, key).URL)
}

func TestAnAccountThatWasAlteredIsFrozen(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"its limit":        `UPDATE limits SET amount = amount * 1000 WHERE scope = 'account'`,
		"a limit is gone":  `DELETE FROM limits WHERE scope = 'account'`,
		"its settings":     `UPDATE accounts SET settings = '{"url": "https://thief.example"}' WHERE name = 'EUR-1'`,
		"its secret":       `UPDATE account_secrets SET since = since - interval '1 day' WHERE stage = 'current' AND account_id = (SELECT id FROM accounts WHERE name = 'EUR-1')`,
		"a secret is gone": `DELETE FROM account_secrets WHERE account_id = (SELECT id FROM accounts WHERE name = 'EUR-1')`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := configured(t)
			healthy := b.newAccount(t, "EUR-2", "first")
			b.exec(t, sql)
			b.ExpireDirectory()
			_, err := b.Account(t.Context(), b.account.ID)
			require.Equal(t, payment.CodeAccountFrozen, payment.CodeOf(err))
			_, err = b.Account(t.Context(), healthy.ID)
			require.NoError(t, err)
			require.NoError(t, b.AcceptAccount(t.Context(), "EUR-1"))
			a, err := b.Account(t.Context(), b.account.ID)
			require.NoError(t, err)
			require.Equal(t, shop.ModeOff, a.Mode)
		})
	}
}

func TestAShopCannotBeGivenAnAccount(t *testing.T) {
	t.Parallel()
	b := configured(t)
	other, _, _ := b.newShop(t, "other", "")
	b.exec(t, "INSERT INTO account_shops VALUES ($1, $2, 1)", other.ID, b.account.ID)
	b.ExpireDirectory()
	accounts, err := b.ShopAccounts(t.Context(), other.ID)
	require.NoError(t, err)
	require.Empty(t, accounts)
	accounts, err = b.ShopAccounts(t.Context(), b.shop.ID)
	require.NoError(t, err)
	require.Len(t, accounts, 1)
}

func TestAnOldRowPutBackIsFound(t *testing.T) {
	t.Parallel()
	b := configured(t)
	b.exec(t, "CREATE TABLE old_shops AS SELECT * FROM shops")
	require.NoError(t, b.SetNotificationURL(t.Context(), "first", "https://new.example", nil))
	require.Empty(t, b.altered(t))
	b.byHand(t, "DELETE FROM shops")
	b.byHand(t, "INSERT INTO shops SELECT * FROM old_shops")
	require.Equal(t, []string{"shops: " + store.RowChanged}, b.altered(t))

	// With the entry that says so cut off, the older one speaks for the row; what was done later shows the gap.
	require.NoError(t, b.AcceptShop(t.Context(), "first"))
	require.NoError(t, b.SetShopMode(t.Context(), "first", shop.ModeEnabled))
	b.newShop(t, "other", "")
	b.byHand(t, "DELETE FROM audit_log WHERE seq = (SELECT max(seq) - 1 FROM audit_log)")
	require.Contains(t, strings.Join(b.altered(t), "\n"), "before it are missing")
}

func TestTheAuditLogIsChained(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"a reason":       "UPDATE audit_log SET reason = 'another' WHERE seq = 2",
		"what was done":  `UPDATE audit_log SET after = '{}' WHERE seq = 2`,
		"when":           "UPDATE audit_log SET at = at + interval '1 s' WHERE seq = 2",
		"an entry":       "DELETE FROM audit_log WHERE seq = 2",
		"the first":      "DELETE FROM audit_log WHERE seq = 1",
		"a made-up one":  "INSERT INTO audit_log SELECT gen_random_uuid(), seq + 1, at, actor, actor_kind, host, claimed_by, action, object_kind, object_id, shop, before, after, reason, owner_id, seals, seal FROM audit_log ORDER BY seq DESC LIMIT 1",
		"its last entry": "DELETE FROM audit_log WHERE seq = (SELECT max(seq) FROM audit_log)",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := configured(t)
			b.byHand(t, sql)
			require.NotEmpty(t, b.altered(t))
		})
	}
}

// A process that has read the audit log already notices that it was cut, and uses what it knew.
func TestAnAuditLogThatWasCutIsNoticed(t *testing.T) {
	t.Parallel()
	b := configured(t)
	findings, err := b.CheckConfiguration(t.Context())
	require.NoError(t, err)
	require.Empty(t, findings)
	b.byHand(t, "DELETE FROM audit_log WHERE seq = (SELECT max(seq) FROM audit_log)")
	findings, err = b.CheckConfiguration(t.Context())
	require.NoError(t, err)
	require.Len(t, findings, 1)
	require.Equal(t, "audit_log", findings[0].Table)
	require.Contains(t, findings[0].What, "was cut or set back")
}

// A forged entry uses up no numbers, so operators go on; and nobody remembers it.
func TestAForgedEntryStopsNoOperator(t *testing.T) {
	t.Parallel()
	b := configured(t)
	forge := func(seq string) error {
		_, err := b.pool.Exec(t.Context(), `INSERT INTO audit_log (id, seq, at, actor, actor_kind, action, object_kind, object_id, seal)
			SELECT gen_random_uuid(), `+seq+`, now(), 'x', 'service', 'shop set', 'shop', 'first', decode(repeat('00', 16), 'hex') FROM audit_log`)
		return err
	}
	for _, seq := range []string{"9223372036854775807", "max(seq) + 2", "max(seq)", "0", "-1"} {
		require.ErrorContains(t, forge(seq), "number after the newest one", seq)
	}
	head := b.AuditHead()
	require.NoError(t, forge("max(seq) + 1"))
	require.Len(t, b.altered(t), 1)
	require.Equal(t, head, b.AuditHead(), "it is not the newest entry that payrelay wrote")
	key := shop.NewKey()
	made, err := b.CreateKey(t.Context(), "first", store.NewKey{Key: key, Scopes: []shop.Scope{shop.ScopeRead}})
	require.NoError(t, err)
	require.Empty(t, b.reason(t, key))

	b.exec(t, `INSERT INTO audit_log (id, seq, at, actor, actor_kind, action, object_kind, object_id, owner_id, seals, seal)
		SELECT gen_random_uuid(), max(seq) + 1, now(), 'x', 'service', 'shop set', 'shop', 'first', $1, '{}', decode(repeat('00', 16), 'hex') FROM audit_log`, b.shop.ID)
	require.Len(t, b.altered(t), 2)
	another, err := b.CreateKey(t.Context(), "first", store.NewKey{Key: shop.NewKey(), Scopes: []shop.Scope{shop.ScopeRead}})
	require.NoError(t, err)
	require.NoError(t, b.RevokeKey(t.Context(), another.ID), "also after one that says something of the shop")
	require.NoError(t, b.SetShopMode(t.Context(), "first", shop.ModeOff))
	require.NoError(t, b.SetShopMode(t.Context(), "first", shop.ModeEnabled))
	require.Len(t, b.altered(t), 2)
	require.Empty(t, b.reason(t, key), "the shop is not frozen")

	require.NoError(t, forge("max(seq) + 1"))
	require.Len(t, b.altered(t), 3)
	b.byHand(t, "DELETE FROM audit_log WHERE seq = (SELECT max(seq) FROM audit_log)") // as whoever puts it right
	require.NoError(t, b.RevokeKey(t.Context(), made.ID))
	require.Equal(t, shop.KeyRevoked, b.reason(t, key), "the log was not cut: what was deleted was never believed")
	require.Len(t, b.altered(t), 2)
}

// A key that was revoked does not come back to life by its old row and an audit log that says nothing of the end.
func TestARevokedKeyStaysDeadWhenItsRowAndTheLogAreSetBack(t *testing.T) {
	t.Parallel()
	b := configured(t)
	key := shop.NewKey()
	made, err := b.CreateKey(t.Context(), "first", store.NewKey{Key: key, Scopes: []shop.Scope{shop.ScopeRead}})
	require.NoError(t, err)
	b.exec(t, "CREATE TABLE old_keys AS SELECT * FROM shop_keys")
	require.NoError(t, b.RevokeKey(t.Context(), made.ID))
	require.Equal(t, shop.KeyRevoked, b.reason(t, key))
	head := b.AuditHead()
	require.Empty(t, b.altered(t))
	_, err = b.CheckAuditHead(t.Context(), head)
	require.NoError(t, err)

	b.byHand(t, "DELETE FROM audit_log WHERE seq = (SELECT max(seq) FROM audit_log)")
	b.byHand(t, "DELETE FROM shop_keys")
	b.byHand(t, "INSERT INTO shop_keys SELECT * FROM old_keys")
	b.exec(t, "UPDATE directory SET generation = generation + 1")
	b.ExpireDirectory()
	for range 2 { // also after another comparison
		require.Equal(t, shop.KeyRevoked, b.reason(t, key))
		findings, err := b.CheckConfiguration(t.Context())
		require.NoError(t, err)
		require.Len(t, findings, 1, "it is reported")
		require.Equal(t, "audit_log", findings[0].Table)
	}
	// A process that starts now knows of nothing, unless it is told of the entry that was the newest.
	cut, err := store.New(b.pool, b.Options).CheckAuditHead(t.Context(), head)
	require.NoError(t, err)
	require.Len(t, cut, 1)
	_, err = b.CheckAuditHead(t.Context(), "12")
	require.Equal(t, payment.CodeInvalid, payment.CodeOf(err))
}

// Each finding is reported once, not at every comparison.
func TestAFindingIsReportedOnce(t *testing.T) {
	t.Parallel()
	b := configured(t)
	var reported []store.Finding
	opts := b.Options
	opts.SealBroken = func(f store.Finding) { reported = append(reported, f) }
	other := store.New(b.pool, opts)
	b.exec(t, "UPDATE shops SET mode = 'drain'")
	for range 2 {
		_, err := other.CheckConfiguration(t.Context())
		require.NoError(t, err)
	}
	require.Equal(t, []store.Finding{{Table: "shops", ID: b.shop.ID.String(), What: store.RowChanged}}, reported)
}

// Another key of the keyset changes no seal: the plaintext is sealed.
func TestReencryptionChangesNoSeal(t *testing.T) {
	t.Parallel()
	b := configured(t)
	resealed, err := b.box.Seal([]byte("hunter2"), "account/"+b.account.ID.String()+"/secret", "secret")
	require.NoError(t, err)
	b.exec(t, "UPDATE account_secrets SET value = $1", resealed)
	require.Empty(t, b.altered(t))
	other, err := b.box.Seal([]byte("hunter3"), "account/"+b.account.ID.String()+"/secret", "secret")
	require.NoError(t, err)
	b.exec(t, "UPDATE account_secrets SET value = $1", other)
	require.Equal(t, []string{"account_secrets: " + store.RowChanged}, b.altered(t))
}

// Operators who act at the same time wait for one another, and all entries are in one chain.
func TestActsAtOnceMakeOneChain(t *testing.T) {
	t.Parallel()
	b := configured(t)
	errs := make(chan error, 8)
	for i := range cap(errs) {
		go func() {
			_, err := b.CreateShop(t.Context(), store.NewShop{Name: fmt.Sprint("shop-", i), Key: shop.NewKey(), Scopes: shop.Scopes, WebhookSecret: gateway.Secret(shop.NewWebhookSecret())})
			errs <- err
		}()
	}
	for range cap(errs) {
		require.NoError(t, <-errs)
	}
	require.Empty(t, b.altered(t))
	require.Equal(t, b.count(t, "SELECT count(*) FROM audit_log"), b.count(t, "SELECT max(seq) FROM audit_log"))
}
