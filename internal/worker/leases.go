package worker

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"payrelay/internal/limit"
)

// leases works on what is due, a bounded number at once. What is due stands in the database; a lease keeps others off it
// while it is worked on, and is all the queue there is.
type leases[K any] struct {
	// every is how often the database is asked.
	every time.Duration
	// wake asks before the time; nil never does.
	wake <-chan struct{}
	// grace is how long work under way may go on after the end.
	grace time.Duration
	// lease returns up to limit keys that nobody else gets for a while.
	lease func(ctx context.Context, limit int) ([]K, error)
	// work is called for each.
	work func(ctx context.Context, key K)
	// ended is called when no more is leased; nil for nothing.
	ended func(ctx context.Context)
	// failing is told of the first error of a row of errors from lease.
	failing func(err error)
	// slotTimeout is for how long work keeps its slot; zero is until its end. Work that takes longer goes on without one.
	slotTimeout time.Duration

	atOnce  int // how many are worked on at once, within slotTimeout
	slots   *limit.Limiter
	without *limit.Limiter // work that goes on without a slot
	more    atomic.Bool    // the last lease took as many as there was room for
	room    chan struct{}  // says that half of the slots are free again, and more is due
	running sync.WaitGroup
}

// mostWithoutSlot bounds the work that goes on without a slot: beyond it, work keeps its slot to its end.
const mostWithoutSlot = 1000

// bounded makes room for n at once.
func (l *leases[K]) bounded(n int) *leases[K] {
	l.atOnce, l.slots, l.room = n, limit.New(limit.Bounds{All: n}), make(chan struct{}, 1)
	l.without = limit.New(limit.Bounds{All: mostWithoutSlot})
	return l
}

// run leases and works until ctx is done, then lets what is under way come to its end.
func (l *leases[K]) run(ctx context.Context) {
	working, interrupt := context.WithCancel(context.WithoutCancel(ctx))
	defer interrupt()
	defer l.running.Wait()
	ticker := time.NewTicker(l.every)
	defer ticker.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			time.AfterFunc(l.grace, interrupt)
			if l.ended != nil {
				l.ended(working)
			}
			return
		case <-ticker.C:
		case <-l.wake:
		case <-l.room:
		}
		// No more is leased than can begin now: the rest is for other replicas, and a lease should not pass in waiting.
		free := l.slots.Free()
		if free == 0 {
			continue
		}
		keys, err := l.lease(ctx, free)
		if err != nil && ctx.Err() == nil && !failing {
			l.failing(err)
		}
		failing = err != nil
		l.more.Store(len(keys) == free)
		for _, key := range keys {
			_ = l.slots.Take(working, "") // which ends after this loop
			l.running.Go(func() {
				defer l.hold()()
				l.work(working, key)
			})
		}
	}
}

// hold keeps a slot that was taken until the work ends, or for slotTimeout if it takes longer. end is called at its end.
func (l *leases[K]) hold() (end func()) {
	if l.slotTimeout == 0 {
		return l.done
	}
	freed := make(chan bool, 1)
	early := time.AfterFunc(l.slotTimeout, func() {
		without := l.without.TryTake("")
		if without {
			l.done()
		}
		freed <- without
	})
	return func() {
		if !early.Stop() && <-freed {
			l.without.Give("")
			return
		}
		l.done()
	}
}

// done frees a slot. Under a backlog the next are leased without waiting for the clock, many at a time.
func (l *leases[K]) done() {
	l.slots.Give("")
	if l.more.Load() && l.slots.Free() >= (l.atOnce+1)/2 {
		select {
		case l.room <- struct{}{}:
		default:
		}
	}
}
