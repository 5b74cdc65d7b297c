package e2e

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"payrelay/internal/payment"
	"payrelay/internal/secrets"
	"payrelay/internal/store"
)

// control calls the simulator's control API.
func (d *dev) control(method, path string, body any) []byte {
	d.t.Helper()
	text, err := json.Marshal(body)
	require.NoError(d.t, err)
	req, err := http.NewRequestWithContext(context.Background(), method, d.Sandbox+"/smartcore/control"+path, bytes.NewReader(text))
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

// callbacks turns the simulator's callbacks on one order off.
func (d *dev) fault(kind, endpoint, orderID string, more map[string]any) {
	f := map[string]any{"kind": kind, "endpoint": endpoint, "order_id": orderID}
	for k, v := range more {
		f[k] = v
	}
	d.control(http.MethodPost, "/faults", f)
}

// pay types a card into the provider's form as a browser without scripts would, and follows where it leads. acs is the
// button on the 3-D Secure page.
func (d *dev) pay(form, number, acs string) string {
	d.t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(d.t, err)
	browser := &http.Client{Jar: jar}
	res := d.submit(browser, form, url.Values{"card_number": {number}, "card_expiry": {"12/30"}, "card_cvc": {"739"}, "card_holder": {"John Doe"}})
	if acs != "" {
		page, action := res.page, res.form
		require.Contains(d.t, page, "acs-"+acs)
		res = d.submit(browser, action, url.Values{"outcome": {acs}})
	}
	return res.page
}

type submitted struct{ page, form string }

func (d *dev) submit(browser *http.Client, to string, fields url.Values) submitted {
	d.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, to, strings.NewReader(fields.Encode()))
	require.NoError(d.t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := browser.Do(req)
	require.NoError(d.t, err)
	defer func() { _ = res.Body.Close() }()
	page, err := io.ReadAll(res.Body)
	require.NoError(d.t, err)
	require.Less(d.t, res.StatusCode, 400, "%s", page)
	form := ""
	if _, rest, ok := strings.Cut(string(page), `action="`); ok {
		form, _, _ = strings.Cut(rest, `"`)
		u, err := res.Request.URL.Parse(form)
		require.NoError(d.t, err)
		form = u.String()
	}
	return submitted{string(page), form}
}

// simulatorOrder is what the provider simulator knows of an order.
type simulatorOrder struct {
	Operation    string           `json:"operation"`
	Amount       int64            `json:"amount"`
	FinalAmount  int64            `json:"final_amount"`
	Refunded     int64            `json:"refunded"`
	Status       int              `json:"status"`
	Canceled     bool             `json:"canceled"`
	Phone        string           `json:"phone"`
	UUID         string           `json:"uuid"`
	ProcessingID string           `json:"processing_id"`
	Refunds      []simulatorOrder `json:"refunds"`
}

func (d *dev) simulator(providerOrderID string) simulatorOrder {
	d.t.Helper()
	var o simulatorOrder
	require.NoError(d.t, json.Unmarshal(d.control(http.MethodGet, "/orders/"+providerOrderID, nil), &o))
	return o
}

// sent counts the calls of an endpoint about an order that reached the simulator, answered or not.
func (d *dev) sent(providerOrderID, endpoint string) int {
	d.t.Helper()
	var all struct {
		Requests []json.RawMessage `json:"requests"`
	}
	text := d.control(http.MethodGet, "/requests?"+url.Values{"order_id": {providerOrderID}, "endpoint": {endpoint}}.Encode(), nil)
	require.NoError(d.t, json.Unmarshal(text, &all))
	return len(all.Requests)
}

// settings changes the simulator's behaviour for all orders of this `dev`.
func (d *dev) settings(change map[string]any) { d.control(http.MethodPost, "/settings", change) }

// simulatorOrders lists the ids of the provider's orders.
func (d *dev) simulatorOrders() (ids []string) {
	d.t.Helper()
	var list struct {
		Orders []struct {
			OrderID string `json:"order_id"`
		} `json:"orders"`
	}
	require.NoError(d.t, json.Unmarshal(d.control(http.MethodGet, "/orders", nil), &list))
	for _, o := range list.Orders {
		ids = append(ids, o.OrderID)
	}
	return ids
}

// visits opens an address in a browser and presses a button of the 3-D Secure page there.
func (d *dev) visits(address, button string) {
	d.t.Helper()
	res, err := http.Get(address) //nolint:gosec,noctx // a test's browser
	require.NoError(d.t, err)
	require.NoError(d.t, res.Body.Close())
	d.submit(http.DefaultClient, res.Request.URL.String(), url.Values{"outcome": {button}})
}

var bankAnswer = regexp.MustCompile(`id="acs-(success|fail|cancel)"[^>]* name="(\w+)" value="([^"]+)"`)

// simulatorCallbacks lists the answers that the simulator got to its callbacks about an order.
func (d *dev) simulatorCallbacks(providerOrderID string) []int {
	d.t.Helper()
	var o struct {
		Callbacks []struct {
			Attempts []struct {
				Answer int `json:"status"`
			} `json:"attempts"`
		} `json:"callbacks"`
	}
	require.NoError(d.t, json.Unmarshal(d.control(http.MethodGet, "/orders/"+providerOrderID, nil), &o))
	var answers []int
	for _, c := range o.Callbacks {
		for _, a := range c.Attempts {
			answers = append(answers, a.Answer)
		}
	}
	return answers
}

// callbackTarget is where the provider calls back for an account.
func (d *dev) callbackTarget(account string) string {
	d.t.Helper()
	pool, err := pgxpool.New(context.Background(), d.DatabaseURL)
	require.NoError(d.t, err)
	defer pool.Close()
	keyring, err := secrets.Open(secrets.DemoKeyset)
	require.NoError(d.t, err)
	accounts, err := store.New(pool, store.Options{Keyring: keyring}).Accounts(context.Background())
	require.NoError(d.t, err)
	i := slices.IndexFunc(accounts, func(a payment.Account) bool { return a.Name == account })
	require.GreaterOrEqual(d.t, i, 0)
	return "/callbacks/smartcore/" + accounts[i].CallbackToken.Reveal()
}

// signedEvent is a callback about an order, by smartcore.md 10 and 11, with some of its fields changed.
func signedEvent(orderID string, changed map[string]string) string {
	fields := map[string]string{
		"amount": "1000", "authorize_status": "null", "cascadeErrors": "null", "currency": "EUR", "eci": "05", "finalAmount": "1000", "firstName": "John",
		"isTrustedTransaction": "false", "lastName": "Doe", "message": "null", "orderId": orderID, "rrn": "318513456789", "status": "2", "type": "Payment",
	}
	maps.Copy(fields, changed)
	values, form := []string{}, url.Values{}
	for _, k := range slices.Sorted(maps.Keys(fields)) {
		values = append(values, fields[k])
		form.Set(k, fields[k])
	}
	mac := hmac.New(sha256.New, []byte("qwerty"))
	mac.Write([]byte(strings.Join(values, "|")))
	form.Set("sign", hex.EncodeToString(mac.Sum(nil)))
	return form.Encode()
}

// deliver posts a callback and returns the status of the answer.
// deliver posts a callback as the provider does: again while it is not taken. It returns the last answer's status.
func deliver(target, body string) int {
	for deadline := time.Now().Add(waitTimeout); ; time.Sleep(100 * time.Millisecond) {
		status := deliverOnce(target, body)
		if status != http.StatusServiceUnavailable || time.Now().After(deadline) {
			return status
		}
	}
}

func deliverOnce(target, body string) int {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, target, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		panic(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}

// replay sends a callback again, byte for byte, and waits until it was answered.
func (d *dev) replay(id string, times int) {
	d.t.Helper()
	before := len(d.simulatorCallbacks(id))
	d.control(http.MethodPost, "/orders/"+id+"/callback", map[string]any{"variant": "replay", "times": times})
	eventually(d.t, func() bool { return len(d.simulatorCallbacks(id)) == before+times })
}

// signs delivers a genuine callback about an order with some of its fields changed, which must be taken.
func (d *dev) signs(target string, o full, changed map[string]string) {
	d.t.Helper()
	require.Equal(d.t, http.StatusOK, deliver(d.API+target, signedEvent(o.ProviderOrderID, changed)))
}
