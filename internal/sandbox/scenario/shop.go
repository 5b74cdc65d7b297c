package scenario

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// object is a JSON object.
type object = map[string]any

// order is the part of an order that scenarios look at.
type order struct {
	ID              string `json:"id"`
	Kind            string `json:"kind"`
	Status          string `json:"status"`
	Reference       string `json:"reference"`
	Origin          string `json:"origin"`
	Account         string `json:"account"`
	Amount          int64  `json:"amount"`
	AmountCaptured  int64  `json:"amount_captured"`
	AmountRefunded  int64  `json:"amount_refunded"`
	AmountDisputed  int64  `json:"amount_disputed"`
	ProviderOrderID string `json:"provider_order_id"`
	Provider        string `json:"provider"`
	Currency        string `json:"currency"`
	SupersededBy    string `json:"superseded_by"`
	Sequence        int    `json:"sequence"`
	NextAction      struct {
		Type   string            `json:"type"`
		URL    string            `json:"url"`
		Fields map[string]string `json:"fields"`
	} `json:"next_action"`
	Failure struct {
		Code string `json:"code"`
	} `json:"failure"`
	// Problem is the code of a refusal.
	Problem string `json:"code"`
}

var customer = object{
	"first_name": "John", "last_name": "Doe", "email": "john@example.com", "phone": "+442079460612", "ip": "127.0.0.1",
	"address": object{"line": "10 Downing Street", "city": "London", "postal_code": "SW1A 2AA", "country": "GB"},
}

// call makes a request to the API as the demo shop, and again while the service has no room for it.
func (r *run) call(method, path string, body object, header ...string) (status int, o order, text string) {
	for deadline := time.Now().Add(waitFor); ; {
		status, raw := r.send(method, r.w.API+"/v1"+path, body, append([]string{"Authorization", "Bearer " + r.w.Key}, header...)...)
		if status == http.StatusServiceUnavailable && time.Now().Before(deadline) {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		_ = json.Unmarshal(raw, &o) // a list has none of the members
		return status, o, string(raw)
	}
}

func (r *run) send(method, address string, body any, header ...string) (int, []byte) {
	var sent io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			r.fail("%s %s: %v", method, address, err)
		}
		sent = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(r.ctx, method, address, sent)
	if err != nil {
		r.fail("%s %s: %v", method, address, err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.fail("%s %s: %v", method, address, err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		r.fail("%s %s: %v", method, address, err)
	}
	return res.StatusCode, raw
}

// reference is a new one of this scenario.
func (r *run) reference() string {
	r.number++
	return fmt.Sprintf("%s-%d", r.name, r.number)
}

// makes posts what makes an order. Its records are compared when the scenario has ended.
func (r *run) makes(path string, body object) order {
	if body["reference"] == nil {
		body["reference"] = r.reference()
	}
	status, o, text := r.call(http.MethodPost, path, body)
	if status != http.StatusCreated && status != http.StatusAccepted {
		r.fail("POST %s was answered %d: %s", path, status, text)
	}
	r.orders = append(r.orders, o.ID)
	return o
}

// refuses posts what must be refused.
func (r *run) refuses(path string, body object, status int, code string) {
	got, o, text := r.call(http.MethodPost, path, body)
	if got != status || o.Problem != code {
		r.fail("POST %s was answered %d and must be %d %s: %s", path, got, status, code, text)
	}
}

// does posts something about an order.
func (r *run) does(path string, body object) order {
	status, o, text := r.call(http.MethodPost, path, body)
	if status != http.StatusOK {
		r.fail("POST %s was answered %d: %s", path, status, text)
	}
	return o
}

// order reads an order.
func (r *run) order(id string) order {
	status, o, text := r.call(http.MethodGet, "/orders/"+id, nil)
	if status != http.StatusOK {
		r.fail("order %s was answered %d: %s", id, status, text)
	}
	return o
}

// becomes waits until an order has a status.
func (r *run) becomes(id, status string) (o order) {
	r.until("the status "+status, func() (bool, string) {
		o = r.order(id)
		return o.Status == status, fmt.Sprintf("%s %s is %s %s", o.Kind, o.Reference, o.Status, o.Failure.Code)
	})
	return o
}

// find searches orders.
func (r *run) find(query string) []order {
	status, raw := r.send(http.MethodGet, r.w.API+"/v1/orders?"+query, nil, "Authorization", "Bearer "+r.w.Key)
	var list struct {
		Data []order `json:"data"`
	}
	if err := json.Unmarshal(raw, &list); err != nil || status != http.StatusOK {
		r.fail("the search %s was answered %d: %s", query, status, raw)
	}
	return list.Data
}

// hears waits for a notification.
func (r *run) hears(id, kind string) {
	r.until("the notification "+kind, func() (bool, string) { return r.w.Shop.heard(id, kind), "it did not come" })
}

var (
	acsForm   = regexp.MustCompile(`<form id="acs-form" method="post" action="([^"]*)"`)
	acsButton = regexp.MustCompile(`id="acs-([a-z]+)"[^>]* name="([^"]*)" value="([^"]*)"`)
)

// pays types a card into the provider's form. bank is the button on the 3-D Secure page, empty if the card does not lead there.
func (r *run) pays(o order, number, bank string) {
	if o.NextAction.URL == "" {
		r.fail("%s %s has no form: it is %s", o.Kind, o.Reference, o.Status)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		r.fail("%v", err)
	}
	browser := &http.Client{Jar: jar}
	page, at := r.submits(browser, o.NextAction.URL, url.Values{"card_number": {number}, "card_expiry": {"12/30"}, "card_cvc": {"739"}, "card_holder": {"John Doe"}})
	if bank != "" {
		r.answers(browser, page, at, bank)
	}
}

// answers presses a button of the bank's page.
func (r *run) answers(browser *http.Client, page string, at *url.URL, bank string) {
	form := acsForm.FindStringSubmatch(page)
	for _, b := range acsButton.FindAllStringSubmatch(page, -1) {
		if b[1] == bank && form != nil {
			to, err := at.Parse(strings.ReplaceAll(form[1], "&amp;", "&"))
			if err != nil {
				r.fail("the bank's page: %v", err)
			}
			r.submits(browser, to.String(), url.Values{b[2]: {b[3]}})
			return
		}
	}
	r.fail("the browser did not get to the bank's page, but to %s", at)
}

func (r *run) submits(browser *http.Client, to string, fields url.Values) (page string, at *url.URL) {
	req, err := http.NewRequestWithContext(r.ctx, http.MethodPost, to, strings.NewReader(fields.Encode()))
	if err != nil {
		r.fail("the form %s: %v", to, err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r.visits(browser, req)
}

// visits sends a browser's request, and returns where it got to.
func (r *run) visits(browser *http.Client, req *http.Request) (page string, at *url.URL) {
	res, err := browser.Do(req)
	if err != nil {
		r.fail("the page %s: %v", req.URL, err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= http.StatusBadRequest {
		r.fail("the page %s was answered %d: %s", req.URL, res.StatusCode, raw)
	}
	return string(raw), res.Request.URL
}

// opens reads a page.
func (r *run) opens(browser *http.Client, address string) (page string, at *url.URL) {
	req, err := http.NewRequestWithContext(r.ctx, http.MethodGet, address, nil)
	if err != nil {
		r.fail("the page %s: %v", address, err)
	}
	return r.visits(browser, req)
}

// control calls a simulator's control API.
func (r *run) control(method string, p provider, path string, body, into any) {
	status, raw := r.send(method, r.w.Simulators+"/"+string(p)+"/control"+path, body)
	if status >= http.StatusMultipleChoices {
		r.fail("%s %s of the simulator was answered %d: %s", method, path, status, raw)
	}
	if into != nil {
		if err := json.Unmarshal(raw, into); err != nil {
			r.fail("%s %s of the simulator: %v", method, path, err)
		}
	}
}

// knows reads an order at the simulator, and reports whether it is there.
func (r *run) knows(p provider, id string, into any) bool {
	status, raw := r.send(http.MethodGet, r.w.Simulators+"/"+string(p)+"/control/orders/"+url.PathEscape(id), nil)
	if status == http.StatusNotFound {
		return false
	}
	if err := json.Unmarshal(raw, into); err != nil || status != http.StatusOK {
		r.fail("the simulator answered %d about order %s: %s", status, id, raw)
	}
	return true
}
