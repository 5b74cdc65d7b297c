package notify

import (
	"context"
	"errors"
	"net"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// outcome is how an attempt ended: the word in logs and metrics and, unless it is delivered, in the stored attempt.
type outcome string

const (
	delivered      outcome = "delivered"       // 2xx
	gone           outcome = "gone"            // 410, the address is switched off
	badStatus      outcome = "status"          // any other status
	redirect       outcome = "redirect"        // 3xx, not followed
	badURL         outcome = "bad_url"         // not an absolute http(s) address without user information
	badSecret      outcome = "bad_secret"      // nothing usable to sign with
	refusedAddress outcome = "refused_address" // the guard refused the address or the port
	httpsRequired  outcome = "https_required"  // plain http to an address that is not on the allow-list
	dnsFailed      outcome = "dns"             // the name has no address
	connectFailed  outcome = "connect"         // no connection
	tlsFailed      outcome = "tls"             // no trusted TLS session
	timedOut       outcome = "timeout"         // no answer in time
	noAnswer       outcome = "no_answer"       // connected, but what came back was not an HTTP answer
	interrupted    outcome = "interrupted"     // we were told to stop
)

var outcomes = []outcome{
	delivered, gone, badStatus, redirect, badURL, badSecret, refusedAddress, httpsRequired, dnsFailed, connectFailed,
	tlsFailed, timedOut, noAnswer, interrupted,
}

// classify finds the word for an attempt that got no answer. stopped is whether the caller gave up.
func classify(err error, stopped bool, t *trace) outcome {
	var dns *net.DNSError
	var network net.Error
	switch {
	case errors.Is(err, errPlainHTTP):
		return httpsRequired
	case errors.Is(err, errNotPublic), errors.Is(err, errPort), errors.Is(err, errNotDialled), errors.Is(err, errOwn):
		return refusedAddress
	case stopped:
		return interrupted
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return timedOut
	case errors.As(err, &dns):
		return dnsFailed
	case t.tlsFailed.Load():
		return tlsFailed
	case t.connected.Load():
		return noAnswer
	}
	return connectFailed
}

type metrics struct {
	attempts *prometheus.CounterVec
	seconds  prometheus.Histogram
	lag      prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	m := &metrics{
		attempts: f.NewCounterVec(prometheus.CounterOpts{
			Name: "payrelay_notification_attempts_total",
			Help: "Attempts to deliver a notification to a shop, by how they ended.",
		}, []string{"outcome"}),
		seconds: f.NewHistogram(prometheus.HistogramOpts{
			Name:                        "payrelay_notification_seconds",
			Help:                        "How long attempts to deliver a notification took.",
			Buckets:                     []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15, 30},
			NativeHistogramBucketFactor: 1.1,
		}),
		lag: f.NewHistogram(prometheus.HistogramOpts{
			Name:                        "payrelay_notification_lag_seconds",
			Help:                        "Time from the transition to the delivery of its notification.",
			Buckets:                     []float64{.01, .05, .1, .5, 1, 5, 30, 60, 300, 1800, 3600, 4 * 3600, 24 * 3600, 72 * 3600},
			NativeHistogramBucketFactor: 1.1,
		}),
	}
	for _, o := range outcomes {
		m.attempts.WithLabelValues(string(o))
	}
	return m
}
