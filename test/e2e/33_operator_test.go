package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"payrelay/internal/app"
	"payrelay/internal/secrets"
)

// An operator sees the whole story of an order, and can have its notifications sent again.
func TestAnOperatorSeesAndResends(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	o := d.paid("operator-1", 1000, "")
	d.requireTimeline(o.ID, "created by request", "requires_action by answer", "succeeded by callback|check")
	eventually(t, func() bool { return len(d.verdicts(o.ID)) > 0 })
	text := d.operator("order", "show", o.ID)
	for _, want := range []string{"waits for: nothing", "none → created", "callback received", "succeeded: apply", "notification", "payment.succeeded delivered after 1 attempt"} {
		require.Contains(t, text, want)
	}
	require.Contains(t, d.operator("order", "resend", o.ID, "--from", "3"), "Order "+o.ID+": 1 notification is sent again")
	eventually(t, func() bool {
		return strings.Contains(d.operator("order", "show", o.ID), "payment.succeeded delivered after 2 attempts")
	})
	require.Equal(t, []string{"2 payment.requires_action", "3 payment.succeeded"}, d.arrivals(o.ID), "the shop knows it by its id")
}

// Whatever name of an order an operator has, and whatever of the order somebody asks about.
func TestAnOperatorFindsAnOrder(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	p := d.paid("found-1", 1000, "")
	refund := d.refunded(p, "found-1-back", 300)
	other := d.of("other", "EUR-sandbox").paid("found-1", 1200, "")
	simulator := d.simulator(p.ProviderOrderID)
	require.NotEmpty(t, simulator.ProcessingID)
	for _, name := range [][]string{{p.ID}, {p.ProviderOrderID}, {simulator.ProcessingID}, {"found-1", "--shop", "demo"}} {
		text := d.operator(append([]string{"order", "show"}, name...)...)
		for _, want := range []string{
			"payment " + p.ID, "shop demo, its reference found-1,", p.ProviderOrderID, simulator.ProcessingID, "captured 10.00 EUR, refunded 3.00 EUR",
		} {
			require.Contains(t, text, want)
		}
		require.Regexp(t, `refund +`+refund.ID+` +reference found-1-back +succeeded +3.00 EUR`, text)
		require.NotContains(t, text, other.ID)
	}
	require.Regexp(t, `of payment +`+p.ID+` +reference found-1 +succeeded +10.00 EUR`, d.operator("order", "show", "found-1-back"))

	var shown struct {
		Order    struct{ full }
		Shop     string
		WaitsFor string `json:"waits_for"`
		Parent   *struct {
			ID string `json:"id"`
		}
		Children []struct {
			ID   string `json:"id"`
			Shop string `json:"shop"`
		}
	}
	require.NoError(t, json.Unmarshal([]byte(d.operator("order", "show", p.ID, "--json")), &shown))
	require.Equal(t, []any{p.ID, "demo", "nothing", int64(300)}, []any{shown.Order.ID, shown.Shop, shown.WaitsFor, shown.Order.AmountRefunded})
	require.Nil(t, shown.Parent)
	require.Len(t, shown.Children, 1)
	require.Equal(t, refund.ID, shown.Children[0].ID)
	require.NoError(t, json.Unmarshal([]byte(d.operator("order", "show", refund.ID, "--json")), &shown))
	require.Equal(t, p.ID, shown.Parent.ID)

	var listed []struct {
		full
		Shop      string `json:"shop"`
		WaitsFor  string `json:"waits_for"`
		Conflicts *int   `json:"conflicts"`
	}
	require.NoError(t, json.Unmarshal([]byte(d.operator("order", "list", "found-1", "--json")), &listed))
	require.Equal(t, []string{"other", "demo"}, []string{listed[0].Shop, listed[1].Shop})
	require.Equal(t, []string{other.ID, p.ID}, []string{listed[0].ID, listed[1].ID})
	waiting := d.create("found-2")
	require.NoError(t, json.Unmarshal([]byte(d.operator("order", "list", "--shop", "demo", "--older", "0s", "--json")), &listed))
	require.Equal(t, []string{waiting.ID, "demo", "the customer"}, []string{listed[0].ID, listed[0].Shop, listed[0].WaitsFor})
	require.NotNil(t, listed[0].Conflicts)
	require.Regexp(t, waiting.ID+` +demo +found-2 +payment `, d.operator("order", "list", "--older", "0s"))
	require.Contains(t, d.operator("order", "list", "--shop", "other", "--older", "0s"), "No order needs a person")

	environ := []string{"DATABASE_URL=" + d.DatabaseURL, "SECRET_KEYSET=" + secrets.DemoKeyset}
	for want, args := range map[string][]string{
		"several orders are called":          {"show", "found-1"},
		p.ID + "  payment of demo":           {"resolve", "found-1", "--status", "failed", "--reason", "a test"},
		`no order is called "nobody's"`:      {"show", "nobody's"},
		`no order of shop other is called`:   {"resend", p.ID, "--shop", "other", "--from", "2"},
		`there is no shop named "nowhere"`:   {"list", "--shop", "nowhere"},
		`no order is called "pr-none": give`: {"list", "pr-none"},
		"leave \"found-1\" out":              {"list", "found-1", "--dead-lettered"},
	} {
		code, out, text := command(environ, append([]string{"order"}, args...)...)
		require.Equal(t, 1, code, "%v %s", args, out)
		require.Contains(t, text, want)
	}
}

// Log lines of what goes out say whose it is and where it goes, and no more of an address than its host.
func TestLogLinesNameShopAccountAndHost(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	d.settings(map[string]any{"export_pending_polls": 0})
	o := d.paid("logged-1", 1000, "")
	eventually(t, func() bool { return len(d.arrivals(o.ID)) > 0 })
	d.call(http.MethodGet, "/v1/accounts/EUR-sandbox-payout/balance", "", nil)
	d.awaitTransactionReport(d.newTransactionReport("succeeded").ID, "ready")
	seen := map[string]bool{}
	for text := range strings.Lines(d.log.String()) {
		var line struct{ Message, Shop, Account, Host, Operation string }
		if json.Unmarshal([]byte(text), &line) != nil || line.Message != "provider call" && line.Message != "notification attempt" {
			continue
		}
		seen[line.Message+" "+line.Operation] = true
		require.Equal(t, "demo", line.Shop, text)
		require.Contains(t, line.Account, "EUR-sandbox", text)
		require.Regexp(t, `^127\.0\.0\.1:[0-9]+$`, line.Host, text)
	}
	for _, want := range []string{"notification attempt ", "provider call initPaymentHost2Host", "provider call balance", "provider call exportCreate", "provider call exportStatus", "provider call exportResult"} {
		require.True(t, seen[want], "%s of %v", want, seen)
	}
	require.NotContains(t, d.log.String(), "/notifications")
}

// What an operator decides is written down by the database's time, as the service does. Here it is seven hours ahead of
// this machine.
func TestAnOperatorsMachineMayHaveAnotherTime(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	conn, err := pgx.Connect(t.Context(), d.DatabaseURL)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	_, err = conn.Exec(t.Context(), `CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT pg_catalog.clock_timestamp() + interval '7 hours' $$`)
	require.NoError(t, err)
	d.fault("callback_off", "", "", nil)
	o := d.create("operator-2")
	ahead, err := url.Parse(d.DatabaseURL)
	require.NoError(t, err)
	query := ahead.Query()
	query.Set("search_path", "public,pg_catalog")
	ahead.RawQuery = query.Encode()
	there := d.with(t)
	there.DatabaseURL = ahead.String()
	there.operator("order", "resolve", o.ID, "--status", "failed", "--reason", "a test", "--force")
	var written, due time.Time
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT max(at) FROM order_transitions WHERE order_id = $1", o.ID).Scan(&written))
	require.WithinDuration(t, time.Now().Add(7*time.Hour), written, time.Minute)
	there.operator("order", "resend", o.ID, "--from", "3")
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT next_attempt_at FROM deliveries WHERE order_id = $1 AND sequence = 3", o.ID).Scan(&due))
	require.WithinDuration(t, time.Now().Add(7*time.Hour), due, time.Minute)
}

// A secret that was changed at the provider is changed here, too, and the running service takes it within seconds.
func TestAnOperatorChangesAnAccountsSecret(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	d.create("secret-1")
	file := filepath.Join(t.TempDir(), "secret")
	set := func(secret string, args ...string) {
		require.NoError(t, os.WriteFile(file, []byte(secret+"\n"), 0o600))
		d.operator(append([]string{"account", "secret", "stage", "EUR-sandbox", "--secret-file", file}, args...)...)
		d.operator("account", "secret", "promote", "EUR-sandbox")
	}
	set("of yesterday")
	o := d.makes("/v1/payments", direct("secret-2", 1000, cardMethod(cardSuccess), ""), http.StatusCreated)
	require.Equal(t, "failed", o.Status)
	require.Equal(t, "contact_provider", o.Failure.Advice)
	_, metrics := d.adminGet("/metrics")
	require.Contains(t, metrics, `payrelay_credentials_refused_total{provider="smartcore"} 1`)
	require.Contains(t, d.log.String(), "refuses the account's credentials")
	set("qwerty")
	d.paid("secret-3", 1000, "")

	environ := []string{"DATABASE_URL=" + d.DatabaseURL, "SECRET_KEYSET=" + secrets.DemoKeyset}
	for want, args := range map[string][]string{
		"nothing to stage":                        {"stage", "EUR-sandbox"},
		`no account named "nobody"`:               {"stage", "nobody", "--merchant-key", "m"},
		"--secret-file":                           {"stage", "EUR-sandbox", "--secret-file", file + ".missing"},
		"is nothing that an account at uapay has": {"stage", "UAH-sandbox", "--merchant-key", "m"},
		"settings are not staged":                 {"stage", "UAH-sandbox", "--direct-engine", "c2a"},
		"No secret of UAH-sandbox is staged":      {"promote", "UAH-sandbox"},
	} {
		require.NoError(t, os.WriteFile(file, []byte("of tomorrow\n"), 0o600))
		code, out, text := command(environ, append([]string{"account", "secret"}, args...)...)
		require.Equal(t, 1, code, "%v %s", args, out)
		require.Contains(t, text, want)
	}
	d.paid("secret-4", 1000, "") // nothing was changed by any of them

	stage := func(secret string, args ...string) (int, string) {
		require.NoError(t, os.WriteFile(file, []byte(secret+"\n"), 0o600))
		code, _, text := command(environ, append([]string{"account", "secret", "stage", "EUR-sandbox", "--secret-file", file}, args...)...)
		return code, text
	}
	code, _ := stage("installed at the provider")
	require.Zero(t, code)
	code, text := stage("of somebody else")
	require.Equal(t, 1, code)
	require.Contains(t, text, "Another value of secret is staged for EUR-sandbox")
	code, text = stage("of somebody else", "--replace")
	require.Zero(t, code, text)
}

// A setting that was wrong is changed without a new account.
func TestAnOperatorChangesAnAccountsSettings(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	held := d.held("setting-1", 1000)
	d.operator("account", "set", "EUR-sandbox", "partial_capture=no")
	require.Contains(t, d.operator("account", "list", "--json"), `"partial_capture":"no"`)
	d.refuses("/v1/payments/"+held.ID+"/capture", `{"amount":900}`, http.StatusUnprocessableEntity, "not_supported_by_provider")
	d.operator("account", "set", "EUR-sandbox", "partial_capture=")
	require.NotContains(t, d.operator("account", "list", "--json"), `"partial_capture":`)
	d.makes("/v1/payments/"+held.ID+"/capture", `{"amount":900}`, http.StatusOK)
}

// A shop moves its endpoint, or had it answer 410 by mistake.
func TestAnOperatorMovesAShopsEndpoint(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	conn, err := pgx.Connect(t.Context(), d.DatabaseURL)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	state := func() (url string) {
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT notification_url FROM shops WHERE name = 'demo'").Scan(&url))
		return url
	}
	before := state()
	_, err = conn.Exec(t.Context(), "INSERT INTO addresses_off SELECT id, notification_url, now() FROM shops WHERE name = 'demo'")
	require.NoError(t, err)
	require.Contains(t, d.operator("shop", "list"), "switched off")
	require.Contains(t, d.operator("shop", "list", "--json"), `"held":0`)
	d.operator("shop", "set", "demo", "--resume")
	require.NotContains(t, d.operator("shop", "list"), "switched off")
	require.Equal(t, before, state())
	o := d.paid("moved-1", 1000, "")
	eventually(t, func() bool { return len(d.arrivals(o.ID)) > 0 })

	d.operator("shop", "set", "demo", "--notification-url", "https://shop.example.com/new")
	require.Equal(t, "https://shop.example.com/new", state())
	environ := []string{"DATABASE_URL=" + d.DatabaseURL, "SECRET_KEYSET=" + secrets.DemoKeyset}
	for want, args := range map[string][]string{
		"nothing to change":      {"demo"},
		`no shop named "nobody"`: {"nobody", "--resume"},
		"and a port":             {"demo", "--allow-cidr", "10.0.0.1"},
		"Nothing was changed":    {"demo", "--notification-url", "ftp://shop.example.com"},
	} {
		code, out, text := command(environ, append([]string{"shop", "set"}, args...)...)
		require.Equal(t, 1, code, "%v %s", args, out)
		require.Contains(t, text, want)
	}
	require.Equal(t, "https://shop.example.com/new", state())
}

// After a backup was restored, shops read again what may be lost, and are told so.
func TestFeedsAreSetBack(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	before := time.Now().UTC().Add(-2 * time.Minute).Format(time.RFC3339)
	d.paid("lost-1", 1000, "")
	type answer struct {
		Data       []json.RawMessage `json:"data"`
		LastCursor string            `json:"last_cursor"`
		Rewound    bool              `json:"rewound"`
	}
	var first, second, third answer
	d.call(http.MethodGet, "/v1/events", "", &first)
	require.NotEmpty(t, first.Data)
	require.False(t, first.Rewound)

	require.Contains(t, d.operator("feed", "rewind", "--since", before, "--reason", "backup restored"), "are set back")
	d.call(http.MethodGet, "/v1/events?cursor="+first.LastCursor, "", &second)
	require.True(t, second.Rewound)
	require.Equal(t, first.Data, second.Data)
	d.call(http.MethodGet, "/v1/events?cursor="+second.LastCursor, "", &third)
	require.False(t, third.Rewound)
	require.Empty(t, third.Data)

	for _, args := range [][]string{
		{"feed", "rewind", "--since", before},
		{"feed", "rewind", "--since", before, "--reason", " "},
		{"feed", "rewind", "--since", time.Now().Add(time.Hour).UTC().Format(time.RFC3339), "--reason", "x"},
	} {
		var out bytes.Buffer
		require.NotZero(t, app.Execute(t.Context(), args, &app.Streams{Out: &out, Err: &out, Environ: []string{"DATABASE_URL=" + d.DatabaseURL, "SECRET_KEYSET=" + secrets.DemoKeyset}}), args)
	}
}
