package schedule

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/sandbox/clock"
)

func TestTasksRunInOrderOfTimeAndOnlyWhileRunning(t *testing.T) {
	t.Parallel()
	q := New(1, clock.New(nil, 0))
	now := time.Now()
	got := make(chan int, 10)
	for i, at := range []time.Duration{30, 10, 20, 10} {
		q.At(now.Add(at*time.Millisecond), func(context.Context) { got <- i })
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- q.Run(ctx) }()
	require.Equal(t, []int{1, 3, 2, 0}, []int{<-got, <-got, <-got, <-got})
	started, stopped := make(chan struct{}), false
	q.After(0, func(ctx context.Context) {
		close(started)
		<-ctx.Done()
		stopped = true
	})
	<-started
	cancel()
	require.NoError(t, <-done)
	require.True(t, stopped, "Run waits for what it started")
	q.After(0, func(context.Context) { got <- 9 })
	require.Empty(t, got)
}

func TestATaskOfNextMonthRunsWhenTheClockIsMoved(t *testing.T) {
	t.Parallel()
	moved := clock.New(nil, 0)
	q := New(1, moved)
	got := make(chan time.Time, 1)
	q.After(30*clock.Day, func(context.Context) { got <- moved.Now() })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- q.Run(ctx) }()
	require.NoError(t, moved.Advance(t.Context(), 29*clock.Day, 29*clock.Day))
	require.Empty(t, got)
	require.NoError(t, moved.Advance(t.Context(), 2*clock.Day, 2*clock.Day))
	require.Greater(t, time.Until(<-got), 30*clock.Day)
	cancel()
	require.NoError(t, <-done)
}
