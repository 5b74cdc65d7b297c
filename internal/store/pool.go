package store

import (
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
)

type poolCollector struct {
	pool                                   *pgxpool.Pool
	connections, most, waits, waitDuration *prometheus.Desc
}

// PoolCollector tells Prometheus how busy a pool is.
func PoolCollector(pool *pgxpool.Pool) prometheus.Collector {
	return &poolCollector{
		pool:         pool,
		connections:  prometheus.NewDesc("payrelay_db_connections", "Connections to the database.", []string{"state"}, nil),
		most:         prometheus.NewDesc("payrelay_db_connections_max", "The most connections the pool may have.", nil, nil),
		waits:        prometheus.NewDesc("payrelay_db_acquire_waits_total", "How often a caller found no connection free.", nil, nil),
		waitDuration: prometheus.NewDesc("payrelay_db_acquire_seconds_total", "How long callers took to get a connection, in all.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *poolCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.connections
	ch <- c.most
	ch <- c.waits
	ch <- c.waitDuration
}

// Collect implements prometheus.Collector.
func (c *poolCollector) Collect(ch chan<- prometheus.Metric) {
	stat := c.pool.Stat()
	for state, n := range map[string]int32{
		"idle": stat.IdleConns(), "used": stat.AcquiredConns(), "opening": stat.ConstructingConns(),
	} {
		ch <- prometheus.MustNewConstMetric(c.connections, prometheus.GaugeValue, float64(n), state)
	}
	ch <- prometheus.MustNewConstMetric(c.most, prometheus.GaugeValue, float64(stat.MaxConns()))
	ch <- prometheus.MustNewConstMetric(c.waits, prometheus.CounterValue, float64(stat.EmptyAcquireCount()))
	ch <- prometheus.MustNewConstMetric(c.waitDuration, prometheus.CounterValue, stat.AcquireDuration().Seconds())
}
