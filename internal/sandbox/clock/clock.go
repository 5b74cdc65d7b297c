package clock

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// Day is the length of a step.
	Day = 24 * time.Hour
	// maxSteps bounds one move, and maxMove all of them.
	maxSteps = 1000
	maxMove  = 20 * 366 * Day
	// pause is how long what is due in a step has to happen before the next one.
	pause = 600 * time.Millisecond
)

// Clock is the machine's time, and by how much it was moved. It is safe for concurrent use.
type Clock struct {
	wall  func() time.Time
	pause time.Duration

	moving sync.Mutex // held by who moves it
	mu     sync.Mutex
	moved  time.Duration
	follow []func(ctx context.Context, by time.Duration) error
}

// New returns a clock that was moved already, say in an earlier run. wall tells the machine's time; nil means time.Now.
func New(wall func() time.Time, moved time.Duration) *Clock {
	if wall == nil {
		wall = time.Now
	}
	return &Clock{wall: wall, pause: pause, moved: moved}
}

// Real is the machine's time, for what must stay true outside: signatures that are good for seconds.
func (c *Clock) Real() time.Time { return c.wall() }

// Now is the time that was moved.
func (c *Clock) Now() time.Time { return c.wall().Add(c.Moved()) }

// Moved is by how much.
func (c *Clock) Moved() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.moved
}

// Follow calls f after each step, before the next one.
func (c *Clock) Follow(f func(ctx context.Context, by time.Duration) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.follow = append(c.follow, f)
}

// Advance moves the clock on, step by step, with a pause after each in which what is due happens: a charge of next week before that of
// the week after. It returns when the last one is over.
func (c *Clock) Advance(ctx context.Context, by, step time.Duration) error {
	switch {
	case by <= 0 || step <= 0:
		return errors.New("the clock moves forward only: advance and step must be above 0")
	case by/step > maxSteps:
		return fmt.Errorf("that is more than %d steps: name a longer step, such as %dd", maxSteps, by/maxSteps/Day+1)
	}
	c.moving.Lock()
	defer c.moving.Unlock()
	if c.Moved()+by > maxMove {
		return fmt.Errorf("the clock would be more than %d years ahead", maxMove/(366*Day))
	}
	for left := by; left > 0; left -= step {
		now := min(step, left)
		c.mu.Lock()
		c.moved += now
		follow := c.follow
		c.mu.Unlock()
		for _, f := range follow {
			if err := f(ctx, now); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(c.pause):
		}
	}
	return nil
}

// Parse reads a duration such as 30d, 12h or 90m.
func Parse(s string) (d time.Duration, err error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		var n int
		n, err = strconv.Atoi(days)
		d = time.Duration(max(-1, min(n, int(maxMove/Day)+1))) * Day // Atoi returns the nearest n if it is out of range
		if errors.Is(err, strconv.ErrRange) {
			err = nil
		}
	} else {
		d, err = time.ParseDuration(s)
	}
	switch {
	case err != nil:
		return 0, fmt.Errorf("%q is no duration, such as 30d, 12h or 90m", s)
	case d > maxMove:
		return 0, fmt.Errorf("%s is too long: the clock moves on by %d years at most", s, maxMove/(366*Day))
	}
	return d, nil
}
