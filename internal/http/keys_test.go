package httpapi

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/payment"
	"payrelay/internal/shop"
)

func TestRefusedKeySaysWhy(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for reason, want := range keyRefusals {
		b.keys.err = &shop.KeyError{Reason: reason, ID: "abc"}
		res := b.send(t, "GET", "/v1/orders", "")
		require.Equal(t, 401, res.Code, reason)
		require.Contains(t, res.Body.String(), want)
		require.Contains(t, res.Body.String(), `"code":"unauthorized"`)
	}
	b.keys.err = &shop.KeyError{Reason: shop.KeyDisabled}
	res := b.send(t, "GET", "/v1/orders", "")
	require.Equal(t, 403, res.Code)
	require.Contains(t, res.Body.String(), `"code":"disabled"`)
	require.Zero(t, b.count())
}

func TestKeyThatExpiresSoonSaysSo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.keys.expires = time.Now().Add(13 * 24 * time.Hour).UTC().Truncate(time.Second)
	require.Equal(t, b.keys.expires.Format(time.RFC3339), b.send(t, "GET", "/v1/orders", "").Header().Get("Payrelay-Key-Expires"))
	b.keys.expires = time.Now().Add(15 * 24 * time.Hour)
	require.Empty(t, b.send(t, "GET", "/v1/orders", "").Header().Get("Payrelay-Key-Expires"))
}

// Every use case hears how far the caller is switched off, and decides by it.
func TestUseCasesKnowTheCallersMode(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.keys.mode = shop.ModeDrain
	var heard []shop.Mode
	b.hook = func(ctx context.Context, _ string) error {
		heard = append(heard, payment.ModeOf(ctx))
		return &payment.Error{Code: payment.CodeDisabled, Message: "Not now."}
	}
	res := b.send(t, "POST", "/v1/payments/"+orderID+"/cancel", "")
	require.Equal(t, []shop.Mode{shop.ModeDrain}, heard)
	require.Equal(t, 403, res.Code)
	require.Contains(t, res.Body.String(), `"code":"disabled"`)
}
