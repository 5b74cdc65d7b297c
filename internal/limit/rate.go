package limit

import (
	"sync"
	"time"
)

// Rate is how often something may be done: Quota times at once, and as often again in each Window. What was used comes back
// evenly over the window.
type Rate struct {
	Quota  int
	Window time.Duration
}

// every is how long it takes until one more may be done.
func (r Rate) every() time.Duration { return r.Window / time.Duration(r.Quota) }

// Left is what a rate leaves to a key.
type Left struct {
	// Allowed says that it may be done now, and was counted.
	Allowed bool
	// Remaining is how often it may be done at once after that, Next how long until one more is allowed: zero if one is now.
	Remaining int
	Next      time.Duration
}

// Rates counts how often each key did something, in the memory of this process: the generic cell rate algorithm, one time for
// each key. It is safe for concurrent use. The zero value has counted nothing.
type Rates[Key comparable] struct {
	mu    sync.Mutex
	until map[Key]time.Time // when all of the key's quota is there again
	// sweep is how many keys there are when those with their whole quota are forgotten.
	sweep int
}

// Take counts a key once, if its rate allows it.
func (r *Rates[Key]) Take(key Key, rate Rate) Left {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	used := max(r.until[key].Sub(now), 0)
	free := rate.Window - used
	if free < rate.every() {
		return Left{Next: rate.every() - free}
	}
	if r.until == nil {
		r.until = map[Key]time.Time{}
	}
	r.until[key] = now.Add(used + rate.every())
	r.forget(now)
	left := Left{Allowed: true, Remaining: int((free - rate.every()) / rate.every())}
	if left.Remaining == 0 {
		left.Next = 2*rate.every() - free
	}
	return left
}

// minSweep is how many keys are kept without looking for those that can go.
const minSweep = 1024

// forget drops keys with their whole quota, now and then: about as much work as the keys that came.
func (r *Rates[Key]) forget(now time.Time) {
	if len(r.until) <= max(r.sweep, minSweep) {
		return
	}
	for key, until := range r.until {
		if !until.After(now) {
			delete(r.until, key)
		}
	}
	r.sweep = 2 * len(r.until)
}
