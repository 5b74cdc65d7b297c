package worker

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/payment"
)

func TestLeavingFinishesWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	first := newKey()
	b.queue.Due(first)
	started, finish, cancelled := make(chan payment.Key, 10), make(chan struct{}), make(chan error, 10)
	stop := b.run(t, b.payment, deliver(func(ctx context.Context, key payment.Key) (time.Time, error) {
		started <- key
		<-finish
		cancelled <- ctx.Err()
		return time.Time{}, nil
	}))
	require.Equal(t, first, wait(t, started, "the job"))
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()

	// A leaving process takes no new job.
	require.Eventually(t, func() bool {
		key := newKey()
		b.queue.Due(key)
		select {
		case <-started:
			return false // it had not heard yet
		case <-time.After(1500 * time.Millisecond): // three times as long as between two looks
			return true
		}
	}, soon, time.Millisecond)
	select {
	case <-stopped:
		require.Fail(t, "Run returned although a job is under way")
	default:
	}
	close(finish)
	wait(t, stopped, "the end")
	require.NoError(t, wait(t, cancelled, "the job's end"), "the job was not disturbed")
}

func TestTheEndOfADatabaseIsNotTheEndOfTheWorkers(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	delivered := make(chan *payment.Delivery, 10)
	b.run(t, b.payment, from(b.Store, delivered))
	b.exec(t, "ALTER TABLE deliveries RENAME TO gone")
	require.Eventually(t, func() bool { return b.log.count("due deliveries cannot be read") == 1 }, soon, 20*time.Millisecond)
	b.exec(t, "ALTER TABLE gone RENAME TO deliveries")
	b.paid(t, "r-1")
	wait(t, delivered, "the delivery after the outage")
}
