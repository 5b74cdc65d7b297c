package store

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/rs/zerolog"
)

const (
	clockEvery = 30 * time.Second
	// clockSlack is by how much the clock may differ from the database's before that means anything.
	clockSlack = 500 * time.Millisecond
)

// Clock tells the database's time: as it was read once, and carried on by this machine's monotonic clock. So all replicas
// agree, and a machine whose wall clock is set, or jumps, does not take a request that is under way for one that never
// arrived, or a lease for one that has ended.
type Clock struct {
	now func(ctx context.Context) (time.Time, error) // the database's

	mu    sync.Mutex
	base  time.Time // the database's time
	since time.Time // ours, with its monotonic reading, at that time
	apart bool      // the last look found the two apart
}

// NewClock reads the database's time.
func NewClock(ctx context.Context, pool *pgxpool.Pool) (*Clock, error) {
	c := &Clock{now: func(ctx context.Context) (t time.Time, err error) {
		ctx, cancel := context.WithTimeout(ctx, DefaultLimit)
		defer cancel()
		return t, pool.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&t)
	}}
	base, since, err := c.read(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the database's clock: %w", err)
	}
	c.base, c.since = base, since
	return c, nil
}

// read returns the database's time and ours at the same moment, within half a round trip.
func (c *Clock) read(ctx context.Context) (theirs, ours time.Time, err error) {
	begin := time.Now()
	theirs, err = c.now(ctx)
	return theirs, begin.Add(time.Since(begin) / 2), err
}

// Now returns the time in UTC, in microseconds, as the database keeps it.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.base.Add(time.Since(c.since)).UTC().Truncate(time.Microsecond)
}

// Keep follows the database's clock until ctx is done, for machines that sleep. One odd reading changes nothing.
func (c *Clock) Keep(ctx context.Context, log zerolog.Logger) {
	ticker := time.NewTicker(clockEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if off, err := c.look(ctx); err == nil && off != 0 {
			log.Warn().Dur("off_ms", off).Msg("the clock followed the database's")
		}
	}
}

// look compares the clocks and returns by how much ours was moved.
func (c *Clock) look(ctx context.Context) (moved time.Duration, err error) {
	theirs, ours, err := c.read(ctx)
	if err != nil {
		return 0, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	off := theirs.Sub(c.base.Add(ours.Sub(c.since)))
	apart := off.Abs() > clockSlack
	defer func() { c.apart = apart && moved == 0 }()
	if apart && c.apart {
		c.base, c.since = theirs, ours
		return off, nil
	}
	return 0, nil
}
