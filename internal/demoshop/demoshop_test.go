package demoshop_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"payrelay/internal/demoshop"
	"payrelay/internal/shop"
)

type bundle struct {
	*httptest.Server
	secret string
	client *http.Client
}

func setup(t *testing.T, api http.HandlerFunc) *bundle {
	t.Helper()
	b := &bundle{secret: shop.NewWebhookSecret()}
	payrelay := httptest.NewServer(api)
	t.Cleanup(payrelay.Close)
	s := demoshop.New(demoshop.Config{
		WebhookSecret: b.secret, APIURL: payrelay.URL + "/", APIKey: "prk_test_demo", PublicURL: "http://shop.test", Log: zerolog.Nop(),
	})
	b.Server = httptest.NewServer(s.Handler())
	t.Cleanup(b.Close)
	b.client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return b
}

func notUsed(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }

func payload(order, status string, sequence int, reference string) []byte {
	return fmt.Appendf(nil, `{"id":%q,"type":"payment.%s","created_at":"2026-11-21T12:00:00Z","sequence":%d,"order":{"id":%q,"object":"order",`+
		`"kind":"payment","reference":%q,"status":%q,"amount":1050,"currency":"EUR"}}`, uuid.New(), status, sequence, order, reference, status)
}

// send posts a notification, signed with secret as of at.
func (b *bundle) send(t *testing.T, secret, id string, at time.Time, body []byte) int {
	t.Helper()
	wh, err := standardwebhooks.NewWebhook(secret)
	require.NoError(t, err)
	signature, err := wh.Sign(id, at, body)
	require.NoError(t, err)
	return b.do(t, http.MethodPost, "/notifications", string(body), map[string]string{
		"webhook-id": id, "webhook-timestamp": strconv.FormatInt(at.Unix(), 10), "webhook-signature": signature,
	}).StatusCode
}

func (b *bundle) do(t *testing.T, method, path, body string, header map[string]string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, b.URL+path, strings.NewReader(body))
	require.NoError(t, err)
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := b.client.Do(req)
	require.NoError(t, err)
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

func (b *bundle) get(t *testing.T, path string) string {
	t.Helper()
	resp := b.do(t, http.MethodGet, path, "", nil)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(body)
}

type listed struct {
	Data []struct {
		ID, Type, Status string
		OrderID          string `json:"order_id"`
		Sequence         int
		Verified         bool
		At               time.Time
	}
	Rejected int
}

func (b *bundle) list(t *testing.T) (l listed) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(b.get(t, "/api/notifications")), &l))
	return l
}

func TestOnlySignedNotificationsAreBelieved(t *testing.T) {
	t.Parallel()
	b := setup(t, notUsed)
	order, now := uuid.NewString(), time.Now()
	body := payload(order, "succeeded", 3, "demo-1")

	require.Equal(t, 401, b.do(t, http.MethodPost, "/notifications", string(body), nil).StatusCode)
	require.Equal(t, 401, b.send(t, shop.NewWebhookSecret(), "a", now, body))
	require.Equal(t, 401, b.send(t, b.secret, "a", now.Add(-6*time.Minute), body))
	require.Equal(t, 401, b.send(t, b.secret, "a", now.Add(6*time.Minute), body))
	require.Equal(t, 400, b.send(t, b.secret, "a", now, []byte("{")))
	require.Empty(t, b.list(t).Data)
	require.Equal(t, 4, b.list(t).Rejected)

	require.Equal(t, 204, b.send(t, b.secret, "a", now, body))
	require.Equal(t, 204, b.send(t, b.secret, "a", now.Add(time.Second), body), "a repeat is acknowledged")
	got := b.list(t).Data
	require.Len(t, got, 1)
	require.Equal(t, "a", got[0].ID)
	require.Equal(t, "payment.succeeded", got[0].Type)
	require.Equal(t, "succeeded", got[0].Status)
	require.Equal(t, order, got[0].OrderID)
	require.Equal(t, 3, got[0].Sequence)
	require.True(t, got[0].Verified)
	require.WithinDuration(t, now, got[0].At, time.Minute)
}

func TestAShopWithoutASecretRefusesEverything(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{"", "whsec_", "whsec_%"} {
		s := demoshop.New(demoshop.Config{WebhookSecret: secret, Log: zerolog.Nop()})
		wh, err := standardwebhooks.NewWebhookRaw(nil)
		require.NoError(t, err)
		at := time.Now()
		signature, err := wh.Sign("a", at, []byte("{}"))
		require.NoError(t, err)
		r := httptest.NewRequest(http.MethodPost, "/notifications", strings.NewReader("{}"))
		r.Header.Set("webhook-id", "a")
		r.Header.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
		r.Header.Set("webhook-signature", signature)
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		require.Equal(t, 401, w.Code, secret)
	}
}

func TestTheNewest500AreKept(t *testing.T) {
	t.Parallel()
	b := setup(t, notUsed)
	for i := range 510 {
		require.Equal(t, 204, b.send(t, b.secret, strconv.Itoa(i), time.Now(), payload("o", "processing", i+1, "r")))
	}
	got := b.list(t).Data
	require.Len(t, got, 500)
	require.Equal(t, "509", got[0].ID)
	require.Equal(t, "10", got[499].ID)
	require.Contains(t, b.get(t, "/"), "The newest 50 of 500.")
}

func TestFaultsOnDemand(t *testing.T) {
	t.Parallel()
	b := setup(t, notUsed)
	require.Equal(t, 204, b.do(t, http.MethodPost, "/control/fail", `{"status":503,"count":2}`, nil).StatusCode)
	body := payload("o", "created", 1, "r")
	for _, want := range []int{503, 503, 204} {
		require.Equal(t, want, b.send(t, b.secret, "a", time.Now(), body))
	}
	require.Len(t, b.list(t).Data, 1)
	for _, bad := range []string{``, `{"status":200,"count":1}`, `{"status":999,"count":1}`, `{"status":500,"count":-1}`} {
		require.Equal(t, 400, b.do(t, http.MethodPost, "/control/fail", bad, nil).StatusCode, bad)
	}
}

func (b *bundle) buy(t *testing.T, amount string) *http.Response {
	t.Helper()
	return b.do(t, http.MethodPost, "/buy", url.Values{"amount": {amount}}.Encode(), map[string]string{"Content-Type": "application/x-www-form-urlencoded"})
}

func TestBuyLeadsToThePaymentPage(t *testing.T) {
	t.Parallel()
	asked := make(chan map[string]any, 2)
	b := setup(t, func(w http.ResponseWriter, r *http.Request) {
		var in map[string]any
		if r.Method+r.URL.Path != "POST/v1/payments" || r.Header.Get("Authorization") != "Bearer prk_test_demo" || json.NewDecoder(r.Body).Decode(&in) != nil {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		asked <- in
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"id":"o1","status":"requires_action","next_action":{"type":"redirect","url":"https://pay.test/form?x=1"}}`)
	})
	for amount, minor := range map[string]float64{"10,5": 1050, "7": 700} {
		resp := b.buy(t, amount)
		require.Equal(t, http.StatusSeeOther, resp.StatusCode)
		require.Equal(t, "https://pay.test/form?x=1", resp.Header.Get("Location"))
		in := <-asked
		require.InDelta(t, minor, in["amount"], 0)
		require.Equal(t, "EUR", in["currency"])
		reference, _ := in["reference"].(string)
		require.Regexp(t, `^demo-[a-z0-9]{16}$`, reference)
		require.Equal(t, map[string]any{
			"success": "http://shop.test/return?reference=" + reference + "&outcome=success",
			"fail":    "http://shop.test/return?reference=" + reference + "&outcome=fail",
		}, in["return_urls"])
		customer, _ := in["customer"].(map[string]any)
		for _, field := range []string{"first_name", "last_name", "email", "phone", "ip", "address"} {
			require.NotEmpty(t, customer[field], field)
		}
	}
}

func TestBuyThatDoesNotLeadThere(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer   int
		body     string
		amount   string
		want     int
		location string
		text     string
	}{
		"bad amount":      {200, `{}`, "<b>1", 422, "", "value=\"&lt;b&gt;1\""},
		"nothing":         {200, `{}`, "0.00", 422, "", "Please enter an amount"},
		"refused":         {422, `{"title":"Invalid","detail":"<i>no</i>","errors":[{"field":"customer.email","message":"is required"}]}`, "1", 502, "", "&lt;i&gt;no&lt;/i&gt;; customer.email is required"},
		"not JSON":        {200, `<html>`, "1", 502, "", "gave no answer"},
		"unknown outcome": {202, `{"id":"o/2","status":"unknown","next_action":null}`, "1", 303, "/orders/o%2F2", ""},
		"odd scheme":      {201, `{"id":"o3","next_action":{"type":"redirect","url":"javascript:alert(1)"}}`, "1", 303, "/orders/o3", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.answer)
				_, _ = io.WriteString(w, c.body)
			})
			resp := b.buy(t, c.amount)
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.Equal(t, c.want, resp.StatusCode)
			require.Equal(t, c.location, resp.Header.Get("Location"))
			require.Contains(t, string(body), c.text)
			require.NotContains(t, string(body), "prk_test_demo")
		})
	}
}

func TestBuyIsForThisShopsPagesOnly(t *testing.T) {
	t.Parallel()
	b := setup(t, notUsed)
	resp := b.do(t, http.MethodPost, "/buy", "amount=1", map[string]string{"Sec-Fetch-Site": "cross-site", "Content-Type": "application/x-www-form-urlencoded"})
	require.Equal(t, http.StatusForbidden, resp.StatusCode)
}

func TestAShopThatIsNotNotifiedSaysSo(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(demoshop.New(demoshop.Config{
		WebhookSecret: shop.NewWebhookSecret(), APIURL: "http://api.test", APIKey: "prk_test_demo", PublicURL: "http://shop.test", Elsewhere: "http://127.0.0.1:3000/hook", Log: zerolog.Nop(),
	}).Handler())
	defer s.Close()
	b := &bundle{Server: s, client: s.Client()}
	for _, page := range []string{"/", "/return?reference=r", "/orders/" + uuid.NewString()} {
		require.Contains(t, b.get(t, page), "http://127.0.0.1:3000/hook", page)
	}
	require.NotContains(t, b.get(t, "/"), "appears here")
}

func TestPages(t *testing.T) {
	t.Parallel()
	b := setup(t, notUsed)
	require.Contains(t, b.get(t, "/"), "Nothing yet.")
	require.NotContains(t, b.get(t, "/"), "another address")

	order := uuid.NewString()
	for i, status := range []string{"created", "requires_action", "succeeded", "processing"} {
		sequence := []int{1, 2, 4, 3}[i] // the last two arrive in the wrong order
		require.Equal(t, 204, b.send(t, b.secret, status, time.Now(), payload(order, status, sequence, "demo-<b>&1")))
	}
	home := b.get(t, "/")
	require.Contains(t, home, "payment.requires_action")
	require.Contains(t, home, "10.50 EUR")
	require.Contains(t, home, "signature verified")
	require.Contains(t, home, `href="/orders/`+order+`"`)
	require.Contains(t, b.get(t, "/fragment"), "payment.requires_action")
	require.NotContains(t, b.get(t, "/fragment"), "<html")

	one := b.get(t, "/orders/"+order)
	require.Contains(t, one, "demo-&lt;b&gt;&amp;1")
	require.NotContains(t, one, "demo-<b>")
	require.Contains(t, one, "&#34;sequence&#34;: 4")
	require.Contains(t, b.get(t, "/orders/"+uuid.NewString()), "No notification about this order")

	resp := b.do(t, http.MethodGet, "/", "", nil)
	require.Contains(t, resp.Header.Get("Content-Security-Policy"), "default-src 'none'")
	require.NotContains(t, home, "style=")
	for _, asset := range []string{"/assets/shop.css", "/assets/live.js"} {
		require.NotEmpty(t, b.get(t, asset))
	}
	for _, none := range []string{"/assets/pages.html", "/assets/..%2fdoc.go", "/assets/"} {
		require.Equal(t, http.StatusNotFound, b.do(t, http.MethodGet, none, "", nil).StatusCode, none)
	}
}

func TestReturnPageBelievesNotificationsOnly(t *testing.T) {
	t.Parallel()
	b := setup(t, notUsed)
	back := "/return?outcome=success&reference=demo-1"
	require.Contains(t, b.get(t, back), "Thanks, waiting for confirmation…")
	require.NotContains(t, b.get(t, back), "is confirmed")
	require.Contains(t, b.get(t, "/return?outcome=success"), "Thanks, waiting for confirmation…")

	for _, kind := range []string{"refund", "payout", "payout_card", "transfer"} { // a reference is unique within its kind only
		other := strings.ReplaceAll(string(payload("other", "succeeded", 3, "demo-1")), "payment", kind)
		require.Equal(t, 204, b.send(t, b.secret, kind, time.Now(), []byte(other)))
		require.NotContains(t, b.get(t, back), "is confirmed", kind)
	}

	require.Equal(t, 204, b.send(t, b.secret, "2", time.Now(), payload("o", "failed", 2, "demo-1")))
	require.Equal(t, 204, b.send(t, b.secret, "1", time.Now(), payload("o", "created", 1, "demo-1")))
	page := b.get(t, back)
	require.Contains(t, page, "did not go through")
	require.NotContains(t, page, "http-equiv", "nothing more to wait for")
	require.Contains(t, b.get(t, "/fragment?reference=demo-1"), "did not go through")
}

func TestPagesInUkrainian(t *testing.T) {
	t.Parallel()
	b := setup(t, notUsed)
	order := uuid.NewString()
	require.Equal(t, 204, b.send(t, b.secret, "a", time.Now(), payload(order, "succeeded", 3, "demo-1")))
	for path, texts := range map[string][]string{
		"/":                {`<html lang="uk">`, "<title>Демонстраційний магазин · payrelay</title>", `value="10,00"`, "Купити", "Сплачено", "10,50\u00a0EUR", "підпис перевірено"},
		"/fragment":        {"Замовлення", "10,50\u00a0EUR"},
		"/orders/" + order: {`<html lang="uk">`, "<title>Замовлення …", "Номер у магазині", "Повернутися до магазину"},
		"/return?reference=demo-1&outcome=success": {"<title>Дякуємо · payrelay</title>", "Ваш платіж підтверджено."},
	} {
		resp := b.do(t, http.MethodGet, path, "", map[string]string{"Accept-Language": "uk-UA,uk;q=0.9,en;q=0.5"})
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		for _, text := range texts {
			require.Contains(t, string(body), text, path)
		}
	}
}
