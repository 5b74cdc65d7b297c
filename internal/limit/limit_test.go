package limit_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/limit"
)

func TestBoundsOfAllAndOfEach(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		bounds limit.Bounds
		keys   string // one letter for each attempt
		taken  string // y where it gets a slot
	}{
		"no bounds":                  {limit.Bounds{}, "aaaaaa", "yyyyyy"},
		"all":                        {limit.Bounds{All: 3}, "aabbc", "yyynn"},
		"each":                       {limit.Bounds{Each: 2}, "aaabbbc", "yynyyny"},
		"all and each":               {limit.Bounds{All: 4, Each: 2}, "aaabbc", "yynyyn"},
		"each, but not among plenty": {limit.Bounds{Each: 1, Plenty: 3}, "aaaabbc", "yyynyny"},
	} {
		l := limit.New(c.bounds)
		got := ""
		for _, key := range c.keys {
			if l.TryTake(string(key)) {
				got += "y"
			} else {
				got += "n"
			}
		}
		require.Equal(t, c.taken, got, name)
	}
}

func TestASlotThatIsGivenBackIsFree(t *testing.T) {
	t.Parallel()
	l := limit.New(limit.Bounds{All: 2, Each: 1})
	require.True(t, l.TryTake("a"))
	require.Equal(t, 1, l.Free())
	require.Equal(t, 1, l.Taken("a"))
	require.False(t, l.TryTake("a"))
	l.Give("a")
	require.Equal(t, 2, l.Free())
	require.Zero(t, l.Taken("a"))
	require.True(t, l.TryTake("a"))
	require.Panics(t, func() { l.Give("b") })
}

func TestWhoWaitsLongestIsServedFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := limit.New(limit.Bounds{All: 2, Each: 1})
		require.True(t, l.TryTake("a"))
		require.True(t, l.TryTake("b"))
		served := make(chan string, 9)
		for _, key := range []string{"a", "c", "d"} {
			go func() {
				if l.Take(t.Context(), key) == nil {
					served <- key
				}
			}()
			synctest.Wait()
		}
		l.Give("b")
		require.Equal(t, "c", <-served, "a has all that it may have, so the next is served")
		l.Give("a")
		require.Equal(t, "a", <-served, "it waited longer than d")
		l.Give("c")
		require.Equal(t, "d", <-served)
		require.Zero(t, l.Free())
	})
}

func TestWhoGivesUpWaitingTakesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := limit.New(limit.Bounds{All: 1})
		require.True(t, l.TryTake(""))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, l.Take(ctx, ""), context.DeadlineExceeded)
		l.Give("")
		require.Equal(t, 1, l.Free())
		require.NoError(t, l.Take(ctx, ""), "a slot that is free needs no waiting")
	})
}

// TestManyAtOnce holds the bounds among goroutines, some of which give up in the moment that a slot is handed over.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	l := limit.New(limit.Bounds{All: 4, Each: 3})
	var all, a atomic.Int64
	var running sync.WaitGroup
	for i := range 300 {
		running.Go(func() {
			key := []string{"a", "b", "c"}[i%3]
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*time.Microsecond)
			defer cancel()
			if l.Take(ctx, key) != nil {
				return
			}
			if all.Add(1) > 4 || key == "a" && a.Add(1) > 3 {
				t.Error("too many at once")
			}
			if all.Add(-1); key == "a" {
				a.Add(-1)
			}
			l.Give(key)
		})
	}
	running.Wait()
	require.Equal(t, 4, l.Free())
}
