package limit

import (
	"context"
	"slices"
	"sync"
)

// Bounds are how many slots a limiter has.
type Bounds struct {
	// All is how many slots there are. Zero bounds nothing.
	All int
	// Each is how many of them one key may have. Zero bounds nothing.
	Each int
	// Plenty lifts the bound of each key while fewer slots than that are taken.
	Plenty int
}

// Limiter hands out slots. It is safe for concurrent use.
type Limiter struct {
	bounds Bounds

	mu      sync.Mutex
	taken   int
	byKey   map[string]int
	waiting []*waiter // the longest first
}

// waiter is somebody who waits for a slot. Closing granted hands one over.
type waiter struct {
	key     string
	granted chan struct{}
}

// New returns a limiter whose slots are all free.
func New(b Bounds) *Limiter {
	return &Limiter{bounds: b, byKey: map[string]int{}}
}

// TryTake takes a slot for a key, "" for nobody in particular, and reports whether there was one. It never waits.
func (l *Limiter) TryTake(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.take(key)
}

// Take waits for a slot until ctx is done. Whoever waits longest is served first, unless its key has all that it may have.
func (l *Limiter) Take(ctx context.Context, key string) error {
	l.mu.Lock()
	if l.take(key) {
		l.mu.Unlock()
		return nil
	}
	w := &waiter{key, make(chan struct{})}
	l.waiting = append(l.waiting, w)
	l.mu.Unlock()
	select {
	case <-w.granted:
		return nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.Index(l.waiting, w)
	if i < 0 { // a slot was handed over in the same moment
		return nil
	}
	l.waiting = slices.Delete(l.waiting, i, i+1)
	return ctx.Err()
}

// Give gives a slot of a key back.
func (l *Limiter) Give(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.byKey[key] == 0 {
		panic("limit: a slot was given back that nobody took")
	}
	l.taken--
	if l.byKey[key]--; l.byKey[key] == 0 {
		delete(l.byKey, key)
	}
	for i := 0; i < len(l.waiting); {
		if !l.take(l.waiting[i].key) {
			i++
			continue
		}
		close(l.waiting[i].granted)
		l.waiting = slices.Delete(l.waiting, i, i+1)
	}
}

// Free is how many slots nobody has.
func (l *Limiter) Free() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bounds.All - l.taken
}

// Taken is how many slots a key has.
func (l *Limiter) Taken(key string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.byKey[key]
}

func (l *Limiter) take(key string) bool {
	b := l.bounds
	if b.All > 0 && l.taken >= b.All || b.Each > 0 && l.byKey[key] >= b.Each && l.taken >= b.Plenty {
		return false
	}
	l.taken++
	l.byKey[key]++
	return true
}
