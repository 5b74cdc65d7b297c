package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
	"payrelay/internal/store"
)

// An operator finds a mandate, pauses, resumes and revokes it.
func TestMandateCommands(t *testing.T) {
	t.Parallel()
	b := newOperated(t)
	id := b.mandated(t, "mandate-1")
	require.Regexp(t, id+` +first +active +on_demand +7.00 EUR +0 +- +EUR-mandate-1 +mandate-1`, b.command(t, "mandate", "list"))
	require.NotContains(t, b.command(t, "mandate", "list", "--status", "paused"), id)
	require.Contains(t, b.fails(t, "mandate", "list", "--shop", "nobody"), "there is no shop named")
	require.Contains(t, b.command(t, "mandate", "pause", "mandate-1", "--reason", "asked by the customer"), id+" of first: paused")
	text := b.command(t, "mandate", "show", id)
	for _, line := range []string{"terms           7.00 EUR each at most, 30 days apart\n", "schedule        5.00 EUR each month, tried again 1, 3 days after the first try\n", "decided         paused, "} {
		require.Contains(t, text, line)
	}
	require.Contains(t, b.command(t, "mandate", "resume", id, "--reason", "x"), "active")
	require.Contains(t, b.command(t, "mandate", "show", id), "not charged     -\n")
	require.Contains(t, b.command(t, "account", "unlink", "EUR-mandate-1", "--shop", "first", "--force"), "1 mandate of it is charged no more")
	require.Contains(t, b.command(t, "mandate", "show", id), "not charged     The account EUR-mandate-1 was taken from this shop")
	var shown map[string]any
	require.NoError(t, json.Unmarshal([]byte(b.command(t, "mandate", "revoke", id, "--json", "--reason", "a letter")), &shown))
	require.Equal(t, []any{"revoked", "first", 700.0}, []any{shown["status"], shown["shop"], shown["max_amount"]})
	require.Contains(t, b.fails(t, "mandate", "resume", id, "--reason", "x"), "The mandate is revoked")
	require.Contains(t, b.fails(t, "mandate", "show", b.paid.Order.String()), "There is no such mandate")
	var acts []string
	for _, e := range b.audit(t) {
		if e.ObjectKind == "mandate" {
			require.Equal(t, id, e.ObjectID)
			acts = append(acts, e.Action)
		}
	}
	require.ElementsMatch(t, []string{"mandate pause", "mandate resume", "mandate revoke"}, acts)
}

const importHeader = "reference,provider_order_id,amount,currency\n"

// importing is an account at a provider that has a payment of 1000 under every id, but for those that say something else: another
// sum, "failed" or "none".
func (b *operated) importing(t *testing.T) string {
	t.Helper()
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct {
			OrderID string `json:"order_id"`
		}
		_ = json.NewDecoder(r.Body).Decode(&asked)
		status, amount := 2, 1000
		switch {
		case strings.HasPrefix(asked.OrderID, "none"):
			_, _ = fmt.Fprint(w, `{"err": "ORDER_NOT_FOUND"}`)
			return
		case strings.HasPrefix(asked.OrderID, "failed"):
			status = -1
		}
		_, _ = fmt.Sscanf(asked.OrderID, "sum-%d", &amount)
		_, _ = fmt.Fprintf(w, `{"status": %d, "amount": %d, "finalAmount": %[2]d, "order_id": %q, "type": "Payment"}`, status, amount, asked.OrderID)
	}))
	t.Cleanup(provider.Close)
	_, err := b.store.CreateAccount(t.Context(), store.NewAccount{
		Name: "EUR-old", Provider: "smartcore", Currency: "EUR", Shops: []string{"first"}, Settings: map[string]string{"gateway_url": provider.URL},
		Secrets: map[string]gateway.Secret{"merchant_key": "moved", "secret": "four"},
	})
	require.NoError(t, err)
	return "EUR-old"
}

func (b *operated) imports(t *testing.T, text string, more ...string) (code int, out string) {
	t.Helper()
	var buffer, log bytes.Buffer
	args := append([]string{"mandate", "import", secretIn(t, text), "--shop", "first", "--account", "EUR-old", "--reason", "we move"}, more...)
	code = Execute(t.Context(), args, &Streams{Out: &buffer, Err: &log, Environ: b.environ})
	if code != 0 {
		buffer.WriteString(log.String())
	}
	return code, buffer.String()
}

// Every line is checked, and one wrong line keeps all from being imported.
func TestWrongLinesOfAnImport(t *testing.T) {
	t.Parallel()
	b := newOperated(t)
	b.importing(t)
	before, entries := b.contents(t), len(b.audit(t))
	day := func(days int) string { return time.Now().AddDate(0, 0, days).UTC().Format(time.RFC3339) }
	all := "reference,provider_order_id,amount,currency,description,customer,max_amount,min_days,expires_at,max_charges,last_charged_at,schedule_every,schedule_interval,schedule_amount,schedule_retry_days\n"
	for line, says := range map[string]string{
		",p-1,1000,EUR,,,,,,,,,,,":                                  "line 2: reference: must be 1 to 64",
		"a~late,p-1,1000,EUR,,,,,,,,,,,":                            "reference: is of a form that only payrelay gives",
		"paid-1,p-1,1000,EUR,,,,,,,,,,,":                            "reference: the shop has a payment of this reference",
		"a,p 1,1000,EUR,,,,,,,,,,,":                                 "line 2 (a): provider_order_id: must be the provider's own id",
		"a,none-1,1000,EUR,,,,,,,,,,,":                              "provider_order_id: the provider knows no such payment",
		"a,failed-1,1000,EUR,,,,,,,,,,,":                            "provider_order_id: the provider shows it as failed",
		"a,sum-900,1000,EUR,,,,,,,,,,,":                             "amount: the provider says that 900 was paid",
		"a,p-1,10.00,EUR,,,,,,,,,,,":                                "amount: must be a whole number",
		"a,p-1,,EUR,,,,,,,,,,,":                                     "amount: is missing",
		"a,p-1,1000,EURO,,,,,,,,,,,":                                "currency: must be a code of ISO 4217",
		"a,p-1,1000,USD,,,,,,,,,,,":                                 "currency: the account holds EUR",
		"a,p-1,1000,EUR,card 4012 0000 0000 3010,,,,,,,,,,":         "description: may hold a card number",
		"4012 0000 0000 3010,p-1,1000,EUR,,,,,,,,,,,":               "line 2: reference: may hold a card number",
		"a,p-1,1000,EUR,," + strings.Repeat("x", 501) + ",,,,,,,,,": "customer: must have at most 500",
		"a,p-1,1000,EUR,,,0,,,,,,,,":                                "max_amount: must be a whole number from 1",
		"a,p-1,1000,EUR,,,,367,,,,,,,":                              "min_days: must be a whole number from 1 to 366",
		"a,p-1,1000,EUR,,,,,tomorrow,,,,,,":                         "expires_at: must be a time of RFC 3339",
		"a,p-1,1000,EUR,,,,,2020-01-01T00:00:00Z,,,,,,":             "expires_at: is past",
		"a,p-1,1000,EUR,,,,,,-1,,,,,":                               "max_charges: must be a whole number",
		"a,p-1,1000,EUR,,,,,,," + day(1) + ",,,,":                   "last_charged_at: is still to come",
		"a,p-1,1000,EUR,Socks,,,,,,,year,,,":                        "schedule_every: must be day, week or month",
		"a,p-1,1000,EUR,Socks,,,,,,,,2,,":                           "schedule_interval: means nothing without schedule_every",
		"a,p-1,1000,EUR,Socks,,,,,,,month,,1001,":                   "schedule_amount: is above max_amount",
		"a,p-1,1000,EUR,Socks,,,,,,,month,,,3 1":                    "schedule_retry_days: must rise",
		"a,p-1,1000,EUR,Socks,,,,,,,month,,,1;3":                    "schedule_retry_days: must be up to 8 numbers",
		"a,p-1,1000,EUR,,,,,,,,month,,,":                            "description: is required with a schedule",
		"a,p-1,1000,EUR,Socks,,,,," + "," + day(-40) + ",month,,,":  "last_charged_at: by the schedule a charge was due",
		"a,p-1,1000,EUR":                                            "the line has 4 cells, and the first line names 15 columns",
		"a,p-1,1000,EUR,,,,,,,,,,,\na,p-2,1000,EUR,,,,,,,,,,,":      "line 3 (a): reference: is also that of line 2",
		"a,p-1,1000,EUR,,,,,,,,,,,\nb,p-1,1000,EUR,,,,,,,,,,,":      "line 3 (b): provider_order_id: is also that of line 2",
	} {
		code, out := b.imports(t, all+line+"\ngood,p-9,1000,EUR,,,,,,,,,,,\n")
		require.Equal(t, 1, code, "%s: %s", line, out)
		require.Contains(t, out, says, line)
		require.Contains(t, out, "Nothing was imported", line)
		require.NotContains(t, out, "4012 0000 0000 3010")
		require.Contains(t, out, "(good): new\n", "the other lines are judged all the same")
	}
	for text, says := range map[string]string{
		"":                        "the file is empty",
		importHeader:              "the file has no line but the first",
		"reference,amount\na,1\n": `the column "provider_order_id" is missing`,
		"reference,provider_order_id,amount,curency\n":         `there is no column "curency": did you mean "currency"?`,
		importHeader + "\"a,p,1,EUR\n":                         "the file is no CSV",
		importHeader + "\xff,p,1,EUR\n":                        "not UTF-8",
		importHeader + strings.Repeat("a,p,1,EUR\n", 2001):     "more than 2000 lines",
		importHeader + strings.Repeat("a", 1<<20):              "larger than 1048576 bytes",
		"reference,provider_order_id,amount,currency,amount\n": `the column "amount" is there twice`,
	} {
		code, out := b.imports(t, text)
		require.Equal(t, 1, code, says)
		require.Contains(t, out, says)
	}
	code, out := b.imports(t, importHeader+"a,p-1,1000,EUR\n", "--dry-run")
	require.Zero(t, code, out)
	require.Contains(t, out, "0 imported, 1 new and not imported, 0 imported before, 0 wrong.")
	require.Contains(t, out, "did not name the currency of 1 payment:")
	require.Equal(t, before, b.contents(t))
	require.Len(t, b.audit(t), entries)
	code, out = b.imports(t, importHeader+"a,p-1,1000,EUR\n", "--account", "EUR-nobody")
	require.Equal(t, 1, code)
	require.Contains(t, out, "There is no such account for this shop")
}

// What was imported is there once, whoever imports it again, and however the file begins.
func TestAnImportOfMandates(t *testing.T) {
	t.Parallel()
	b := newOperated(t)
	b.importing(t)
	file := "\ufeffamount,currency,provider_order_id,reference,description,customer,max_amount,max_charges,last_charged_at,schedule_every,schedule_amount\n" +
		"1000,EUR,their 1,old-1,,,,,,,\n"
	code, out := b.imports(t, file)
	require.Equal(t, 1, code, out)
	charged := time.Now().AddDate(0, 0, -10).UTC().Truncate(time.Second)
	file = strings.Replace(file, "their 1,old-1,,,,,,,", "their-1,old-1,Socks,c-17,700,12,"+charged.Format(time.RFC3339)+",month,500", 1)
	code, out = b.imports(t, file, "--json", "--as", "Ann")
	require.Zero(t, code, out)
	var shown struct {
		Imported, Repeats, Wrong int
		Lines                    []importedLine
	}
	require.NoError(t, json.Unmarshal([]byte(out), &shown))
	require.Equal(t, [4]any{1, lineImported, 2, "their-1"}, [4]any{shown.Imported, shown.Lines[0].Result, shown.Lines[0].Line, shown.Lines[0].Parent})
	id := shown.Lines[0].Mandate.String()
	text := b.command(t, "mandate", "show", id)
	for _, line := range []string{"terms           7.00 EUR each at most, 12 charges\n", "schedule        5.00 EUR each month\n", "charged before  " + charged.Format(time.RFC3339) + "\n"} {
		require.Contains(t, text, line)
	}

	before, entries := b.contents(t), b.audit(t)
	code, out = b.imports(t, file)
	require.Zero(t, code, out)
	require.Contains(t, out, "line 2 (old-1): repeat, mandate "+id)
	for line, says := range map[string]string{
		"old-1,their-2,1000,EUR\n":                    "reference: it is that of the parent their-1, imported before",
		"old-1,their-1,1000,EUR\n":                    "reference: it was imported before with another sum or other terms",
		"old-2,their-1,1000,EUR\n":                    "provider_order_id: the payment is here already, as old-1 of the shop first",
		"old-2," + b.named(t, b.paid) + ",1000,EUR\n": "provider_order_id: the payment is here already, as paid-1 of the shop first",
	} {
		code, out := b.imports(t, importHeader+line)
		require.Equal(t, 1, code, out)
		require.Contains(t, out, says)
	}
	b.command(t, "shop", "create", "second")
	b.command(t, "account", "link", "EUR-old", "--shop", "second")
	code, out = b.imports(t, importHeader+"mine,their-1,1000,EUR\n", "--shop", "second")
	require.Equal(t, 1, code)
	require.Contains(t, out, "the payment is here already, as old-1 of the shop first")
	require.Equal(t, before["orders"], b.contents(t)["orders"])
	require.Equal(t, before["mandates"], b.contents(t)["mandates"])

	var acts []store.AuditEntry
	for _, e := range entries {
		if e.Action == "mandate import" {
			acts = append(acts, e)
		}
	}
	require.Len(t, acts, 1)
	require.Equal(t, [4]string{id, "first", "Ann", "we move"}, [4]string{acts[0].ObjectID, acts[0].Shop, acts[0].ClaimedBy, acts[0].Reason})
	require.Contains(t, string(acts[0].After), `"provider_order_id":"their-1"`)
	_, err := b.pool.Exec(t.Context(), "DELETE FROM deliveries")
	require.NoError(t, err)
	require.Contains(t, b.fails(t, "erase", "customer", "c-17", "--shop", "first", "--force", "--reason", "x"), "mandate "+id+" is active")
	b.command(t, "mandate", "revoke", id, "--reason", "x")
	require.Contains(t, b.command(t, "erase", "customer", "c-17", "--shop", "first", "--force", "--reason", "x"), id)
	code, out = b.imports(t, file)
	require.Zero(t, code, out)
	require.Contains(t, out, "line 2 (old-1): repeat, mandate "+id, "an erased one is not imported anew")
	due := time.Time{}
	require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT due_at FROM mandate_runs WHERE id = $1", id).Scan(&due))
	require.Equal(t, charged.AddDate(0, 1, 0), due.UTC(), "the first period counts from the last charge")
}

// named is the id of an order at its provider.
func (b *operated) named(t *testing.T, key payment.Key) (id string) {
	t.Helper()
	require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT provider_order_id FROM orders WHERE id = $1", key.Order).Scan(&id))
	return id
}
