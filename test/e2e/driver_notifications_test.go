package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// notified lists what the demo shop received and verified about an order.
func (d *dev) notified(id string) []string {
	d.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, strings.TrimRight(d.ShopPage, "/")+"/api/notifications", nil)
	require.NoError(d.t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(d.t, err)
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	require.NoError(d.t, err)
	type notification struct {
		Type     string `json:"type"`
		Sequence int    `json:"sequence"`
		OrderID  string `json:"order_id"`
		Verified bool   `json:"verified"`
	}
	var all struct {
		Data []notification `json:"data"`
	}
	require.NoError(d.t, json.Unmarshal(text, &all), "%s", text)
	slices.SortFunc(all.Data, func(a, b notification) int { return a.Sequence - b.Sequence })
	list := make([]string, 0, len(all.Data))
	for _, n := range all.Data {
		if n.OrderID == id {
			require.True(d.t, n.Verified)
			list = append(list, fmt.Sprintf("%d %s", n.Sequence, n.Type))
		}
	}
	return list
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

// standing is where a notification stands, as the shop sees it.
type standing struct {
	State    string `json:"state"`
	Attempts int    `json:"attempts"`
}

// stand lists where an order's notifications stand.
func (d *dev) stand(id string) (list []standing) {
	d.t.Helper()
	_, text := d.raw(http.MethodGet, "/v1/orders/"+id+"/transitions", "", nil)
	var events struct {
		Data []struct {
			Notification *standing `json:"notification"`
		} `json:"data"`
	}
	require.NoError(d.t, json.Unmarshal(text, &events))
	for _, e := range events.Data {
		if e.Notification != nil {
			list = append(list, *e.Notification)
		}
	}
	return list
}

// inOrder holds an order's notifications to be all that there are, each once, in the order of its history.
func inOrder(t *testing.T, list []taken, sequence int) {
	t.Helper()
	require.Len(t, list, sequence-1)
	for i, n := range list {
		require.Equal(t, i+2, n.Sequence)
	}
}

// endpoint is a shop's own notification address. It answers as it is told, and lists what it took.
type endpoint struct {
	*httptest.Server

	mu     sync.Mutex
	answer func(path string) int
	taken  []taken
}

// taken is a notification that an endpoint answered with 2xx, with the path that it came to.
type taken struct {
	Path     string
	Header   http.Header
	Body     []byte
	Type     string `json:"type"`
	Sequence int    `json:"sequence"`
	Order    struct {
		ID        string `json:"id"`
		Reference string `json:"reference"`
	} `json:"order"`
	At time.Time
}

func newEndpoint(t *testing.T) *endpoint {
	t.Helper()
	e := &endpoint{answer: func(string) int { return http.StatusNoContent }}
	e.Server = httptest.NewServer(e)
	t.Cleanup(e.Close)
	return e
}

// ServeHTTP implements http.Handler.
func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	status := e.answer(r.URL.Path)
	body, err := io.ReadAll(r.Body)
	n := taken{Path: r.URL.Path, Header: r.Header, Body: body, At: time.Now()}
	if err != nil || json.Unmarshal(body, &n) != nil {
		status = http.StatusBadRequest
	}
	if status < 300 {
		e.taken = append(e.taken, n)
	}
	w.WriteHeader(status)
}

// answers sets what is answered from now on.
func (e *endpoint) answers(answer func(path string) int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answer = answer
}

// of lists what was taken about an order.
func (e *endpoint) of(id string) (list []taken) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, n := range e.taken {
		if n.Order.ID == id {
			list = append(list, n)
		}
	}
	return list
}

// told lists the types that were taken about an order.
func (e *endpoint) typesOf(id string) (list []string) {
	for _, n := range e.of(id) {
		list = append(list, n.Type)
	}
	return list
}
