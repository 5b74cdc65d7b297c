package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
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

// eventually waits for a condition.
func eventually(t testing.TB, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, waitTimeout, 25*time.Millisecond)
}

// A shop that charges in hryvnia uses the same request as one that charges in euro; the currency decides.
func TestHostedPaymentsAtUAPAY(t *testing.T) {
	t.Parallel()
	d := startUAPAY(t)
	begin := []string{"created by request", "requires_action by answer"}

	// The answer to the call that makes the order is lost. One after the other: the fault hits whichever order comes next.
	lost := func(reference string) full {
		d.once("drop_after", "invoicer/invoices/create", "")
		o := d.makes("/v1/payments", uah(reference, 1000, ""), http.StatusAccepted)
		require.Equal(t, "unknown", o.Status)
		return o
	}
	lostPaid, lostMuted, lostLeft := lost("lost-paid"), lost("lost-silent"), lost("lost-left")
	d.once("drop_before", "invoicer/invoices/create", "")
	never := d.makes("/v1/payments", uah("never", 1000, ""), http.StatusAccepted)

	d.atOnce(t, scenarios{
		"paid": func(t *testing.T, d uapayDev) {
			o := d.opens("paid", `"return_urls":{"status":"`+d.ShopPage+`"}`)
			require.Contains(t, d.pays(o, uahSuccess, ""), "<main", "the payer is back at the shop")
			end := d.ends(o.ID, "succeeded")
			require.EqualValues(t, 1000, end.AmountCaptured)
			require.Equal(t, "411111******1111", end.PaymentMethod.Masked)
			require.Nil(t, end.NextAction)
			d.requireTimeline(o.ID, append(begin, "succeeded by callback|check")...)
			require.Equal(t, []int{http.StatusOK}, d.answers(o))
		},
		"paid after 3-D Secure": func(_ *testing.T, d uapayDev) {
			o := d.opens("challenge", "")
			d.pays(o, uahChallenge, "success")
			d.ends(o.ID, "succeeded")
			d.requireTimeline(o.ID, append(begin, "succeeded by callback|check")...)
		},
		"refused": func(t *testing.T, d uapayDev) {
			o := d.opens("refused", "")
			require.Contains(t, d.pays(o, uahReject, ""), `data-status="failed"`)
			end := d.ends(o.ID, "failed")
			require.Equal(t, "REJECTED", end.Failure.Code)
			require.Equal(t, "unknown", end.Failure.Category, "the provider does not say why")
			require.Equal(t, "customer_may_retry", end.Failure.Advice)
			require.Zero(t, end.AmountCaptured)
			d.requireTimeline(o.ID, append(begin, "failed by callback|check")...)
		},
		"refused by 3-D Secure": func(_ *testing.T, d uapayDev) {
			o := d.opens("challenge-fail", "")
			d.pays(o, uahChallenge, "fail")
			d.ends(o.ID, "failed")
			d.requireTimeline(o.ID, append(begin, "failed by callback|check")...)
		},
		"given up at 3-D Secure": func(_ *testing.T, d uapayDev) {
			o := d.opens("challenge-cancel", "")
			d.pays(o, uahChallenge, "cancel")
			d.ends(o.ID, "canceled")
			d.requireTimeline(o.ID, append(begin, "canceled by callback|check")...)
		},
		"callback lost": func(t *testing.T, d uapayDev) {
			o := d.opens("silent", "")
			d.muteCallbacks(o)
			d.pays(o, uahSuccess, "")
			d.asks(o)
			require.EqualValues(t, 1000, d.ends(o.ID, "succeeded").AmountCaptured)
			d.requireTimeline(o.ID, append(begin, "succeeded by check")...)
			require.Empty(t, d.answers(o))
		},
		"callback sent twenty times": func(t *testing.T, d uapayDev) {
			o := d.opens("twenty", "")
			d.control(http.MethodPost, "/faults", map[string]any{"kind": "callback_duplicate", "order_id": o.ProviderOrderID, "times": 20})
			d.pays(o, uahSuccess, "")
			d.ends(o.ID, "succeeded")
			eventually(t, func() bool { return len(d.answers(o)) == 20 })
			for _, status := range d.answers(o) {
				require.Equal(t, http.StatusOK, status)
			}
			d.requireTimeline(o.ID, append(begin, "succeeded by callback|check")...)
		},
		"answer lost, paid": func(t *testing.T, d uapayDev) {
			d.completes(lostPaid, "success")
			d.ends(lostPaid.ID, "succeeded")
			d.requireTimeline(lostPaid.ID, "created by request", "unknown by answer", "succeeded by callback|check")
			require.Equal(t, lostPaid.ID, d.makes("/v1/payments", uah("lost-paid", 1000, ""), http.StatusOK).ID, "the shop asks again")
			require.Equal(t, 1, d.sent(lostPaid, "invoicer/invoices/create"), "and no second invoice is made")
		},
		"answer and callback lost, paid": func(_ *testing.T, d uapayDev) {
			d.muteCallbacks(lostMuted)
			d.completes(lostMuted, "success")
			d.asks(lostMuted)
			d.ends(lostMuted.ID, "succeeded")
			d.requireTimeline(lostMuted.ID, "created by request", "unknown by answer", "succeeded by check")
		},
		"answer lost, not paid": func(t *testing.T, d uapayDev) {
			repeated := d.makes("/v1/payments", uah("lost-left", 1000, ""), http.StatusOK)
			require.Equal(t, lostLeft.ID, repeated.ID)
			require.Equal(t, "processing", d.ends(lostLeft.ID, "processing").Status, "the provider has it; its page's address is lost")
			require.Nil(t, d.full(lostLeft.ID).NextAction)
			d.refuses("/v1/payments", uah("lost-left", 1001, ""), http.StatusConflict, "reference_conflict")
			require.Equal(t, 1, d.sent(lostLeft, "invoicer/invoices/create"))
			d.requireTimeline(lostLeft.ID, "created by request", "unknown by answer", "processing by check")
		},
		"never arrived": func(t *testing.T, d uapayDev) {
			for range 4 {
				require.Equal(t, "unknown", d.asks(never).Status, "that the provider does not have it proves nothing so early")
			}
			require.Equal(t, never.ID, d.makes("/v1/payments", uah("never", 1000, ""), http.StatusOK).ID)
			require.Equal(t, 1, d.sent(never, "invoicer/invoices/create"))
			d.requireTimeline(never.ID, "created by request", "unknown by answer")
		},
		"forged callbacks": func(t *testing.T, d uapayDev) {
			o, victim := d.opens("forged", ""), d.opens("victim", "")
			variants := []string{
				"wrong_key", "decoded_key", "alg_none", "alg_hs512", "unsigned", "malformed", "tampered", "other_amount", "future_iat",
			}
			for _, variant := range variants {
				send := map[string]any{"variant": variant}
				if variant != "tampered" { // it claims that by itself, under the signature of the truth
					send["status"] = "FINISHED"
				}
				d.control(http.MethodPost, "/orders/"+o.ProviderOrderID+"/callback", send)
			}
			d.control(http.MethodPost, "/orders/"+o.ProviderOrderID+"/callback",
				map[string]any{"variant": "other_order", "victim": victim.ProviderOrderID, "status": "FINISHED"})
			eventually(t, func() bool { return len(d.answers(o)) >= len(variants)+1 })
			for _, id := range []string{o.ID, victim.ID} {
				require.Zero(t, d.get(id).AmountCaptured, "%v", id == victim.ID)
				for _, step := range d.history(id) {
					require.NotContains(t, step, "callback")
				}
			}
			d.pays(o, uahReject, "")
			d.ends(o.ID, "failed")
		},
		"what is missing": func(t *testing.T, d uapayDev) {
			p := d.refuses("/v1/payments", `{"reference":"bare","amount":1000,"currency":"UAH"}`, http.StatusUnprocessableEntity, "missing_fields")
			require.Equal(t, []string{"description"}, p.fields())
			p = d.refuses("/v1/payments", `{"reference":"bare","amount":1000,"currency":"UAH","flow":"direct","payment_method":{"type":"stored_card","card_id":"c"}}`,
				http.StatusUnprocessableEntity, "missing_fields")
			require.Equal(t, []string{"browser", "description", "payment_method.cvc"}, p.fields())
			p = d.refuses("/v1/payments", uah("bare", 1000, `"recurring":{"enabled":true}`), http.StatusUnprocessableEntity, "missing_fields")
			require.Equal(t, []string{"recurring.expires_at", "recurring.frequency_days"}, p.fields())
		},
	})
	d.keepsSecrets()
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
		require.Zero(d.t, d.columnsHolding(number))
	}
}
