package payment

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/money"
	"payrelay/internal/orderid"
)

// foundTransfer is what a provider shows of a transfer that was started elsewhere.
func foundTransfer() gateway.Result {
	return gateway.Result{Status: gateway.StatusProcessing, ProviderReference: "p-1", Amount: ptr(700), Currency: "EUR"}
}

// A transfer that was started elsewhere becomes an order once, and what the provider says of it later is recorded there.
func TestATransferIsFollowedOnce(t *testing.T) {
	t.Parallel()
	found := foundTransfer()
	s, service := newShop(&gatewaytest.Fake{FindTransferFunc: func(context.Context, gateway.TransferQuery) (gateway.Result, error) { return found, nil }})
	in := TransferImport{Shop: uuid.New(), Account: "main"}
	first, isNew, err := service.ImportTransfer(t.Context(), in)
	require.NoError(t, err)
	require.True(t, isNew)
	require.Equal(t, StatusProcessing, first.Status)
	require.Equal(t, money.New(700, "EUR"), first.Amount)
	require.Equal(t, "import-p-1", first.Reference)
	require.Equal(t, "p-1", first.ProviderReference)

	found.Status = gateway.StatusSucceeded
	again, isNew, err := service.ImportTransfer(t.Context(), in)
	require.NoError(t, err)
	require.False(t, isNew)
	require.Equal(t, first.ID, again.ID)
	require.Equal(t, StatusSucceeded, again.Status, "what was said of it now is recorded")
	require.Len(t, s.orders, 1)
}

// A transfer that has no id or no sum in the account's currency is not followed: nothing is stored of it.
func TestATransferThatCannotBeFollowed(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, tc := range map[string]struct {
		change func(*gateway.Result)
		fail   string // a method of the store
		code   Code
		err    error
	}{
		"without an id":              {func(r *gateway.Result) { r.ProviderReference = "" }, "", CodeProviderFailed, nil},
		"without a sum":              {func(r *gateway.Result) { r.Amount = nil }, "", CodeProviderFailed, nil},
		"of nothing":                 {func(r *gateway.Result) { r.Amount = ptr(0) }, "", CodeProviderFailed, nil},
		"of less than nothing":       {func(r *gateway.Result) { r.Amount = ptr(-1) }, "", CodeProviderFailed, nil},
		"in another currency":        {func(r *gateway.Result) { r.Currency = "USD" }, "", CodeProviderFailed, nil},
		"in no currency":             {func(r *gateway.Result) { r.Currency = "" }, "", CodeProviderFailed, nil},
		"another shop's":             {func(r *gateway.Result) { r.OrderID = trialOrderID }, "", CodeNotFound, nil},
		"its id cannot be made":      {func(*gateway.Result) {}, "ProviderOrderID", "", broken},
		"it cannot be written":       {func(*gateway.Result) {}, "CreateOrder", "", broken},
		"whose it is cannot be read": {func(r *gateway.Result) { r.OrderID = trialOrderID }, "Orders", "", broken},
	} {
		s, service := newShop(&gatewaytest.Fake{FindTransferFunc: func(context.Context, gateway.TransferQuery) (gateway.Result, error) {
			r := foundTransfer()
			tc.change(&r)
			return r, nil
		}})
		if tc.fail != "" {
			s.failures[tc.fail] = broken
		}
		o, isNew, err := service.ImportTransfer(t.Context(), TransferImport{Shop: uuid.New(), Account: "main"})
		require.Error(t, err, name)
		require.Equal(t, tc.code, CodeOf(err), name)
		if tc.err != nil {
			require.ErrorIs(t, err, tc.err, name)
		}
		require.Nil(t, o, name)
		require.False(t, isNew, name)
		require.Empty(t, s.orders, name)
	}
}

// A transfer that the shop started here gives the order that it has. One with an id of another program, or with none, gives a new
// one.
func TestWhoseTransferIsFound(t *testing.T) {
	t.Parallel()
	require.True(t, orderid.HasForm(trialOrderID))
	for id, here := range map[string]bool{trialOrderID: true, "theirs": false, "": false} {
		s, service := newShop(&gatewaytest.Fake{FindTransferFunc: func(context.Context, gateway.TransferQuery) (gateway.Result, error) {
			r := foundTransfer()
			r.OrderID = id
			return r, nil
		}})
		own := orderIn(t, StatusProcessing)
		own.Kind, own.ProviderOrderID = gateway.KindTransfer, trialOrderID
		s.with(own)
		o, isNew, err := service.ImportTransfer(t.Context(), TransferImport{Shop: own.ShopID, Account: "main"})
		require.NoError(t, err, id)
		require.Equal(t, here, o.ID == own.ID, id)
		require.Equal(t, !here, isNew, id)
	}
}

// One without an id of ours is looked for nowhere.
func TestATransferWithoutAnIDIsNobodysOrder(t *testing.T) {
	t.Parallel()
	s, service := newShop(&gatewaytest.Fake{})
	s.with(orderIn(t, StatusProcessing)) // it has no id at its provider either
	for name, id := range map[string]string{"none": "", "nobody's": "x"} {
		o, err := service.startedHere(t.Context(), uuid.New(), s.accounts[0], id)
		require.NoError(t, err, name)
		require.Nil(t, o, name)
	}
}
