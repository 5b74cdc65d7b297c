package httpapi

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
)

// TestNoBodyIsTakenForAll holds that only a body that is left out, or {}, captures everything that is held.
func TestNoBodyIsTakenForAll(t *testing.T) {
	t.Parallel()
	path := "/v1/payments/" + orderID + "/capture"
	for body, status := range map[string]int{
		"": 200, "{}": 200, `{"amount":1}`: 200, "null": 422, `{"amount":null}`: 422, `{"amount":0}`: 422, `{"Amount":1}`: 422, `[]`: 422, `""`: 422, `0`: 422, " ": 400, "{": 400,
	} {
		b := setup(t)
		w := b.send(t, "POST", path, body)
		require.Equal(t, status, w.Code, "%q: %s", body, w.Body)
		require.Equal(t, status == 200, b.count() == 1, "%q", body)
	}
}

// TestACallWithoutABodyTakesNone holds that nobody releases a whole hold in the belief that a part was named.
func TestACallWithoutABodyTakesNone(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"/v1/payments/" + orderID + "/cancel", "/v1/orders/" + orderID + "/refresh"} {
		for body, status := range map[string]int{"": 200, "{}": 200, " { }\n": 200, `{"amount":400}`: 422, "null": 422, "[]": 422, `"` + marked + `"`: 422} {
			b := setup(t)
			w := b.send(t, "POST", call, body)
			require.Equal(t, status, w.Code, "%s %q: %s", call, body, w.Body)
			require.Equal(t, status == 200, b.count() == 1, "%s %q", call, body)
			require.NotContains(t, w.Body.String(), marked)
			if status == 422 {
				require.Equal(t, []string{"body"}, readProblem(t, w).fields())
			}
		}
	}
}

// asked remembers which account a balance was wanted of.
type asked struct {
	*book
	account string
}

func (a *asked) Balance(ctx context.Context, shop uuid.UUID, account string) (gateway.Balance, error) {
	a.account = account
	return a.book.Balance(ctx, shop, account)
}

// TestEscapedAddresses sends what two routers and a database might each read in another way.
func TestEscapedAddresses(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]int{
		"EUR-sandbox": 200, "EUR%2Dsandbox": 200, "%00": 404, "a%2F%00": 404, "a%2F%ff": 404, "%ff": 404, "a%0Ab": 404, "a%2F..%2F%0A": 404, "%2500": 404,
		strings.Repeat("a", 65): 422,
	} {
		o := &asked{}
		b := setup(t, func(c *Config) {
			o.book, _ = c.Orders.(*book)
			c.Orders = o
		})
		w := b.send(t, "GET", "/v1/accounts/"+name+"/balance", "")
		require.Equal(t, status, w.Code, "%s: %q %s", name, o.account, w.Body)
		require.Equal(t, status == 200, b.count() == 1, name)
		require.True(t, clean(o.account), "%s became %q", name, o.account)
	}
	for _, path := range []string{
		"//v1/orders", "/v1//orders", "/v1/orders/", "/v1/./orders", "/v1/payments/../orders", "/V1/orders", "/v1/orders;a=b", "/v1/orders%2F" + orderID,
		"/v1/orders/%7B" + orderID + "%7D", "/v1/orders/urn:uuid:" + orderID, "/v1/orders/" + strings.ReplaceAll(orderID, "-", ""),
	} {
		b := setup(t)
		w := b.send(t, "GET", path, "")
		require.Equal(t, 404, w.Code, "%s: %s", path, w.Body)
		require.Zero(t, b.count(), path)
	}
}

// TestTimesThatJSONCannotSay sends times that are a valid RFC 3339 text, and in UTC lie outside of the years 0 to 9999.
func TestTimesThatJSONCannotSay(t *testing.T) {
	t.Parallel()
	for _, far := range []string{"9999-12-31T23:59:59-01:00", "0000-01-01T00:00:00+01:00"} {
		b := setup(t)
		w := b.send(t, "POST", "/v1/statements", `{"account":"a","type":"payment","status":"succeeded","from":"`+far+`","to":"`+far+`"}`)
		require.Equal(t, 422, w.Code, w.Body)
		require.ElementsMatch(t, []string{"from", "to"}, readProblem(t, w).fields())
		require.Equal(t, 422, b.send(t, "POST", "/v1/payments", with("recurring", `{"enabled":true,"expires_at":"`+far+`"}`)).Code)
		require.Equal(t, 422, b.send(t, "GET", "/v1/orders?created_from="+strings.ReplaceAll(far, "+", "%2B"), "").Code)
		require.Zero(t, b.count())
	}
}

// unspeakable has a statement that cannot be written as JSON.
type unspeakable struct{ *book }

func (unspeakable) TransactionReport(context.Context, uuid.UUID, uuid.UUID) (*payment.TransactionReport, error) {
	return &payment.TransactionReport{CreatedAt: time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)}, nil
}

func TestAnAnswerThatCannotBeWrittenIsAProblem(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *Config) { c.Orders = unspeakable{} })
	w := b.send(t, "GET", "/v1/statements/"+orderID, "")
	require.Equal(t, 500, w.Code, "no half an answer under 200: %s", w.Body)
	require.Equal(t, "internal_error", readProblem(t, w).Code)
}

func TestAddressesThatAreReadInTwoWays(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"https://shop.example/#", "https://shop.example#", "https://@shop.example/", "https://shop.example\\\\@evil.example/", "https:/shop.example", "https:shop.example",
		"https://:443/", "https://", " https://shop.example", "//shop.example/", "HTTP://shop.example/", "ftp://shop.example/", "data:text/html,x", "https://shop.example:x/",
		"http://127.0.0.1.evil.example/", "http://localhost.evil.example/", "http://2130706433/", "http://0x7f.1/", "http://[::ffff:11.1.1.1]/", "http://0.0.0.0/", "http://localhost@evil.example/",
		"https://shop.example:99999/", "https://shop.example:0/", "https://shop.example:/", "https://[fe80::1%25eth0]/",
	} {
		b := setup(t)
		w := b.send(t, "POST", "/v1/payments", with("notification_url", `"`+url+`"`))
		require.Equal(t, 422, w.Code, "%s: %s", url, w.Body)
		require.NotContains(t, w.Body.String(), "evil")
		require.Zero(t, b.count(), url)
	}
}

func TestAnIPAddressHasNoZone(t *testing.T) {
	t.Parallel()
	for ip, status := range map[string]int{"::1": 201, "203.0.113.7": 201, "fe80::1%eth0": 422, "::1%<script>": 422, "127.1": 422, "1.2.3.4/8": 422, "[::1]": 422} {
		b := setup(t)
		w := b.send(t, "POST", "/v1/payments", with("customer", `{"ip":"`+ip+`"}`))
		require.Equal(t, status, w.Code, "%s: %s", ip, w.Body)
	}
}

// TestAKeyIsReadOnce sends what proxies and servers might each take another key from.
func TestAKeyIsReadOnce(t *testing.T) {
	t.Parallel()
	for name, values := range map[string][]string{
		"good then unknown": {"Bearer " + goodKey, "Bearer " + marked}, "unknown then good": {"Bearer " + marked, "Bearer " + goodKey}, "two in one": {"Bearer " + goodKey + ", Bearer " + marked},
	} {
		b := setup(t)
		r := httptest.NewRequest("GET", "/v1/orders", nil)
		r.Header["Authorization"] = values
		w := httptest.NewRecorder()
		b.handler.ServeHTTP(w, r)
		require.Equal(t, 401, w.Code, name)
		require.Zero(t, b.count(), name)
	}
}
