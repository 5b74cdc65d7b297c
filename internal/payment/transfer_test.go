package payment

import (
	"context"
	"errors"
	"strings"
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
	repeated, isNew, err := service.ImportTransfer(t.Context(), in)
	require.NoError(t, err)
	require.False(t, isNew)
	require.Equal(t, first.ID, repeated.ID)
	require.Equal(t, StatusSucceeded, repeated.Status, "what was said of it now is recorded")
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

// The reference of a transfer that was found is made of the provider's id, and is no longer than a reference may be.
func TestTheReferenceOfATransferThatWasFound(t *testing.T) {
	t.Parallel()
	for length, plain := range map[int]bool{1: true, 56: true, 57: true, 58: false, 500: false} {
		id := strings.Repeat("7", length)
		reference := importReference(id)
		require.Equal(t, plain, reference == "import-"+id, length)
		require.LessOrEqual(t, len(reference), 64, length)
		require.NotEqual(t, reference, importReference(id+"7"), length)
		require.Equal(t, reference, importReference(id), length)
	}
}

// Why a transfer was not found, in the shop's words.
func TestWhyATransferWasNotFound(t *testing.T) {
	t.Parallel()
	fields := []gateway.FieldError{{Field: "id", Message: "required"}}
	for name, tc := range map[string]struct {
		err  error
		want Code
		says string
	}{
		"no such transfer":      {&gateway.Error{Kind: gateway.KindNotFound}, CodeNotFound, "shows no such transfer"},
		"refused":               {&gateway.Error{Kind: gateway.KindDeclined, Code: "NO"}, CodeNotFound, "shows no such transfer"},
		"our clock is off":      {&gateway.Error{Kind: gateway.KindDeclined, Code: gateway.CodeClock}, CodeProviderFailed, "set this machine's clock"},
		"cannot be looked for":  {&gateway.Error{Kind: gateway.KindInvalid, Fields: fields}, CodeInvalid, "cannot look for this"},
		"credentials":           {&gateway.Error{Kind: gateway.KindCredentials}, CodeProviderFailed, "credentials"},
		"no answer":             {&gateway.Error{Kind: gateway.KindUnknown}, CodeProviderFailed, "no answer that can be believed"},
		"nothing was sent":      {&gateway.Error{Kind: gateway.KindNotSent}, CodeProviderFailed, "no answer that can be believed"},
		"something else":        {errors.New("broken"), CodeProviderFailed, "no answer that can be believed"},
		"another state of ours": {&gateway.Error{Kind: gateway.KindDuplicate}, CodeProviderFailed, "no answer that can be believed"},
	} {
		err := importRejected(tc.err)
		require.Equal(t, tc.want, CodeOf(err), name)
		require.ErrorContains(t, err, tc.says, name)
		require.ErrorIs(t, err, tc.err, name)
		require.Equal(t, tc.want == CodeInvalid, len(fieldsOf(err)) > 0, name)
	}
}
