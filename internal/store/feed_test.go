package store_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"payrelay/internal/payment"
)

func TestFeedIsReadToItsEnd(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	for i := range 5 {
		b.paid(t, "r-"+strconv.Itoa(i), 1000)
	}
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
	page, err = b.Feed(t.Context(), b.shop.ID, cursor, 2)
	require.NoError(t, err)
	require.Len(t, page.Items, 1, "the last cursor goes on where it stood")

	for _, bad := range []string{"???", base64.RawURLEncoding.EncodeToString([]byte("1")), base64.RawURLEncoding.EncodeToString([]byte("1.x")), base64.RawURLEncoding.EncodeToString([]byte("-1.1"))} {
		_, err = b.Feed(t.Context(), b.shop.ID, bad, 2)
		require.Equal(t, payment.CodeInvalid, payment.CodeOf(err), bad)
	}
}

// Places follow the order of commits: an open transaction that has written nothing to the feed holds nobody up, and one that has lets
// those behind it wait, so that it cannot land before a place that was read.
func TestFeedPlacesFollowCommits(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	slow, quick := b.create(t, "slow", 1000), b.create(t, "quick", 1000)
	tx, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	_, err = tx.Exec(t.Context(), "SELECT pg_current_xact_id()")
	require.NoError(t, err)
	b.report(t, quick.Key(), payment.StatusProcessing)
	require.Equal(t, []int{2}, b.sequences(t, ""), "an open transaction elsewhere freezes nothing")

	_, err = tx.Exec(t.Context(), "UPDATE feed_positions SET position = position + 1 WHERE shop_id = $1", b.shop.ID)
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() {
		_, err := b.UpdateOrder(t.Context(), quick.Key(), func(o *payment.Order) error {
			r := b.newReport(payment.StatusSucceeded)
			r.AsOf = o.Sequence
			o.Record(r)
			return nil
		})
		done <- err
	}()
	require.Eventually(t, func() bool {
		return b.count(t, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") > 0
	}, time.Minute, 5*time.Millisecond, "the next place waits for the one before it")
	require.Equal(t, []int{2}, b.sequences(t, ""))
	require.NoError(t, tx.Rollback(t.Context()))
	require.NoError(t, <-done)
	require.Equal(t, []int{2, 3}, b.sequences(t, ""))
	b.report(t, slow.Key(), payment.StatusProcessing)
	require.Equal(t, 3, b.count(t, "SELECT max(position) FROM notifications"), "no gap is left by what was rolled back")
}

// sequences reads the feed after a cursor.
func (b *fixture) sequences(t *testing.T, cursor string) []int {
	t.Helper()
	page, err := b.Feed(t.Context(), b.shop.ID, cursor, 100)
	require.NoError(t, err)
	var list []int
	for _, item := range page.Items {
		var n struct{ Sequence int }
		require.NoError(t, json.Unmarshal(item.Payload, &n))
		list = append(list, n.Sequence)
	}
	return list
}

// Readers that follow the feed while many write see everything once, in one order.
func TestFeedIsFollowedWhileOthersWrite(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	keys := make([]payment.Key, 16)
	for i := range keys {
		keys[i] = b.create(t, fmt.Sprint("r-", i), 1000).Key()
	}
	done := make(chan []error, 1)
	go func() {
		done <- race(len(keys), func(i int) error {
			_, err := b.UpdateOrder(t.Context(), keys[i], func(o *payment.Order) error {
				r := b.newReport(payment.StatusSucceeded)
				r.AsOf = o.Sequence
				o.Record(r)
				return nil
			})
			return err
		})
	}()
	seen, cursor := map[uuid.UUID]bool{}, ""
	require.Eventually(t, func() bool {
		page, err := b.Feed(t.Context(), b.shop.ID, cursor, 3)
		if err != nil {
			return false
		}
		for _, item := range page.Items {
			seen[item.ID] = true
		}
		cursor = page.Cursor
		return len(seen) == len(keys)
	}, time.Minute, time.Millisecond)
	require.NoError(t, errors.Join(<-done...))
}

// A standby that was promoted lacks what came last. Cursors that name it are set back, and what is written instead is read.
func TestACursorOfALostPlaceIsSetBack(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	for i := range 3 {
		b.paid(t, fmt.Sprint("early-", i), 1000)
	}
	page, err := b.Feed(t.Context(), b.shop.ID, "", 2)
	require.NoError(t, err)
	early := page.Cursor
	b.clock.Add(time.Hour)
	since := b.clock.Now()
	for i := range 3 {
		b.paid(t, fmt.Sprint("lost-", i), 1000)
	}
	page, err = b.Feed(t.Context(), b.shop.ID, "", 10)
	require.NoError(t, err)
	late := page.Cursor
	b.exec(t, "DELETE FROM notifications WHERE position > 4") // as on a standby that was two behind
	b.exec(t, "UPDATE feed_positions SET position = 4")

	page, err = b.Feed(t.Context(), b.shop.ID, late, 10)
	require.NoError(t, err)
	require.True(t, page.Rewound, "a place beyond the end is noticed without an operator")
	require.Empty(t, page.Items)
	require.NotEqual(t, late, page.Cursor)

	for i := range 4 { // the new primary goes past the place that was lost
		b.paid(t, fmt.Sprint("new-", i), 1000)
	}
	page, err = b.Feed(t.Context(), b.shop.ID, late, 10)
	require.NoError(t, err)
	require.Len(t, page.Items, 2, "without a rewind two are skipped")

	shops, err := b.RewindFeeds(t.Context(), since)
	require.NoError(t, err)
	require.EqualValues(t, 1, shops)
	page, err = b.Feed(t.Context(), b.shop.ID, late, 10)
	require.NoError(t, err)
	require.True(t, page.Rewound)
	require.Len(t, page.Items, 5, "all that was written since then")
	rest, err := b.Feed(t.Context(), b.shop.ID, page.Cursor, 10)
	require.NoError(t, err)
	require.False(t, rest.Rewound, "the new cursor is of the new epoch")
	require.Empty(t, rest.Items)

	page, err = b.Feed(t.Context(), b.shop.ID, early, 10)
	require.NoError(t, err)
	require.False(t, page.Rewound, "nothing was lost before it")
	require.Len(t, page.Items, 6)

	require.Equal(t, 1, b.count(t, "SELECT count(*) FROM audit_log WHERE actor = 'payrelay' AND action = 'feed rewind' AND after ->> 'since' = $1", since.UTC().Format(time.RFC3339Nano)))
	for _, sql := range []string{"DELETE FROM audit_log", "UPDATE audit_log SET reason = 'x'", "TRUNCATE audit_log"} {
		_, err = b.pool.Exec(t.Context(), sql)
		require.ErrorContains(t, err, "append-only", sql)
	}
}

// A time is a place in the feed: what was written then or later follows, and at most a minute of what came before.
func TestFeedBeginsAtATime(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	start := b.clock.Now()
	begin, err := b.FeedCursor(t.Context(), b.shop.ID, start)
	require.NoError(t, err)
	require.Empty(t, b.sequences(t, begin), "an empty feed has a place, too")
	for i := range 9 {
		b.paid(t, "r-"+strconv.Itoa(i), 1000)
		b.clock.Add(10 * time.Minute)
	}
	for minutes, want := range map[int]int{-60: 9, 0: 9, 1: 9, 5: 8, 10: 8, 42: 4, 81: 1, 85: 0, 1000: 0} {
		cursor, err := b.FeedCursor(t.Context(), b.shop.ID, start.Add(time.Duration(minutes)*time.Minute))
		require.NoError(t, err)
		require.Len(t, b.sequences(t, cursor), want, "%d minutes after the start", minutes)
	}
}
