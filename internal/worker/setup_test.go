package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/money"
	"payrelay/internal/payment"
	"payrelay/internal/secrets"
	"payrelay/internal/shop"
	"payrelay/internal/store"
	"payrelay/internal/store/storetest"
)

// soon is for what happens at once, on a busy machine.
const soon = time.Minute

// fixture is the service's store and job queue on a database of their own, with one shop.
type fixture struct {
	*store.Store
	pool    *pgxpool.Pool
	queue   *Queue
	payment *payment.Service
	shop    shop.Shop
	log     *lines

	mu  sync.Mutex
	off time.Duration
}

// now is the store's clock; it runs, and can be moved on.
func (b *fixture) now() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Now().Add(b.off)
}

func (b *fixture) moveOn(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.off += d
}

// lines is a log that can be looked through.
type lines struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Count(l.all.Bytes(), []byte(text))
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	b := &fixture{pool: storetest.Pool(t), log: &lines{}}
	b.queue = NewQueue(QueueConfig{}) // without leases, unless a test sets them
	set, err := secrets.NewKeyset()
	require.NoError(t, err)
	keyring, err := secrets.Open(gateway.Secret(set))
	require.NoError(t, err)
	b.Store = store.New(b.pool, store.Options{Keyring: keyring, Sender: b.queue, Now: b.now, Render: func(o *payment.Order, tr payment.Transition, id uuid.UUID) (string, []byte, error) {
		body, err := json.Marshal(map[string]any{"id": id, "sequence": tr.Sequence})
		return string(o.Kind) + "." + string(tr.To), body, err
	}})
	b.shop, err = b.CreateShop(t.Context(), store.NewShop{
		Name: "first", NotificationURL: "https://shop.example/hook", Key: shop.NewKey(), Scopes: shop.Scopes, WebhookSecret: gateway.Secret(shop.NewWebhookSecret()),
	})
	require.NoError(t, err)
	_, err = b.CreateAccount(t.Context(), store.NewAccount{
		Name: "EUR-1", Provider: "fake", Currency: "EUR", Settings: map[string]string{}, Secrets: map[string]gateway.Secret{"secret": "hunter2"}, Shops: []string{"first"},
	})
	require.NoError(t, err)
	provider := &gatewaytest.Fake{CreatePaymentFunc: func(context.Context, gateway.PaymentRequest) (gateway.Result, error) {
		return gateway.Result{Status: gateway.StatusSucceeded}, nil
	}}
	b.payment = payment.New(payment.Config{Store: b.Store, Drivers: gateway.NewRegistry(provider), Now: b.now})
	return b
}

// paid stores a payment that has succeeded, with its notifications and their jobs.
func (b *fixture) paid(t *testing.T, reference string) payment.Key {
	t.Helper()
	o, _, err := b.payment.CreatePayment(t.Context(), payment.NewPayment{
		Shop: b.shop.ID, Reference: reference, Amount: money.New(1000, "EUR"), Flow: gateway.FlowHosted, RequestHash: []byte(reference),
	})
	require.NoError(t, err)
	require.Equal(t, payment.StatusSucceeded, o.Status)
	return o.Key()
}

// run starts workers; stop ends them and waits until they have ended. The end of the test stops them too.
func (b *fixture) run(t *testing.T, service Service, notifier Notifier) (stop func()) {
	t.Helper()
	w := New(Config{Log: zerolog.New(b.log), Deliveries: b.queue}, service, notifier, b.Store)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	t.Cleanup(stop)
	return stop
}

// quiet is a log for workers that a test runs by itself.
func (b *fixture) quiet() zerolog.Logger { return zerolog.New(b.log) }

func (b *fixture) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	_, err := b.pool.Exec(t.Context(), sql, args...)
	require.NoError(t, err)
}

// deliver is a notifier that does with an order what it likes.
type deliver func(ctx context.Context, key payment.Key) (time.Time, error)

func (d deliver) DeliverOrder(ctx context.Context, key payment.Key) (time.Time, error) {
	return d(ctx, key)
}

func (d deliver) Deliver(ctx context.Context, leased *payment.Delivery) (time.Time, error) {
	return d(ctx, leased.Key)
}

func (d deliver) TryPlace(string) bool { return true }

func anyPlace(string) bool { return true }

func newKey() payment.Key { return payment.Key{Shop: uuid.New(), Order: uuid.New()} }

// wait returns what comes from c, or fails.
func wait[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(soon):
		require.FailNow(t, fmt.Sprintf("%s: nothing happened", what))
		panic("unreachable")
	}
}
