package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"payrelay/internal/app"
	"payrelay/internal/secrets"
)

// full is an order with the members that hosted payments do not need.
type full struct {
	order
	AmountAuthorized int64   `json:"amount_authorized"`
	StatusReason     *string `json:"status_reason"`
	ParentID         *string `json:"parent_id"`
	Recurring        bool    `json:"recurring"`
	Currency         *string `json:"currency"`
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
// when it was asked may be left out of want.
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
		case step == "processing by check" || step == "requires_action by check":
		default:
			require.Equal(d.t, want, history)
		}
	}
	require.Empty(d.t, left, "the history is %v", history)
	require.Eventually(d.t, func() bool { return len(d.arrivals(id)) >= len(reported) }, waitTimeout, 25*time.Millisecond, "notifications of %v", history)
	require.Equal(d.t, reported, d.arrivals(id))
	require.Equal(d.t, len(history), d.get(id).Sequence)
}

// arrivals lists the notifications of an order as they came in.
func (d *dev) arrivals(id string) []string {
	d.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, strings.TrimRight(d.ShopPage, "/")+"/api/notifications", nil)
	require.NoError(d.t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(d.t, err)
	defer func() { _ = res.Body.Close() }()
	var all struct {
		Data []struct {
			Type     string `json:"type"`
			Sequence int    `json:"sequence"`
			OrderID  string `json:"order_id"`
			Verified bool   `json:"verified"`
		} `json:"data"`
	}
	require.NoError(d.t, json.NewDecoder(res.Body).Decode(&all))
	var list []string
	for _, n := range slices.Backward(all.Data) {
		if n.OrderID == id {
			require.True(d.t, n.Verified)
			list = append(list, fmt.Sprintf("%d %s", n.Sequence, n.Type))
		}
	}
	return list
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

// operator runs an operator's command on the database of this `dev` and returns what it printed.
func (d *dev) operator(args ...string) string {
	d.t.Helper()
	var out, log bytes.Buffer
	code := app.Execute(context.Background(), args, &app.Streams{Out: &out, Err: &log, Environ: []string{"DATABASE_URL=" + d.DatabaseURL, "SECRET_KEYSET=" + secrets.DemoKeyset}})
	require.Zero(d.t, code, "%s%s", out.String(), log.String())
	return out.String()
}

// asked waits until the provider was asked about an order so many times.
func (d *dev) asked(id string, times int) {
	d.t.Helper()
	require.Eventually(d.t, func() bool { return strings.Count(d.operator("order", "show", id), "fetch") >= times }, waitTimeout, 50*time.Millisecond)
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
