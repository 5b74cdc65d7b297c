package notify

import (
	"sync"
	"time"
)

const (
	// turnPause is the shortest pause of a delivery that found no place at its destination, turnEvery how far apart those
	// come back, and turnMost the longest pause: ten thousand that wait for one endpoint come back a few at a time.
	turnPause = time.Second
	turnEvery = 20 * time.Millisecond
	turnMost  = 5 * time.Minute
)

// slots bounds how many deliveries are under way to one destination while there are not plenty of places, so that an
// endpoint that hangs holds up its own notifications only.
type slots struct {
	plenty int // as long as fewer than these are under way, anybody gets a place
	limit  int // for each destination beyond that

	mu   sync.Mutex
	all  int
	busy map[string]*destination
}

type destination struct {
	busy int
	turn time.Time // of whoever was rejected last
}

// take takes a place, or returns when to ask again.
func (p *slots) take(to string, now time.Time) (next time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := p.busy[to]
	if d == nil {
		d = &destination{}
		p.busy[to] = d
	}
	if p.all < p.plenty || d.busy < p.limit {
		d.busy++
		p.all++
		return time.Time{}
	}
	d.turn = d.turn.Add(turnEvery)
	if first := now.Add(turnPause); d.turn.Before(first) {
		d.turn = first
	}
	if last := now.Add(turnMost); d.turn.After(last) {
		d.turn = last
	}
	return d.turn
}

// leave gives a place back.
func (p *slots) leave(to string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all--
	if d := p.busy[to]; d.busy > 1 {
		d.busy--
	} else {
		delete(p.busy, to)
	}
}
