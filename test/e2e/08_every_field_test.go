package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"payrelay/api"
)

// overheard stands between the service and a provider and keeps what the service says.
type overheard struct {
	mu   sync.Mutex
	said bytes.Buffer
}

// overhear returns an address that leads to target.
func (o *overheard) overhear(t *testing.T, target string) string {
	to, err := url.Parse(target)
	require.NoError(t, err)
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		o.mu.Lock()
		o.said.WriteString(r.URL.Path + " ")
		o.said.Write(body)
		o.said.WriteByte('\n')
		o.mu.Unlock()
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// take returns what was said since it was called last.
func (o *overheard) take() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	defer o.said.Reset()
	return o.said.String()
}

// probe is a value for a field and how it reads at a provider or in the order: one of the texts must be there. with are
// fields that it makes no sense without, and withUAH those that UAPAY wants beside it.
type probe struct {
	value         any
	reads         []string
	with, withUAH map[string]any
}

func text(value string) probe { return probe{value: value, reads: []string{value}} }

// number is a number that each side may write in its own way.
func number(name string, value int) probe {
	var reads []string
	for _, key := range strings.Split(name, " ") {
		reads = append(reads, fmt.Sprintf(`"%s":%d`, key, value), fmt.Sprintf(`"%s":"%d"`, key, value))
	}
	return probe{value: value, reads: reads}
}

// probes are the fields of all requests that make orders.
func probes() map[string]probe {
	until := time.Date(2031, 2, 3, 4, 5, 6, 0, time.UTC)
	schedule := map[string]any{"recurring.enabled": true, "recurring.frequency_days": 77, "recurring.expires_at": until.Format(time.RFC3339)}
	plan := map[string]any{"mandate.schedule.every": "day", "description": "Socks"}
	terms := map[string]any{"mandate.min_days": 77, "mandate.expires_at": until.Format(time.RFC3339)}
	p := map[string]probe{
		"customer.first_name": text("Qfirst"), "customer.last_name": text("Qlast"), "customer.middle_name": text("Qmiddle"),
		"customer.email": text("q@example.com"), "customer.phone": {value: "+442079460987", reads: []string{"442079460987"}}, "customer.ip": text("203.0.113.77"),
		"customer.birth_date":   {value: "1997-06-05", reads: []string{"05.06.1997", "1997-06-05"}},
		"customer.address.line": text("Qline 1|2"), "customer.address.city": text("Qcity"), "customer.address.postal_code": text("Q9 9QQ"),
		"customer.address.country": {value: "FR", reads: []string{`"FR"`}},

		"browser.accept_header": text("text/q"), "browser.user_agent": text("Qagent/1"), "browser.language": text("fr-QA"),
		"browser.java_enabled":       {value: true, reads: []string{`java_enabled":true`, `javaEnabled":true`}},
		"browser.javascript_enabled": {value: false, reads: []string{`js_enabled":false`, `javascript_enabled":false`}},
		"browser.color_depth":        number("color_depth browser_color_depth colorDepth", 23),
		"browser.screen_height":      number("screen_height browser_screen_height screenHeight", 4321),
		"browser.screen_width":       number("screen_width browser_screen_width screenWidth", 8765),
		"browser.time_zone_offset":   number("time_zone_offset browser_time_zone timezoneOffset", -123),

		"description": text("Qdescription"), "reason": text("Qreason"), "site_url": text("https://q.example/site"),
		"metadata": {value: map[string]string{"q": "Qmeta"}, reads: []string{"Qmeta"}}, "notification_url": text("https://q.example/notify"),
		"return_urls.success": text("https://q.example/success"), "return_urls.fail": text("https://q.example/fail"), "return_urls.status": text("https://q.example/status"),

		"recurring.enabled":           {value: true, reads: []string{`"recurrent":true`, "SUBSCRIBE"}, withUAH: schedule},
		"recurring.frequency_days":    {value: 77, reads: []string{`"min_days":77`}, with: schedule},
		"recurring.expires_at":        {value: until.Format(time.RFC3339), reads: []string{`"expires_at":"2031-02-03T04:05:06Z"`}, with: schedule},
		"mandate.max_amount":          {value: 777, reads: []string{`"max_amount":777`}, withUAH: terms},
		"mandate.min_days":            {value: 77, reads: []string{`"min_days":77`}, withUAH: terms},
		"mandate.expires_at":          {value: until.Format(time.RFC3339), reads: []string{`"expires_at":"2031-02-03T04:05:06Z"`}, withUAH: terms},
		"mandate.max_charges":         {value: 7, reads: []string{`"max_charges":7`}, withUAH: terms},
		"mandate.schedule.every":      {value: "week", reads: []string{`"every":"week"`}, with: plan},
		"mandate.schedule.interval":   {value: 77, reads: []string{`"interval":77`}, with: plan},
		"mandate.schedule.amount":     {value: 77, reads: []string{`"amount":77`}, with: plan},
		"mandate.schedule.retry_days": {value: []int{7, 19}, reads: []string{`"retry_days":[7,19]`}, with: map[string]any{"mandate.schedule.every": "month", "description": "Socks"}},
		"period":                      {value: "quarterly", reads: []string{`"recur_period":"09"`}},

		"payment_method.token":   {value: "eyJxIjoicSJ9", reads: []string{"eyJxIjoicSJ9"}, with: map[string]any{"payment_method.type": "apple_pay"}},
		"payment_method.network": {value: "Qnet", reads: []string{"Qnet"}, with: map[string]any{"payment_method.type": "apple_pay"}},
		"payment_method.card_id": {value: "11111111-2222-4333-8444-555555555555", reads: []string{"11111111-2222-4333-8444-555555555555"}, with: map[string]any{"payment_method.type": "stored_card"}},
		"payment_method.cvc":     {value: "987", reads: []string{`"987"`}, with: map[string]any{"payment_method.type": "stored_card"}},
		"payment_method.phone":   {value: "+70000000009", reads: []string{"70000000009"}, with: map[string]any{"payment_method.type": "mobile"}},

		"method.payout_card_id": {value: "0193f0a2-6d1c-7c7b-9d53-0f6f1c2b7a10", with: map[string]any{"method.type": "payout_card"}},
		"method.phone":          {value: "+79123456780", reads: []string{"79123456780"}, with: map[string]any{"method.type": "phone"}},
		"from.card_id":          {value: "11111111-2222-4333-8444-555555555555", reads: []string{"11111111-2222-4333-8444-555555555555"}},
		"to.card_id":            {value: "11111111-2222-4333-8444-555555555555", reads: []string{"11111111-2222-4333-8444-555555555555"}},
		"from.cvc":              {value: "987", reads: []string{`"987"`}},
		"to.cvc":                {value: "987", reads: []string{`"987"`}},
	}
	for _, name := range []string{
		"number", "holder", "iin", "bin", "kbe", "bank_code", "bank_name", "payment_purpose_code", "recipient_code", "sender_code", "recipient_rnn", "recipient_name", "withdrawal_provider_id",
	} {
		p["method."+name] = probe{value: "Q" + name, reads: []string{`"Q` + name + `"`}, with: map[string]any{"method.type": "bank_account"}}
	}
	for _, at := range []string{"payment_method.card", "method.card", "from.card", "to.card"} {
		with := map[string]any{at + ".number": "4012000000003010"}
		if strings.HasPrefix(at, "from") || strings.HasPrefix(at, "to") {
			with[at+".number"] = uahSuccess
		}
		if kind, _, ok := strings.Cut(at, "."); ok && strings.Contains(at, "method") {
			with[kind+".type"] = "card"
		}
		both := maps.Clone(with)
		both[at+".exp_month"], both[at+".exp_year"] = 7, 2033
		p[at+".number"] = probe{value: "5555 5555 5555 4444", reads: []string{"5555555555554444"}, with: with}
		p[at+".exp_month"] = probe{value: 7, reads: []string{`month":"07"`, "2033-07"}, with: both}
		p[at+".exp_year"] = probe{value: 2033, reads: []string{`year":"33"`, "2033-07"}, with: both}
		p[at+".cvc"] = probe{value: "987", reads: []string{`"987"`}, with: with}
		p[at+".holder"] = probe{value: "Qholder", reads: []string{"Qholder"}, with: with}
	}
	return p
}

// spoken are the fields that every order answers with, that pick the call, or that say whether there is to be an order at all:
// TestWhatLooksLikeADuplicateIsAskedAbout sends those.
var spoken = []string{"reference", "amount", "currency", "account", "flow", "capture", "payment_method.type", "method.type", "allow_duplicate", "attempts.failover", "attempts.cascade"}

// leaves lists the fields of a schema, dotted.
func leaves(schema *openapi3.Schema, at string) (names []string) {
	if len(schema.Properties) == 0 {
		return []string{at}
	}
	for name, property := range schema.Properties {
		if at != "" {
			name = at + "." + name
		}
		names = append(names, leaves(property.Value, name)...)
	}
	slices.Sort(names)
	return names
}

// set sets a dotted member.
func set(in map[string]any, path string, value any) {
	names := strings.Split(path, ".")
	for _, name := range names[:len(names)-1] {
		next, ok := in[name].(map[string]any)
		if !ok {
			next = map[string]any{}
			in[name] = next
		}
		in = next
	}
	in[names[len(names)-1]] = value
}

// request is a way to make orders.
type request struct {
	name, schema, path, base string
	// settle waits until the next one can be made.
	settle func(o full)
}

// Whatever a shop sends is sent on, kept with the order, or refused by name. Nothing is accepted and dropped: each field of
// each request that makes an order is tried at each provider, in each flow.
func TestNoFieldIsDroppedWithoutAWord(t *testing.T) {
	t.Parallel()
	d := startUAPAY(t)
	conn, err := pgx.Connect(t.Context(), d.DatabaseURL)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	heard := d.overhearAccounts(t, conn)
	doc, err := openapi3.NewLoader().LoadFromData(api.OpenAPI)
	require.NoError(t, err)
	d.settings(map[string]any{"processing_ms": 0, "payed_ms": 0}) // nobody waits to be told what a payer must do
	fields, known := probes(), map[string]bool{}
	tried := 0
	for _, r := range d.requests(t) {
		for _, field := range leaves(doc.Components.Schemas[r.schema].Value, "") {
			known[field] = true
			if slices.Contains(spoken, field) {
				continue
			}
			p, ok := fields[field]
			require.True(t, ok, "no probe for %s of %s: say how it reads when it is sent", field, r.schema)
			var body map[string]any
			require.NoError(t, json.Unmarshal([]byte(r.base), &body))
			with := maps.Clone(p.with)
			if strings.Contains(r.base, `"UAH"`) && p.withUAH != nil {
				with = p.withUAH
			}
			for name, value := range with {
				if base := map[string]any{}; json.Unmarshal([]byte(r.base), &base) == nil && strings.HasSuffix(name, ".type") && has(base, name) {
					continue // the request's own type stays: a member of another one is misplaced
				}
				set(body, name, value)
			}
			set(body, field, p.value)
			tried++
			set(body, "reference", fmt.Sprintf("field-%d", tried))
			d.judge(t, conn, heard, r, field, p, body)
		}
	}
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		require.True(t, known[field], "%s is no field of any request", field)
	}
	require.Greater(t, tried, 400)
}

func has(in map[string]any, path string) bool {
	for _, name := range strings.Split(path, ".") {
		next, ok := in[name]
		if !ok {
			return false
		}
		in, _ = next.(map[string]any)
	}
	return true
}

// judge sends one request and says whether the field was sent, kept or refused by name.
func (d uapayDev) judge(t *testing.T, conn *pgx.Conn, heard *overheard, r request, field string, p probe, body map[string]any) {
	t.Helper()
	sent, err := json.Marshal(body)
	require.NoError(t, err)
	heard.take()
	res, answer := d.raw(http.MethodPost, r.path, string(sent), nil)
	said := heard.take()
	if res.StatusCode == http.StatusUnprocessableEntity {
		var refused refusal
		require.NoError(t, json.Unmarshal(answer, &refused))
		require.True(t, slices.ContainsFunc(refused.fields(), func(name string) bool { return name == field || strings.HasPrefix(field, name+".") }),
			"%s: %s is refused, and not by name: %s", r.name, field, answer)
		return
	}
	require.Less(t, res.StatusCode, 300, "%s: %s: %s", r.name, field, answer)
	var o full
	require.NoError(t, json.Unmarshal(answer, &o))
	res, stored := d.raw(http.MethodGet, "/v1/orders/"+o.ID, "", nil)
	require.Equal(t, http.StatusOK, res.StatusCode)
	if o.Recurring {
		_, mandate := d.raw(http.MethodGet, "/v1/mandates/"+o.ID, "", nil)
		stored = append(stored, mandate...)
	}
	var address string
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT notification_url FROM orders WHERE id = $1", o.ID).Scan(&address))
	all := said + string(stored) + address
	require.True(t, slices.ContainsFunc(p.reads, func(text string) bool { return strings.Contains(all, text) }),
		"%s: %s was accepted, and neither sent nor kept\nsaid: %s\nkept: %s", r.name, field, said, stored)
	if r.settle != nil {
		r.settle(o)
	}
}

// overhearAccounts makes accounts at the simulators whose calls are overheard.
func (d uapayDev) overhearAccounts(t *testing.T, conn *pgx.Conn) *overheard {
	heard := &overheard{}
	eur, uah := heard.overhear(t, d.Sandbox), heard.overhear(t, d.Sandbox)
	secret := func(text string) string {
		file := filepath.Join(t.TempDir(), "secret")
		require.NoError(t, os.WriteFile(file, []byte(text+"\n"), 0o600))
		return file
	}
	for _, name := range []string{"EUR-heard", "EUR-heard-payout"} {
		d.operator("account", "create", name, "--provider", "smartcore", "--currency", "EUR", "--merchant-key", "test", "--secret-file", secret("qwerty"), "--shop", "demo",
			"--pci-url", eur+"/smartcore/pci", "--gateway-url", eur+"/smartcore/gateway")
		at := strings.Replace(name, "heard", "sandbox", 1) // what the simulator calls it
		d.operator("account", "set", name, "provider_account="+at, "--reason", "the simulator knows it by another name")
	}
	for _, engine := range []string{"invoice", "c2a"} {
		d.operator("account", "create", "UAH-"+engine, "--provider", "uapay", "--currency", "UAH", "--client-id", "90001", "--secret-file", secret("bG9jYWwtc2ltdWxhdG9yLWtleS0wMQ=="),
			"--shop", "demo", "--api-url", uah+"/uapay", "--direct-engine", engine)
	}
	return heard
}

// requests are the ways to make orders, at both providers.
func (d uapayDev) requests(t *testing.T) []request {
	const (
		eur     = `"amount":1000,"currency":"EUR","account":"EUR-heard",`
		uah     = `"amount":1000,"currency":"UAH","account":"UAH-invoice","description":"Socks"`
		direct  = `"flow":"direct","site_url":"https://shop.example",`
		browser = `"browser":{"accept_header":"text/html"}`
		stored  = `"flow":"direct",` + browser + `,"payment_method":{"type":"stored_card","card_id":"KEPT","cvc":"123"}`
		number  = `{"number":"4012000000003010","exp_month":12,"exp_year":2032,"cvc":"123","holder":"John Doe"}`
		paidTo  = `"amount":700,"account":"EUR-heard-payout","method":`
		kept    = `{"amount":700,"currency":"UAH","account":"UAH-invoice",`
	)
	wallet := func(kind string) string {
		return `{` + eur + direct + customer + `,"payment_method":{"type":"` + kind + `","network":"Visa","token":"eyJhIjoiYiJ9"}}`
	}
	card := uahCard(t, d)
	first := d.makes("/v1/payments", `{"reference":"parent-eur",`+eur+direct+customer+`,"recurring":{"enabled":true},"payment_method":{"type":"card","card":`+number+`}}`, http.StatusCreated)
	d.ends(first.ID, "succeeded")
	second := d.makes("/v1/payments", `{"reference":"parent-uah",`+uah+`}`, http.StatusCreated)
	d.pay(second.NextAction.URL, uahSuccess, "")
	d.ends(second.ID, "succeeded")
	left := d.makes("/v1/payout-cards", `{"reference":"left","account":"EUR-heard-payout"}`, http.StatusCreated)
	d.pay(left.NextAction.URL, cardSuccess, "")
	d.ends(left.ID, "succeeded")
	settled := func(o full) { d.ends(o.ID, "succeeded") }
	payments, payouts, transfers := "/v1/payments", "/v1/payouts", "/v1/transfers"
	return []request{
		{"SmartCore form", "PaymentRequest", payments, `{` + eur + customer + `}`, nil},
		{"SmartCore form for a phone", "PaymentRequest", payments, `{` + eur + customer + `,"payment_method":{"type":"mobile","phone":"+70000000001"}}`, nil},
		{"SmartCore card", "PaymentRequest", payments, `{` + eur + direct + customer + `,"payment_method":{"type":"card","card":` + number + `}}`, nil},
		{"SmartCore hold", "PaymentRequest", payments, `{"capture":"manual",` + eur + direct + customer + `,"payment_method":{"type":"card","card":` + number + `}}`, nil},
		{"SmartCore Apple Pay", "PaymentRequest", payments, wallet("apple_pay"), nil},
		{"SmartCore Google Pay", "PaymentRequest", payments, wallet("google_pay"), nil},
		{"SmartCore charge", "ChargeRequest", "/v1/payments/" + first.ID + "/charges", `{"amount":10,"description":"December"}`, settled},
		{"SmartCore refund", "RefundRequest", refundsOf(first), `{"amount":10,"reason":"torn"}`, settled},
		{"SmartCore payout to a card", "PayoutRequest", payouts, `{` + paidTo + `{"type":"card","card":{"number":"4012000000003010"}}}`, nil},
		{"SmartCore payout to a phone", "PayoutRequest", payouts, `{` + paidTo + `{"type":"phone","phone":"+79123456789"}}`, nil},
		{"SmartCore payout to a bank account", "PayoutRequest", payouts, `{` + paidTo + `{"type":"bank_account","number":"DE89370400440532013000","holder":"John Doe"}}`, nil},
		{"SmartCore payout to a kept card", "PayoutRequest", payouts, `{` + paidTo + `{"type":"payout_card","payout_card_id":"` + left.ID + `"}}`, nil},
		{"SmartCore payout card", "PayoutCardRequest", "/v1/payout-cards", `{"account":"EUR-heard-payout"}`, nil},

		{"UAPAY page", "PaymentRequest", payments, `{` + uah + `}`, nil},
		{"UAPAY page, hold", "PaymentRequest", payments, `{"capture":"manual",` + uah + `}`, nil},
		{"UAPAY page, two addresses", "PaymentRequest", payments, `{` + uah + `,"return_urls":{"status":"https://shop.example/back"}}`, nil},
		{"UAPAY kept card", "PaymentRequest", payments, `{` + uah + `,` + strings.Replace(stored, "KEPT", card, 1) + `}`, nil},
		{"UAPAY kept card, hold", "PaymentRequest", payments, `{"capture":"manual",` + uah + `,` + strings.Replace(stored, "KEPT", card, 1) + `}`, nil},
		{"UAPAY card", "PaymentRequest", payments, `{` + strings.Replace(uah, "invoice", "c2a", 1) + `,"flow":"direct",` + browser + `,"payment_method":{"type":"card","card":{"number":"4111111111111111","exp_month":12,"exp_year":2032,"cvc":"123"}}}`, nil},
		{"UAPAY refund", "RefundRequest", refundsOf(second), `{"amount":10,"reason":"torn"}`, settled},
		{"UAPAY payout", "PayoutRequest", payouts, `{"amount":700,"account":"UAH-invoice","method":{"type":"card","card":{"number":"4111111111111111"}}}`, nil},
		{"UAPAY transfer of kept cards", "TransferRequest", transfers, kept + `"customer":{"phone":"+380000000000"},"from":{"card_id":"` + card + `","cvc":"123"},"to":{"card_id":"` + card + `"}}`, nil},
		{"UAPAY transfer of numbers", "TransferRequest", transfers, kept + `"customer":{"phone":"+380000000000"},"from":{"card":{"number":"4111111111111111","exp_month":12,"exp_year":2032,"cvc":"123"}},"to":{"card":{"number":"4111111111111111"}}}`, nil},
	}
}

// uahCard is a card that UAPAY keeps.
func uahCard(t *testing.T, d uapayDev) string {
	t.Helper()
	address := d.cardFrame("UAH-sandbox", `{"for":"payments","redirect":true}`)
	return d.fill(address, url.Values{"card_number": {uahSuccess}, "card_expiry": {"12/30"}, "card_cvc": {"123"}}).ID
}
