package store_test

import (
	"context"
	"net/netip"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/money"
	"payrelay/internal/payment"
	"payrelay/internal/shop"
	"payrelay/internal/store"
)

// moving is every use case that moves money. A new one belongs here.
type moving struct {
	name   string
	begins bool
	on     gateway.Status // of the payment that it is about, "" for none
	do     func(ctx context.Context, s *payment.Service, shop uuid.UUID, reference string, parent payment.Key) error
}

var everyMove = []moving{
	{"payment", true, "", func(ctx context.Context, s *payment.Service, shop uuid.UUID, reference string, _ payment.Key) error {
		_, _, err := s.CreatePayment(ctx, payment.NewPayment{Shop: shop, Reference: reference, Amount: money.New(1000, "EUR"), Flow: gateway.FlowHosted, RequestHash: []byte("h")})
		return err
	}},
	{"payout", true, "", func(ctx context.Context, s *payment.Service, shop uuid.UUID, reference string, _ payment.Key) error {
		_, _, err := s.Payout(ctx, payment.NewPayout{Shop: shop, Reference: reference, Minor: 100, Account: "EUR-1", RequestHash: []byte("h")})
		return err
	}},
	{"payout card", true, "", func(ctx context.Context, s *payment.Service, shop uuid.UUID, reference string, _ payment.Key) error {
		_, _, err := s.OpenPayoutCard(ctx, payment.NewPayoutCard{Shop: shop, Reference: reference, Account: "EUR-1", RequestHash: []byte("h")})
		return err
	}},
	{"transfer", true, "", func(ctx context.Context, s *payment.Service, shop uuid.UUID, reference string, _ payment.Key) error {
		_, _, err := s.Transfer(ctx, payment.NewTransfer{Shop: shop, Reference: reference, Amount: money.New(100, "EUR"), Account: "EUR-1", RequestHash: []byte("h")})
		return err
	}},
	{"charge", true, gateway.StatusSucceeded, func(ctx context.Context, s *payment.Service, shop uuid.UUID, reference string, parent payment.Key) error {
		_, _, err := s.Charge(ctx, payment.NewCharge{Shop: shop, Payment: parent.Order, Reference: reference, Minor: 100, RequestHash: []byte("h")})
		return err
	}},
	{"refund", false, gateway.StatusSucceeded, func(ctx context.Context, s *payment.Service, shop uuid.UUID, reference string, parent payment.Key) error {
		_, _, err := s.Refund(ctx, payment.NewRefund{Shop: shop, Payment: parent.Order, Reference: reference, Minor: 100, RequestHash: []byte("h")})
		return err
	}},
	{"capture", false, gateway.StatusAuthorized, func(ctx context.Context, s *payment.Service, _ uuid.UUID, _ string, parent payment.Key) error {
		_, err := s.Capture(ctx, parent, 0)
		return err
	}},
	{"cancel", false, gateway.StatusAuthorized, func(ctx context.Context, s *payment.Service, _ uuid.UUID, _ string, parent payment.Key) error {
		_, err := s.Cancel(ctx, parent)
		return err
	}},
	{"code", false, gateway.StatusRequiresAction, func(ctx context.Context, s *payment.Service, _ uuid.UUID, _ string, parent payment.Key) error {
		_, err := s.ConfirmCode(ctx, parent, "123456")
		return err
	}},
}

// mover is a provider that does everything, and counts what it was asked to move.
type mover struct {
	asked  int
	answer gateway.Result
}

func (m *mover) done() (gateway.Result, error) { m.asked++; return m.answer, nil }

func (b *fixture) mover(m *mover) *payment.Service {
	return payment.New(payment.Config{Store: b.Store, Now: b.clock.Now, Drivers: gateway.NewRegistry(&gatewaytest.Fake{
		CreatePaymentFunc:  func(context.Context, gateway.PaymentRequest) (gateway.Result, error) { return m.done() },
		PayoutFunc:         func(context.Context, gateway.PayoutRequest) (gateway.Result, error) { return m.done() },
		OpenPayoutCardFunc: func(context.Context, gateway.PayoutCardRequest) (gateway.Result, error) { return m.done() },
		TransferFunc:       func(context.Context, gateway.TransferRequest) (gateway.Result, error) { return m.done() },
		ChargeFunc:         func(context.Context, gateway.ChargeRequest) (gateway.Result, error) { return m.done() },
		RefundFunc:         func(context.Context, gateway.RefundRequest) (gateway.Result, error) { return m.done() },
		CaptureFunc:        func(context.Context, gateway.Ref, money.Money) (gateway.Result, error) { return m.done() },
		CancelFunc:         func(context.Context, gateway.Ref) (gateway.Result, error) { return m.done() },
		ConfirmCodeFunc:    func(context.Context, gateway.Ref, gateway.Secret) (gateway.Result, error) { return m.done() },
	})})
}

// parent makes the payment that a move is about.
func (b *fixture) parent(t *testing.T, m *mover, s *payment.Service, reference string, is gateway.Status) payment.Key {
	t.Helper()
	m.answer = gateway.Result{Status: is}
	if is == gateway.StatusRequiresAction {
		m.answer.NextAction = &gateway.NextAction{Type: gateway.ActionConfirmCode}
	}
	o, _, err := s.CreatePayment(t.Context(), payment.NewPayment{
		Shop: b.shop.ID, Reference: reference, Amount: money.New(1000, "EUR"), Flow: gateway.FlowHosted, RequestHash: []byte(reference),
		Manual: is == gateway.StatusAuthorized, Recurring: gateway.Recurring{Enabled: true},
	})
	require.NoError(t, err)
	return o.Key()
}

// A mode stops what it must, sends nothing of it, and stops nothing else.
func TestModesStopMoney(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	m := &mover{}
	service := b.mover(m)
	for _, by := range []string{"caller", "account"} {
		for _, mode := range []shop.Mode{shop.ModeEnabled, shop.ModeDrain, shop.ModeOff} {
			for _, move := range everyMove {
				name := by + " " + string(mode) + " " + move.name
				var parent payment.Key
				if move.on != "" {
					parent = b.parent(t, m, service, "parent-"+name, move.on)
				}
				ctx := t.Context()
				if by == "caller" {
					ctx = payment.WithMode(ctx, mode)
				} else {
					require.NoError(t, b.SetAccountMode(t.Context(), "EUR-1", mode))
				}
				m.answer = gateway.Result{Status: gateway.StatusProcessing}
				calls, orders := m.asked, b.count(t, "SELECT count(*) FROM orders")
				err := move.do(ctx, service, b.shop.ID, name, parent)
				if mode == shop.ModeOff || mode == shop.ModeDrain && move.begins {
					require.Equal(t, payment.CodeDisabled, payment.CodeOf(err), "%s: %v", name, err)
					require.Equal(t, calls, m.asked, name)
					require.Equal(t, orders, b.count(t, "SELECT count(*) FROM orders"), name)
				} else {
					require.NoError(t, err, name)
					require.Equal(t, calls+1, m.asked, name)
				}
				require.NoError(t, b.SetAccountMode(t.Context(), "EUR-1", shop.ModeEnabled))
			}
		}
	}
}

// Whoever sends a request again hears of the order that it made, also while nothing new begins: else it might be made elsewhere, too.
func TestARepeatIsAnsweredWhileNothingBegins(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	m := &mover{answer: gateway.Result{Status: gateway.StatusProcessing}}
	service := b.mover(m)
	in := payment.NewPayment{Shop: b.shop.ID, Reference: "r-1", Amount: money.New(1000, "EUR"), Flow: gateway.FlowHosted, RequestHash: []byte("h")}
	first, _, err := service.CreatePayment(t.Context(), in)
	require.NoError(t, err)
	for _, mode := range []shop.Mode{shop.ModeDrain, shop.ModeOff} {
		repeated, isNew, err := service.CreatePayment(payment.WithMode(t.Context(), mode), in)
		require.NoError(t, err)
		require.False(t, isNew)
		require.Equal(t, first.ID, repeated.ID)
		require.NoError(t, b.SetAccountMode(t.Context(), "EUR-1", mode))
		repeated, _, err = service.CreatePayment(t.Context(), in)
		require.NoError(t, err)
		require.Equal(t, first.ID, repeated.ID)
	}
	// Routing passes over an account that takes none.
	second := b.newAccount(t, "EUR-2", "first")
	_, err = b.LinkAccount(t.Context(), "EUR-2", "first", store.Routing{Given: true, Priority: 2}, false)
	require.NoError(t, err)
	in.Reference = "r-2"
	o, _, err := service.CreatePayment(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, second.Name, o.AccountName)
}

// A replica that has not heard of it yet begins nothing for a shop that was drained, nor at an account that was taken from it, and sends
// nothing. Refunds go on. The next request knows.
func TestNothingBeginsFromTheCommitOn(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(*fixture) error{
		"the shop is drained":     func(b *fixture) error { return b.SetShopMode(t.Context(), "first", shop.ModeDrain) },
		"the account is unlinked": func(b *fixture) error { _, err := b.UnlinkAccount(t.Context(), "EUR-1", "first", true); return err },
		"the account is drained":  func(b *fixture) error { return b.SetAccountMode(t.Context(), "EUR-1", shop.ModeDrain) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newFixture(t)
			m := &mover{}
			paid := b.parent(t, m, b.mover(m), "paid", gateway.StatusSucceeded)
			var behind []*payment.Service // a replica for each move, which has read how things were
			for range everyMove {
				replica := fixture{Store: store.New(b.pool, b.Options), clock: b.clock}
				_, err := replica.ShopAccounts(t.Context(), b.shop.ID)
				require.NoError(t, err)
				behind = append(behind, replica.mover(m))
			}
			require.NoError(t, stop(b))
			for i, move := range everyMove {
				asked, orders := m.asked, b.count(t, "SELECT count(*) FROM orders")
				switch {
				case move.begins:
					err := move.do(t.Context(), behind[i], b.shop.ID, move.name, paid)
					require.Contains(t, []payment.Code{payment.CodeDisabled, payment.CodeUnknownAccount}, payment.CodeOf(err), "%s: %v", move.name, err)
					require.Equal(t, []int{asked, orders}, []int{m.asked, b.count(t, "SELECT count(*) FROM orders")}, move.name)
				case move.on == gateway.StatusSucceeded:
					require.NoError(t, move.do(t.Context(), behind[i], b.shop.ID, move.name, paid), move.name)
				}
			}
		})
	}
}

func TestModesOfShopsAndKeysReachTheCaller(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	mode := func() shop.Mode {
		t.Helper()
		p, err := b.Authenticate(t.Context(), b.key, netip.Addr{})
		require.NoError(t, err)
		return p.Mode
	}
	id := keyID(t, b.key)
	require.Equal(t, shop.ModeEnabled, mode())
	require.NoError(t, b.SetShopMode(t.Context(), "first", shop.ModeOff))
	require.Equal(t, shop.ModeOff, mode())
	require.NoError(t, b.SetKeyMode(t.Context(), id, shop.ModeDrain))
	require.Equal(t, shop.ModeOff, mode(), "the stricter counts")
	require.NoError(t, b.SetShopMode(t.Context(), "first", shop.ModeEnabled))
	require.Equal(t, shop.ModeDrain, mode())
	require.NoError(t, b.SetKeyMode(t.Context(), id, shop.ModeOff))
	require.Equal(t, shop.KeyDisabled, b.reason(t, b.key))
	require.NoError(t, b.SetKeyMode(t.Context(), id, shop.ModeEnabled))
	require.Equal(t, shop.ModeEnabled, mode())
	require.Equal(t, payment.CodeNotFound, payment.CodeOf(b.SetShopMode(t.Context(), "nobody", shop.ModeOff)))
}
