package store

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"payrelay/internal/store/storetest"
)

// never is a trip that does not end: the question is given up.
const never time.Duration = -1

// slowly answers readings of a database whose time is off from ours, each after the next of trips. The time is read at
// once, and the way back takes all the time.
func slowly(off time.Duration, trips ...time.Duration) func(context.Context) (reading, error) {
	return func(context.Context) (reading, error) {
		if len(trips) == 0 {
			return reading{}, errors.New("asked too often")
		}
		r := reading{theirs: time.Now().Add(off), trip: trips[0]}
		trips = trips[1:]
		if r.trip == never {
			return reading{}, fmt.Errorf("connect: %w", context.DeadlineExceeded)
		}
		r.ours = time.Now().Add(r.trip / 2)
		<-time.After(r.trip)
		return r, nil
	}
}

func TestTheClockBeginsWithAQuickReading(t *testing.T) {
	t.Parallel()
	const s = time.Second
	for name, c := range map[string]struct {
		trips []time.Duration
		off   time.Duration // what is believed is late by
		err   string
	}{
		"at once":                {trips: []time.Duration{clockSlack}, off: clockSlack / 2},
		"stopped while it asked": {trips: []time.Duration{30 * s, 20 * time.Millisecond}, off: 10 * time.Millisecond},
		"the best of slow ones":  {trips: []time.Duration{4 * s, 3 * s, 1 * s, 2 * s, 5 * s}, off: s / 2},
		"none is any good":       {trips: []time.Duration{4 * s, 3 * s, 4 * s, 5 * s, 5 * s}, err: "3s"},
		"not heard at first":     {trips: []time.Duration{never, never, 20 * time.Millisecond}, off: 10 * time.Millisecond},
		"slow, and then silent":  {trips: []time.Duration{s, never, never, never, never}, off: s / 2},
		"never heard":            {trips: []time.Duration{never, never, never, never, never}, err: "deadline exceeded"},
		"it refuses":             {err: "asked too often"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				got, err := newClock(t.Context(), slowly(time.Hour, c.trips...))
				if c.err != "" {
					require.ErrorContains(t, err, c.err)
					return
				}
				require.NoError(t, err)
				require.WithinDuration(t, time.Now().Add(time.Hour-c.off), got.Now(), time.Millisecond)
			})
		})
	}
}

func TestTheClockBelievesNoSlowReading(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const quick, slow = clockSlack, clockSlack + time.Millisecond
		c, err := newClock(t.Context(), slowly(0, quick))
		require.NoError(t, err)
		c.read = slowly(time.Hour, slow, slow, slow, quick, slow, quick)
		for range 5 {
			moved, err := c.measure(t.Context())
			require.NoError(t, err)
			require.Zero(t, moved)
		}
		moved, err := c.measure(t.Context())
		require.NoError(t, err)
		require.InDelta(t, time.Hour, moved, float64(time.Second), "two quick ones say the same")
	})
}

// Waiting for a connection is no part of the way to the database.
func TestTheClockDoesNotCountTheWaitForAConnection(t *testing.T) {
	t.Parallel()
	config := storetest.Pool(t).Config()
	config.MaxConns = 1
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	held, err := pool.Acquire(t.Context())
	require.NoError(t, err)
	const wait = time.Second
	started := time.Now()
	time.AfterFunc(wait, held.Release)
	r, err := readClock(pool)(t.Context())
	require.NoError(t, err)
	require.GreaterOrEqual(t, time.Since(started), wait)
	require.Less(t, r.trip, wait)
	require.True(t, r.ours.After(started.Add(wait-time.Millisecond)), "at the time of the question")
}
