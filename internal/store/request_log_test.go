package store_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"payrelay/internal/payment"
	"payrelay/internal/requestlog"
	"payrelay/internal/store"
)

// request is an entry of a moment.
func request(shop uuid.UUID, at time.Time, status int) requestlog.Entry {
	id := uuid.Must(uuid.NewV7())
	millis := at.UnixMilli()
	for i := range 6 {
		id[i] = byte(millis >> (8 * (5 - i)))
	}
	return requestlog.Entry{Shop: shop, ID: id, At: at, RequestID: "r", Method: "GET", Route: "/v1/orders", Status: status, KeyID: "k", ClientIP: netip.MustParseAddr("192.0.2.1"), Duration: 7 * time.Millisecond}
}

// What was added is written in batches, read the newest first, and removed by days.
func TestRequestsAreKeptForAWhile(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	l := b.NewRequestLog(prometheus.NewRegistry())
	today := b.clock.Now().Truncate(24 * time.Hour)
	ctx, stop := context.WithCancel(t.Context())
	var want []requestlog.Entry
	for day := range 3 { // the oldest first
		for i, status := range []int{200, 404} {
			e := request(b.shop.ID, today.AddDate(0, 0, day).Add(time.Duration(i)*time.Minute), status)
			if status == 404 {
				e.Code, e.Order, e.ClientIP = "not_found", uuid.New(), netip.Addr{}
			}
			want = append([]requestlog.Entry{e}, want...)
			l.Add(e)
		}
	}
	stop()
	l.Keep(ctx, zerolog.Nop()) // what waits is written before it ends
	page, err := l.Requests(t.Context(), requestlog.Filter{Shop: b.shop.ID})
	require.NoError(t, err)
	require.Equal(t, want, page.Items)
	page, err = l.Requests(t.Context(), requestlog.Filter{Shop: b.shop.ID, StatusClass: 4, Limit: 2})
	require.NoError(t, err)
	require.Equal(t, []requestlog.Entry{want[0], want[2]}, page.Items)
	page, err = l.Requests(t.Context(), requestlog.Filter{Shop: b.shop.ID, StatusClass: 4, Limit: 2, Cursor: page.Next})
	require.NoError(t, err)
	require.Equal(t, want[4:5], page.Items)
	require.Empty(t, page.Next)
	page, err = l.Requests(t.Context(), requestlog.Filter{Shop: b.shop.ID, Order: want[2].Order})
	require.NoError(t, err)
	require.Equal(t, want[2:3], page.Items)
	page, err = l.Requests(t.Context(), requestlog.Filter{Shop: uuid.New()})
	require.NoError(t, err)
	require.Empty(t, page.Items)
	_, err = l.Requests(t.Context(), requestlog.Filter{Shop: b.shop.ID, Cursor: "?"})
	require.ErrorIs(t, err, payment.ErrCursor)

	b.clock.Add(today.AddDate(0, 0, 8).Add(time.Minute).Sub(b.clock.Now()))
	forever := 1000 * 24 * time.Hour
	removed, err := b.Remove(t.Context(), store.Retention{Payloads: forever, Attempts: forever, Calls: forever, Callbacks: forever, Reports: forever, Answers: forever, Requests: 7 * 24 * time.Hour}, 0)
	require.NoError(t, err)
	for _, r := range removed {
		if r.Table == "request_log" {
			require.EqualValues(t, 2, r.Rows)
			require.Equal(t, []string{today.Format("request_log_2006_01_02")}, r.Partitions)
		}
	}
	page, err = l.Requests(t.Context(), requestlog.Filter{Shop: b.shop.ID})
	require.NoError(t, err)
	require.Equal(t, want[:4], page.Items)
}

// Nobody waits for the log: what does not fit is dropped and counted, and so is what the database does not take.
func TestRequestsThatDoNotFitAreDropped(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	reg := prometheus.NewRegistry()
	l := b.NewRequestLog(reg)
	dropped := func() float64 {
		families, err := reg.Gather()
		require.NoError(t, err)
		return families[0].GetMetric()[0].GetCounter().GetValue()
	}
	for range store.RequestQueue + 3 {
		l.Add(request(b.shop.ID, b.clock.Now(), 200))
	}
	require.EqualValues(t, 3, dropped())
	b.exec(t, "DROP TABLE request_log")
	ctx, stop := context.WithCancel(t.Context())
	stop()
	l.Keep(ctx, zerolog.Nop())
	require.EqualValues(t, store.RequestQueue+3, dropped())
}
