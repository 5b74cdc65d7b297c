package payment

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/shop"
)

func TestAnAccountCanDoWhatItIsFor(t *testing.T) {
	t.Parallel()
	fake := &gatewaytest.Fake{}
	_, service := newShelf(fake)
	infos, err := service.Accounts(t.Context(), uuid.New())
	require.NoError(t, err)
	gw, err := fake.Open(gateway.Account{})
	require.NoError(t, err)
	require.Equal(t, gateway.Capabilities(gw), infos[0].Capabilities, "for any order")
	require.Equal(t, []string{"cancel", "capture", "confirm_code", "recurring", "refund", "statement"}, infos[1].Capabilities, "for payments")
	require.Equal(t, []string{"balance", "confirm_code", "payout", "payout_card", "statement", "transfer", "transfer_import"}, infos[2].Capabilities, "for payouts")
	for name := range belongs {
		require.Contains(t, append(gateway.Capabilities(gw), "card_frame", gateway.VariantBankPayout, gateway.VariantCardNumber, gateway.VariantPartialCapture), name, "there is no such capability")
	}
}

// What a closed account does not do any more is off, with the reason.
func TestAClosedAccountCanBeReadOnly(t *testing.T) {
	t.Parallel()
	s, service := newShelf(&gatewaytest.Fake{})
	s.accounts[0].Mode = shop.ModeClosed
	infos, err := service.Accounts(t.Context(), uuid.New())
	require.NoError(t, err)
	require.Equal(t, []string{"balance", "statement"}, infos[0].Capabilities)
	require.Contains(t, infos[0].Off, CapabilityOff{"refund", "the account is closed for good"})
	require.Contains(t, infos[1].Capabilities, "refund")
}

// One account that cannot be opened, or used, keeps no other out of the list.
func TestOneAccountStopsNoList(t *testing.T) {
	t.Parallel()
	s, service := newShelf(&gatewaytest.Fake{OpenFunc: func(a gateway.Account) error {
		if a.Name == "b" {
			return errors.New("a setting is not taken any more")
		}
		return nil
	}})
	s.accounts[2].Unusable = ErrFrozen
	infos, err := service.Accounts(t.Context(), uuid.New())
	require.NoError(t, err)
	require.Len(t, infos, 1)
	require.Equal(t, "a", infos[0].Name)
}

func TestABalanceIsAskedOfAccountsThatHaveOne(t *testing.T) {
	t.Parallel()
	var failure error
	_, service := newShelf(&gatewaytest.Fake{BalanceFunc: func(context.Context) (gateway.Balance, error) { return gateway.Balance{Balance: 7}, failure }})
	service.CheckTimeout = time.Second
	ask := func(account string) (gateway.Balance, error) {
		return service.Balance(t.Context(), uuid.New(), account)
	}
	for _, account := range []string{"a", "c"} {
		b, err := ask(account)
		require.NoError(t, err)
		require.EqualValues(t, 7, b.Balance)
	}
	_, err := ask("b")
	require.Equal(t, CodeUnsupported, CodeOf(err), "it is for payments, and asking again changes nothing")
	failure = &gateway.Error{Kind: gateway.KindDeclined}
	_, err = ask("a")
	require.Equal(t, CodeUnsupported, CodeOf(err), "the provider refuses, and asking again changes nothing")
	failure = &gateway.Error{Kind: gateway.KindUnknown}
	_, err = ask("a")
	require.Equal(t, CodeProviderFailed, CodeOf(err), "asking again may help")
}
