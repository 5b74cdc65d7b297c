package schedule

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTasksRunInOrderOfTimeAndOnlyWhileRunning(t *testing.T) {
	t.Parallel()
	q := New(1)
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
