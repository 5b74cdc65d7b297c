package smartcore

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

// bundle is a running simulator with its server and a receiver of callbacks.
type bundle struct {
	*testing.T
	simulator *Simulator
	base      string
	hook      *simulatortest.Receiver
}

func newBundle(t *testing.T, change func(*Settings)) *bundle {
	t.Helper()
	return newLoggedBundle(t, change, io.Discard)
}

func newLoggedBundle(t *testing.T, change func(*Settings), log io.Writer) *bundle {
	t.Helper()
	settings := DefaultSettings()
	settings.ProcessingMS, settings.WithdrawalMS = 5, 5
	settings.CallbackRetryMS = []int{5, 10, 20}
	if change != nil {
		change(&settings)
	}
	base := ""
	simulator, err := New(Config{Settings: &settings, Log: zerolog.New(log), BaseURL: func() string { return base }})
	require.NoError(t, err)
	base = simulatortest.Serve(t, "/smartcore", simulator)
	return &bundle{T: t, simulator: simulator, base: base, hook: simulatortest.NewReceiver(t)}
}

// raw sends one request and returns the HTTP status and the body, or the error of the call.
func (b *bundle) raw(method, path, body string) (int, []byte, error) {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), method, b.base+path, bytes.NewReader([]byte(body)))
	require.NoError(b, err)
	req.SetBasicAuth("test", "qwerty")
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	return resp.StatusCode, raw, err
}

type object = map[string]any

// call posts a JSON body and expects a JSON object with HTTP 200.
func (b *bundle) call(path string, body object) object {
	b.Helper()
	raw, err := json.Marshal(body)
	require.NoError(b, err)
	status, answer, err := b.raw(http.MethodPost, path, string(raw))
	require.NoError(b, err)
	require.Equal(b, 200, status, string(answer))
	var out object
	require.NoError(b, json.Unmarshal(answer, &out), string(answer))
	return out
}

func (b *bundle) check(id string) object { return b.call("/gateway/check", object{"order_id": id}) }

// status waits until check shows a status.
func (b *bundle) status(id string, want int) object {
	b.Helper()
	var last object
	b.eventually(func() bool {
		last = b.check(id)
		return last["status"] == float64(want)
	})
	return last
}

func (b *bundle) eventually(ok func() bool) {
	b.Helper()
	require.Eventually(b, ok, time.Minute, 2*time.Millisecond)
}

// got are the callbacks that came.
func (b *bundle) got() []url.Values {
	bodies := b.hook.Got()
	out := make([]url.Values, len(bodies))
	for i, body := range bodies {
		out[i], _ = url.ParseQuery(body)
	}
	return out
}

func (b *bundle) callbacks(n int) []url.Values {
	b.Helper()
	b.eventually(func() bool { return len(b.hook.Got()) >= n })
	return b.got()
}

// pay is a complete request of initPayment, direct payment or authorize.
func (b *bundle) pay(id string, more object) object {
	out := object{
		"account": "EUR-sandbox", "amount": 1000, "currency": "EUR", "order_id": id, "merchant_site": "https://merchant.site",
		"customer_first_name": "John", "customer_last_name": "Doe", "customer_address": "10 Downing Street",
		"customer_city": "London", "customer_zip_code": "121165", "customer_country": "GB", "customer_phone": "+442079460612",
		"customer_email": "john@example.com", "customer_ip_address": "127.0.0.1", "callback_url": b.hook.URL,
		"success_url": "https://shop.example/ok", "fail_url": "https://shop.example/no",
	}
	for k, v := range more {
		out[k] = v
	}
	return out
}

func card(number string) object {
	return object{
		"card_holder": "John Doe", "card_number": number, "card_exp_month": "02", "card_exp_year": "29", "card_cvv": "123",
	}
}

func with(a object, more object) object {
	out := object{}
	for k, v := range a {
		out[k] = v
	}
	for k, v := range more {
		out[k] = v
	}
	return out
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
	return resp.StatusCode, resp.Header.Get("Location"), string(raw)
}

func typed(number string) url.Values {
	return url.Values{
		"card_number": {number}, "card_expiry": {time.Now().AddDate(2, 0, 0).Format("01/06")}, "card_cvc": {"123"},
		"card_holder": {"John Doe"},
	}
}
