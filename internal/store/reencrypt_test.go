package store_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
	"payrelay/internal/secrets"
	"payrelay/internal/store"
)

// unsealed are the columns of bytes that hold no ciphertext of the keyset. What is under an order's data key is in store.DataPlaces.
var unsealed = []string{
	"audit_log.seal", "accounts.callback_token_hash", "accounts.previous_token_hash", "shop_keys.mac", "order_fingerprints.fingerprint", "payout_approvals.request_hash", "limit_uses.card", "limit_reservations.card", "orders.request_hash", "callbacks.dedupe_key",
	"callback_keys.dedupe_key", "orderless_callbacks.dedupe_key", "notifications.payload_digest", "payout_approvals.seal", "mandates.seal", "mandate_decisions.seal", "imported_orders.merchant", "bin_table.content", "disputes.seal", "orders.chain", "orders.seal", "order_transitions.chain", "order_attempts.chain", "idempotency_keys.request_hash", "idempotency_keys.body", "idempotency_keys.key", "idempotency_keys.key_hash",
}

// A column that is encrypted and not told to the re-encryption would keep an old key in use for ever, or lose its rows.
func TestEverySealedColumnIsKnown(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	rows, err := b.pool.Query(t.Context(), `SELECT c.relname || '.' || a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.atttypid = 'bytea'::regtype AND NOT a.attisdropped`)
	require.NoError(t, err)
	columns, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	for _, place := range slices.Concat(store.SealedPlaces(), store.DataPlaces()) {
		require.Contains(t, columns, place)
	}
	for _, place := range columns {
		require.True(t, slices.Contains(store.SealedPlaces(), place) || slices.Contains(store.DataPlaces(), place) || slices.Contains(unsealed, place), "say whether %s is encrypted", place)
	}
}

// withKeyset is the fixture's store under another keyset.
func (b *fixture) withKeyset(t *testing.T, set string) *store.Store {
	t.Helper()
	keyring, err := secrets.Open(gateway.Secret(set))
	require.NoError(t, err)
	o := b.Options
	o.Keyring = keyring
	return store.New(b.pool, o)
}

// sealedOrders makes orders with everything that is encrypted.
func (b *fixture) sealedOrders(t *testing.T, n int) (keys []payment.Key) {
	t.Helper()
	for i := range n {
		o := b.create(t, fmt.Sprint("sealed-", i), 1000)
		_, err := b.UpdateOrder(t.Context(), o.Key(), func(o *payment.Order) error {
			o.ProviderState = map[string]gateway.Secret{"s": "hunter2"}
			o.NextAction = &gateway.NextAction{Type: gateway.ActionRedirect, URL: "https://hunter2.example"}
			return nil
		})
		require.NoError(t, err)
		keys = append(keys, o.Key())
	}
	return keys
}

func TestEverythingIsRewrittenUnderANewKey(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	orders := b.sealedOrders(t, 25)
	slices.SortFunc(orders, func(a, b payment.Key) int { return bytes.Compare(a.Order[:], b.Order[:]) }) // as they are rewritten
	require.NoError(t, b.StageSecrets(t.Context(), "EUR-1", map[string]gateway.Secret{"secret": "next"}, false, func(payment.Account) error { return nil }))
	newest := b.draft(t, "newest", 1000)
	first := b.box.Primary()
	added, second, err := secrets.AddKey(gateway.Secret(b.keyset))
	require.NoError(t, err)
	promoted, err := secrets.Promote(gateway.Secret(added), second)
	require.NoError(t, err)
	both := b.withKeyset(t, promoted)

	// It is stopped in the middle, while others change rows, and goes on.
	ctx, cancel := context.WithCancel(t.Context())
	seen := 0
	err = both.Reencrypt(ctx, 5*7, func(p store.Reencryption) { // seven rows at a time
		if seen++; p.Place == "orders.data_key" && p.Rewritten == 7 {
			cancel()
		}
	})
	require.ErrorIs(t, err, context.Canceled)
	_, err = both.UpdateOrder(t.Context(), orders[20], func(o *payment.Order) error {
		o.ProviderState = map[string]gateway.Secret{"s": "hunter3"}
		return nil
	})
	require.NoError(t, err)
	_, _, err = both.CreateOrder(t.Context(), newest)
	require.NoError(t, err)
	var places []string
	rewritten := map[string]int64{}
	fresh := b.withKeyset(t, promoted) // another process
	require.NoError(t, fresh.Reencrypt(t.Context(), 100_000, func(p store.Reencryption) {
		rewritten[p.Place] = p.Rewritten
		if p.Finished {
			places = append(places, p.Place)
		}
	}))
	require.EqualValues(t, 25, rewritten["orders.data_key"], "it went on, and left the one that has the new key already")
	require.ElementsMatch(t, store.SealedPlaces(), places)
	rows, err := fresh.SealedBy(t.Context())
	require.NoError(t, err)
	for _, r := range rows {
		require.Equal(t, second, r.Key, "%s: %d rows", r.Place, r.Rows)
	}
	require.Equal(t, len(store.SealedPlaces()), testutil.CollectAndCount(fresh.ReencryptionCollector()), "a metric for each column")

	// Without the old key everything is read.
	retired, err := secrets.Retire(gateway.Secret(promoted), first)
	require.NoError(t, err)
	alone, err := secrets.Destroy(gateway.Secret(retired), first)
	require.NoError(t, err)
	only := b.withKeyset(t, alone)
	for i, key := range orders {
		o, err := only.Order(t.Context(), key)
		require.NoError(t, err)
		want := gateway.Secret("hunter2")
		if i == 20 {
			want = "hunter3"
		}
		require.Equal(t, want, o.ProviderState["s"])
		require.Equal(t, "https://hunter2.example", o.NextAction.URL)
		require.Contains(t, string(o.Details), "hunter2")
	}
	a, err := only.Account(t.Context(), b.account.ID)
	require.NoError(t, err)
	require.Equal(t, "next", a.Staged["secret"].Reveal())
	require.Equal(t, b.account.CallbackToken, a.CallbackToken)
	live, err := only.WebhookSecrets(t.Context(), b.shop.ID)
	require.NoError(t, err)
	require.Equal(t, b.secret, live[0].Reveal())
	require.Empty(t, b.reason(t, b.key), "keys are hashed under a service key, which was rewritten too")
}

// However fast it is to go, few rows are locked at once.
func TestReencryptionLocksFewRowsAtOnce(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	b.sealedOrders(t, 120)
	added, second, err := secrets.AddKey(gateway.Secret(b.keyset))
	require.NoError(t, err)
	promoted, err := secrets.Promote(gateway.Secret(added), second)
	require.NoError(t, err)
	var batches []int64
	require.NoError(t, b.withKeyset(t, promoted).Reencrypt(t.Context(), 100_000, func(p store.Reencryption) {
		if p.Place == "orders.data_key" && !p.Finished {
			batches = append(batches, p.Rewritten)
		}
	}))
	require.Equal(t, []int64{100, 120}, slices.Compact(batches))
}

// A row that is changed between reading and writing is left to whoever changed it.
func TestReencryptionOverwritesNothing(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	key := b.sealedOrders(t, 1)[0]
	added, second, err := secrets.AddKey(gateway.Secret(b.keyset))
	require.NoError(t, err)
	promoted, err := secrets.Promote(gateway.Secret(added), second)
	require.NoError(t, err)
	both := b.withKeyset(t, promoted)

	tx, err := b.pool.Begin(t.Context()) // an erasure, just now
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "UPDATE orders SET data_key = NULL WHERE id = $1", key.Order)
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- both.Reencrypt(t.Context(), 1000, func(store.Reencryption) {}) }()
	require.Eventually(t, func() bool {
		return b.count(t, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'UPDATE orders SET data_key%'") > 0
	}, 20*time.Second, 10*time.Millisecond)
	require.NoError(t, tx.Commit(t.Context()))
	require.NoError(t, <-done)
	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM orders WHERE data_key IS NULL"), "what was erased stays so")
	rows, err := both.SealedBy(t.Context())
	require.NoError(t, err)
	for _, r := range rows {
		require.Equal(t, second, r.Key, r.Place)
	}
}

func TestReplicasSayWhichKeysTheyHold(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); b.KeepReplica(ctx, "host-1", "v1", zerolog.Nop()) }()
	live := func() []store.Replica {
		t.Helper()
		list, err := b.Replicas(t.Context())
		require.NoError(t, err)
		return list
	}
	require.Eventually(t, func() bool { return len(live()) == 1 }, 10*time.Second, 10*time.Millisecond)
	r := live()[0]
	require.Equal(t, "host-1", r.Host)
	require.True(t, r.Holds(b.box.Primary()))
	require.False(t, r.Holds(7))
	require.Equal(t, b.box.Primary(), r.Primary)
	b.clock.Add(time.Minute)
	require.Empty(t, live(), "one that is silent is gone")
	cancel()
	<-done
	require.Zero(t, b.count(t, "SELECT count(*) FROM replicas"), "one that ends says so")
}
