package limit

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestARateIsAQuotaThatComesBackEvenly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var rates Rates[string]
		rate := Rate{Quota: 3, Window: 30 * time.Second}
		take := func() Left { return rates.Take("a", rate) }
		require.Equal(t, Left{Allowed: true, Remaining: 2}, take())
		require.Equal(t, Left{Allowed: true, Remaining: 1}, take())
		require.Equal(t, Left{Allowed: true, Next: 10 * time.Second}, take())
		require.Equal(t, Left{Next: 10 * time.Second}, take())
		require.True(t, rates.Take("b", rate).Allowed, "another key has a quota of its own")
		<-time.After(4 * time.Second)
		require.Equal(t, Left{Next: 6 * time.Second}, take(), "what was refused costs nothing")
		<-time.After(6 * time.Second)
		require.Equal(t, Left{Allowed: true, Next: 10 * time.Second}, take())
		<-time.After(time.Hour)
		require.Equal(t, Left{Allowed: true, Remaining: 2}, take(), "no more than the quota is saved up")
	})
}

// TestARateOverTime tries as often as it can, and holds that it is never let through more often than the rate says.
func TestARateOverTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var rates Rates[int]
		allowed := 0
		for range 100_000 { // 100 seconds
			if rates.Take(1, Rate{Quota: 50, Window: 5 * time.Second}).Allowed {
				allowed++
			}
			<-time.After(time.Millisecond)
		}
		require.InDelta(t, 50+10*100, allowed, 1)
	})
}

func TestKeysAreForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var rates Rates[int]
		for i := range 100_000 {
			rates.Take(i, Rate{Quota: 1, Window: time.Second})
			<-time.After(time.Millisecond)
		}
		require.Less(t, len(rates.until), 5000)
	})
}
