package httpapi

import (
	"context"
	"net/http"
	"net/netip"
	"regexp"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"payrelay/internal/card/detect"
	"payrelay/internal/clientaddr"
	"payrelay/internal/payment"
)

type contextKey int

const (
	keyRecord contextKey = iota
	keyCall
	keySlot
)

// record is the one log line of a request, filled as it goes.
type record struct {
	address clientaddr.Address
	// caller is the key, or the account whose provider calls, by its id.
	caller                                                          string
	shopID                                                          uuid.UUID // zero until the key is known
	requestID, shop, key, account, orderID, provider, verdict, code string
	// unlisted requests are left out of the request log: polls of the feed that found nothing would be most of it.
	unlisted bool
	// counted requests have a metric, and are logged for debugging only: there may be very many.
	counted bool
}

func recordOf(ctx context.Context) *record {
	r, _ := ctx.Value(keyRecord).(*record)
	return r
}

// RequestID returns the id of the request that ctx belongs to, or "".
func RequestID(ctx context.Context) string {
	if r := recordOf(ctx); r != nil {
		return r.requestID
	}
	return ""
}

// clientIP is the address that a request comes from. It is invalid if nobody knows.
func clientIP(r *http.Request) netip.Addr {
	if rec := recordOf(r.Context()); rec != nil {
		return rec.address.Client
	}
	return netip.Addr{}
}

// Note puts an order into the request's log line.
func Note(ctx context.Context, o *payment.Order) {
	if r := recordOf(ctx); r != nil && o != nil {
		r.orderID, r.provider, r.verdict = o.ID.String(), o.Provider, string(o.Status)
	}
}

type metrics struct {
	seconds  *prometheus.HistogramVec
	inFlight prometheus.Gauge
	rejected *prometheus.CounterVec
	failures *prometheus.CounterVec
	limited  *prometheus.CounterVec
	// deprecated counts by operation and key.
	deprecated *prometheus.CounterVec
	// references counts shops' references by how they were judged.
	references *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "payrelay_http_request_seconds", Help: "How long requests took, by route.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}, NativeHistogramBucketFactor: 1.1,
		}, []string{"route", "method", "status_class"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{Name: "payrelay_http_in_flight_requests", Help: "Requests being worked on."}),
	}
	m.rejected = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "payrelay_http_rejected_requests_total", Help: "Requests rejected at admission because too much was being worked on.",
	}, []string{"class"})
	m.failures = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "payrelay_auth_failures_total", Help: "Requests whose key, or callback address, was not accepted, by reason.",
	}, []string{"reason"})
	for _, reason := range failureReasons {
		m.failures.WithLabelValues(reason)
	}
	m.limited = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "payrelay_http_rate_limited_total", Help: "Requests of a key, or callbacks of an account, beyond its rate, by class.",
	}, []string{"class"})
	m.deprecated = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "payrelay_http_deprecated_requests_total", Help: "Requests to what the contract calls deprecated, by operation and key.",
	}, []string{"operation", "key_id"})
	m.references = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "payrelay_references_judged_total", Help: "References that shops sent, by whether they may hold a card number: clean, ambiguous or evident. Evident ones are refused.",
	}, []string{"shop", "verdict"})
	reg.MustRegister(m.seconds, m.inFlight, m.rejected, m.failures, m.limited, m.deprecated, m.references)
	return m
}

var saneID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// requestID returns the caller's id of a request, or one of ours in the place of what cannot be logged.
func requestID(r *http.Request) string {
	if id := r.Header.Get("X-Request-Id"); saneID.MatchString(id) && detect.Judge(id) == detect.Clean {
		return id
	}
	return uuid.Must(uuid.NewV7()).String()
}

// observe gives each request an id, a log line and a place in the metrics. Addresses appear as routes only: they may
// hold a token.
func (s *server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		rec := &record{address: s.Clients.Of(r), requestID: requestID(r)}
		h := w.Header()
		h.Set("X-Request-Id", rec.requestID)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		h.Set("Referrer-Policy", "no-referrer")
		s.metrics.inFlight.Inc()
		defer s.metrics.inFlight.Dec()
		ww := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		r = r.WithContext(context.WithValue(r.Context(), keyRecord, rec))
		defer func() { s.finish(r, rec, ww, started) }() // also for an answer that breaks off
		next.ServeHTTP(ww, r)
	})
}

func (s *server) finish(r *http.Request, rec *record, w middleware.WrapResponseWriter, started time.Time) {
	route, status := "none", w.Status()
	if c := chi.RouteContext(r.Context()); c != nil && c.RoutePattern() != "" && status != http.StatusMethodNotAllowed {
		route = c.RoutePattern()
	}
	if status == 0 {
		status = http.StatusOK
	}
	s.keep(r, rec, w, route, status, started)
	took := time.Since(started)
	s.metrics.seconds.WithLabelValues(route, knownMethod(r.Method), strconv.Itoa(status/100)+"xx").Observe(took.Seconds())
	event := s.Log.Info() //nolint:zerologlint // sent below
	switch {
	case rec.counted:
		event = s.Log.Debug()
	case status >= http.StatusInternalServerError:
		event = s.Log.Error()
	}
	event.Str("request_id", rec.requestID).Str("method", knownMethod(r.Method)).Str("route", route).Int("status", status)
	for _, f := range [][2]string{{"shop", rec.shop}, {"key_id", rec.key}, {"account", rec.account}, {"order_id", rec.orderID}, {"provider", rec.provider}, {"verdict", rec.verdict}, {"code", rec.code}} {
		if f[1] != "" {
			event.Str(f[0], f[1])
		}
	}
	rec.logAddress(event)
	event.Int("bytes", w.BytesWritten()).Dur("duration_ms", took).Msg("request")
}

func (r *record) logAddress(event *zerolog.Event) {
	event.Stringer("client_ip", r.address.Client)
	if r.address.Peer != r.address.Client {
		event.Stringer("peer_ip", r.address.Peer)
	}
	if !r.address.Certain {
		event.Bool("client_ip_certain", false)
	}
}

// knownMethod keeps strangers' words out of labels.
func knownMethod(m string) string {
	switch m {
	case http.MethodGet, http.MethodPost, http.MethodHead, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "OTHER"
}
