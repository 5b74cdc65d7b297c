package payment

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/money"
)

// shopStore keeps the orders of one shop in memory. failures are what its reads and writes fail with, by method.
type shopStore struct {
	Store
	accounts []Account
	orders   map[uuid.UUID]*Order
	open     []uuid.UUID    // the open refunds of any payment
	ended    []EndedAttempt // of any order
	approved string         // the account of any payout that waits for a release
	failures map[string]error
}

// newShop returns the use cases of a shop with one account at a provider.
func newShop(fake *gatewaytest.Fake) (*shopStore, *Service) {
	s := &shopStore{
		accounts: []Account{{ID: uuid.New(), Name: "main", Provider: "fake", Currency: "EUR", Purpose: PurposeAny, Priority: 1}},
		orders:   map[uuid.UUID]*Order{}, failures: map[string]error{},
	}
	return s, New(Config{Store: s, Drivers: gateway.NewRegistry(fake), Now: func() time.Time { return epoch }, PublicURL: "https://pay.example"})
}

// with adds an order of the shop, on its first account.
func (s *shopStore) with(o *Order) *Order {
	o.Provider, o.AccountID, o.AccountName = "fake", s.accounts[0].ID, s.accounts[0].Name
	s.orders[o.ID] = o
	return o
}

func (s *shopStore) ShopAccounts(context.Context, uuid.UUID) ([]Account, error) {
	return slices.Clone(s.accounts), s.failures["ShopAccounts"]
}

func (s *shopStore) ApprovalAccount(context.Context, uuid.UUID, string, []byte) (string, error) {
	return s.approved, s.failures["ApprovalAccount"]
}

func (s *shopStore) CheckLimits(_ context.Context, o *Order) error {
	return s.failures["CheckLimits "+o.AccountName]
}

func (s *shopStore) Account(_ context.Context, id uuid.UUID) (Account, error) {
	for _, a := range s.accounts {
		if a.ID == id {
			return a, s.failures["Account"]
		}
	}
	return Account{}, ErrNotFound
}

func (s *shopStore) ProviderOrderID(_ context.Context, _ uuid.UUID, kind gateway.Kind, reference string, attempt int) (string, error) {
	return string(kind) + "-" + reference + strings.Repeat("+", attempt-1), s.failures["ProviderOrderID"]
}

func (s *shopStore) Order(_ context.Context, key Key) (*Order, error) {
	if err := s.failures["Order"]; err != nil {
		return nil, err
	}
	o := s.orders[key.Order]
	if o == nil || o.ShopID != key.Shop {
		return nil, ErrNotFound
	}
	loaded := *o
	loaded.Saved()
	return &loaded, nil
}

func (s *shopStore) OrderByReference(_ context.Context, _ uuid.UUID, kind gateway.Kind, reference string) (*Order, error) {
	for _, o := range s.orders {
		if o.Kind == kind && o.Reference == reference {
			return o, nil
		}
	}
	return nil, ErrNotFound
}

func (s *shopStore) Orders(_ context.Context, f Filter) (page Page[*Order], err error) {
	for _, o := range s.orders {
		if f.ProviderOrderID == o.ProviderOrderID {
			page.Items = append(page.Items, o)
		}
	}
	return page, s.failures["Orders"]
}

func (s *shopStore) CreateOrder(ctx context.Context, o *Order) (*Order, bool, error) {
	if err := s.failures["CreateOrder"]; err != nil {
		return nil, false, err
	}
	if earlier, err := s.OrderByReference(ctx, o.ShopID, o.Kind, o.Reference); err == nil {
		return earlier, false, nil
	}
	s.orders[o.ID] = o
	return o, true, nil
}

func (s *shopStore) CreateRefund(ctx context.Context, o *Order, check func(OtherRefunds) error) (*Order, bool, error) {
	if err := check(OtherRefunds{Open: s.open}); err != nil {
		return nil, false, err
	}
	reserved, _ := o.ParentDelta()
	s.orders[*o.ParentID].RefundReserved += reserved
	return s.CreateOrder(ctx, o)
}

func (s *shopStore) UpdateOrder(ctx context.Context, key Key, fn func(*Order) error) (*Order, error) {
	o, err := s.Order(ctx, key)
	if err != nil {
		return nil, err
	}
	if err := fn(o); err != nil {
		return nil, err
	}
	s.orders[o.ID] = o
	s.ended = append(s.ended, o.NewEndedAttempts()...)
	return o, nil
}

func (s *shopStore) EndedAttempts(context.Context, Key) ([]EndedAttempt, error) { return s.ended, nil }

// paidOrder returns a payment of 1000 that succeeded.
func paidOrder(t *testing.T) *Order {
	t.Helper()
	o := orderIn(t, StatusSucceeded)
	require.EqualValues(t, 1000, o.Captured)
	require.Equal(t, money.New(1000, "EUR"), o.Amount)
	return o
}
