package uapay

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"payrelay/internal/sandbox/simulatortest"
)

const (
	testClient = "90001"
	testKey    = "bG9jYWwtc2ltdWxhdG9yLWtleS0wMQ=="
)

// bundle is a running simulator with its server, a session and a receiver of callbacks.
type bundle struct {
	*testing.T
	simulator *Simulator
	base      string
	hook      *simulatortest.Receiver
	session   string
}

func newBundle(t *testing.T, change func(*Settings)) *bundle {
	t.Helper()
	return newLoggedBundle(t, change, io.Discard)
}

func newLoggedBundle(t *testing.T, change func(*Settings), log io.Writer) *bundle {
	t.Helper()
	settings := DefaultSettings()
	settings.ProcessingMS = 5
	settings.CallbackRetryMS = []int{5, 10, 20}
	if change != nil {
		change(&settings)
	}
	base := ""
	simulator, err := New(Config{Settings: &settings, Log: zerolog.New(log), BaseURL: func() string { return base }})
	require.NoError(t, err)
	base = simulatortest.Serve(t, "/uapay", simulator)
	b := &bundle{T: t, simulator: simulator, base: base, hook: simulatortest.NewReceiver(t)}
	b.session = b.call("sessions/create", object{"clientId": testClient}, nil).text("id")
	require.NotEmpty(t, b.session)
	return b
}

// raw sends one body and returns the HTTP status and the answer, or the error of the call.
func (b *bundle) raw(method, path, body string) (int, []byte, error) {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), method, b.base+path, bytes.NewReader([]byte(body)))
	require.NoError(b, err)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	return resp.StatusCode, raw, err
}

// signed is a request body of the keyed client.
func signed(t testing.TB, params, data object) string {
	t.Helper()
	out := object{"params": params, "iat": time.Now().Unix()}
	if data != nil {
		out["data"] = data
	}
	claims, err := json.Marshal(out)
	require.NoError(t, err)
	out["token"] = Sign(testKey, claims)
	raw, err := json.Marshal(out)
	require.NoError(t, err)
	return string(raw)
}

// send posts a signed call and returns the whole answer.
func (b *bundle) send(path string, params, data object) object {
	b.Helper()
	if path != "sessions/create" {
		params = with(object{"sessionId": b.session}, params)
	}
	_, raw, err := b.raw(http.MethodPost, "/api/"+path, signed(b, params, data))
	require.NoError(b, err)
	out, ok := parse(raw)
	require.True(b, ok, "%s: %q", path, raw)
	return out
}

// call expects success and returns the verified claims of the answer.
func (b *bundle) call(path string, params, data object) object {
	b.Helper()
	out := b.send(path, params, data)
	require.NotContains(b, out, "error", path)
	require.Equal(b, json.Number("1"), out["status"], path)
	if out["data"] == nil {
		return nil
	}
	claims, err := verify(testKey, out.object("data").text("token"))
	require.NoError(b, err)
	got, ok := parse(claims)
	require.True(b, ok)
	require.Contains(b, got, "iat")
	delete(got, "iat")
	return got
}

// refused expects an error and returns its code.
func (b *bundle) refused(path string, params, data object) string {
	b.Helper()
	out := b.send(path, params, data)
	require.Contains(b, out, "error", path)
	return out.object("error").text("code")
}

func with(a, more object) object {
	out := object{}
	for k, v := range a {
		out[k] = v
	}
	for k, v := range more {
		out[k] = v
	}
	return out
}

func (b *bundle) eventually(ok func() bool) {
	b.Helper()
	require.Eventually(b, ok, time.Minute, 2*time.Millisecond)
}

// callbacks waits for n callbacks and returns their verified claims.
func (b *bundle) callbacks(n int) []object {
	b.Helper()
	b.eventually(func() bool { return len(b.hook.Got()) >= n })
	var out []object
	for _, body := range b.hook.Got() {
		o, _ := parse([]byte(body))
		claims, err := verify(testKey, o.text("token"))
		if err != nil {
			out = append(out, nil)
			continue
		}
		got, _ := parse(claims)
		out = append(out, got)
	}
	return out
}

func (b *bundle) invoice(id string, more object) object {
	b.Helper()
	return b.call("invoicer/invoices/create", object{"systemType": "ECOM"}, b.invoiceData(id, more))
}

func (b *bundle) invoiceData(id string, more object) object {
	return with(object{
		"externalId": id, "type": "PAY", "reusability": false, "description": "Order " + id, "amount": 25000,
		"redirectUrl": "https://shop.example/return/" + id, "callbackUrl": b.hook.URL, "email": "payer@shop.example",
		"extraInfo": `{"orderRef":"` + id + `"}`,
	}, more)
}

func (b *bundle) card(number string) string {
	b.Helper()
	return b.call("cards/create", nil, object{"pan": number, "expiresAt": time.Now().AddDate(2, 0, 0).Format("2006-01")}).text("id")
}

// direct pays a new invoice server to server and returns invoice id, payment id and key.
func (b *bundle) direct(id, number string, more object) (string, string, string) {
	b.Helper()
	invoice := b.invoice(id, more).text("id")
	made := b.call("invoicer/payments/create", object{"device": device}, b.payData(invoice, b.card(number)))
	return invoice, made.text("id"), made.text("key")
}

var device = object{"ip": "192.0.2.10", "userAgent": "sim-browser/1.0"}

func (b *bundle) payData(invoice, card string) object {
	return object{
		"invoiceId": invoice, "amount": 25000, "currency": 980, "cardFrom": object{"id": card, "securityCode": "123"},
	}
}

func ids(invoice, payment string) object { return object{"invoiceId": invoice, "paymentId": payment} }

// status waits until checkStatus shows a payment-system value.
func (b *bundle) status(invoice, payment, want string) object {
	b.Helper()
	var last object
	b.eventually(func() bool {
		last = b.call("invoicer/payments/checkStatus", ids(invoice, payment), nil)
		return last["status"] == want
	})
	return last
}

// visit is a browser without JavaScript that does not follow redirects.
func (b *bundle) visit(method, to string, form url.Values) (int, string, string) {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), method, to, bytes.NewReader([]byte(form.Encode())))
	require.NoError(b, err)
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(b, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(b, err)
	where := resp.Header.Get("Location")
	if len(where) > 0 && where[0] == '/' {
		u, err := url.Parse(to)
		require.NoError(b, err)
		where = u.Scheme + "://" + u.Host + where
	}
	return resp.StatusCode, where, string(raw)
}

func typed(number string) url.Values {
	return url.Values{
		"card_number": {number}, "card_expiry": {time.Now().AddDate(2, 0, 0).Format("01/06")}, "card_cvc": {"123"},
	}
}
