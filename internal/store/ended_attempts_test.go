package store_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/money"
	"payrelay/internal/payment"
	"payrelay/internal/store"
)

// However many callbacks say at once that an ended attempt was paid, one order takes it over. It is polled, has a dispute when it is
// paid, and is no charge of the mandate that the payment made.
func TestAnEndedAttemptIsTakenOverOnce(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.newAccount(t, "EUR-2", "first")
	_, err := b.LinkAccount(t.Context(), "EUR-2", "first", store.Routing{Given: true, Priority: 2}, false)
	require.NoError(t, err)
	fake := charger(func() (gateway.Result, error) { return gateway.Result{Status: gateway.StatusProcessing}, nil })
	var first gateway.Ref
	create := fake.CreatePaymentFunc
	fake.CreatePaymentFunc = func(ctx context.Context, req gateway.PaymentRequest) (gateway.Result, error) {
		if first.OrderID == "" {
			first = req.Ref
			return gateway.Result{}, &gateway.Error{Kind: gateway.KindNotSent, Op: "create_payment"}
		}
		return create(ctx, req)
	}
	minor := int64(1000)
	paid := gateway.Result{Kind: gateway.KindPayment, Status: gateway.StatusSucceeded, Settled: &minor, Amount: &minor, Currency: "EUR"}
	fake.ReadCallbackFunc = func(raw gateway.RawCallback) (gateway.Notification, error) {
		return gateway.Notification{OrderID: first.OrderID, Fingerprint: raw.Body, Result: paid}, nil
	}
	fake.FetchFunc = func(_ context.Context, ref gateway.Ref) (gateway.Result, error) {
		require.Equal(t, first.OrderID, ref.OrderID)
		return paid, nil
	}
	s := b.service(fake)
	key := b.mandated(t, s, "moved", payment.MandateTerms{MaxCharges: 1})
	accounts, err := b.ShopAccounts(t.Context(), b.shop.ID)
	require.NoError(t, err)
	at := accounts[slices.IndexFunc(accounts, func(a payment.Account) bool { return a.Name == "EUR-1" })]
	call := func(i int) (payment.Verdict, error) {
		return s.HandleCallback(context.Background(), "fake", at.CallbackToken.Reveal(), gateway.RawCallback{Body: fmt.Appendf(nil, "callback %d", i), ReceivedAt: b.clock.Now()})
	}
	var all sync.WaitGroup
	for i := range 6 {
		all.Go(func() { _, _ = call(i) }) // one that is refused is sent again by its provider
	}
	all.Wait()
	for i := range 6 {
		_, err := call(i)
		require.NoError(t, err)
	}
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM orders WHERE reference = 'moved~late1'"))
	require.Equal(t, 6, b.count(t, "SELECT count(*) FROM callbacks"))
	require.Zero(t, b.count(t, "SELECT count(*) FROM orderless_callbacks"))
	late, err := b.OrderByReference(t.Context(), b.shop.ID, gateway.KindPayment, "moved~late1")
	require.NoError(t, err)
	require.Equal(t, [3]any{payment.StatusUnknown, "EUR-1", &key.Order}, [3]any{late.Status, late.AccountName, late.ParentID})
	late, err = s.Poll(t.Context(), late.Key())
	require.NoError(t, err)
	require.Equal(t, [3]any{payment.StatusSucceeded, int64(1000), 1}, [3]any{late.Status, late.Captured, late.DisputesOpen})
	_, err = b.charge(t.Context(), s, key, "charge", 1000)
	require.NoError(t, err, "the mandate allows one charge, and the late money is none")
	require.Empty(t, b.verify(t))
}

// A callback that waits for its order's lock while the order goes to another account is about the attempt that ended.
func TestACallbackMeetsAMove(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.newAccount(t, "EUR-2", "first")
	_, err := b.LinkAccount(t.Context(), "EUR-2", "first", store.Routing{Given: true, Priority: 2}, false)
	require.NoError(t, err)
	accounts, err := b.ShopAccounts(t.Context(), b.shop.ID)
	require.NoError(t, err)
	first := accounts[slices.IndexFunc(accounts, func(a payment.Account) bool { return a.Name == "EUR-1" })]
	waiting := func(sessions int) {
		t.Helper()
		require.Eventually(t, func() bool {
			return b.count(t, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") == sessions
		}, time.Minute, 5*time.Millisecond)
	}
	locked := make(chan string)
	var release pgx.Tx
	calls := 0
	s := b.service(&gatewaytest.Fake{CreatePaymentFunc: func(_ context.Context, req gateway.PaymentRequest) (gateway.Result, error) {
		if calls++; calls > 1 {
			return gateway.Result{Status: gateway.StatusSucceeded}, nil
		}
		release, err = b.pool.Begin(t.Context())
		if err == nil {
			_, err = release.Exec(t.Context(), "SELECT FROM orders WHERE provider_order_id = $1 FOR UPDATE", req.Ref.OrderID)
		}
		locked <- req.Ref.OrderID
		return gateway.Result{}, &gateway.Error{Kind: gateway.KindNotSent, Op: "create_payment"}
	}})
	var all sync.WaitGroup
	all.Go(func() {
		_, _, err := s.CreatePayment(t.Context(), payment.NewPayment{
			Shop: b.shop.ID, Reference: "moved-1", Amount: money.New(300, "EUR"), Flow: gateway.FlowHosted, RequestHash: []byte("h"),
		})
		assert.NoError(t, err)
	})
	id := <-locked
	require.NoError(t, err)
	waiting(1) // the move
	all.Go(func() {
		cb := payment.Callback{AccountID: first.ID, DedupeKey: []byte("k"), ProviderOrderID: id, Kind: gateway.KindPayment, Reported: "failed", ReceivedAt: b.clock.Now()}
		_, _, err := b.applyCallback(t.Context(), cb, func(o *payment.Order) (payment.Verdict, string) {
			assert.NotNil(t, o.EndedAttempt)
			return payment.Repeat, ""
		})
		assert.NoError(t, err)
	})
	waiting(2)
	require.NoError(t, release.Commit(t.Context()))
	all.Wait()
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM callbacks"))
}

// A callback that repeats the decline of an ended attempt changes nothing, and is not kept as one of no order.
func TestADeclineOfAnEndedAttemptIsARepeat(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	o := b.movedAndContradicted(t)
	ended, err := b.EndedAttempts(t.Context(), o.Key())
	require.NoError(t, err)
	s := b.service(&gatewaytest.Fake{ReadCallbackFunc: func(gateway.RawCallback) (gateway.Notification, error) {
		return gateway.Notification{OrderID: ended[0].ProviderOrderID, Result: gateway.Result{Kind: gateway.KindPayment, Status: gateway.StatusFailed, Failure: &gateway.Failure{Code: "x"}}}, nil
	}})
	accounts, err := b.ShopAccounts(t.Context(), b.shop.ID)
	require.NoError(t, err)
	at := accounts[slices.IndexFunc(accounts, func(a payment.Account) bool { return a.ID == ended[0].AccountID })]
	for range 2 {
		verdict, err := s.HandleCallback(t.Context(), "fake", at.CallbackToken.Reveal(), gateway.RawCallback{Body: []byte("x"), ReceivedAt: b.clock.Now()})
		require.NoError(t, err)
		require.Equal(t, payment.Repeat, verdict)
	}
	require.Zero(t, b.count(t, "SELECT count(*) FROM orderless_callbacks"))
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM orders"))
}

// A callback takes an ended attempt over while an operator's command about it waits for the order: the command says which order has it.
func TestAnOperatorAsksWhileACallbackTakesOver(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	o := b.movedAndContradicted(t)
	ended, err := b.EndedAttempts(t.Context(), o.Key())
	require.NoError(t, err)
	minor := int64(300)
	paid := gateway.Result{Kind: gateway.KindPayment, Status: gateway.StatusSucceeded, Settled: &minor, Amount: &minor, Currency: "EUR"}
	s := b.service(&gatewaytest.Fake{ReadCallbackFunc: func(raw gateway.RawCallback) (gateway.Notification, error) {
		return gateway.Notification{OrderID: ended[0].ProviderOrderID, Fingerprint: raw.Body, Result: paid}, nil
	}})
	accounts, err := b.ShopAccounts(t.Context(), b.shop.ID)
	require.NoError(t, err)
	at := accounts[slices.IndexFunc(accounts, func(a payment.Account) bool { return a.ID == ended[0].AccountID })]
	held, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = held.Exec(t.Context(), "SELECT FROM orders WHERE id = $1 FOR UPDATE", o.ID)
	require.NoError(t, err)
	var all sync.WaitGroup
	for i, act := range []func() error{ // each waits for the lock behind the one before
		func() error {
			_, err := s.HandleCallback(context.Background(), "fake", at.CallbackToken.Reveal(), gateway.RawCallback{Body: []byte("first"), ReceivedAt: b.clock.Now()})
			return err
		},
		func() error {
			_, err := s.HandleCallback(context.Background(), "fake", at.CallbackToken.Reveal(), gateway.RawCallback{Body: []byte("second"), ReceivedAt: b.clock.Now()})
			return err
		},
		func() error {
			_, err := s.AskAbout(context.Background(), o.Key(), 1, "the customer says so", "ann")
			late, _ := b.OrderByReference(context.Background(), b.shop.ID, gateway.KindPayment, "moved-1~late1")
			if assert.NotNil(t, late) {
				assert.ErrorContains(t, err, fmt.Sprintf("Order %s shows what became of attempt 1. Ask about that one.", late.ID))
			}
			assert.Equal(t, payment.CodeInvalidState, payment.CodeOf(err))
			return nil
		},
	} {
		all.Go(func() { assert.NoError(t, act()) })
		require.Eventually(t, func() bool {
			return b.count(t, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") == i+1
		}, time.Minute, 5*time.Millisecond)
	}
	require.NoError(t, held.Commit(t.Context()))
	all.Wait()
	require.Equal(t, 2, b.count(t, "SELECT count(*) FROM callbacks"))
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM orders WHERE reference = 'moved-1~late1'"))
}
