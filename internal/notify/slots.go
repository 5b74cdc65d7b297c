package notify

import (
	"sync"
	"time"

	"payrelay/internal/limit"
)

const (
	// retryPause is the shortest pause of a delivery that found no slot at its destination, retryGap how far apart those come
	// back, and retryMost the longest pause: ten thousand that wait for one endpoint come back a few at a time.
	retryPause = time.Second
	retryGap   = 20 * time.Millisecond
	retryMost  = 5 * time.Minute
)

// slots bounds how many deliveries are under way to one destination, so that an endpoint that hangs holds up its own
// notifications only. While fewer than half of the workers are busy, anybody gets a slot.
type slots struct {
	*limit.Limiter

	mu   sync.Mutex
	last map[string]time.Time // when the last delivery that found no slot comes back, by destination
}

func newSlots(workers int) *slots {
	return &slots{Limiter: limit.New(limit.Bounds{Each: max(2, workers/10), Plenty: workers / 2}), last: map[string]time.Time{}}
}

// take takes a slot, or returns when to ask again.
func (s *slots) take(to string, now time.Time) (retryAt time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.TryTake(to) {
		return time.Time{}
	}
	at := s.last[to].Add(retryGap)
	if first := now.Add(retryPause); at.Before(first) {
		at = first
	}
	if last := now.Add(retryMost); at.After(last) {
		at = last
	}
	s.last[to] = at
	return at
}

// leave gives a slot back.
func (s *slots) leave(to string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Give(to)
	if s.Taken(to) == 0 {
		delete(s.last, to)
	}
}
