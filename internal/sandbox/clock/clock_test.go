package clock

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestItMovesStepByStep(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	c := New(func() time.Time { return at }, time.Hour)
	c.pause = 0
	var seen []time.Duration
	c.Follow(func(_ context.Context, by time.Duration) error {
		seen = append(seen, by)
		return nil
	})
	v, err := c.Do(t.Context(), Move{Advance: "60h"})
	require.NoError(t, err)
	require.Equal(t, []time.Duration{Day, Day, 12 * time.Hour}, seen)
	require.Equal(t, View{at.Add(61 * time.Hour), "61h0m0s"}, v)
	require.Equal(t, at, c.Real())
	_, err = c.Do(t.Context(), Move{Advance: "30d", Step: "30d"})
	require.NoError(t, err)
	require.Equal(t, at.Add(61*time.Hour+30*Day), c.Now())

	for _, bad := range []Move{{Advance: "-1h"}, {Advance: "0d"}, {Advance: "soon"}, {Advance: "-99999999999999999999d"}, {Advance: "1d", Step: "1s"}, {Advance: "7300d", Step: "30d"}, {Advance: "1d", Step: "x"}, {}} {
		before := c.Moved()
		_, err := c.Do(t.Context(), bad)
		require.Error(t, err, "%+v", bad)
		require.Equal(t, before, c.Moved(), "%+v", bad)
	}
	for _, long := range []string{"100000d", "99999999999999999999d", "900000h"} {
		_, err := c.Do(t.Context(), Move{Advance: long})
		require.EqualError(t, err, long+" is too long: the clock moves on by 20 years at most")
	}
	c.Follow(func(context.Context, time.Duration) error { return errors.New("the service is busy") })
	_, err = c.Do(t.Context(), Move{Advance: "1h"})
	require.EqualError(t, err, "the service is busy")
}
