package store_test

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/payment"
)

// settled waits until the shop's feed shows n notifications: it holds back what is newer than any transaction that is
// open on the server, also in the databases of other tests.
func (b *fixture) settled(t *testing.T, n int) {
	t.Helper()
	require.Eventually(t, func() bool {
		page, err := b.Feed(t.Context(), b.shop.ID, "", 100)
		return err == nil && len(page.Items) == n
	}, time.Minute, 5*time.Millisecond)
}

func TestFeedIsReadToItsEnd(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	for i := range 5 {
		b.paid(t, "r-"+strconv.Itoa(i), 1000)
	}
	b.settled(t, 5)
	var seen []string
	cursor := ""
	for {
		page, err := b.Feed(t.Context(), b.shop.ID, cursor, 2)
		require.NoError(t, err)
		for _, item := range page.Items {
			require.Contains(t, string(item.Payload), item.ID.String())
			seen = append(seen, item.ID.String())
			cursor = item.Cursor
		}
		if page.Next == "" {
			break
		}
		require.Equal(t, cursor, page.Next)
	}
	require.Len(t, seen, 5)
	page, err := b.Feed(t.Context(), b.shop.ID, "", 5)
	require.NoError(t, err)
	require.Empty(t, page.Next, "a full page may be the last")
	page, err = b.Feed(t.Context(), b.shop.ID, cursor, 2)
	require.NoError(t, err)
	require.Empty(t, page.Items)
	b.paid(t, "late", 1000)
	b.settled(t, 6)
	page, err = b.Feed(t.Context(), b.shop.ID, cursor, 2)
	require.NoError(t, err)
	require.Len(t, page.Items, 1, "the last cursor goes on where it stood")

	for _, bad := range []string{"???", base64.RawURLEncoding.EncodeToString([]byte("1")), base64.RawURLEncoding.EncodeToString([]byte("1.x")), base64.RawURLEncoding.EncodeToString([]byte("-1.1"))} {
		_, err = b.Feed(t.Context(), b.shop.ID, bad, 2)
		require.Equal(t, payment.CodeInvalid, payment.CodeOf(err), bad)
	}
}

// A transaction that began early and commits late must not land before a place that a shop has read to already.
func TestFeedWaitsForOlderTransactions(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	slow, quick := b.create(t, "slow", 1000), b.create(t, "quick", 1000)
	started, let := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		tx, err := b.pool.Begin(t.Context())
		if err == nil {
			_, err = tx.Exec(t.Context(), "SELECT pg_current_xact_id()")
		}
		close(started)
		<-let
		if err == nil {
			_, err = tx.Exec(t.Context(), `WITH t AS (
				INSERT INTO order_transitions VALUES ($1, $2, 2, 'created', 'processing', 'answer', '{}', now()) RETURNING shop_id, order_id, sequence
			), o AS (UPDATE orders SET status = 'processing', sequence = 2 WHERE shop_id = $1 AND id = $2)
			INSERT INTO notifications (shop_id, order_id, sequence, id, type, payload, state, next_attempt_at, created_at)
				SELECT shop_id, order_id, sequence, gen_random_uuid(), 'x', 'slow', 'feed', now(), now() FROM t`, slow.ShopID, slow.ID)
		}
		if err == nil {
			err = tx.Commit(t.Context())
		}
		done <- err
	}()
	<-started
	b.report(t, quick.Key(), payment.StatusSucceeded)
	page, err := b.Feed(t.Context(), b.shop.ID, "", 10)
	require.NoError(t, err)
	require.Empty(t, page.Items, "an older transaction is open: what it writes comes first")
	close(let)
	require.NoError(t, <-done)
	b.settled(t, 2)
	page, err = b.Feed(t.Context(), b.shop.ID, "", 10)
	require.NoError(t, err)
	require.Equal(t, "slow", string(page.Items[0].Payload))
}

// A dump that is restored into another cluster, whose transaction ids begin anew, is noticed.
func TestAFeedOfAnotherClusterIsNoticed(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	elsewhere := func() bool {
		t.Helper()
		found, err := b.FeedFromElsewhere(t.Context())
		require.NoError(t, err)
		return found
	}
	require.False(t, elsewhere(), "nothing yet")
	for i := range 3 {
		b.paid(t, fmt.Sprint("r-", i), 1000)
	}
	require.False(t, elsewhere())
	b.exec(t, "UPDATE notifications SET xid = (xid::text::bigint + 5000000)::text::xid8 WHERE ctid = (SELECT ctid FROM notifications LIMIT 1)")
	require.True(t, elsewhere(), "as another cluster wrote it")
}
