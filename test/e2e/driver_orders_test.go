package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// order is the part of an order that tests look at.
type order struct {
	ID              string `json:"id"`
	Kind            string `json:"kind"`
	Status          string `json:"status"`
	Reference       string `json:"reference"`
	Amount          int64  `json:"amount"`
	AmountCaptured  int64  `json:"amount_captured"`
	AmountRefunded  int64  `json:"amount_refunded"`
	ProviderOrderID string `json:"provider_order_id"`
	Sequence        int    `json:"sequence"`
	NextAction      *struct {
		Type   string            `json:"type"`
		URL    string            `json:"url"`
		Fields map[string]string `json:"fields"`
	} `json:"next_action"`
	Failure *struct {
		Category string `json:"category"`
		Code     string `json:"code"`
		Advice   string `json:"advice"`
	} `json:"failure"`
	PaymentMethod *struct {
		Masked string `json:"masked"`
	} `json:"payment_method"`
}

// create starts a hosted payment.
func (d *dev) create(reference string) order {
	d.t.Helper()
	var o order
	res := d.call(http.MethodPost, "/v1/payments", fmt.Sprintf(`{"reference":%q,"amount":1000,"currency":"EUR","description":"Socks",%s}`, reference, customer), &o)
	require.Equal(d.t, http.StatusCreated, res.StatusCode, "%+v", o)
	return o
}

// get reads an order.
func (d *dev) get(id string) order {
	d.t.Helper()
	var o order
	res := d.call(http.MethodGet, "/v1/orders/"+id, "", &o)
	require.Equal(d.t, http.StatusOK, res.StatusCode)
	return o
}

// await waits until the order has the status.
func (d *dev) await(id, status string) order {
	d.t.Helper()
	var o order
	eventually(d.t, func() bool {
		// an answer of 503 is no end: the database may be on its way back
		if res, text := d.send(http.MethodGet, "/v1/orders/"+id, "", nil); res.StatusCode == http.StatusOK {
			require.NoError(d.t, json.Unmarshal(text, &o))
		}
		return o.Status == status
	}, "an order that should be %s: %v", status, &o)
	return o
}

// history reads an order's transitions.
func (d *dev) history(id string) []string {
	d.t.Helper()
	var h struct {
		Data []struct {
			Sequence        int
			From, To, Cause string
		} `json:"data"`
	}
	res := d.call(http.MethodGet, "/v1/orders/"+id+"/transitions", "", &h)
	require.Equal(d.t, http.StatusOK, res.StatusCode)
	var steps []string
	for i, e := range h.Data {
		require.Equal(d.t, i+1, e.Sequence)
		steps = append(steps, e.To+" by "+e.Cause)
	}
	return steps
}

// full is an order with the members that hosted payments do not need.
type full struct {
	order
	AmountAuthorized int64   `json:"amount_authorized"`
	StatusReason     *string `json:"status_reason"`
	ParentID         *string `json:"parent_id"`
	SupersededBy     *string `json:"superseded_by"`
	Origin           string  `json:"origin"`
	Recurring        bool    `json:"recurring"`
	Currency         *string `json:"currency"`
	Account          string  `json:"account"`
}

// refusal is a problem document.
type refusal struct {
	Status int    `json:"status"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
	Errors []struct {
		Field   string `json:"field"`
		Message string `json:"message"`
	} `json:"errors"`
}

func (r refusal) fields() []string {
	var names []string
	for _, e := range r.Errors {
		names = append(names, e.Field)
	}
	slices.Sort(names)
	return names
}

// makes posts a request that must answer with an order and the HTTP status wanted.
func (d *dev) makes(path, body string, want int) full {
	d.t.Helper()
	res, text := d.raw(http.MethodPost, path, body, nil)
	require.Equal(d.t, want, res.StatusCode, "%s", text)
	var o full
	require.NoError(d.t, json.Unmarshal(text, &o), "%s", text)
	return o
}

// refuses posts a request that must be refused.
func (d *dev) refuses(path, body string, status int, code string) refusal {
	d.t.Helper()
	res, text := d.raw(http.MethodPost, path, body, nil)
	var p refusal
	require.NoError(d.t, json.Unmarshal(text, &p), "%s", text)
	require.Equal(d.t, status, res.StatusCode, "%s", text)
	require.Equal(d.t, code, p.Code, "%s", text)
	return p
}

func (d *dev) full(id string) full {
	d.t.Helper()
	var o full
	res := d.call(http.MethodGet, "/v1/orders/"+id, "", &o)
	require.Equal(d.t, http.StatusOK, res.StatusCode)
	return o
}

// ends waits for an order's status and returns the whole order. An order that waits for its customer is looked at 10 s and 30 s after it
// began; under load the customer may come only after the first look.
func (d *dev) ends(id, status string) full {
	d.t.Helper()
	d.await(id, status)
	return d.full(id)
}

// direct is the body of a direct payment. more is put in front of the customer.
func direct(reference string, amount int64, method, more string) string {
	if more != "" {
		more += ","
	}
	return fmt.Sprintf(`{"reference":%q,"amount":%d,"currency":"EUR","flow":"direct","site_url":"https://shop.example","description":"Socks","payment_method":%s,%s%s}`,
		reference, amount, method, more, customer)
}

func cardMethod(number string) string {
	return fmt.Sprintf(`{"type":"card","card":{"number":%q,"exp_month":12,"exp_year":2030,"cvc":"739","holder":"John Doe"}}`, number)
}

// paid makes a direct payment that succeeds.
func (d *dev) paid(reference string, amount int64, more string) full {
	d.t.Helper()
	o := d.makes("/v1/payments", direct(reference, amount, cardMethod(cardSuccess), more), http.StatusCreated)
	return d.ends(o.ID, "succeeded")
}

// held makes a direct payment whose money is held.
func (d *dev) held(reference string, amount int64) full {
	d.t.Helper()
	o := d.makes("/v1/payments", direct(reference, amount, cardMethod(cardSuccess), `"capture":"manual"`), http.StatusCreated)
	return d.ends(o.ID, "authorized")
}

// story compares an order's history with what is wanted, and the notifications with the history: each transition but the
// first, once, in order. "succeeded by callback|check" takes either cause. Steps that only show how far the provider was
// when it answered may be left out of want: on a busy machine it is further.
func (d *dev) requireTimeline(id string, want ...string) {
	d.t.Helper()
	history := d.history(id)
	kind := d.get(id).Kind
	var reported []string
	for i, step := range history[1:] {
		status, _, _ := strings.Cut(step, " ")
		reported = append(reported, fmt.Sprintf("%d %s.%s", i+2, kind, status))
	}
	matches := func(step, wanted string) bool {
		status, cause, _ := strings.Cut(step, " by ")
		wantStatus, wantCauses, _ := strings.Cut(wanted, " by ")
		return status == wantStatus && slices.Contains(strings.Split(wantCauses, "|"), cause)
	}
	left := want
	for _, step := range history {
		switch {
		case len(left) > 0 && matches(step, left[0]):
			left = left[1:]
		case step == "processing by answer" || step == "processing by check" || step == "requires_action by check":
		default:
			require.Equal(d.t, want, history)
		}
	}
	require.Empty(d.t, left, "the history is %v", history)
	eventually(d.t, func() bool { return len(d.arrivals(id)) >= len(reported) }, "notifications of %v", history)
	require.Equal(d.t, reported, d.arrivals(id))
	require.Equal(d.t, len(history), d.get(id).Sequence)
}

// askedSoFar is how often the provider was asked about an order. Questions that failed alike are one line with a count.
func (d *dev) askedSoFar(id string) (times int) {
	d.t.Helper()
	for _, line := range regexp.MustCompile(`fetch: .*`).FindAllString(d.operator("order", "show", id), -1) {
		count := 1
		if folded := regexp.MustCompile(`, ([0-9]+) times until `).FindStringSubmatch(line); folded != nil {
			var err error
			count, err = strconv.Atoi(folded[1])
			require.NoError(d.t, err)
		}
		times += count
	}
	return times
}

// asked waits until the provider was asked about an order so many times.
func (d *dev) asked(id string, times int) {
	d.t.Helper()
	eventually(d.t, func() bool { return d.askedSoFar(id) >= times })
}

// verdicts lists what became of the callbacks that were kept with an order.
func (d *dev) verdicts(id string) []string {
	d.t.Helper()
	conn, err := pgx.Connect(context.Background(), d.DatabaseURL)
	require.NoError(d.t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	rows, err := conn.Query(context.Background(), "SELECT verdict FROM callbacks WHERE order_id = $1 ORDER BY received_at", id)
	require.NoError(d.t, err)
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(d.t, err)
	return list
}

func wallet(kind, payload string) string {
	return fmt.Sprintf(`{"type":%q,"token":%q,"network":"Visa"}`, kind, base64.StdEncoding.EncodeToString([]byte(payload)))
}

const (
	cardSuccess   = "4012000000003010"
	cardChallenge = "4003830171874018"
	cardOther     = "4111111111111111"
)

func (d *dev) feed() []json.RawMessage {
	d.t.Helper()
	var feed struct {
		Data       []json.RawMessage `json:"data"`
		NextCursor *string           `json:"next_cursor"`
	}
	res := d.call(http.MethodGet, "/v1/events?limit=200", "", &feed)
	require.Equal(d.t, http.StatusOK, res.StatusCode)
	return feed.Data
}

func captureOf(o full) string { return "/v1/payments/" + o.ID + "/capture" }

func cancelOf(o full) string { return "/v1/payments/" + o.ID + "/cancel" }

// page reads a page of a list, and the cursor of the next one.
func (d *dev) page(address string) ([]json.RawMessage, string) {
	d.t.Helper()
	var list struct {
		Data []json.RawMessage
		Next string `json:"next_cursor"`
	}
	res := d.call(http.MethodGet, address, "", &list)
	require.Equal(d.t, http.StatusOK, res.StatusCode, address)
	return list.Data, list.Next
}

func texts(raw []json.RawMessage) (out []string) {
	for _, r := range raw {
		out = append(out, string(r))
	}
	return out
}

// createTo starts a hosted payment whose notifications go to an address of its own.
func (d *dev) createTo(reference, url string) order {
	d.t.Helper()
	var o order
	res := d.call(http.MethodPost, "/v1/payments", fmt.Sprintf(`{"reference":%q,"amount":1000,"currency":"EUR","description":"Socks","notification_url":%q,%s}`, reference, url, customer), &o)
	require.Equal(d.t, http.StatusCreated, res.StatusCode, "%+v", o)
	return o
}

func payout(reference string, amount int64, method string) string {
	return fmt.Sprintf(`{"reference":%q,"amount":%d,"account":"EUR-sandbox-payout","method":%s}`, reference, amount, method)
}

func payoutTo(number string) string {
	return fmt.Sprintf(`{"type":"card","card":{"number":%q}}`, number)
}

func (d *dev) balance() int64 {
	d.t.Helper()
	var b struct {
		Balance  int64  `json:"balance"`
		Hold     int64  `json:"hold_balance"`
		Rolling  *int64 `json:"rolling_balance"`
		Currency string `json:"currency"`
	}
	res := d.call(http.MethodGet, "/v1/accounts/EUR-sandbox-payout/balance", "", &b)
	require.Equal(d.t, http.StatusOK, res.StatusCode)
	require.Equal(d.t, "EUR", b.Currency)
	require.NotNil(d.t, b.Rolling)
	return b.Balance + b.Hold
}

func refund(reference string, amount int64) string {
	return fmt.Sprintf(`{"reference":%q,"amount":%d,"reason":"returned"}`, reference, amount)
}

func refundsOf(payment full) string { return "/v1/payments/" + payment.ID + "/refunds" }

// refunded makes a refund that succeeds.
func (d *dev) refunded(payment full, reference string, amount int64) full {
	d.t.Helper()
	o := d.makes(refundsOf(payment), refund(reference, amount), http.StatusCreated)
	return d.ends(o.ID, "succeeded")
}

// opened starts a hosted payment of 1000 that nobody has paid.
func (d *dev) opened(reference string) full {
	d.t.Helper()
	return d.makes("/v1/payments", `{"reference":"`+reference+`","amount":1000,"currency":"EUR","flow":"hosted",`+customer+`}`, http.StatusCreated)
}

// contradicted waits until so many conflicts of an order are open, and returns its story.
func (d *dev) contradicted(o full, want string) string {
	d.t.Helper()
	timeline := ""
	eventually(d.t, func() bool {
		timeline = d.operator("order", "show", o.ID)
		return strings.Contains(timeline, "open conflicts: "+want)
	}, "%s", timeline)
	return timeline
}

func transfer(reference, from string) string {
	return fmt.Sprintf(`{"reference":%q,"account":"UAH-sandbox-p2p","amount":10000,"currency":"UAH",
		"from":{"card":{"number":%q,"exp_month":3,"exp_year":2031,"cvc":"917"}},"to":{"card":{"number":"4111111111111111"}},"customer":{"phone":"+380000000000"}}`, reference, from)
}

func confirmOf(o full) string { return "/v1/payments/" + o.ID + "/confirm" }
