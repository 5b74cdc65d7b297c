package store

import (
	"context"
	"encoding/base64"
	"net/netip"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"payrelay/internal/payment"
	"payrelay/internal/requestlog"
	"payrelay/internal/store/internal/db"
)

const (
	// requestQueue is how many entries wait to be written at most.
	requestQueue = 10_000
	// requestBatch is how many are written at once, and requestPause how long the first of them waits for the others.
	requestBatch = 500
	requestPause = time.Second
	// requestLimit bounds the writing of a batch.
	requestLimit = 5 * time.Second
)

// RequestLog keeps the requests of shops. It implements requestlog.Log.
type RequestLog struct {
	store   *Store
	queue   chan requestlog.Entry
	days    map[string]bool // whose partitions are there
	dropped prometheus.Counter
}

// NewRequestLog returns a log that Keep writes. It panics if its metrics are registered already.
func (s *Store) NewRequestLog(reg prometheus.Registerer) *RequestLog {
	l := &RequestLog{store: s, queue: make(chan requestlog.Entry, requestQueue), days: map[string]bool{}}
	l.dropped = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "payrelay_request_log_dropped_total", Help: "Requests that are not in the request log, because too many waited to be written or the database did not take them.",
	})
	reg.MustRegister(l.dropped)
	return l
}

// Add implements requestlog.Log.
func (l *RequestLog) Add(e requestlog.Entry) {
	select {
	case l.queue <- e:
	default:
		l.dropped.Inc()
	}
}

// Keep writes what is added until ctx is done, and then what still waits.
func (l *RequestLog) Keep(ctx context.Context, log zerolog.Logger) {
	lost := false
	for {
		batch, more := l.batch(ctx)
		if len(batch) > 0 {
			err := l.write(context.WithoutCancel(ctx), batch)
			if err != nil {
				l.dropped.Add(float64(len(batch)))
			}
			if err != nil && !lost { // once, until it is well again
				log.Warn().Err(err).Int("requests", len(batch)).Msg("the request log could not be written")
			}
			lost = err != nil
		}
		if !more {
			return
		}
	}
}

// batch waits for entries. more is false when ctx is done and nothing waits.
func (l *RequestLog) batch(ctx context.Context) (batch []requestlog.Entry, more bool) {
	select {
	case e := <-l.queue:
		batch = append(batch, e)
	case <-ctx.Done():
		if len(l.queue) == 0 {
			return nil, false
		}
	}
	timer := time.NewTimer(requestPause)
	defer timer.Stop()
	stopped := ctx.Done()
	for len(batch) < requestBatch {
		select {
		case e := <-l.queue:
			batch = append(batch, e)
			continue
		default:
		}
		select {
		case e := <-l.queue:
			batch = append(batch, e)
		case <-timer.C:
			return batch, true
		case <-stopped:
			return batch, true
		}
	}
	return batch, true
}

// write writes a batch. One that was written already, and whose answer was lost, is not written twice.
func (l *RequestLog) write(ctx context.Context, batch []requestlog.Entry) error {
	var p db.InsertRequestsParams
	for _, e := range batch {
		if err := l.makeDay(ctx, monthOf(e.ID)); err != nil {
			return err
		}
		p.ShopIds, p.Ids, p.Ats, p.RequestIds = append(p.ShopIds, e.Shop), append(p.Ids, e.ID), append(p.Ats, e.At), append(p.RequestIds, e.RequestID)
		p.Methods, p.Routes, p.Statuses, p.Codes = append(p.Methods, e.Method), append(p.Routes, e.Route), append(p.Statuses, int32(e.Status)), append(p.Codes, e.Code) //nolint:gosec // a status
		p.KeyIds, p.ClientIps, p.Durations = append(p.KeyIds, e.KeyID), append(p.ClientIps, addressText(e.ClientIP)), append(p.Durations, e.Duration.Milliseconds())
		p.OrderIds, p.Replays = append(p.OrderIds, e.Order), append(p.Replays, e.Replayed)
	}
	return l.store.writeWithin(ctx, requestLimit, "write the request log", func(ctx context.Context, tx pgx.Tx) error {
		_, err := db.New(tx).InsertRequests(ctx, p)
		return err
	})
}

// makeDay makes the partition of a day, the first time that this process meets it.
func (l *RequestLog) makeDay(ctx context.Context, at time.Time) error {
	day := at.Format(time.DateOnly)
	if l.days[day] {
		return nil
	}
	err := l.store.writeWithin(ctx, requestLimit, "make a day of the request log", func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '"+partitionLockLimit+"'"); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "SELECT make_request_day($1::text::date)", day)
		return err
	})
	if err == nil {
		l.days = map[string]bool{day: true} // the day before is over
	}
	return err
}

func addressText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// lastID is beyond every id.
var lastID = uuid.Max

// Requests implements requestlog.Log.
func (l *RequestLog) Requests(ctx context.Context, f requestlog.Filter) (requestlog.Page, error) {
	limit := pageSize(f.Limit)
	p := db.RequestsParams{ShopID: f.Shop, Before: lastID, StatusClass: int32(f.StatusClass), MaxRows: int32(limit + 1)} //nolint:gosec // a digit, and a page
	if f.Order != uuid.Nil {
		p.OrderID = &f.Order
	}
	if f.Cursor != "" {
		raw, err := base64.RawURLEncoding.DecodeString(f.Cursor)
		if err == nil {
			p.Before, err = uuid.FromBytes(raw)
		}
		if err != nil {
			return requestlog.Page{}, payment.ErrCursor
		}
	}
	var rows []db.RequestsRow
	err := l.store.read(ctx, "read the request log", func(ctx context.Context, q *db.Queries) (err error) {
		rows, err = q.Requests(ctx, p)
		return err
	})
	var page requestlog.Page
	if len(rows) > limit {
		rows = rows[:limit]
		last := rows[limit-1].ID
		page.Next = base64.RawURLEncoding.EncodeToString(last[:])
	}
	for _, r := range rows {
		e := requestlog.Entry{
			Shop: f.Shop, ID: r.ID, At: r.At.UTC(), RequestID: r.RequestID, Method: r.Method, Route: r.Route, Status: int(r.Status), Code: r.Code,
			KeyID: r.KeyID, Duration: time.Duration(r.DurationMs) * time.Millisecond, Replayed: r.Replayed,
		}
		e.ClientIP, _ = netip.ParseAddr(r.ClientIp) // invalid if nobody knew
		if r.OrderID != nil {
			e.Order = *r.OrderID
		}
		page.Items = append(page.Items, e)
	}
	return page, err
}
