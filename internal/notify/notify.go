package notify

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
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

func slack() time.Duration { return faultpoint.Duration("notify_lease_slack", leaseSlack) }

// Lease returns for how long deliveries are leased where Config names no Timeout, and how long sending one takes at most.
func Lease() (lease, timeout time.Duration) {
	timeout = faultpoint.Duration("notify_timeout", defaultTimeout)
	return timeout + slack(), timeout
}

// Config is what a Notifier needs. Only Outbox is required, and not even that for Try.
type Config struct {
	Outbox payment.Outbox
	Log    zerolog.Logger
	// Registerer gets the metrics; nil keeps them to ourselves.
	Registerer prometheus.Registerer
	// Now is the clock that retries are planned by, time.Now if nil.
	Now func() time.Time
	// SignedAt is the time that signatures carry, Now if nil. Shops compare it with their own clock.
	SignedAt func() time.Time
	// Workers is how many deliveries are under way at once, 50 if zero. When half of them are busy, a destination, which is
	// a scheme, host and port, gets another only if it has less than a tenth of them.
	Workers int
	// Timeout is how long one attempt may take from DNS to the answer's headers, 15 s if zero.
	Timeout time.Duration
	// RootCAs are the authorities that shops' certificates are checked against, the system's if nil.
	RootCAs *x509.CertPool
	// Resolver looks names up, net.DefaultResolver if nil.
	Resolver *net.Resolver
	// Own says which addresses are never called, whatever shops are allowed: those of the service and of its database. It is asked
	// at each dial. Nil has none.
	Own func(netip.AddrPort) bool
}

// Notifier delivers notifications. It is safe for concurrent use.
type Notifier struct {
	outbox   payment.Outbox
	log      zerolog.Logger
	now      func() time.Time
	signedAt func() time.Time
	timeout  time.Duration
	clients  *clients
	metrics  *metrics
	slots    *slots
}

// New returns a Notifier. It panics if its metrics are registered already.
func New(cfg Config) *Notifier {
	if cfg.Now == nil {
		cfg.Now = faultpoint.Now
	}
	if cfg.SignedAt == nil {
		cfg.SignedAt = cfg.Now
	}
	if cfg.Timeout <= 0 {
		_, cfg.Timeout = Lease()
	}
	if cfg.Workers <= 0 {
		cfg.Workers = 50
	}
	return &Notifier{
		slots:  newSlots(cfg.Workers),
		outbox: cfg.Outbox, log: cfg.Log, now: cfg.Now, signedAt: cfg.SignedAt, timeout: cfg.Timeout,
		clients: newClients(cfg.RootCAs, cfg.Resolver, cfg.Own),
		metrics: newMetrics(cfg.Registerer),
	}
}

// Close closes connections that are kept for later. Deliveries under way are not touched.
func (n *Notifier) Close() { n.clients.closeIdle() }

// TryPlace takes a place at an address for a delivery, unless too many are under way to its destination. Deliver gives it back.
func (n *Notifier) TryPlace(address string) bool {
	return n.slots.TryTake(payment.Destination(address))
}

// Deliver sends a delivery that is leased and has its place, and then what else is due of its order, as DeliverOrder does.
func (n *Notifier) Deliver(ctx context.Context, d *payment.Delivery) (next time.Time, err error) {
	more, next, err := n.deliver(ctx, d, func() { n.slots.leave(payment.Destination(d.URL)) })
	if err != nil || !more {
		return next, err
	}
	return n.DeliverOrder(ctx, d.Key)
}

// DeliverOrder sends the order's pending notifications, one after the other, until none is due. It returns when to look
// again; zero means that there is nothing left to send. When too many are under way to the same destination already, nothing
// is sent and that is later. An endpoint that fails is not an error: errors come from the
// outbox only, and what was under way is then sent again once its lease has ended.
func (n *Notifier) DeliverOrder(ctx context.Context, key payment.Key) (next time.Time, err error) {
	for {
		d, leave, next, err := n.lease(ctx, key)
		if err != nil || d == nil {
			return next, err
		}
		more, next, err := n.deliver(ctx, d, leave)
		if err != nil || !more {
			return next, err
		}
	}
}

// lease leases an order's oldest delivery and takes its place. leave gives the place back, once.
func (n *Notifier) lease(ctx context.Context, key payment.Key) (d *payment.Delivery, leave func(), next time.Time, err error) {
	place := "" // that was taken
	leave = func() {
		if place != "" {
			n.slots.leave(place)
		}
		place = ""
	}
	defer func() {
		if d == nil { // or something panicked
			leave()
		}
	}()
	d, next, err = n.outbox.LeaseDelivery(ctx, key, n.timeout+slack(), func(url string) time.Time {
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
		return nil, leave, time.Time{}, fmt.Errorf("lease notification of order %s: %w", key.Order, err)
	}
	return d, leave, next, nil
}

// deliver sends one delivery and writes down how that ended. leave gives its place back.
func (n *Notifier) deliver(ctx context.Context, d *payment.Delivery, leave func()) (more bool, next time.Time, err error) {
	attempt, out := func() (payment.Attempt, outcome) {
		defer leave() // also should something panic
		return n.attempt(ctx, d)
	}()
	faultpoint.Hit("notification-sent")
	n.record(d, attempt, out)
	more, err = n.finish(ctx, d, attempt)
	if err != nil {
		return false, time.Time{}, fmt.Errorf("finish notification %d of order %s: %w", d.Sequence, d.Key.Order, err)
	}
	return more, attempt.RetryAt, nil
}

// finish writes the outcome down even if the caller has given up meanwhile: what the shop has seen must not be
// forgotten because we are shutting down.
func (n *Notifier) finish(ctx context.Context, d *payment.Delivery, a payment.Attempt) (more bool, err error) {
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
