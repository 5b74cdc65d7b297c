package notify

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"payrelay/internal/faultpoint"
	"payrelay/internal/payment"
)

const (
	defaultTimeout = 15 * time.Second
	// leaseSlack is how much longer than an attempt its lease is: time to write the outcome down.
	leaseSlack = 10 * time.Second
	// finishTimeout bounds the writing down of an outcome when the caller has already given up.
	finishTimeout = 5 * time.Second
)

// Config is what a Notifier needs. Only Outbox is required.
type Config struct {
	Outbox payment.Outbox
	Log    zerolog.Logger
	// Registerer gets the metrics; nil keeps them to ourselves.
	Registerer prometheus.Registerer
	// Now is the clock that retries are planned by, time.Now if nil.
	Now func() time.Time
	// Workers is how many deliveries are under way at once, 50 if zero. When half of them are busy, a destination, which is
	// a scheme, host and port, gets another only if it has less than a tenth of them.
	Workers int
	// Timeout is how long one attempt may take from DNS to the answer's headers, 15 s if zero.
	Timeout time.Duration
	// RootCAs are the authorities that shops' certificates are checked against, the system's if nil.
	RootCAs *x509.CertPool
	// Resolver looks names up, net.DefaultResolver if nil.
	Resolver *net.Resolver
}

// Notifier delivers notifications. It is safe for concurrent use.
type Notifier struct {
	outbox  payment.Outbox
	log     zerolog.Logger
	now     func() time.Time
	timeout time.Duration
	clients *clients
	metrics *metrics
	slots   *slots
}

// New returns a Notifier. It panics if its metrics are registered already.
func New(cfg Config) *Notifier {
	if cfg.Now == nil {
		cfg.Now = faultpoint.Now
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = faultpoint.Duration("notify_timeout", defaultTimeout)
	}
	if cfg.Workers <= 0 {
		cfg.Workers = 50
	}
	return &Notifier{
		slots:  newSlots(cfg.Workers),
		outbox: cfg.Outbox, log: cfg.Log, now: cfg.Now, timeout: cfg.Timeout,
		clients: newClients(cfg.RootCAs, cfg.Resolver),
		metrics: newMetrics(cfg.Registerer),
	}
}

// Close closes connections that are kept for later. Deliveries under way are not touched.
func (n *Notifier) Close() { n.clients.closeIdle() }

// DeliverOrder sends the order's pending notifications, one after the other, until none is due. It returns when to look
// again; zero means that there is nothing left to send. When too many are under way to the same destination already, nothing
// is sent and that is later. An endpoint that fails is not an error: errors come from the
// outbox only, and what was under way is then sent again once its lease has ended.
func (n *Notifier) DeliverOrder(ctx context.Context, key payment.Key) (next time.Time, err error) {
	for {
		place := "" // that was taken
		leave := func() {
			if place != "" {
				n.slots.leave(place)
			}
			place = ""
		}
		defer leave() // should something panic
		d, next, err := n.outbox.LeaseDelivery(ctx, key, n.timeout+faultpoint.Duration("notify_lease_slack", leaseSlack), func(url string) time.Time {
			to := payment.Destination(url)
			if place == to {
				return time.Time{}
			}
			leave() // a transaction that was begun again may have found another address
			later := n.slots.take(to, n.now())
			if later.IsZero() {
				place = to
			}
			return later
		})
		if err != nil {
			leave()
			return time.Time{}, fmt.Errorf("lease notification of order %s: %w", key.Order, err)
		}
		if d == nil {
			leave()
			return next, nil
		}
		attempt, out := n.attempt(ctx, d)
		leave()
		faultpoint.Hit("notification-sent")
		n.record(d, attempt, out)
		if err := n.finish(ctx, d, attempt); err != nil {
			return time.Time{}, fmt.Errorf("finish notification %d of order %s: %w", d.Sequence, key.Order, err)
		}
		if !attempt.Delivered && !attempt.Gone {
			return attempt.RetryAt, nil
		}
	}
}

// finish writes the outcome down even if the caller has given up meanwhile: what the shop has seen must not be
// forgotten because we are shutting down.
func (n *Notifier) finish(ctx context.Context, d *payment.Delivery, a payment.Attempt) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	return n.outbox.FinishDelivery(ctx, d, a)
}

// record tells of an attempt in one log line and in the metrics.
func (n *Notifier) record(d *payment.Delivery, a payment.Attempt, out outcome) {
	n.metrics.attempts.WithLabelValues(string(out)).Inc()
	n.metrics.seconds.Observe(a.Duration.Seconds())
	level := zerolog.WarnLevel
	if a.Delivered {
		level = zerolog.InfoLevel
		n.metrics.lag.Observe(max(0, n.now().Sub(d.CreatedAt).Seconds()))
	}
	n.log.WithLevel(level).
		Str("shop", d.Shop).
		Str("account", d.Account).
		Str("host", hostOf(d.URL)).
		Stringer("order_id", d.Key.Order).
		Int("sequence", d.Sequence).
		Int("attempt", d.Attempt).
		Int("http_status", a.HTTPStatus).
		Str("outcome", string(out)).
		Int64("duration_ms", a.Duration.Milliseconds()).
		Bool("dead_lettered", !a.Delivered && !a.Gone && a.RetryAt.IsZero()).
		Msg("notification attempt")
}

// hostOf is as much of an address as a log may hold: its path and query may be secret.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}
