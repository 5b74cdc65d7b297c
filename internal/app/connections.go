package app

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"payrelay/internal/clientaddr"
	"payrelay/internal/connlimit"
)

// adminConnections is how many connections the admin listener has at most.
const adminConnections = 64

// connectionLimits bounds the connections of each listener.
func connectionLimits(c config, clients *clientaddr.Finder) map[string]*connlimit.Limiter {
	shops := connlimit.Defaults(c.MaxConnections)
	shops.Exempt = clients.Trusts
	return map[string]*connlimit.Limiter{"api": connlimit.New(shops), "admin": connlimit.New(connlimit.Limits{All: adminConnections})}
}

// reserved is how many files are kept for what strangers have no part in: the database, calls to providers, notifications,
// the admin listener, and the program's own.
func reserved(c config) int {
	const calls, own = 384, 64
	return c.DatabasePool + 4*c.Workers + calls + own + adminConnections
}

// checkFileLimit refuses a start that would run out of open files when all connections are there.
func checkFileLimit(c config) error {
	limit, known := fileLimit()
	if want := c.MaxConnections + reserved(c); known && uint64(want) > limit { //nolint:gosec // both are positive
		return fmt.Errorf("the limit of open files (ulimit -n) is %d, and MAX_CONNECTIONS=%d with what the service itself opens wants %d: raise the limit, or lower MAX_CONNECTIONS", limit, c.MaxConnections, want)
	}
	return nil
}

// connectionCollector tells Prometheus about the connections of each listener.
func connectionCollector(limiters map[string]*connlimit.Limiter) prometheus.Collector {
	return &connectionGauges{
		limiters: limiters,
		open:     prometheus.NewDesc("payrelay_http_connections", "Open connections, by listener.", []string{"listener"}, nil),
		closed:   prometheus.NewDesc("payrelay_http_connections_closed_total", "Connections that were closed because there were too many, by listener.", []string{"listener"}, nil),
	}
}

type connectionGauges struct {
	limiters     map[string]*connlimit.Limiter
	open, closed *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (g *connectionGauges) Describe(ch chan<- *prometheus.Desc) { ch <- g.open; ch <- g.closed }

// Collect implements prometheus.Collector.
func (g *connectionGauges) Collect(ch chan<- prometheus.Metric) {
	for name, l := range g.limiters {
		ch <- prometheus.MustNewConstMetric(g.open, prometheus.GaugeValue, float64(l.Open()), name)
		ch <- prometheus.MustNewConstMetric(g.closed, prometheus.CounterValue, float64(l.Closed()), name)
	}
}
