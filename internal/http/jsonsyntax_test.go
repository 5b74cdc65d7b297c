package httpapi

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestBadSyntaxIsAnsweredWithItsPlace holds that whoever wrote a body by hand, or with a poor library, finds the place.
func TestBadSyntaxIsAnsweredWithItsPlace(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ body, says string }{
		"a trailing comma":                 {`{"reference":"a",}`, "a comma too many stands at line 1, column 17, before a closing }"},
		"a trailing comma, space, brace":   {"{\n  \"reference\": \"ä\",\n}", "a comma too many stands at line 2, column 19, before a closing }"},
		"a trailing comma in a list":       {`{"a":[1,2, ]}`, "a comma too many stands at line 1, column 10, before a closing ]"},
		"a trailing comma further in":      {`{"customer":{"email":"a@b.c",},"amount":1}`, "a comma too many stands at line 1, column 29, before a closing }"},
		"a comma behind it":                {`{"reference":"a"},`, "something follows it at line 1, column 18"},
		"two values":                       {"{}\n{}", "something follows it at line 2, column 1"},
		"two commas":                       {`{"a":1,,"b":2}`, "it cannot be read from line 1, column 8 on"},
		"a comma first":                    {`{,"a":1}`, "it cannot be read from line 1, column 2 on"},
		"a BOM":                            {"\ufeff" + `{"reference":"a"}`, "a byte order mark (BOM) stands at line 1, column 1: send none"},
		"a BOM alone":                      {"\ufeff", "a byte order mark (BOM) stands at line 1, column 1"},
		"a BOM within":                     {`{"a":` + "\ufeff" + `1}`, "it cannot be read from line 1, column 6 on"},
		"UTF-16, little end first":         {"\xff\xfe{\x00}\x00", "BOM) of UTF-16 stands at line 1, column 1"},
		"UTF-16, big end first":            {"\xfe\xff\x00{\x00}", "BOM) of UTF-16 stands at line 1, column 1"},
		"latin-1":                          {"{\"a\":\"x\",\r\n\"b\":\"ä\xe4\"}", "it is not UTF-8 at line 2, column 7"},
		"a surrogate as it is":             {"{\"a\":\"\xed\xa0\x80\"}", "it is not UTF-8 at line 1, column 7"},
		"cut off":                          {`{"reference":"a"`, "it ends too early, at line 1, column 17"},
		"cut off in a text":                {"{\n\"reference\":\"a", "it ends too early, at line 2, column 15"},
		"white space":                      {" \n ", "it ends too early, at line 2, column 2"},
		"single quotes":                    {`{'a':1}`, "a single quote stands at line 1, column 2: names and texts have double quotes"},
		"a comment":                        {"{\n// x\n\"a\":1}", "it cannot be read from line 2, column 1 on"},
		"no quotes":                        {`{a:1}`, "it cannot be read from line 1, column 2 on"},
		"not a number":                     {`{"amount":NaN}`, "it cannot be read from line 1, column 11 on"},
		"a leading zero":                   {`{"amount":01}`, "it cannot be read from line 1, column 12 on"},
		"a leading plus":                   {`{"amount":+1}`, "it cannot be read from line 1, column 11 on"},
		"a line break in a text":           {"{\"reference\":\"a\nb\"}", "it cannot be read from line 1, column 16 on"},
		"an escape that is none":           {`{"reference":"\x"}`, "it cannot be read from line 1, column 16 on"},
		"an escape that is cut":            {`{"reference":"\ud8"}`, "it cannot be read from line 1, column 19 on"},
		"deeper than any reader will go":   {strings.Repeat("[", 20_000), "it cannot be read from"},
		"deeper than this one will go":     {strings.Repeat("[", 20) + strings.Repeat("]", 20), "nested too deep"},
		"too deep and then a comma":        {strings.Repeat("[", 20) + "1," + strings.Repeat("]", 20), "a comma too many stands at line 1, column 22"},
		"a member twice, and then a comma": {`{"a":1,"a":2,}`, "a comma too many"},
	} {
		b := setup(t)
		w := b.send(t, "POST", "/v1/payments", test.body)
		p := readProblem(t, w)
		require.Equal(t, 400, w.Code, "%s: %s", name, w.Body)
		require.Equal(t, "malformed_json", p.Code, name)
		require.Contains(t, p.Detail, test.says, name)
		require.Zero(t, b.count(), name)
	}
}

// TestHalfOfASurrogatePairIsRefused holds that a text that every reader makes something else of is refused, wherever it
// stands, and that nothing else is.
func TestHalfOfASurrogatePairIsRefused(t *testing.T) {
	t.Parallel()
	for text, half := range map[string]bool{
		`a\ud800b`: true, `a\udfffb`: true, `\uD800`: true, `\udbff`: true, `\uDC00`: true, `\ud800\ud800\udc00`: true, `\udc00\ud800`: true, `\ud83d\u0041`: true,
		`\ud83d\n`: true, `\ud83d\\udca9`: true, `\ud83dx\udca9`: true, `\\\ud83d`: true, `\ud83d\udca9\ud83d`: true,
		`\ud83d\udca9`: false, `\uD83D\uDCA9`: false, `💩`: false, `\ufffd`: false, "\ufffd": false, `\\ud800`: false, `\u005cud800`: false, `\ud7ff`: false, `\ue000`: false, `\\\ud83d\udca9`: false,
	} {
		for field, body := range map[string]string{
			"description":           with("description", `"`+text+`"`),
			"customer.first_name":   with("customer", `{"first_name":"`+text+`"}`),
			"customer.address.city": with("customer", `{"address":{"city":"`+text+`"}}`),
			"metadata.a":            with("metadata", `{"a":"`+text+`"}`),
			"metadata.?":            with("metadata", `{"`+text+`":"a"}`),
		} {
			b := setup(t)
			w := b.send(t, "POST", "/v1/payments", body)
			if !half {
				require.Equal(t, 201, w.Code, "%s: %s", body, w.Body)
				continue
			}
			p := readProblem(t, w)
			require.Equal(t, 422, w.Code, "%s: %s", body, w.Body)
			require.Equal(t, []string{field}, p.fields(), body)
			require.Contains(t, p.Detail, "surrogate")
			require.Zero(t, b.count(), body)
		}
	}
	b := setup(t)
	w := b.send(t, "POST", "/v1/payments", with(`colour\ud800`, `1`))
	require.Equal(t, 422, w.Code)
	require.Equal(t, []string{"?"}, readProblem(t, w).fields(), "in a name that does not exist either")
	w = b.send(t, "POST", "/v1/payments/"+orderID+"/refunds", `{"reference":"x","amount":1,"reason":"\ud800"}`)
	require.Equal(t, []string{"reason"}, readProblem(t, w).fields())
	w = b.send(t, "GET", "/v1/orders?reference=%ED%A0%80", "")
	require.Equal(t, []string{"reference"}, readProblem(t, w).fields(), "as bytes, in an address")
	require.Equal(t, 404, b.send(t, "GET", "/v1/accounts/%ED%A0%80/balance", "").Code)
	require.Zero(t, b.count())
}

// TestHalfAPairIsAnotherRequestThanItsReplacement holds that a text with half of a pair is not taken for the one with
// U+FFFD that decoding makes of it: the answer to one is not replayed for the other.
func TestHalfAPairIsAnotherRequestThanItsReplacement(t *testing.T) {
	t.Parallel()
	b := setup(t)
	send := func(text string) *httptest.ResponseRecorder {
		return b.send(t, "POST", "/v1/payments", with("description", `"`+text+`"`), "Idempotency-Key", "k")
	}
	require.Equal(t, "invalid_request", readProblem(t, send(`a\ud800b`)).Code)
	require.Equal(t, 201, send("a\ufffdb").Code)
	require.Equal(t, 201, send(`a\ufffdb`).Code, "the same text, escaped")
	for _, half := range []string{`a\ud800b`, `a\udfffb`, `a\uD800b`} {
		require.Equal(t, "idempotency_mismatch", readProblem(t, send(half)).Code, half)
	}
	require.Equal(t, 1, b.count())
}

// TestEveryMemberThatStandsTwiceIsNamed holds it at every depth, with the place of the second.
func TestEveryMemberThatStandsTwiceIsNamed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	body := "{\"reference\":\"a\",\n\"reference\":\"b\",\"customer\":{\"email\":\"a@b\", \"\\u0065mail\":\"c@d\",\"email\":\"e@f\"},\"amount\":1,\"metadata\":{\"4012000000003010\":\"x\",\"4012000000003010\":\"y\"}}"
	w := b.send(t, "POST", "/v1/payments", body, "X-Request-Id", "request-1") // a made-up one might hold the digits
	p := readProblem(t, w)
	require.Equal(t, 400, w.Code)
	require.Equal(t, "malformed_json", p.Code)
	require.Equal(t, []string{"reference", "customer.email", "customer.email", "metadata.?"}, p.fields())
	require.Contains(t, p.Detail, "reference stands twice, the second time at line 2, column 1;")
	require.Contains(t, p.Detail, "customer.email stands twice, the second time at line 2, column 44;", "an escape is no other name")
	require.NotContains(t, w.Body.String(), "4012")
	require.Zero(t, b.count())
}

// TestANumberIsWholeAsItStands holds that 10.0 and 1e3 are refused wherever a number stands, all at once.
func TestANumberIsWholeAsItStands(t *testing.T) {
	t.Parallel()
	for _, number := range []string{"10.0", "1e1", "1E+1", "1000e-2", "10.5", "0.1e2"} {
		b := setup(t)
		p := readProblem(t, b.send(t, "POST", "/v1/payments", `{"reference":"a","currency":"EUR","amount":`+number+`,"browser":{"color_depth":`+number+
			`,"java_enabled":false},"recurring":{"enabled":true,"frequency_days":`+number+`},"description":`+number+`}`))
		require.Equal(t, []string{"amount", "browser.color_depth", "description", "recurring.frequency_days"}, p.fields(), number)
		for _, e := range p.Errors {
			require.Equal(t, e.Field == "description", e.Message == "must be text in double quotes", e.Field)
			require.Equal(t, e.Field != "description", e.Message == notWhole(e.Field), e.Field)
		}
		require.Zero(t, b.count())
	}
}
