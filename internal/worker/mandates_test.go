package worker

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"payrelay/internal/payment"
)

// dueMandates are mandates that something is due about, with their leases.
type dueMandates struct {
	mu  sync.Mutex
	due map[payment.Key]time.Time
	run func() error
	ran atomic.Int64
}

func (d *dueMandates) LeaseDueMandates(_ context.Context, limit int, lease time.Duration) (keys []payment.Key, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for key, at := range d.due {
		if len(keys) < limit && !at.After(time.Now()) {
			d.due[key] = time.Now().Add(lease)
			keys = append(keys, key)
		}
	}
	return keys, nil
}

func (d *dueMandates) RunMandate(_ context.Context, key payment.Key) error {
	d.ran.Add(1)
	err := d.run()
	if err == nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.due, key)
	}
	return err
}

// Two replicas work at each due mandate once. One that fails, or panics, is tried again when its lease is over.
func TestMandatesAreRunOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, log := &dueMandates{due: map[payment.Key]time.Time{}}, &lines{}
		for range 20 {
			d.due[payment.Key{Shop: uuid.New(), Order: uuid.New()}] = time.Now()
		}
		d.run = func() error { time.Sleep(time.Second); return nil }
		replicas := func(length time.Duration) {
			ctx, cancel := context.WithTimeout(context.Background(), length)
			defer cancel()
			var all sync.WaitGroup
			for range 2 {
				all.Go(func() { newMandates(Config{Log: zerolog.New(log)}, d, d).run(ctx) })
			}
			all.Wait()
		}
		replicas(time.Minute)
		require.EqualValues(t, 20, d.ran.Load())
		require.Empty(t, d.due)

		d.due[payment.Key{Shop: uuid.New(), Order: uuid.New()}] = time.Now()
		begin, at := time.Now(), []time.Duration{}
		d.run = func() error {
			at = append(at, time.Since(begin))
			switch len(at) {
			case 1:
				panic("a secret")
			case 2:
				return errors.New("the provider is away")
			}
			return nil
		}
		replicas(12 * time.Minute)
		require.Len(t, at, 3)
		for i := range 2 {
			require.GreaterOrEqual(t, at[i+1]-at[i], MandateLease)
		}
		require.Equal(t, 1, log.count("work on a mandate panicked"))
		require.Zero(t, log.count("a secret"))
		require.Equal(t, 1, log.count("could not be done"))
	})
}
