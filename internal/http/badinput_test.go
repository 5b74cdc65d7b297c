package httpapi

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
	"payrelay/internal/shop"
)

// marked stands in every rejected value, so that an answer or log that repeats it is found out.
const marked = "XLEAKX"

// measured are the numbers of a log line that may be anything: its time and how long the request took.
var measured = regexp.MustCompile(`"(time|duration_ms|latency_ms)":("[^"]*"|[0-9.e+-]+)`)

func direct(members string) string {
	return `{"reference":"a","amount":1,"currency":"EUR","flow":"direct","payment_method":` + members + `}`
}

func TestBadBodies(t *testing.T) {
	t.Parallel()
	c := newContract(t)
	deep := strings.Repeat(`[`, 1000) + strings.Repeat(`]`, 1000)
	for name, test := range map[string]struct {
		body, code, field, says string
		status                  int
	}{
		"no body":                     {"", "invalid_request", "body", "is required", 422},
		"cut off":                     {`{"reference":"` + marked, "malformed_json", "", "ends too early", 400},
		"not JSON":                    {marked, "malformed_json", "", "not valid JSON", 400},
		"two values":                  {with("amount", "1") + ` {}`, "malformed_json", "", "something follows", 400},
		"garbage behind":              {with("amount", "1") + marked, "malformed_json", "", "", 400},
		"a member twice":              {`{"reference":"` + marked + `","reference":"b","amount":1,"currency":"EUR"}`, "malformed_json", "reference", "twice", 400},
		"a nested member twice":       {with("customer", `{"email":"a@b","email":"`+marked+`"}`), "malformed_json", "customer.email", "twice", 400},
		"not UTF-8":                   {with("reference", "\"\xff"+marked+`"`), "malformed_json", "", "UTF-8", 400},
		"too deep":                    {with("metadata", deep), "malformed_json", "", "nested", 400},
		"a list":                      {`["` + marked + `"]`, "invalid_request", "body", "object", 422},
		"null":                        {`null`, "invalid_request", "body", "must be an object in braces", 422},
		"unknown member":              {with("amonut", `"`+marked+`"`), "invalid_request", "amonut", "spelling", 422},
		"unknown nested member":       {with("customer", `{"emial":"`+marked+`"}`), "invalid_request", "customer.emial", "spelling", 422},
		"a number as unknown member":  {with("4012000000003010"+marked, `1`), "invalid_request", "", "", 422},
		"reference missing":           {with("reference", ""), "invalid_request", "reference", "is required", 422},
		"amount missing":              {with("amount", ""), "invalid_request", "amount", "is required", 422},
		"currency missing":            {with("currency", ""), "invalid_request", "currency", "is required", 422},
		"reference empty":             {with("reference", `""`), "invalid_request", "reference", "must not be empty", 422},
		"reference long":              {with("reference", `"`+strings.Repeat("a", 59)+marked+`"`), "invalid_request", "reference", "64", 422},
		"reference with a bar":        {with("reference", `"a|`+marked+`"`), "invalid_request", "reference", "", 422},
		"reference with umlaut":       {with("reference", `"ä`+marked+`"`), "invalid_request", "reference", "", 422},
		"reference with control":      {with("reference", `"a\u0007`+marked+`"`), "invalid_request", "reference", "", 422},
		"reference with a line break": {with("reference", `"`+marked+`\n"`), "invalid_request", "reference", "", 422},
		"reference a number":          {with("reference", `77777`), "invalid_request", "reference", "text", 422},
		"reference null":              {with("reference", `null`), "invalid_request", "reference", "give it a value", 422},
		"amount zero":                 {with("amount", `0`), "invalid_request", "amount", "at least 1", 422},
		"amount negative":             {with("amount", `-1`), "invalid_request", "amount", "at least 1", 422},
		"amount with a point":         {with("amount", `10.5`), "invalid_request", "amount", "whole number", 422},
		"amount with a zero point":    {with("amount", `10.0`), "invalid_request", "amount", "whole number", 422},
		"amount with an exponent":     {with("amount", `1e3`), "invalid_request", "amount", "whole number", 422},
		"amount far beyond 64 bits":   {with("amount", `99999999999999999999999999`), "invalid_request", "amount", "9007199254740991", 422},
		"amount beyond 64 bits":       {with("amount", `9223372036854775808`), "invalid_request", "amount", "at most 9007199254740991", 422},
		"amount beyond 2^53 - 1":      {with("amount", `9007199254740992`), "invalid_request", "amount", "at most 9007199254740991", 422},
		"amount of 2^53 + 1":          {with("amount", `9007199254740993`), "invalid_request", "amount", "at most 9007199254740991", 422},
		"amount minus zero":           {with("amount", `-0`), "invalid_request", "amount", "at least 1", 422},
		"amount far beyond":           {with("amount", `1e999`), "invalid_request", "amount", "whole number", 422},
		"amount as text":              {with("amount", `"`+marked+`"`), "invalid_request", "amount", "whole number", 422},
		"amount as truth":             {with("amount", `true`), "invalid_request", "amount", "whole number", 422},
		"currency unknown":            {with("currency", `"XQX"`), "invalid_request", "currency", "ISO 4217", 422},
		"currency withdrawn":          {with("currency", `"BGN"`), "invalid_request", "currency", "out of circulation", 422},
		"currency small":              {with("currency", `"eur"`), "invalid_request", "currency", "ISO 4217", 422},
		"currency long":               {with("currency", `"`+marked+`"`), "invalid_request", "currency", "", 422},
		"flow unknown":                {with("flow", `"`+marked+`"`), "invalid_request", "flow", "hosted, direct", 422},
		"metadata of numbers":         {with("metadata", `{"a":77777}`), "invalid_request", "metadata.a", "text", 422},
		"metadata with 21 keys":       {with("metadata", manyKeys(21)), "invalid_request", "metadata", "20", 422},
		"metadata value long":         {with("metadata", `{"a":"`+strings.Repeat("a", 500)+marked+`"}`), "invalid_request", "metadata.a", "500", 422},
		"metadata key long":           {with("metadata", `{"`+strings.Repeat("a", 70)+marked+`":"x"}`), "invalid_request", "metadata", "64", 422},
		"metadata with NUL":           {with("metadata", `{"a":"`+marked+`\u0000"}`), "invalid_request", "metadata.a", "control", 422},
		"description long":            {with("description", `"`+strings.Repeat("a", 255)+marked+`"`), "invalid_request", "description", "255", 422},
		"description with NUL":        {with("description", `"`+marked+`\u0000"`), "invalid_request", "description", "control", 422},
		"name with an escape":         {with("customer", `{"first_name":"`+marked+`\u001b[0m"}`), "invalid_request", "customer.first_name", "control", 422},
		"ip":                          {with("customer", `{"ip":"`+marked+`"}`), "invalid_request", "customer.ip", "IP address", 422},
		"birth date":                  {with("customer", `{"birth_date":"1997-02-31"}`), "invalid_request", "customer.birth_date", "date", 422},
		"expiry of recurring":         {with("recurring", `{"enabled":true,"expires_at":"2026-02-31T00:00:00Z"}`), "invalid_request", "recurring.expires_at", "date-time", 422},
		"url relative":                {with("notification_url", `"/`+marked+`"`), "invalid_request", "notification_url", "full address", 422},
		"url of http":                 {with("notification_url", `"http://shop.example/`+marked+`"`), "invalid_request", "notification_url", "https", 422},
		"url of javascript":           {with("return_urls", `{"success":"javascript:`+marked+`"}`), "invalid_request", "return_urls.success", "full address", 422},
		"url with a user":             {with("site_url", `"https://`+marked+`@shop.example/"`), "invalid_request", "site_url", "user name", 422},
		"url with a fragment":         {with("site_url", `"https://shop.example/#`+marked+`"`), "invalid_request", "site_url", "fragment", 422},
		"direct without a method":     {with("flow", `"direct"`), "invalid_request", "payment_method", "required", 422},
		"hosted with a card":          {with("payment_method", `{"type":"card","card":{"number":"4012000000003010"}}`), "invalid_request", "payment_method", "hosted", 422},
		"direct with a phone":         {direct(`{"type":"mobile","phone":"+380501234567"}`), "invalid_request", "payment_method.type", "hosted", 422},
		"a method of no type":         {direct(`{"token":"` + marked + `"}`), "invalid_request", "payment_method.type", "required", 422},
		"a card without a card":       {direct(`{"type":"card"}`), "invalid_request", "payment_method.card", "required", 422},
		"a card with a token":         {direct(`{"type":"card","card":{"number":"4012000000003010"},"token":"` + marked + `"}`), "invalid_request", "payment_method.token", "card", 422},
		"a wallet without a token":    {direct(`{"type":"apple_pay"}`), "invalid_request", "payment_method.token", "required", 422},
		"a card number that is wrong": {direct(`{"type":"card","card":{"number":"4012000077773011"}}`), "invalid_request", "payment_method.card.number", "check digit", 422},
		"a card number of letters":    {direct(`{"type":"card","card":{"number":"` + marked + `777777"}}`), "invalid_request", "payment_method.card.number", "", 422},
		"a card number as a number":   {direct(`{"type":"card","card":{"number":4012000077773010}}`), "invalid_request", "payment_method.card.number", "text", 422},
		"a month 13":                  {direct(`{"type":"card","card":{"number":"4012000000003010","exp_month":13,"exp_year":2030}}`), "invalid_request", "payment_method.card.exp_month", "12", 422},
		"a month without a year":      {direct(`{"type":"card","card":{"number":"4012000000003010","exp_month":1}}`), "invalid_request", "payment_method.card.exp_year", "exp_month", 422},
		"a cvc of letters":            {direct(`{"type":"card","card":{"number":"4012000000003010","cvc":"` + marked + `"}}`), "invalid_request", "payment_method.card.cvc", "", 422},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			w := b.send(t, "POST", "/v1/payments", test.body, "X-Request-Id", "request-1") // a made-up one might hold the digits
			require.Equal(t, test.status, w.Code, w.Body)
			require.NoError(t, c.check("POST", "/v1/payments", w), w.Body)
			p := readProblem(t, w)
			require.Equal(t, test.code, p.Code)
			text := w.Body.String()
			if test.field != "" {
				require.Contains(t, p.fields(), test.field, text)
			}
			require.Contains(t, text, test.says)
			require.NotContains(t, text+b.log.String(), marked)
			require.NotContains(t, measured.ReplaceAllString(text+b.log.String(), ""), "7777")
			require.NotContains(t, text, "4012")
			require.Zero(t, b.count(), "a use case was called")
		})
	}
}

func manyKeys(n int) string {
	var members []string
	for i := range n {
		members = append(members, `"k`+strconv.Itoa(i)+`":"v"`)
	}
	return "{" + strings.Join(members, ",") + "}"
}

func TestEverythingWrongIsListedAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := readProblem(t, b.send(t, "POST", "/v1/payments", `{"amount":0,"flow":"x","colour":1,"customer":{"country":"x"}}`))
	require.ElementsMatch(t, []string{"amount", "flow", "colour", "customer.country", "reference", "currency"}, p.fields())
	p = readProblem(t, b.send(t, "POST", "/v1/payments", `{"reference":"a","amount":1,"currency":"XXX","site_url":"x","flow":"direct","customer":{"ip":"x"}}`))
	require.ElementsMatch(t, []string{"currency", "site_url", "payment_method", "customer.ip"}, p.fields())
}

// TestTheDetailNamesEveryWrongField holds it for what the contract, the conversion and the provider refuse, in bodies and
// queries.
func TestTheDetailNamesEveryWrongField(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.missing = []gateway.FieldError{{Field: "customer.email", Message: "required by the provider"}}
	names := func(p problemDoc, count int) {
		t.Helper()
		require.Len(t, p.Errors, count)
		for _, e := range p.Errors {
			require.Contains(t, p.Detail, e.Field+" "+e.Message)
		}
	}
	p := readProblem(t, b.send(t, "POST", "/v1/payments", `{"amount":0,"currency":"XQX","site_url":"x","colour":1}`))
	names(p, 6)
	require.Contains(t, p.Detail, "Nothing was stored or sent.")
	b.hook = func(context.Context, string) error {
		return &payment.Error{Code: payment.CodeMissingFields, Message: "The provider needs more.", Fields: []gateway.FieldError{{Field: "site_url", Message: "required"}}}
	}
	p = readProblem(t, b.send(t, "POST", "/v1/payments", with("amount", "1")))
	names(p, 2)
	require.Equal(t, "The provider needs more: customer.email required by the provider; site_url required. Nothing was stored or sent.", p.Detail)
	p = readProblem(t, b.send(t, "GET", "/v1/orders?limit=0&colour=1&status=x", ""))
	names(p, 3)
	require.NotContains(t, p.Detail, "Nothing was", "a read would have done nothing")
}

func TestGoodEdges(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"the greatest amount":         with("amount", `9007199254740991`),
		"64 characters of reference":  with("reference", `"`+strings.Repeat("~", 64)+`"`),
		"20 keys":                     with("metadata", manyKeys(20)),
		"500 characters":              with("metadata", `{"a":"`+strings.Repeat("ä", 500)+`"}`),
		"a line break in metadata":    with("metadata", `{"a":"b\nc"}`),
		"http of this machine":        with("site_url", `"http://127.0.0.1:9/x"`),
		"http of this machine's name": with("site_url", `"http://localhost:9/x"`),
		"white space around":          "\n\t " + with("amount", "1") + " \r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			w := b.send(t, "POST", "/v1/payments", body)
			require.Equal(t, http.StatusCreated, w.Code, w.Body)
		})
	}
	b := setup(t)
	require.Equal(t, 201, b.send(t, "POST", "/v1/payments", with("amount", `9007199254740991`)).Code)
	require.Equal(t, int64(9007199254740991), b.payment.Amount.Minor(), "no float on the way")
}

func TestPlainAddressesNeedTheAllowList(t *testing.T) {
	t.Parallel()
	for url, allowed := range map[string]bool{"http://10.1.2.3/x": true, "http://11.1.2.3/x": false, "http://shop.internal/x": true} {
		b := setup(t)
		w := b.send(t, "POST", "/v1/payments", with("notification_url", `"`+url+`"`), "Authorization", "Bearer "+otherKey)
		require.Equal(t, allowed, w.Code == http.StatusCreated, "%s: %s", url, w.Body)
		require.Equal(t, 422, b.send(t, "POST", "/v1/payments", with("notification_url", `"`+url+`"`)).Code, url)
	}
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		method, path, body string
		headers            []string
		status             int
		code, says         string
	}{
		"no key":                  {"GET", "/v1/orders", "", []string{"Authorization", ""}, 401, "unauthorized", "Authorization: Bearer"},
		"another scheme":          {"GET", "/v1/orders", "", []string{"Authorization", "Basic " + marked}, 401, "unauthorized", "Bearer"},
		"an unknown key":          {"GET", "/v1/orders", "", []string{"Authorization", "Bearer " + marked}, 401, "unauthorized", "not known"},
		"a revoked key":           {"GET", "/v1/orders", "", []string{"Authorization", "Bearer " + revokedKey}, 401, "unauthorized", "revoked"},
		"no key and a bad body":   {"POST", "/v1/payments", marked, []string{"Authorization", ""}, 401, "unauthorized", "Bearer"},
		"a scope missing":         {"POST", "/v1/payments", with("amount", "1"), []string{"Authorization", "Bearer " + readKey}, 403, "forbidden", "scope payments"},
		"a scope and a bad body":  {"POST", "/v1/payments", marked, []string{"Authorization", "Bearer " + readKey}, 403, "forbidden", "scope payments"},
		"reports scope missing":   {"GET", "/v1/statements/" + orderID, "", []string{"Authorization", "Bearer " + readKey}, 403, "forbidden", "scope reports"},
		"text":                    {"POST", "/v1/payments", marked, []string{"Content-Type", "text/plain"}, 415, "unsupported_media_type", "application/json"},
		"no type":                 {"POST", "/v1/payments", with("amount", "1"), []string{"Content-Type", ""}, 415, "unsupported_media_type", "application/json"},
		"another charset":         {"POST", "/v1/payments", with("amount", "1"), []string{"Content-Type", "application/json; charset=latin1"}, 415, "unsupported_media_type", "UTF-8"},
		"64 KiB and a byte":       {"POST", "/v1/payments", with("description", `"`+strings.Repeat("a", maxBody)+`"`), nil, 413, "body_too_large", "64 KiB"},
		"an empty idempotency":    {"POST", "/v1/payments", with("amount", "1"), []string{"Idempotency-Key", " "}, 422, "invalid_request", "Idempotency-Key"},
		"a long idempotency":      {"POST", "/v1/payments", with("amount", "1"), []string{"Idempotency-Key", marked + strings.Repeat("a", 250)}, 422, "invalid_request", "255"},
		"an idempotency in Greek": {"POST", "/v1/payments", with("amount", "1"), []string{"Idempotency-Key", "Ω" + marked}, 422, "invalid_request", "ASCII"},
		"a made-up address":       {"GET", "/v1/" + marked, "", nil, 404, "not_found", "/docs"},
		"another method":          {"DELETE", "/v1/orders", "", nil, 405, "method_not_allowed", "/docs"},
		"an id that is none":      {"GET", "/v1/orders/" + marked, "", nil, 404, "not_found", "GET /v1/orders?reference="},
		"a statement's bad id":    {"GET", "/v1/statements/" + marked, "", nil, 404, "not_found", "has no id in it"},
		"a bad id before a part":  {"GET", "/v1/statements/" + marked + "/rows", "", nil, 404, "not_found", "has no id in it"},
		"an id of another kind":   {"GET", "/v1/refunds/" + orderID, "", nil, 404, "not_found", "no such order"},
		"a made-up parameter":     {"GET", "/v1/orders?colour=" + marked, "", nil, 422, "invalid_request", "colour"},
		"a parameter on a read":   {"GET", "/v1/orders/" + orderID + "?expand=" + marked, "", nil, 422, "invalid_request", "expand"},
		"a parameter twice":       {"GET", "/v1/orders?limit=1&limit=2", "", nil, 422, "invalid_request", "limit"},
		"a limit of nothing":      {"GET", "/v1/orders?limit=0", "", nil, 422, "invalid_request", "at least 1"},
		"a limit of too much":     {"GET", "/v1/orders?limit=201", "", nil, 422, "invalid_request", "at most 200"},
		"a limit in words":        {"GET", "/v1/orders?limit=" + marked, "", nil, 422, "invalid_request", "limit must be a whole number between 1 and 200"},
		"a limit without value":   {"GET", "/v1/orders?limit=", "", nil, 422, "invalid_request", "limit"},
		"a status that is none":   {"GET", "/v1/orders?status=" + marked, "", nil, 422, "invalid_request", "must be one of created"},
		"a parent that is none":   {"GET", "/v1/orders?parent_id=" + marked, "", nil, 422, "invalid_request", "parent_id"},
		"a time that is none":     {"GET", "/v1/orders?created_from=2026-02-31T00:00:00Z", "", nil, 422, "invalid_request", "created_from"},
		"a NUL in a parameter":    {"GET", "/v1/orders?reference=%00" + marked, "", nil, 422, "invalid_request", "reference"},
		"no UTF-8 in a parameter": {"GET", "/v1/orders?cursor=%ff" + marked, "", nil, 422, "invalid_request", "cursor"},
		"a broken parameter":      {"GET", "/v1/orders?cursor=%zz" + marked, "", nil, 422, "invalid_request", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			w := b.send(t, test.method, test.path, test.body, test.headers...)
			p := readProblem(t, w)
			require.Equal(t, test.status, w.Code, w.Body)
			require.Equal(t, test.code, p.Code)
			require.Contains(t, w.Body.String(), test.says)
			require.NotContains(t, w.Body.String()+b.log.String(), marked)
			if test.method == http.MethodGet {
				require.NotContains(t, p.Detail, "Nothing was")
			}
			require.Equal(t, w.Code == http.StatusUnauthorized, w.Header().Get("WWW-Authenticate") != "")
			if test.path != "/v1/refunds/"+orderID {
				require.Zero(t, b.count(), "a use case was called")
			}
		})
	}
	require.Equal(t, "GET, HEAD", setup(t).send(t, "DELETE", "/v1/orders", "").Header().Get("Allow"))
}

func TestTheDemoKeyIsRefusedInProduction(t *testing.T) {
	t.Parallel()
	require.Equal(t, 200, setup(t).send(t, "GET", "/v1/orders", "", "Authorization", "Bearer "+shop.DemoKey).Code)
	b := setup(t, func(c *Config) { c.RejectDemoKey = true })
	require.Equal(t, 401, b.send(t, "GET", "/v1/orders", "", "Authorization", "Bearer "+shop.DemoKey).Code)
}

func TestAnotherShopsOrderIsLikeNone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	none := "0193f0a2-6d1c-7c7b-9d53-0f6f1c2b7a99"
	for _, call := range []string{"GET /v1/orders/%", "GET /v1/payments/%", "GET /v1/orders/%/transitions", "GET /v1/orders/%/events", "POST /v1/orders/%/refresh", "POST /v1/payments/%/cancel"} {
		method, path, _ := strings.Cut(call, " ")
		answer := func(id string) string {
			w := b.send(t, method, strings.ReplaceAll(path, "%", id), "", "Authorization", "Bearer "+otherKey, "X-Request-Id", "request-1")
			require.Equal(t, 404, w.Code)
			return w.Body.String()
		}
		require.Equal(t, answer(none), answer(orderID), call)
	}
}

func TestWhatUseCasesSay(t *testing.T) {
	t.Parallel()
	c := newContract(t)
	for name, test := range map[string]struct {
		err    error
		status int
		code   string
	}{
		"conflict":      {&payment.Error{Code: payment.CodeReferenceConflict, Message: "Taken."}, 409, "reference_conflict"},
		"missing":       {&payment.Error{Code: payment.CodeMissingFields, Message: "More.", Fields: []gateway.FieldError{{Field: "customer.email", Message: "is required"}}}, 422, "missing_fields"},
		"account":       {&payment.Error{Code: payment.CodeUnknownAccount, Message: "None."}, 422, "unknown_account"},
		"down":          {&payment.Error{Code: payment.CodeUnavailable, Message: "Down.", Err: errors.New(marked)}, 503, "service_unavailable"},
		"held back":     {&payment.Error{Code: payment.CodeProviderFailed, Message: "Later.", RetryAfter: 1500 * time.Millisecond}, 503, "provider_unavailable"},
		"refused":       {&payment.Error{Code: payment.CodeProviderFailed, Message: "Later."}, 502, "provider_unavailable"},
		"internal":      {errors.New("select " + marked), 500, "internal_error"},
		"an odd code":   {&payment.Error{Code: payment.CodeCallbackForged, Message: marked}, 500, "internal_error"},
		"out of time":   {context.DeadlineExceeded, 503, "service_unavailable"},
		"a bad account": {errors.Join(errors.New(marked), &payment.Error{Code: payment.CodeCurrency, Message: "Another."}), 422, "currency_not_supported"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.hook = func(context.Context, string) error { return test.err }
			w := b.send(t, "POST", "/v1/payments", with("amount", "1"))
			require.Equal(t, test.status, w.Code, w.Body)
			require.NoError(t, c.check("POST", "/v1/payments", w))
			require.Equal(t, test.code, readProblem(t, w).Code)
			require.NotContains(t, w.Body.String(), marked)
			require.Equal(t, test.status == 503, w.Header().Get("Retry-After") != "")
		})
	}
	for code := range statuses {
		require.NotEmpty(t, titles[string(code)], code)
	}
}

func TestAPanicIsAProblemWithoutText(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.hook = func(context.Context, string) error { panic(marked) }
	w := b.send(t, "POST", "/v1/payments", with("amount", "1"), "Idempotency-Key", "k")
	require.Equal(t, "internal_error", readProblem(t, w).Code)
	require.NotContains(t, w.Body.String()+b.log.String(), marked)
	b.hook = nil
	require.Equal(t, 201, b.send(t, "POST", "/v1/payments", with("amount", "1"), "Idempotency-Key", "k").Code, "the key is free again")
}

// How long to wait is told in whole seconds, never too few.
func TestRetryAfterIsRoundedUp(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err  *payment.Error
		want string
	}{
		{&payment.Error{Code: payment.CodeProviderFailed, Message: "Later.", RetryAfter: 1500 * time.Millisecond}, "2"},
		{&payment.Error{Code: payment.CodeProviderFailed, Message: "Later.", RetryAfter: time.Millisecond}, "1"},
		{payment.RefundInProgress(), "10"},
		{&payment.Error{Code: payment.CodeUnavailable, Message: "Down."}, "1"},
		{&payment.Error{Code: payment.CodeInvalidState, Message: "No."}, ""},
	} {
		b := setup(t)
		b.hook = func(context.Context, string) error { return test.err }
		w := b.send(t, "POST", "/v1/payments/"+orderID+"/refunds", `{"reference":"r","reason":"x"}`)
		require.Equal(t, test.want, w.Header().Get("Retry-After"), string(test.err.Code))
	}
}

// What is pasted brings blanks along; a code has none around it.
func TestBlanksAroundACodeAreCut(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/v1/payments/", "/v1/transfers/"} {
		b := setup(t)
		for _, typed := range []string{"123456", " 123456", "123456 ", "  123456 "} {
			b.code = ""
			require.Equal(t, 200, b.send(t, "POST", path+orderID+"/confirm", `{"code":"`+typed+`"}`).Code, "%q", typed)
			require.Equal(t, "123456", b.code.Reveal(), "%q", typed)
		}
		before := b.count()
		p := readProblem(t, b.send(t, "POST", path+orderID+"/confirm", `{"code":"   "}`))
		require.Equal(t, "invalid_request", p.Code)
		require.Equal(t, []string{"code"}, p.fields())
		require.Equal(t, before, b.count(), "a blank is no try")
	}
}
