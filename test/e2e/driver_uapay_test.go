package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/sandbox/uapay"
)

// The cards of UAPAY's simulator.
const (
	uahSuccess   = "4111111111111111"
	uahChallenge = "5454545454545454"
	uahLookup    = "4000000000000101"
	uahReject    = "4000000000000002"
)

// uapayDev is a `server dev` whose helpers talk to UAPAY's simulator instead of SmartCore's.
type uapayDev struct{ *dev }

func startUAPAY(t testing.TB, environ ...string) uapayDev { return uapayDev{startDev(t, environ...)} }

// scenarios is what happens to orders that have nothing to do with each other.
type scenarios map[string]func(t *testing.T, d uapayDev)

// atOnce runs scenarios side by side on one `dev`. They mostly wait, so they need no turn of their own among the tests.
func (d uapayDev) atOnce(t *testing.T, all scenarios) {
	var wg sync.WaitGroup
	for name, run := range all {
		wg.Go(func() {
			t.Run(name, func(t *testing.T) { run(t, uapayDev{d.with(t)}) })
		})
	}
	wg.Wait()
}

// control calls the simulator's control API.
func (d uapayDev) control(method, path string, body any) []byte {
	d.t.Helper()
	text, err := json.Marshal(body)
	require.NoError(d.t, err)
	req, err := http.NewRequestWithContext(context.Background(), method, d.Sandbox+"/uapay/control"+path, bytes.NewReader(text))
	require.NoError(d.t, err)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	require.NoError(d.t, err)
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	require.NoError(d.t, err)
	require.Less(d.t, res.StatusCode, 300, "%s %s: %s", method, path, answer)
	return answer
}

func (d uapayDev) settings(change map[string]any) { d.control(http.MethodPost, "/settings", change) }

// once makes the simulator misbehave the next time that an endpoint is called, about one order or the next one that comes.
func (d uapayDev) once(kind, endpoint, providerOrderID string) {
	d.t.Helper()
	d.control(http.MethodPost, "/faults", map[string]any{"kind": kind, "endpoint": endpoint, "order_id": providerOrderID, "count": 1})
}

// silent switches the callbacks about one order off.
func (d uapayDev) muteCallbacks(o full) {
	d.t.Helper()
	d.control(http.MethodPost, "/faults", map[string]any{"kind": "callback_off", "order_id": o.ProviderOrderID})
}

// completes lets the payer, or whoever acts in the payer's place, move an order on.
func (d uapayDev) completes(o full, outcome string) {
	d.t.Helper()
	d.control(http.MethodPost, "/orders/"+o.ProviderOrderID+"/complete", map[string]any{"outcome": outcome})
}

// uapayOrder is what UAPAY's simulator knows of an order.
type uapayOrder struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	Kind     string `json:"kind"`
	Inactive bool   `json:"inactive"`
	Payments []struct {
		ID        string `json:"id"`
		ReceiptID string `json:"receipt_id"`
		Amount    int64  `json:"amount"`
		Held      int64  `json:"held"`
		Refunded  int64  `json:"refunded"`
		System    string `json:"system_status"`
	} `json:"payments"`
	Callbacks []struct {
		Attempts []struct {
			Answer int `json:"status"`
		} `json:"attempts"`
	} `json:"callbacks"`
}

func (d uapayDev) simulator(o full) uapayOrder {
	d.t.Helper()
	var out uapayOrder
	require.NoError(d.t, json.Unmarshal(d.control(http.MethodGet, "/orders/"+o.ProviderOrderID, nil), &out))
	return out
}

// answers lists what the simulator was answered to its callbacks about an order.
func (d uapayDev) answers(o full) []int {
	d.t.Helper()
	var list []int
	for _, c := range d.simulator(o).Callbacks {
		for _, a := range c.Attempts {
			list = append(list, a.Answer)
		}
	}
	return list
}

// sent counts the calls of an endpoint about an order that reached the simulator, answered or not.
func (d uapayDev) sent(o full, endpoint string) int {
	d.t.Helper()
	var all struct {
		Requests []json.RawMessage `json:"requests"`
	}
	query := url.Values{"order_id": {o.ProviderOrderID}, "endpoint": {endpoint}}.Encode()
	require.NoError(d.t, json.Unmarshal(d.control(http.MethodGet, "/requests?"+query, nil), &all))
	return len(all.Requests)
}

// uah is the body of a payment in hryvnia. more is put in front of the customer.
func uah(reference string, amount int64, more string) string {
	if more != "" {
		more += ","
	}
	return fmt.Sprintf(`{"reference":%q,"amount":%d,"currency":"UAH","description":"Socks",%s%s}`, reference, amount, more, customer)
}

// opens starts a payment on the provider's page.
func (d uapayDev) opens(reference, more string) full {
	d.t.Helper()
	o := d.makes("/v1/payments", uah(reference, 1000, more), http.StatusCreated)
	require.Equal(d.t, "requires_action", o.Status)
	require.Equal(d.t, "redirect", o.NextAction.Type)
	return o
}

// pays types a card into the provider's form. bank is the button on the 3-D Secure page, if the card leads there.
func (d uapayDev) pays(o full, number, bank string) string {
	d.t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(d.t, err)
	browser := &http.Client{Jar: jar}
	page := d.submit(browser, o.NextAction.URL, url.Values{"card_number": {number}, "card_expiry": {"12/30"}, "card_cvc": {"739"}})
	if bank == "" {
		return page.page
	}
	return d.presses(browser, page, bank).page
}

// presses answers for the bank on its 3-D Secure page.
func (d uapayDev) presses(browser *http.Client, page submitted, bank string) submitted {
	d.t.Helper()
	for _, m := range bankAnswer.FindAllStringSubmatch(page.page, -1) {
		if m[1] == bank {
			return d.submit(browser, html.UnescapeString(page.form), url.Values{m[2]: {m[3]}})
		}
	}
	require.Fail(d.t, "not a bank's page", "%s", page.page)
	return submitted{}
}

// asks makes payrelay ask the provider now.
func (d uapayDev) asks(o full) full {
	d.t.Helper()
	return d.makes("/v1/orders/"+o.ID+"/refresh", "", http.StatusOK)
}

// keepsSecrets looks for what must be in no log and no row.
func (d uapayDev) keepsSecrets() {
	d.t.Helper()
	d.noSecretsInLogs()
	logs := d.log.String()
	for _, secret := range []string{uahSuccess, uahChallenge, uahLookup, uahReject, "bG9jYWwtc2ltdWxhdG9yLWtleS0wMQ==", "/callbacks/uapay/", "eyJhbGciOi"} {
		require.False(d.t, strings.Contains(logs, secret), "the log holds %s", secret)
	}
	for _, number := range []string{uahSuccess, uahChallenge, uahLookup, uahReject} {
		require.Zero(d.t, d.textsHolding(number))
	}
}

// told lists type and status of an order's notifications as the demo shop got them. A step that only shows how far the
// provider was when it happened to be asked is left out.
func (d uapayDev) notificationsOf(id string) []string {
	d.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, strings.TrimRight(d.ShopPage, "/")+"/api/notifications", nil)
	require.NoError(d.t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(d.t, err)
	defer func() { _ = res.Body.Close() }()
	var all struct {
		Data []struct {
			Type, Status string
			Sequence     int
			Verified     bool
			OrderID      string `json:"order_id"`
		}
	}
	require.NoError(d.t, json.NewDecoder(res.Body).Decode(&all))
	history := d.history(id)
	var list []string
	for _, n := range slices.Backward(all.Data) {
		if n.OrderID == id {
			require.True(d.t, n.Verified)
			if step := history[n.Sequence-1]; step != "processing by check" && step != "requires_action by check" {
				list = append(list, n.Type+" "+n.Status)
			}
		}
	}
	return list
}

// holds makes a payment whose money is held.
func (d uapayDev) holds(reference string) full {
	d.t.Helper()
	o := d.opens(reference, `"capture":"manual"`)
	d.pays(o, uahSuccess, "")
	return d.ends(o.ID, "authorized")
}

// p2p is the account that sends money out.
const p2p = "UAH-sandbox-p2p"

// operations lists the operations of a transfer as the simulator's newer engine keeps them.
func (d uapayDev) operations(id string) []string {
	d.t.Helper()
	var o struct {
		Payments []struct {
			Operations []struct {
				Type, Status string
			} `json:"operations"`
		} `json:"payments"`
	}
	require.NoError(d.t, json.Unmarshal(d.control(http.MethodGet, "/orders/"+id, nil), &o))
	var list []string
	for _, op := range o.Payments[0].Operations {
		list = append(list, op.Type+" "+op.Status)
	}
	return list
}

// provider calls UAPAY's simulator as another program of the merchant's would, and returns the data of the answer.
func (d uapayDev) provider(method string, params, data map[string]any) map[string]any {
	d.t.Helper()
	body := map[string]any{"params": params, "iat": time.Now().Unix()}
	if data != nil {
		body["data"] = data
	}
	claims, err := json.Marshal(body)
	require.NoError(d.t, err)
	body["token"] = uapay.Sign("bG9jYWwtc2ltdWxhdG9yLWtleS0wMQ==", claims)
	text, err := json.Marshal(body)
	require.NoError(d.t, err)
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, d.Sandbox+"/uapay/api/"+method, bytes.NewReader(text))
	require.NoError(d.t, err)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	require.NoError(d.t, err)
	defer func() { _ = res.Body.Close() }()
	var said struct {
		Error json.RawMessage
		Data  struct{ Token string }
	}
	require.NoError(d.t, json.NewDecoder(res.Body).Decode(&said))
	parts := strings.Split(said.Data.Token, ".")
	require.Len(d.t, parts, 3, "%s: %s", method, said.Error)
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(d.t, err)
	out := map[string]any{}
	require.NoError(d.t, json.Unmarshal(payload, &out))
	return out
}

// paid makes a payment on the provider's page that succeeds.
func (d uapayDev) paid(reference, more string) full {
	d.t.Helper()
	o := d.opens(reference, more)
	d.pays(o, uahSuccess, "")
	return d.ends(o.ID, "succeeded")
}

// reverses refunds at the provider without us, as in its cabinet.
func (d uapayDev) reverses(o full, amount int64) {
	d.t.Helper()
	d.control(http.MethodPost, "/orders/"+o.ProviderOrderID+"/later", map[string]any{"what": "refund", "amount": amount})
}
