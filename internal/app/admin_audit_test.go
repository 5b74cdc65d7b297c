package app

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/money"
	"payrelay/internal/payment"
	"payrelay/internal/secrets"
	"payrelay/internal/shop"
	"payrelay/internal/store"
	"payrelay/internal/store/storetest"

	httpapi "payrelay/internal/http"
)

// operated is a database for commands: a shop, accounts, an order that succeeded and one whose outcome is unknown.
type operated struct {
	pool                  *pgxpool.Pool
	store                 *store.Store
	environ               []string
	keyring               *secrets.Keyring
	paid, unknown, frozen payment.Key
	contested             payment.Key   // paid, for disputes
	rested                []payment.Key // paid orders of the customers "customer-0" and so on, with nothing to be delivered
}

func newOperated(t *testing.T) *operated {
	t.Helper()
	url := storetest.URL(t)
	pool, err := pgxpool.New(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	keyset, err := secrets.NewKeyset()
	require.NoError(t, err)
	b := &operated{pool: pool, environ: []string{"DATABASE_URL=" + url, "SECRET_KEYSET=" + keyset}}
	b.keyring, err = secrets.Open(gateway.Secret(keyset))
	require.NoError(t, err)
	b.store = store.New(pool, store.Options{Keyring: b.keyring, Render: httpapi.RenderNotification})
	first, err := b.store.CreateShop(t.Context(), store.NewShop{
		Name: "first", NotificationURL: "https://shop.example/hook", Key: shop.NewKey(), Scopes: shop.Scopes, WebhookSecret: gateway.Secret(shop.NewWebhookSecret()),
	})
	require.NoError(t, err)
	_, err = b.store.CreateAccount(t.Context(), store.NewAccount{Name: "fake-1", Provider: "fake", Currency: "EUR", Shops: []string{"first"}})
	require.NoError(t, err)
	for range 2 {
		_, err = b.store.CreateKey(t.Context(), "first", store.NewKey{Key: shop.NewKey(), Scopes: shop.Scopes})
		require.NoError(t, err)
	}
	require.NoError(t, b.store.SetLimit(t.Context(), store.NamedLimit{
		Limit: payment.Limit{Scope: payment.LimitShop, Kind: gateway.KindPayout, Currency: "EUR", Rule: payment.LimitApproval, Amount: 1, Enforced: true}, Name: "first",
	}))
	outcome := error(nil)
	service := payment.New(payment.Config{Store: b.store, Drivers: gateway.NewRegistry(&gatewaytest.Fake{
		CreatePaymentFunc: func(context.Context, gateway.PaymentRequest) (gateway.Result, error) {
			return gateway.Result{Status: gateway.StatusSucceeded}, outcome
		},
	})})
	create := func(reference string) payment.Key {
		o, _, err := service.CreatePayment(t.Context(), payment.NewPayment{
			Shop: first.ID, Reference: reference, Amount: money.New(1000, "EUR"), Flow: gateway.FlowHosted, RequestHash: []byte(reference),
			Metadata: map[string]string{"customer_id": "customer-" + reference},
		})
		require.NoError(t, err)
		return o.Key()
	}
	for i := range 4 {
		b.rested = append(b.rested, create(fmt.Sprint(i)))
	}
	_, err = pool.Exec(t.Context(), "DELETE FROM deliveries")
	require.NoError(t, err)
	b.paid = create("paid-1")
	b.contested = create("contested-1")
	b.frozen = create("frozen-1")
	_, err = b.pool.Exec(t.Context(), "UPDATE orders SET provider_reference = 'another' WHERE id = $1", b.frozen.Order)
	require.NoError(t, err)
	outcome = &gateway.Error{Kind: gateway.KindUnknown}
	b.unknown = create("unknown-1")
	b.command(t, "account", "create", "EUR-1", "--provider", "smartcore", "--currency", "EUR", "--merchant-key", "k", "--secret-file", secretIn(t, "one"))
	return b
}

func secretIn(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

// command runs a command that must succeed, and returns what it printed.
func (b *operated) command(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	code := Execute(t.Context(), args, &Streams{Out: &out, Err: &errs, Environ: b.environ})
	require.Zero(t, code, "%q: %s%s", args, out.String(), errs.String())
	return out.String()
}

// contents is what stands in every table but the audit log, by table.
func (b *operated) contents(t *testing.T) map[string]string {
	t.Helper()
	rows, err := b.pool.Query(t.Context(), "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'audit_log'")
	require.NoError(t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Contains(t, tables, "orders")
	all := map[string]string{}
	for _, table := range tables {
		var text string
		require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT coalesce(string_agg(t::text, E'\n' ORDER BY t::text), '') FROM "+table+" t").Scan(&text))
		all[table] = text
	}
	return all
}

// key is the id of a key of the first shop.
func (b *operated) key(t *testing.T, n int) string {
	t.Helper()
	keys, err := b.store.ShopKeys(t.Context(), "first")
	require.NoError(t, err)
	return keys[n].ID
}

func (b *operated) audit(t *testing.T) []store.AuditEntry {
	t.Helper()
	entries, err := b.store.LatestAudit(t.Context(), store.AuditFilter{}, 1000)
	require.NoError(t, err)
	return entries
}

// leaves are the names of all commands that can be run.
func leaves(node *kong.Node, path string) (names []string) {
	if node.Type == kong.CommandNode {
		path = strings.TrimSpace(path + " " + node.Name)
	}
	if len(node.Children) == 0 {
		return []string{path}
	}
	for _, child := range node.Children {
		names = append(names, leaves(child, path)...)
	}
	return names
}

// changing is each command that changes something in the database, with arguments that do.
func (b *operated) changing(t *testing.T) map[string][]string {
	t.Helper()
	_, err := b.pool.Exec(t.Context(), "UPDATE orders SET description = 'card 4012 0000 0000 3010' WHERE id = $1", b.paid.Order)
	require.NoError(t, err)
	mandate, paused := b.mandated(t, "mandate-1"), b.mandated(t, "mandate-2")
	b.command(t, "mandate", "pause", paused, "--reason", "x")
	return map[string][]string{
		"cards scan":                    {"cards", "scan", "--fix"},
		"shop create":                   {"shop", "create", "second"},
		"shop set":                      {"shop", "set", "first", "--notification-url", "https://shop.example/other"},
		"shop webhook-secret rotate":    {"shop", "webhook-secret", "rotate", "first"},
		"key create":                    {"key", "create", "first", "--name", "another"},
		"key rotate":                    {"key", "rotate", b.key(t, 0)},
		"key narrow":                    {"key", "narrow", b.key(t, 1), "--scope", "read"},
		"key revoke":                    {"key", "revoke", b.key(t, 2)},
		"account create":                {"account", "create", "EUR-2", "--provider", "smartcore", "--currency", "EUR", "--merchant-key", "k", "--secret-file", secretIn(t, "two")},
		"account set":                   {"account", "set", "EUR-1", "bank_payouts=off"},
		"account link":                  {"account", "link", "EUR-1", "--shop", "second"},
		"account unlink":                {"account", "unlink", "EUR-1", "--shop", "second"},
		"shop disable":                  {"shop", "disable", "first", "--mode", "drain"},
		"shop enable":                   {"shop", "enable", "first"},
		"key disable":                   {"key", "disable", b.key(t, 1), "--mode", "off"},
		"key enable":                    {"key", "enable", b.key(t, 1)},
		"account disable":               {"account", "disable", "EUR-1", "--mode", "off"},
		"account enable":                {"account", "enable", "EUR-1"},
		"account withhold":              {"account", "withhold", "EUR-1", "refund"},
		"account allow":                 {"account", "allow", "EUR-1", "refund"},
		"account close":                 {"account", "close", "EUR-2"},
		"account secret stage":          {"account", "secret", "stage", "EUR-1", "--secret-file", secretIn(t, "canary-staged")},
		"account secret promote":        {"account", "secret", "promote", "EUR-1"},
		"account secret retire":         {"account", "secret", "retire", "EUR-1", "--leaked"},
		"account callback-token rotate": {"account", "callback-token", "rotate", "EUR-1"},
		"order resolve":                 {"order", "resolve", b.unknown.Order.String(), "--status", "failed"},
		"order refresh":                 {"order", "refresh", b.paid.Order.String()},
		"mandate pause":                 {"mandate", "pause", mandate},
		"mandate resume":                {"mandate", "resume", paused},
		"mandate revoke":                {"mandate", "revoke", mandate},
		"mandate import":                {"mandate", "import", secretIn(t, importHeader+"old-1,their-1,1000,EUR\n"), "--shop", "first", "--account", b.importing(t)},
		"dispute open":                  {"dispute", "open", b.contested.Order.String(), "--kind", "chargeback", "--amount", "10", "--case", "CB-1"},
		"dispute set":                   {"dispute", "set", b.disputed(t).String(), "--status", "needs_response", "--note", "a parcel", "--evidence", secretIn(t, "signed for")},
		"dispute resolve":               {"dispute", "resolve", b.disputed(t).String(), "--outcome", "won"},
		"order resend":                  {"order", "resend", b.paid.Order.String(), "--from", "2"},
		"order unfreeze":                {"order", "unfreeze", b.frozen.Order.String(), "--accept", "provider_reference"},
		"feed rewind":                   {"feed", "rewind", "--since", "2026-01-01T00:00:00Z"},
		"rate set":                      {"rate", "set", "first", "--class", "writes", "--requests", "60", "--per", "3s"},
		"rate remove":                   {"rate", "remove", "first", "--class", "writes"},
		"route set":                     {"route", "set", secretIn(t, everythingTo("fake-1")), "--shop", "first"},
		"route activate":                {"route", "activate", "1", "--shop", "first", "--expect-version", "0"},
		"route deactivate":              {"route", "deactivate", "--shop", "first"},
		"route rollback":                {"route", "rollback", "--shop", "first", "--expect-version", "0"},
		"bin import":                    {"bin", "import", secretIn(t, "bin,country\n401200,GB\n")},
		"limit set":                     {"limit", "set", "--shop", "first", "--kind", "payout", "--rule", "day", "--orders", "5"},
		"limit remove":                  {"limit", "remove", "--shop", "first", "--kind", "payout", "--rule", "day"},
		"erase order":                   {"erase", "order", b.rested[0].Order.String(), "--force"},
		"erase customer":                {"erase", "customer", "customer-1", "--shop", "first", "--force"},
		"erase replay":                  {"erase", "replay", "--from", secretIn(t, b.receipt(t, b.rested[2]))},
		"hold add":                      {"hold", "add", b.rested[3].Order.String()},
		"hold remove":                   {"hold", "remove", b.held(t).Order.String()},
		"limit pause":                   {"limit", "pause", "first"},
		"limit resume":                  {"limit", "resume", "first"},
		"payout release":                {"payout", "release", b.waiting(t, "waits-1")},
		"payout reject":                 {"payout", "reject", b.waiting(t, "waits-2")},
		"retention run":                 {"retention", "run"},
		"audit accept":                  {"audit", "accept", "--account", "EUR-1"},
	}
}

// receipt is that of an erasure that a restored backup has undone.
func (b *operated) receipt(t *testing.T, order payment.Key) string {
	t.Helper()
	var key []byte
	require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT data_key FROM orders WHERE id = $1", order.Order).Scan(&key))
	receipt, err := b.store.Erase(t.Context(), store.Erasure{Order: order, Command: "erase order", Force: true})
	require.NoError(t, err)
	_, err = b.pool.Exec(t.Context(), "UPDATE orders SET data_key = $1 WHERE id = $2", key, order.Order)
	require.NoError(t, err)
	line, err := json.Marshal(receipt)
	require.NoError(t, err)
	return string(line)
}

// held is an order under a hold.
func (b *operated) held(t *testing.T) payment.Key {
	t.Helper()
	_, err := b.pool.Exec(t.Context(), "INSERT INTO order_holds (shop_id, order_id, reason, at) VALUES ($1, $2, 'dispute', now())", b.paid.Shop, b.paid.Order)
	require.NoError(t, err)
	return b.paid
}

// waiting is the id of a payout that waits for a release.
func (b *operated) waiting(t *testing.T, reference string) string {
	t.Helper()
	service := payment.New(payment.Config{Store: b.store, Drivers: gateway.NewRegistry(&gatewaytest.Fake{})})
	_, _, err := service.Payout(t.Context(), payment.NewPayout{
		Shop: b.paid.Shop, Reference: reference, Minor: 100, Account: "fake-1", Method: gateway.PayoutMethod{Phone: "+442079460612"}, RequestHash: []byte(reference),
	})
	e, ok := errors.AsType[*payment.Error](err)
	require.True(t, ok && e.Approval != nil, "%v", err)
	return e.Approval.ID.String()
}

// mandated is the id of an active mandate at a provider that commands know.
func (b *operated) mandated(t *testing.T, reference string) string {
	t.Helper()
	_, err := b.store.CreateAccount(t.Context(), store.NewAccount{
		Name: "EUR-" + reference, Provider: "smartcore", Currency: "EUR", Shops: []string{"first"},
		Secrets: map[string]gateway.Secret{"merchant_key": "k", "secret": "three"},
	})
	require.NoError(t, err)
	service := payment.New(payment.Config{Store: b.store, Drivers: gateway.NewRegistry(&gatewaytest.Fake{
		ProviderName: "smartcore",
		CreatePaymentFunc: func(context.Context, gateway.PaymentRequest) (gateway.Result, error) {
			return gateway.Result{Status: gateway.StatusSucceeded}, nil
		},
	})})
	o, _, err := service.CreatePayment(t.Context(), payment.NewPayment{
		Shop: b.paid.Shop, Reference: reference, Account: "EUR-" + reference, Amount: money.New(1000, "EUR"), Flow: gateway.FlowHosted, RequestHash: []byte(reference),
		Recurring: gateway.Recurring{Enabled: true, FrequencyDays: 30}, Description: "Socks",
		Mandate: payment.MandateTerms{MaxAmount: 700, Schedule: &payment.MandateSchedule{Every: payment.EveryMonth, Interval: 1, Amount: 500, RetryDays: []int{1, 3}}},
	})
	require.NoError(t, err)
	return o.ID.String()
}

// disputed is an open dispute.
func (b *operated) disputed(t *testing.T) uuid.UUID {
	t.Helper()
	service := payment.New(payment.Config{Store: b.store, DisputeStore: b.store, Drivers: gateway.NewRegistry(&gatewaytest.Fake{})})
	d, err := service.OpenDispute(t.Context(), payment.NewDispute{Payment: b.contested, Kind: payment.DisputeExternalRefund, Minor: 1, Reason: "seen in the cabinet", Another: true})
	require.NoError(t, err)
	return d.ID
}

// reading is each command that changes nothing in the database of a service.
var reading = []string{
	"dev", "scenarios", "sandbox", "clock show", "clock advance", "run", "migrate up", "migrate status", "roles sql", "keyset new", "keyset status", "shop list", "key list", "key activity", "route list", "route show", "route diff", "route try", "route explain", "route replay", "bin show", "bin status", "rate list", "limit list", "payout list", "account list", "account show", "order list", "order show", "dispute list", "dispute show", "mandate list", "mandate show",
	"statement list", "statement file", "hold list", "audit list", "audit export", "audit verify", "version", "healthcheck", "listen", "trigger", "doctor",
}

// recorded write nothing but an audit entry. TestTheLastTestOfAnAccountIsKept and TestAnAnchorIsAnEntry find it.
var recorded = []string{"account test", "audit anchor"}

// keysetActs change the keyset, which is not in the database. TestKeysetLivesAndDies finds their entries.
var keysetActs = []string{"keyset add", "keyset promote", "keyset reencrypt", "keyset retire", "keyset destroy"}

func TestAnAnchorIsAnEntry(t *testing.T) {
	t.Parallel()
	b := newOperated(t)
	b.command(t, "audit", "anchor", "--as", "Ann", "--reason", "nightly")
	entries := b.audit(t)
	entry := entries[len(entries)-1]
	require.Equal(t, [3]string{"audit anchor", "Ann", "nightly"}, [3]string{entry.Action, entry.ClaimedBy, entry.Reason})
	require.Contains(t, string(entry.After), b.paid.Shop.String())
	require.JSONEq(t, `{"shops": 1}`, b.command(t, "audit", "anchor", "--json"))
}

// TestEveryChangeByACommandIsAudited goes over the table of commands. One that is new must be told here.
func TestEveryChangeByACommandIsAudited(t *testing.T) {
	t.Parallel()
	b := newOperated(t)
	changing := b.changing(t)
	c, words, err := newCLI()
	require.NoError(t, err)
	parser, err := kong.New(c, words)
	require.NoError(t, err)
	commands := leaves(parser.Model.Node, "")
	require.Greater(t, len(commands), 15)
	for _, name := range commands {
		require.True(t, changing[name] != nil || slices.Contains(reading, name) || slices.Contains(keysetActs, name) || slices.Contains(recorded, name), "say in this test what %q changes", name)
	}
	for _, name := range commands { // in the order of the table
		args := changing[name]
		if args == nil {
			continue
		}
		if name == "audit accept" { // there must be something to accept
			_, err := b.pool.Exec(t.Context(), "UPDATE accounts SET purpose = 'payments' WHERE name = 'EUR-1'")
			require.NoError(t, err)
		}
		before, entries := b.contents(t), len(b.audit(t))
		b.command(t, append(args, "--as", "Ann", "--reason", "a test of "+name)...)
		require.NotEqual(t, before, b.contents(t), "%s changed nothing: give it other arguments", name)
		audit := b.audit(t)
		require.Len(t, audit, entries+1, name)
		e := audit[entries]
		require.Equal(t, name, e.Action)
		require.Equal(t, [3]string{operatorName(), "Ann", "a test of " + name}, [3]string{e.Actor, e.ClaimedBy, e.Reason}, name)
		require.Equal(t, hostName(), e.Host)
		require.NotEmpty(t, e.ObjectID, name)
		require.NotNil(t, e.After, name)
		require.NotContains(t, string(e.Before)+string(e.After), "canary")
	}
}

func TestWhatCannotBeAuditedIsNotDone(t *testing.T) {
	t.Parallel()
	b := newOperated(t)
	changing := b.changing(t)
	_, err := b.pool.Exec(t.Context(), "ALTER TABLE audit_log ADD CONSTRAINT full_disk CHECK (false) NOT VALID")
	require.NoError(t, err)
	before := b.contents(t)
	for name, args := range changing {
		var out bytes.Buffer
		require.Equal(t, 1, Execute(t.Context(), append(args, "--reason", "a test"), &Streams{Out: &out, Err: &out, Environ: b.environ}), "%s: %s", name, out.String())
		require.Equal(t, before, b.contents(t), name)
	}
}

func TestAuditLogIsSelectedAndExported(t *testing.T) {
	t.Parallel()
	b := newOperated(t)
	b.command(t, "shop", "create", "second", "--as", "Ann", "--reason", `a "quoted", reason`)
	b.command(t, "shop", "set", "first", "--notification-url", "https://shop.example/other")

	list := b.command(t, "audit", "list", "--actor", "Ann")
	require.Contains(t, list, "(claims to be Ann)")
	require.Contains(t, list, "shop second")
	require.NotContains(t, list, "shop first")
	require.NotContains(t, b.command(t, "audit", "list", "--until", "2026-01-01T00:00:00Z"), "second")

	var entries []store.AuditEntry
	for line := range strings.Lines(b.command(t, "audit", "export", "--action", "shop", "--since", "2026-01-01T00:00:00Z")) {
		var e store.AuditEntry
		require.NoError(t, json.Unmarshal([]byte(line), &e))
		entries = append(entries, e)
	}
	require.Len(t, entries, 3)
	require.Equal(t, "service", entries[0].ActorKind, "the first shop was made by no command")
	require.JSONEq(t, `{"allow_cidrs": [], "notification_url": "https://shop.example/hook"}`, string(entries[2].Before))
	require.JSONEq(t, `{"allow_cidrs": [], "notification_url": "https://shop.example/other"}`, string(entries[2].After))

	b.command(t, "shop", "set", "second", "--site-url", "https://shop.example/", "--as", "@SUM(1)", "--reason", `=HYPERLINK("https://elsewhere.example")`)
	rows, err := csv.NewReader(strings.NewReader(b.command(t, "audit", "export", "--format", "csv", "--shop", "second"))).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 3)
	require.Equal(t, `a "quoted", reason`, rows[1][len(rows[0])-1])
	require.Equal(t, `'=HYPERLINK("https://elsewhere.example")`, rows[2][len(rows[0])-1], "no formula")
	require.Contains(t, rows[2], "'@SUM(1)")
}

// A text with a line break would forge an entry where the log is listed.
func TestTextsWithControlCharactersAreRefused(t *testing.T) {
	t.Parallel()
	b := newOperated(t)
	before := b.contents(t)
	for _, args := range [][]string{
		{"shop", "create", "second", "--reason", "a\n2031-01-01T00:00:00Z ann@host shop set"},
		{"shop", "create", "second", "--as", "a\x1b[31mb"},
		{"key", "create", "first", "--name", "a\rb"},
		{"shop", "create", "second", "--reason", "a\u202eb"},
		{"shop", "create", "second", "--as", "a\u2028b"},
	} {
		require.Contains(t, b.refused(t, args...), "has control characters", "%q", args)
	}
	for flag, wrong := range map[string]string{"--days": "0", "--from": "::ffff:127.0.0.1/128"} {
		require.Contains(t, b.refused(t, "key", "create", "first", flag, wrong), flag)
	}
	require.Equal(t, before, b.contents(t))
}

// A reason that is given says something.
func TestAnEmptyReasonIsRefused(t *testing.T) {
	t.Parallel()
	b := newOperated(t)
	for _, args := range [][]string{
		{"account", "disable", "EUR-1", "--mode", "off"}, {"erase", "order", b.paid.Order.String()}, {"hold", "add", b.paid.Order.String()}, {"retention", "run"},
	} {
		before := b.contents(t)
		text := b.refused(t, append(args, "--reason", " ")...)
		require.Contains(t, text, "it is empty: say why", "%v", args)
		require.Equal(t, before, b.contents(t))
	}
}
