package transport

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// outcome is how a call ended, as a metric's label.
type outcome string

// The outcomes, a closed set.
const (
	outcomeOK       outcome = "ok"           // 2xx
	outcomeClient   outcome = "client_error" // 4xx
	outcomeServer   outcome = "server_error" // 5xx
	outcomeOther    outcome = "other_status" // 1xx and 3xx: nobody follows redirects
	outcomeNotSent  outcome = "not_sent"
	outcomeUnknown  outcome = "unknown"
	outcomeBreaker  outcome = "breaker_open"
	outcomeBulkhead outcome = "bulkhead_full"
	outcomeInvalid  outcome = "invalid"
	outcomeHost     outcome = HostNotAllowed
)

func answered(status int) outcome {
	switch {
	case status >= 500:
		return outcomeServer
	case status >= 400:
		return outcomeClient
	case status >= 200 && status < 300:
		return outcomeOK
	}
	return outcomeOther
}

type metrics struct {
	seconds  *prometheus.HistogramVec
	inFlight *prometheus.GaugeVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	return &metrics{
		seconds: register(r, prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:                            "payrelay_provider_request_seconds",
			Help:                            "How long calls to providers took, with how they ended.",
			Buckets:                         []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
			NativeHistogramBucketFactor:     1.1,
			NativeHistogramMaxBucketNumber:  100,
			NativeHistogramMinResetDuration: time.Hour,
		}, []string{"provider", "operation", "outcome"})),
		inFlight: register(r, prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "payrelay_provider_in_flight_requests",
			Help: "Calls to providers that wait for an answer.",
		}, []string{"provider", "class"})),
	}
}

// export lets the state of a guard's breakers be scraped.
func (m *metrics) export(r prometheus.Registerer, provider string, class Class, g *guard) {
	register(r, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name:        "payrelay_provider_breaker_state",
		Help:        "Circuit breakers per provider and class of operation, that of the operation and host that fare worst: 0 calls go through, 1 one call is being tried, 2 calls are held back.",
		ConstLabels: prometheus.Labels{"provider": provider, "class": string(class)},
	}, g.state))
}

// register returns c, or the collector of its name that another client registered before.
func register[C prometheus.Collector](r prometheus.Registerer, c C) C {
	err := r.Register(c)
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		if existing, ok := already.ExistingCollector.(C); ok {
			return existing
		}
	}
	if err != nil {
		panic("transport: register metrics: " + err.Error())
	}
	return c
}

func (m *metrics) observe(provider, operation string, out outcome, d time.Duration) {
	m.seconds.WithLabelValues(provider, operation, string(out)).Observe(d.Seconds())
}

type logKey struct{}

// WithLog returns a context whose calls add fields to their log lines, such as a request id and an order id. It adds to
// what ctx has already. Fields must be names and ids; never data.
func WithLog(ctx context.Context, add func(*zerolog.Event)) context.Context {
	before, _ := ctx.Value(logKey{}).(func(*zerolog.Event))
	return context.WithValue(ctx, logKey{}, func(e *zerolog.Event) {
		if before != nil {
			before(e)
		}
		add(e)
	})
}

func (c *Client) log(ctx context.Context, call Call, resp Response, requestBytes int, out outcome, d time.Duration) {
	level := zerolog.InfoLevel
	if out != outcomeOK && out != outcomeClient {
		level = zerolog.WarnLevel
	}
	e := c.cfg.Log.WithLevel(level).
		Str("provider", c.cfg.Provider).
		Str("host", hostOf(call.URL)).
		Str("operation", call.Operation).
		Str("outcome", string(out)).
		Int("http_status", resp.Status).
		Float64("duration_ms", float64(d.Microseconds())/1000).
		Int("request_bytes", requestBytes).
		Int("response_bytes", len(resp.Body))
	if add, ok := ctx.Value(logKey{}).(func(*zerolog.Event)); ok {
		e.Func(add)
	}
	e.Msg("provider call")
}

// hostOf is as much of an address as a log may hold: its path and query name orders.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}
