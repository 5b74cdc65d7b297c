package notify

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPlan(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

	t.Run("first retry within 30 s", func(t *testing.T) {
		t.Parallel()
		for range 1000 {
			pause := retryAt(now, now, 1, 0).Sub(now)
			require.Positive(t, pause)
			require.Less(t, pause, 30*time.Second-defaultTimeout, "counted from the attempt's begin, whose answer may take long")
		}
	})
	t.Run("pauses grow and differ", func(t *testing.T) {
		t.Parallel()
		seen := map[time.Duration]bool{}
		for range 200 {
			last := time.Duration(0)
			for attempt := range len(pauses) {
				pause := retryAt(now, now, attempt+1, 0).Sub(now)
				require.Greater(t, pause, last)
				last, seen[pause] = pause, true
			}
		}
		require.Greater(t, len(seen), 1000)
	})
	t.Run("a shop may put it off, not bring it forward", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, now.Add(time.Hour), retryAt(now, now, 1, time.Hour))
		require.Equal(t, now.Add(24*time.Hour), retryAt(now, now, 1, 1000*time.Hour))
		require.Greater(t, retryAt(now, now, 6, time.Second).Sub(now), 40*time.Minute)
	})
	t.Run("the end", func(t *testing.T) {
		t.Parallel()
		created := now.Add(-71 * time.Hour)
		require.Equal(t, now.Add(time.Hour), retryAt(now, created, 12, 0))
		require.Equal(t, now.Add(2*time.Hour), retryAt(now, created, 12, 2*time.Hour))
		require.Zero(t, retryAt(now, now.Add(-72*time.Hour), 12, time.Hour))
	})
	t.Run("what waited behind another for three days still gets its tries", func(t *testing.T) {
		t.Parallel()
		old := now.Add(-100 * time.Hour)
		for attempt := 1; attempt < turnAttempts; attempt++ {
			require.True(t, retryAt(now, old, attempt, 0).After(now))
		}
		require.Zero(t, retryAt(now, old, turnAttempts, 0))
	})
}

func TestParseRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "120": 2 * time.Minute, " 7 ": 7 * time.Second, "-5": 0, "1.5": 0, "soon": 0,
		"99999999999999999999999":          maxRetryAfter,
		"Sat, 21 Nov 2026 12:10:00 GMT":    10 * time.Minute,
		"Saturday, 21-Nov-26 12:10:00 GMT": 10 * time.Minute,
		"Sat, 21 Nov 2026 11:00:00 GMT":    0,
	} {
		require.Equal(t, want, parseRetryAfter(http.Header{"Retry-After": {value}}, now), value)
	}
}

func TestClientsAreBounded(t *testing.T) {
	t.Parallel()
	c := newClients(nil, nil, nil)
	kept := c.forTarget(parseAllow([]string{"127.0.0.1/32:*"}), "http")
	for i := range 3 * maxClients {
		c.forTarget(parseAllow([]string{fmt.Sprintf("10.0.%d.0/24:*", i)}), "http")
		require.Same(t, kept, c.forTarget(parseAllow([]string{"127.0.0.1:*"}), "http"), "the one in use stays")
	}
	require.Len(t, c.byKey, maxClients)
	require.Equal(t, maxClients, c.recent.Len())
	require.NotSame(t, kept, c.forTarget(parseAllow([]string{"127.0.0.1:*"}), "https"))
}
