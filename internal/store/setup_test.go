package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
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

func TestMain(m *testing.M) {
	storetest.MoreAtOnce()
	os.Exit(m.Run())
}

// fixture is a store on a database of its own, with one shop and one account.
type fixture struct {
	*store.Store
	deliveries
	pool    *pgxpool.Pool
	clock   *clock
	box     *secrets.Keyring
	keyset  string
	shop    shop.Shop
	key     string
	secret  string
	account payment.Account
	listed  *payment.Order // the order that a statement's rows are about
}

// clock is a clock that stands until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// deliveries hears whose notifications are to be sent. It has no room for leased ones, unless a test makes some.
type deliveries struct {
	mu     sync.Mutex
	keys   []payment.Key
	room   time.Duration
	leased []*payment.Delivery
}

func (d *deliveries) Room(string) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.room
}

func (d *deliveries) Deliver(leased ...*payment.Delivery) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.leased = append(d.leased, leased...)
}

func (d *deliveries) Due(keys ...payment.Key) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.keys = append(d.keys, keys...)
}

// born returns the deliveries that were born leased since it was asked last.
func (d *deliveries) born() []*payment.Delivery {
	d.mu.Lock()
	defer d.mu.Unlock()
	leased := d.leased
	d.leased = nil
	return leased
}

// heard returns what was heard since it was asked last.
func (d *deliveries) heard() []payment.Key {
	d.mu.Lock()
	defer d.mu.Unlock()
	keys := d.keys
	d.keys = nil
	return keys
}

func render(o *payment.Order, t payment.Transition, id uuid.UUID) (string, []byte, error) {
	typ := string(o.Kind) + "." + string(t.To)
	b, err := json.Marshal(map[string]any{"id": id, "type": typ, "status": o.Status, "sequence": t.Sequence, "order": map[string]any{
		"amount": o.Amount.Minor(), "currency": o.Amount.Currency(), "amount_authorized": o.Authorized, "amount_disputed": o.Disputed, "superseded_by": o.SupersededBy, "capture": "automatic", "flow": o.Flow, "recurring": o.Recurring,
		"provider": o.Provider, "account": o.AccountName, "provider_order_id": o.ProviderOrderID, "provider_reference": o.ProviderReference,
	}})
	return typ, b, err
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	return fixtureOn(t, storetest.Pool(t))
}

func fixtureOn(t *testing.T, pool *pgxpool.Pool) *fixture {
	t.Helper()
	b := &fixture{pool: pool, clock: &clock{now: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}}
	set, err := secrets.NewKeyset()
	require.NoError(t, err)
	b.keyset = set
	b.box, err = secrets.Open(gateway.Secret(set))
	require.NoError(t, err)
	b.Store = store.New(b.pool, store.Options{Keyring: b.box, Sender: &b.deliveries, Render: render, Now: b.clock.Now})
	b.shop, b.key, b.secret = b.newShop(t, "first", "https://shop.example/hook")
	b.account = b.newAccount(t, "EUR-1", "first")
	for _, name := range []string{store.RequestHashKey, store.FingerprintKey} { // as the service does when it starts
		_, err = b.ServiceKey(t.Context(), name)
		require.NoError(t, err)
	}
	return b
}

func (b *fixture) newShop(t *testing.T, name, url string) (shop.Shop, string, string) {
	t.Helper()
	key, secret := shop.NewKey(), shop.NewWebhookSecret()
	s, err := b.CreateShop(t.Context(), store.NewShop{
		Name: name, NotificationURL: url, AllowCIDRs: []string{"10.0.0.0/8"}, Key: key, Scopes: shop.Scopes, WebhookSecret: gateway.Secret(secret),
	})
	require.NoError(t, err)
	return s, key, secret
}

func (b *fixture) newAccount(t *testing.T, name string, shops ...string) payment.Account {
	t.Helper()
	a, err := b.CreateAccount(t.Context(), store.NewAccount{
		Name: name, Provider: "fake", Currency: "EUR", Settings: map[string]string{"url": "https://provider.example"},
		Secrets: map[string]gateway.Secret{"secret": "hunter2"}, Shops: shops,
	})
	require.NoError(t, err)
	return a
}

// drafting stands for the store while an order is made, and keeps it from being stored.
type drafting struct {
	payment.Store
	draft *payment.Order
}

var errDrafted = errors.New("drafted")

func (d *drafting) CreateOrder(_ context.Context, o *payment.Order) (*payment.Order, bool, error) {
	d.draft = o
	return nil, false, errDrafted
}

func (d *drafting) CreateRefund(ctx context.Context, o *payment.Order, _ func(payment.OtherRefunds) error) (*payment.Order, bool, error) {
	return d.CreateOrder(ctx, o)
}

func (b *fixture) drafts() (*drafting, *payment.Service) {
	d := &drafting{Store: b.Store}
	return d, payment.New(payment.Config{Store: d, Drivers: gateway.NewRegistry(&gatewaytest.Fake{}), Now: b.clock.Now})
}

// draft makes a payment that is not stored yet.
func (b *fixture) draft(t *testing.T, reference string, minor int64) *payment.Order {
	t.Helper()
	return b.draftFor(t, b.shop.ID, reference, minor)
}

func (b *fixture) draftFor(t *testing.T, owner uuid.UUID, reference string, minor int64) *payment.Order {
	t.Helper()
	d, service := b.drafts()
	_, _, err := service.CreatePayment(t.Context(), payment.NewPayment{
		Shop: owner, Reference: reference, Amount: money.New(minor, "EUR"), Flow: gateway.FlowHosted,
		RequestHash: []byte("hash of " + reference), Description: "socks", Metadata: map[string]string{"cart": "7"},
		Details: []byte(`{"customer":{"last_name":"hunter2"}}`),
	})
	require.ErrorIs(t, err, errDrafted)
	return d.draft
}

// draftRefund makes a refund that is not stored yet.
func (b *fixture) draftRefund(t *testing.T, parent *payment.Order, reference string, minor int64) *payment.Order {
	t.Helper()
	d, service := b.drafts()
	_, _, err := service.Refund(t.Context(), payment.NewRefund{
		Shop: parent.ShopID, Payment: parent.ID, Reference: reference, Minor: minor, RequestHash: []byte("hash of " + reference),
	})
	require.ErrorIs(t, err, errDrafted)
	return d.draft
}

// createRefund stores a new refund, unless another one of its payment is open.
func (b *fixture) createRefund(ctx context.Context, o *payment.Order) (*payment.Order, bool, error) {
	return b.CreateRefund(ctx, o, func(others payment.OtherRefunds) error {
		if len(others.Open) > 0 {
			return payment.RefundInProgress()
		}
		return nil
	})
}

// applyCallback takes a callback in. payment's own rule picks the refund that it is about.
func (b *fixture) applyCallback(ctx context.Context, cb payment.Callback, fn func(*payment.Order) (payment.Verdict, string)) (payment.Verdict, bool, error) {
	return b.ApplyCallback(ctx, cb, func(refunds []payment.RefundFacts) *payment.RefundFacts {
		meant, _ := cb.RefundMeant(refunds)
		return meant
	}, fn)
}

// create stores a new payment.
func (b *fixture) create(t *testing.T, reference string, minor int64) *payment.Order {
	t.Helper()
	o, created, err := b.CreateOrder(t.Context(), b.draft(t, reference, minor))
	require.NoError(t, err)
	require.True(t, created)
	return o
}

// paid stores a payment that succeeded.
func (b *fixture) paid(t *testing.T, reference string, minor int64) *payment.Order {
	t.Helper()
	return b.report(t, b.create(t, reference, minor).Key(), payment.StatusSucceeded)
}

func (b *fixture) newReport(status payment.Status) payment.Observation {
	return payment.Observation{Source: payment.SourceAnswer, Status: status, ProviderData: gateway.ProviderData{"said": string(status)}, At: b.clock.Now()}
}

// report records that the provider said status.
func (b *fixture) report(t *testing.T, key payment.Key, status payment.Status) *payment.Order {
	t.Helper()
	o, err := b.UpdateOrder(t.Context(), key, func(o *payment.Order) error {
		r := b.newReport(status)
		r.AsOf = o.Sequence
		if v := o.Record(r); v != payment.Apply {
			return fmt.Errorf("verdict %s", v)
		}
		return nil
	})
	require.NoError(t, err)
	return o
}

// count asks for one number.
func (b *fixture) count(t *testing.T, sql string, args ...any) int {
	t.Helper()
	var n int
	require.NoError(t, b.pool.QueryRow(t.Context(), sql, args...).Scan(&n))
	return n
}

func (b *fixture) exec(t *testing.T, sql string, args ...any) {
	defer b.ExpireDirectory()
	t.Helper()
	_, err := b.pool.Exec(t.Context(), sql, args...)
	require.NoError(t, err)
}

// race runs fn n times at once and returns the errors.
func race(n int, fn func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = fn(i)
		})
	}
	close(start)
	wg.Wait()
	return errs
}
