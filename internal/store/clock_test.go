package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/store/storetest"
)

func TestTheClockIsTheDatabases(t *testing.T) {
	t.Parallel()
	pool := storetest.Pool(t)
	c, err := NewClock(t.Context(), pool)
	require.NoError(t, err)
	var there time.Time
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT clock_timestamp()").Scan(&there))
	require.WithinDuration(t, there, c.Now(), time.Second)
	require.Equal(t, time.UTC, c.Now().Location())
	moved, err := c.measure(t.Context())
	require.NoError(t, err)
	require.Zero(t, moved)
	pool.Close()
	_, err = NewClock(t.Context(), pool)
	require.Error(t, err)
}

func TestTheClockFollowsTheDatabaseOnlyIfItMeansIt(t *testing.T) {
	t.Parallel()
	off, fails := time.Duration(0), error(nil)
	c := &Clock{base: time.Now(), since: time.Now(), read: func(context.Context) (reading, error) {
		return reading{theirs: time.Now().Add(off), ours: time.Now()}, fails
	}}
	batch := func(by time.Duration) time.Duration {
		t.Helper()
		off = by
		moved, err := c.measure(t.Context())
		require.ErrorIs(t, err, fails)
		return moved
	}
	require.Zero(t, batch(100*time.Millisecond), "a slow answer is no other time")
	require.Zero(t, batch(time.Hour), "one odd reading")
	require.Zero(t, batch(0))
	require.Zero(t, batch(time.Hour))
	require.WithinDuration(t, time.Now(), c.Now(), time.Minute)
	require.InDelta(t, time.Hour, batch(time.Hour), float64(time.Minute), "twice is no mistake")
	require.WithinDuration(t, time.Now().Add(time.Hour), c.Now(), time.Minute)
	require.Zero(t, batch(time.Hour))
	fails = errors.New("away")
	require.Zero(t, batch(0))
}
