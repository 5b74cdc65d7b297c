package payment

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestIDsRiseAndCarryTheServicesTime(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 2, 3, 4, 5, 678_900_000, time.UTC)
	m := &idMaker{now: func() time.Time { return now }}
	last := m.next()
	require.EqualValues(t, 7, last.Version())
	sec, nsec := last.Time().UnixTime()
	require.Equal(t, now.Truncate(time.Millisecond), time.Unix(sec, nsec).UTC().Truncate(time.Millisecond))
	for range 10_000 { // in one moment, and more than a millisecond has numbers for
		id := m.next()
		require.Negative(t, bytes.Compare(last[:], id[:]))
		last = id
	}
	now = now.Add(time.Hour)
	id := m.next()
	require.Negative(t, bytes.Compare(last[:], id[:]))

	for at, inside := range map[time.Duration]bool{0: true, -time.Second: true, 2 * time.Minute: false} {
		from := IDsFrom(now.Add(at))
		require.Equal(t, inside, bytes.Compare(from[:], id[:]) <= 0, at)
	}
	for at, inside := range map[time.Duration]bool{time.Second: true, -2 * time.Minute: false} {
		to := IDsTo(now.Add(at))
		require.Equal(t, inside, bytes.Compare(id[:], to[:]) < 0, at)
	}
	for _, at := range []time.Time{{}, time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)} {
		from, to := IDsFrom(at), IDsTo(at)
		require.LessOrEqual(t, bytes.Compare(from[:], to[:]), 0)
	}
}
