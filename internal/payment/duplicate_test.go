package payment_test

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/card"
	"payrelay/internal/gateway"
	"payrelay/internal/gateway/gatewaytest"
	"payrelay/internal/payment"
)

// fingerprints keeps the fingerprint of the last payout, and stores nothing.
type fingerprints struct {
	payment.Store
	last []byte
}

func (*fingerprints) ShopAccounts(context.Context, uuid.UUID) ([]payment.Account, error) {
	return []payment.Account{{ID: uuid.New(), Name: "a", Provider: "fake", Currency: "EUR", Purpose: payment.PurposeAny}}, nil
}

func (*fingerprints) ProviderOrderID(context.Context, uuid.UUID, gateway.Kind, string, int) (string, error) {
	return "id", nil
}

func (f *fingerprints) CreateOrder(_ context.Context, o *payment.Order) (*payment.Order, bool, error) {
	f.last = o.Fingerprint
	return nil, false, payment.ErrNotFound
}

// TestADestinationHasOneFingerprint holds that no spelling of a destination passes for another one, and that two are two.
func TestADestinationHasOneFingerprint(t *testing.T) {
	t.Parallel()
	f := &fingerprints{}
	service := payment.New(payment.Config{Store: f, Drivers: gateway.NewRegistry(&gatewaytest.Fake{}), FingerprintKey: []byte("key")})
	shop := uuid.New()
	of := func(m gateway.PayoutMethod, minor int64) string {
		f.last = nil
		_, _, err := service.Payout(t.Context(), payment.NewPayout{Shop: shop, Reference: "r", Minor: minor, Account: "a", Method: m, RequestHash: []byte("h")})
		require.ErrorIs(t, err, payment.ErrNotFound)
		require.Len(t, f.last, 32)
		return string(f.last)
	}
	bank := func(number string) gateway.PayoutMethod {
		return gateway.PayoutMethod{BankAccount: &gateway.BankAccount{Number: number, Holder: "John Doe"}}
	}
	pan := func(number string) gateway.PayoutMethod {
		n, err := card.ParsePAN(number)
		require.NoError(t, err)
		return gateway.PayoutMethod{Card: &card.Card{Number: n}}
	}
	one := of(bank("DE89370400440532013000"), 100)
	for _, same := range []string{"DE89 3704 0044 0532 0130 00", "de89370400440532013000", "DE89-3704-0044-0532-0130-00", "\u00a0de89\t370400440532013000 "} {
		require.Equal(t, one, of(bank(same), 100), same)
	}
	require.Equal(t, of(pan("4012000000003010"), 100), of(pan("4012 0000 0000 3010"), 100))
	seen := map[string]bool{}
	for _, other := range []string{
		one, of(bank("DE89370400440532013000"), 101), of(bank("DE89370400440532013001"), 100), of(pan("4012000000003010"), 100), of(pan("4111111111111111"), 100),
		of(gateway.PayoutMethod{Phone: "+442079460612"}, 100), of(gateway.PayoutMethod{PayoutCardID: "442079460612"}, 100),
	} {
		require.False(t, seen[other])
		seen[other] = true
	}
}
