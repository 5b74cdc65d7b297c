package payment

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
)

// frameStore is a store of one shop's accounts, which nothing else may be asked of.
type frameStore struct {
	Store
	shop     uuid.UUID
	accounts []Account
}

func (s frameStore) ShopAccounts(_ context.Context, shop uuid.UUID) ([]Account, error) {
	if shop != s.shop {
		return nil, nil
	}
	return slices.Clone(s.accounts), nil
}

// frameDriver makes gateways that have a card form.
type frameDriver struct {
	*gatewaytest.Fake
	frame func(context.Context, gateway.CardFrameRequest) (gateway.CardFrame, error)
}

type frameGateway struct {
	gateway.Gateway
	d frameDriver
}

func (frameDriver) Name() string { return "framed" }

func (d frameDriver) Open(a gateway.Account) (gateway.Gateway, error) {
	g, err := d.Fake.Open(a)
	return frameGateway{g, d}, err
}

func (g frameGateway) CardFrame(ctx context.Context, req gateway.CardFrameRequest) (gateway.CardFrame, error) {
	return g.d.frame(ctx, req)
}

func TestCardFrame(t *testing.T) {
	t.Parallel()
	shop, broken := uuid.New(), errors.New("broken")
	var failure error
	d := frameDriver{&gatewaytest.Fake{}, func(ctx context.Context, req gateway.CardFrameRequest) (gateway.CardFrame, error) {
		until, limited := ctx.Deadline()
		require.True(t, limited)
		require.LessOrEqual(t, time.Until(until), 3*time.Second)
		require.Equal(t, gateway.CardFrameRequest{Payout: true, Redirect: true}, req)
		return gateway.CardFrame{URL: "https://provider.example/frame"}, failure
	}}
	s := New(Config{
		CheckTimeout: 3 * time.Second, Drivers: gateway.NewRegistry(d, &gatewaytest.Fake{}),
		Store: frameStore{shop: shop, accounts: []Account{
			{ID: uuid.New(), Name: "in", Provider: "framed", Currency: "UAH", Purpose: PurposePayments},
			{ID: uuid.New(), Name: "out", Provider: "framed", Currency: "UAH", Purpose: PurposePayouts},
			{ID: uuid.New(), Name: "other", Provider: "fake", Currency: "EUR"},
		}},
	})
	ask := func(shop uuid.UUID, account string) (gateway.CardFrame, error) {
		return s.CardFrame(t.Context(), shop, account, gateway.CardFrameRequest{Payout: true, Redirect: true})
	}
	for _, account := range []string{"in", "out"} {
		f, err := ask(shop, account)
		require.NoError(t, err)
		require.Equal(t, "https://provider.example/frame", f.URL)
	}
	_, err := ask(shop, "nobody's")
	require.Equal(t, CodeUnknownAccount, CodeOf(err))
	_, err = ask(uuid.New(), "in")
	require.Equal(t, CodeUnknownAccount, CodeOf(err), "another shop's account")
	_, err = ask(shop, "other")
	require.Equal(t, CodeUnsupported, CodeOf(err))
	for message, kind := range map[string]*gateway.Error{
		"Try again later":  {Kind: gateway.KindNotSent, Err: broken},
		"credentials":      {Kind: gateway.KindCredentials, Err: broken},
		clockMessage:       {Kind: gateway.KindDeclined, Code: gateway.CodeClock, Err: broken},
		"did not open a c": {Kind: gateway.KindDeclined, Err: broken},
	} {
		failure = kind
		f, err := ask(shop, "in")
		require.Equal(t, CodeProviderFailed, CodeOf(err))
		require.ErrorIs(t, err, broken)
		require.ErrorContains(t, err, message)
		require.Zero(t, f)
	}
}

// What a provider is only asked gives its place to other requests meanwhile, as calls that move money do.
func TestQuestionsTakeNobodysPlace(t *testing.T) {
	t.Parallel()
	shop, calling, asked := uuid.New(), 0, 0
	batch := func() {
		asked++
		require.Equal(t, 1, calling)
	}
	d := frameDriver{&gatewaytest.Fake{
		BalanceFunc: func(context.Context) (gateway.Balance, error) {
			batch()
			return gateway.Balance{}, nil
		},
		FindTransferFunc: func(context.Context, gateway.TransferQuery) (gateway.Result, error) {
			batch()
			return gateway.Result{}, &gateway.Error{Kind: gateway.KindNotFound}
		},
	}, func(context.Context, gateway.CardFrameRequest) (gateway.CardFrame, error) {
		batch()
		return gateway.CardFrame{}, nil
	}}
	account := Account{ID: uuid.New(), Name: "a", Provider: "framed", Currency: "UAH", Purpose: PurposeAny}
	s := New(Config{
		Store: frameStore{shop: shop, accounts: []Account{account}}, Drivers: gateway.NewRegistry(d),
		BeginExternalCall: func(ctx context.Context, _ Subject) (context.Context, func()) {
			calling++
			return ctx, func() { calling-- }
		},
	})
	_, err := s.CardFrame(t.Context(), shop, "a", gateway.CardFrameRequest{})
	require.NoError(t, err)
	// The gateway of this driver shows its card form only.
	plain := New(Config{Store: s.Store, Drivers: gateway.NewRegistry(renamed{d.Fake}), BeginExternalCall: s.BeginExternalCall})
	_, err = plain.Balance(t.Context(), shop, "a")
	require.NoError(t, err)
	_, _, err = plain.ImportTransfer(t.Context(), TransferImport{Shop: shop, Account: "a"})
	require.Equal(t, CodeNotFound, CodeOf(err))
	require.Equal(t, 3, asked)
	require.Zero(t, calling)
}

// renamed is a fake under the name that the accounts of these tests have.
type renamed struct{ *gatewaytest.Fake }

func (renamed) Name() string { return "framed" }
