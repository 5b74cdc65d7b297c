package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
	"payrelay/internal/shop"
	"payrelay/internal/store"
)

func TestTwoWebhookSecretsLiveDuringARotation(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	live := func() []gateway.Secret {
		t.Helper()
		secrets, err := b.WebhookSecrets(t.Context(), b.shop.ID)
		require.NoError(t, err)
		return secrets
	}
	first, second, third, fourth := gateway.Secret(b.secret), gateway.Secret(shop.NewWebhookSecret()), gateway.Secret(shop.NewWebhookSecret()), gateway.Secret(shop.NewWebhookSecret())
	require.NoError(t, b.RotateWebhookSecret(t.Context(), "first", second, 24*time.Hour))
	require.Equal(t, []gateway.Secret{second, first}, live())
	require.Equal(t, payment.CodeInvalidState, payment.CodeOf(b.RotateWebhookSecret(t.Context(), "first", third, time.Hour)), "two at most")
	require.Equal(t, []gateway.Secret{second, first}, live())

	b.clock.Add(24 * time.Hour)
	require.Equal(t, []gateway.Secret{second}, live(), "the old one ends without a look at the database")
	require.NoError(t, b.RotateWebhookSecret(t.Context(), "first", third, time.Hour))
	require.Equal(t, []gateway.Secret{third, second}, live())
	require.Equal(t, 2, b.count(t, "SELECT count(*) FROM webhook_secrets"), "what has ended is deleted")
	require.NoError(t, b.RotateWebhookSecret(t.Context(), "first", fourth, 0), "after a leak nobody waits")
	require.Equal(t, []gateway.Secret{fourth}, live())
	require.Equal(t, payment.CodeNotFound, payment.CodeOf(b.RotateWebhookSecret(t.Context(), "nobody", fourth, 0)))
}

// Retries are signed anew with what is live then.
func TestRetryIsSignedWithWhatIsLive(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	key := b.create(t, "r-1", 1000).Key()
	b.report(t, key, payment.StatusProcessing)
	d := b.lease(t, key)
	require.Equal(t, []gateway.Secret{gateway.Secret(b.secret)}, d.Secrets)
	_, err := b.FinishDelivery(t.Context(), d, payment.Attempt{At: b.clock.Now(), RetryAt: b.clock.Now().Add(time.Minute), Error: "connect"})
	require.NoError(t, err)
	fresh := gateway.Secret(shop.NewWebhookSecret())
	require.NoError(t, b.RotateWebhookSecret(t.Context(), "first", fresh, time.Hour))
	b.clock.Add(time.Minute)
	require.Equal(t, []gateway.Secret{fresh, gateway.Secret(b.secret)}, b.lease(t, key).Secrets)
}

// One secret that cannot be read holds up its own shop only.
func TestWebhookSecretThatCannotBeReadHurtsNoOther(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	other, _, secret := b.newShop(t, "other", "")
	b.exec(t, "UPDATE webhook_secrets SET secret = 'no ciphertext' WHERE shop_id = $1", b.shop.ID)
	fresh := store.New(b.pool, b.Options)
	_, err := fresh.WebhookSecrets(t.Context(), b.shop.ID)
	require.ErrorContains(t, err, "decrypt")
	live, err := fresh.WebhookSecrets(t.Context(), other.ID)
	require.NoError(t, err)
	require.Equal(t, []gateway.Secret{gateway.Secret(secret)}, live)
}
