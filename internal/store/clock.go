package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/rs/zerolog"
)

const (
	clockEvery = 30 * time.Second
	// clockSlack is by how much the clock may differ from the database's before that means anything.
	clockSlack = 500 * time.Millisecond
	// clockTries is how often the first reading is taken while the answers are slow or do not come. The quickest counts, if
	// it took no longer than clockWorst.
	clockTries = 5
	clockWorst = 2 * time.Second
)

// Clock tells the database's time: as it was read once, and carried on by this machine's monotonic clock. So all replicas
// agree, and a machine whose wall clock is set, or jumps, does not take a request that is under way for one that never
// arrived, or a lease for one that has ended.
type Clock struct {
	read func(ctx context.Context) (reading, error)

	mu    sync.Mutex
	base  time.Time // the database's time
	since time.Time // ours, with its monotonic reading, at that time
	apart bool      // the last look found the two apart
	moved time.Duration
}

// reading is the database's time and ours at the same moment, within half of the time that the question took.
type reading struct {
	theirs, ours time.Time
	trip         time.Duration
}

// NewClock reads the database's time, again if the answer took long or did not come: a machine that is busy starting is no
// reason not to start. The clock begins within a quarter of a second of the database's, within one if all answers are slow,
// and not at all if they take longer than two.
func NewClock(ctx context.Context, pool *pgxpool.Pool) (*Clock, error) {
	return newClock(ctx, readClock(pool))
}

func newClock(ctx context.Context, read func(context.Context) (reading, error)) (*Clock, error) {
	best := reading{trip: math.MaxInt64}
	for try := 1; try <= clockTries && best.trip > clockSlack; try++ {
		r, err := read(ctx)
		switch {
		case err == nil:
			if r.trip < best.trip {
				best = r
			}
		case !timedOut(err) || ctx.Err() != nil || try == clockTries && best.theirs.IsZero():
			return nil, fmt.Errorf("read the database's clock: %w", err)
		}
	}
	if best.trip > clockWorst {
		return nil, fmt.Errorf("read the database's clock: it takes %s to tell the time, and more than %s is too long", best.trip.Round(time.Millisecond), clockWorst)
	}
	return &Clock{read: read, base: best.theirs, since: best.ours}, nil
}

func timedOut(err error) bool {
	late, ok := errors.AsType[net.Error](err) // the context's error is one, too
	return ok && late.Timeout()
}

// readClock asks on a connection of the pool. The wait for one is no part of the trip.
func readClock(pool *pgxpool.Pool) func(context.Context) (reading, error) {
	return func(ctx context.Context) (r reading, err error) {
		ctx, cancel := context.WithTimeout(ctx, DefaultLimit)
		defer cancel()
		conn, err := pool.Acquire(ctx)
		if err != nil {
			return r, err
		}
		defer conn.Release()
		started := time.Now()
		err = conn.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&r.theirs)
		r.trip = time.Since(started)
		r.ours = started.Add(r.trip / 2)
		return r, err
	}
}

// Now returns the time in UTC, in microseconds, as the database keeps it. A service of a developer may have moved it.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.base.Add(time.Since(c.since) + c.moved).UTC().Truncate(time.Microsecond)
}

// Real is the time that nobody moved, for signatures that others compare with their own clock.
func (c *Clock) Real() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.base.Add(time.Since(c.since)).UTC()
}

// Keep follows the database's clock until ctx is done, for machines that sleep. One odd reading changes nothing, nor does a
// slow one.
func (c *Clock) Keep(ctx context.Context, log zerolog.Logger) {
	ticker := time.NewTicker(clockEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if off, err := c.measure(ctx); err == nil && off != 0 {
			log.Warn().Dur("off_ms", off).Msg("the clock followed the database's")
		}
	}
}

// look compares the clocks and returns by how much ours was moved.
func (c *Clock) measure(ctx context.Context) (moved time.Duration, err error) {
	r, err := c.read(ctx)
	if err != nil || r.trip > clockSlack {
		return 0, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	off := r.theirs.Sub(c.base.Add(r.ours.Sub(c.since)))
	apart := off.Abs() > clockSlack
	defer func() { c.apart = apart && moved == 0 }()
	if apart && c.apart {
		c.base, c.since = r.theirs, r.ours
		return off, nil
	}
	return 0, nil
}
