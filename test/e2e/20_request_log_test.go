package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/store/storetest"
)

// loggedRequest is an entry of the request log.
type loggedRequest struct {
	ID         string    `json:"id"`
	At         time.Time `json:"at"`
	RequestID  string    `json:"request_id"`
	Method     string    `json:"method"`
	Route      string    `json:"route"`
	Status     int       `json:"status"`
	Code       *string   `json:"code"`
	KeyID      string    `json:"key_id"`
	ClientIP   *string   `json:"client_ip"`
	DurationMS int64     `json:"duration_ms"`
	OrderID    *string   `json:"order_id"`
	Replayed   bool      `json:"replayed"`
}

func (d *dev) logged(query string) (list []loggedRequest, next *string) {
	d.t.Helper()
	var page struct {
		Data []loggedRequest `json:"data"`
		Next *string         `json:"next_cursor"`
	}
	res := d.call(http.MethodGet, "/v1/requests"+query, "", &page)
	require.Equal(d.t, http.StatusOK, res.StatusCode)
	return page.Data, page.Next
}

// A shop's developer finds what their program asked yesterday, and how it ended. No body and no card number is there.
func TestAShopReadsItsOwnRequests(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	body := direct("logged-1", 1000, cardMethod(cardSuccess), "")
	once := http.Header{"Idempotency-Key": {"logged-1"}, "X-Request-Id": {"my-own-id"}}
	for range 2 {
		res, text := d.raw(http.MethodPost, "/v1/payments", body, once)
		require.Equal(t, http.StatusCreated, res.StatusCode, "%s", text)
	}
	d.problem(http.MethodPost, "/v1/payments", `{"reference":"logged-2"}`, nil, http.StatusUnprocessableEntity, "invalid_request")
	res, text := d.raw(http.MethodGet, "/v1/events?since=2100-01-01T00:00:00Z", "", nil)
	require.Equal(t, http.StatusOK, res.StatusCode, "a poll that finds nothing, which is not kept: %s", text)
	d.problem(http.MethodGet, "/v1/orders/01a1fd0c-a0bc-7425-9c39-80becf791395", "", nil, http.StatusNotFound, "not_found")
	stranger, _ := d.raw(http.MethodGet, "/v1/orders", "", http.Header{"Authorization": {"Bearer nobody"}})
	require.Equal(t, http.StatusUnauthorized, stranger.StatusCode)

	var list []loggedRequest
	eventually(t, func() bool {
		list, _ = d.logged("?limit=200")
		return len(list) >= 4 && list[len(list)-1].RequestID == "my-own-id"
	})
	list = list[len(list)-4:] // the newest first; the ones before are those of this test
	require.Equal(t, []int{404, 422, 201, 201}, []int{list[0].Status, list[1].Status, list[2].Status, list[3].Status})
	require.Equal(t, []bool{false, false, true, false}, []bool{list[0].Replayed, list[1].Replayed, list[2].Replayed, list[3].Replayed})
	first := list[3]
	require.Equal(t, "POST /v1/payments", first.Method+" "+first.Route)
	require.Equal(t, "my-own-id", first.RequestID)
	require.Equal(t, "demo", first.KeyID)
	require.Equal(t, "127.0.0.1", *first.ClientIP)
	require.Nil(t, first.Code)
	require.NotNil(t, first.OrderID)
	require.WithinDuration(t, time.Now(), first.At, time.Hour)
	require.Equal(t, "invalid_request", *list[1].Code)
	require.Equal(t, "/v1/orders/{id}", list[0].Route, "the pattern, not the address")

	about, _ := d.logged("?order_id=" + *first.OrderID)
	require.Equal(t, []loggedRequest{first}, about)
	failed, _ := d.logged("?status=4xx")
	require.Equal(t, list[:2], failed)
	page, next := d.logged("?status=4xx&limit=1")
	require.Equal(t, list[:1], page)
	require.NotNil(t, next)
	page, next = d.logged("?status=4xx&limit=1&cursor=" + *next)
	require.Equal(t, list[1:2], page)
	require.Nil(t, next)

	other := d.of("books")
	theirs, _ := other.logged("?status=4xx")
	require.Empty(t, theirs, "a shop sees its own requests only")
	require.Zero(t, d.textsHolding(cardSuccess), "no card number is stored")
}

// Without REQUEST_LOG nothing is kept.
func TestTheRequestLogIsOffUntilAnOperatorWantsIt(t *testing.T) {
	t.Parallel()
	url := storetest.URL(t)
	_, keyset, _ := command(nil, "keyset", "new")
	environ := []string{"DATABASE_URL=" + url, "SECRET_KEYSET=" + strings.TrimSpace(keyset)}
	code, out, text := command(environ, "shop", "create", "books", "--json")
	require.Zero(t, code, text)
	var made struct{ Key string }
	require.NoError(t, json.Unmarshal([]byte(out), &made))
	for _, on := range []bool{false, true} {
		s := startService(t, append(environ, fmt.Sprintf("REQUEST_LOG=%t", on))...)
		d := &dev{t: t, Ready: s.Ready}
		d.ShopKey = made.Key
		if on {
			eventually(t, func() bool { list, _ := d.logged(""); return len(list) > 0 })
			list, _ := d.logged("?status=4xx")
			require.Empty(t, list, "what was asked before is not kept")
		} else {
			d.problem(http.MethodGet, "/v1/requests", "", nil, http.StatusNotFound, "not_found")
		}
		require.Zero(t, s.stop())
	}
}
