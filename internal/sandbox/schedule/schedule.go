package schedule

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"payrelay/internal/sandbox/clock"
)

// Task is one piece of timed work. It must return soon after ctx is done.
type Task func(ctx context.Context)

// Queue is a time-ordered list of tasks. The zero value is not usable; see New.
type Queue struct {
	mu    sync.Mutex
	items items
	seq   uint64
	wake  chan struct{}
	slots chan struct{}
	clock *clock.Clock
}

// New makes a queue that runs at most parallel tasks at a time, each when its moment has come by the clock.
func New(parallel int, c *clock.Clock) *Queue {
	q := &Queue{wake: make(chan struct{}, 1), slots: make(chan struct{}, max(1, parallel)), clock: c}
	c.Follow(func(context.Context, time.Duration) error {
		q.nudge()
		return nil
	})
	return q
}

// At queues a task for a moment; a moment in the past means now.
func (q *Queue) At(at time.Time, task Task) {
	q.mu.Lock()
	q.seq++
	heap.Push(&q.items, item{at: at, seq: q.seq, task: task})
	q.mu.Unlock()
	q.nudge()
}

// nudge lets Run see what is due now.
func (q *Queue) nudge() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// After queues a task for d from now.
func (q *Queue) After(d time.Duration, task Task) { q.At(q.clock.Now().Add(d), task) }

// Run executes due tasks until ctx is done and all started tasks returned. What
// is still queued stays queued.
func (q *Queue) Run(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		task, wait := q.next()
		if task == nil {
			timer.Reset(wait)
			select {
			case <-ctx.Done():
				return nil
			case <-q.wake:
			case <-timer.C:
			}
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case q.slots <- struct{}{}:
		}
		running.Go(func() {
			defer func() { <-q.slots }()
			task(ctx)
		})
	}
}

func (q *Queue) next() (Task, time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items) == 0 {
		return nil, time.Hour
	}
	if wait := q.items[0].at.Sub(q.clock.Now()); wait > 0 {
		return nil, wait
	}
	return heap.Pop(&q.items).(item).task, 0 //nolint:forcetypeassert // the heap holds nothing else
}

type item struct {
	at   time.Time
	seq  uint64
	task Task
}

type items []item

func (s items) Len() int      { return len(s) }
func (s items) Swap(i, j int) { s[i], s[j] = s[j], s[i] }

// Less keeps tasks of the same moment in the order they were queued.
func (s items) Less(i, j int) bool {
	if s[i].at.Equal(s[j].at) {
		return s[i].seq < s[j].seq
	}
	return s[i].at.Before(s[j].at)
}
func (s *items) Push(x any) { *s = append(*s, x.(item)) } //nolint:forcetypeassert // the heap holds nothing else
func (s *items) Pop() any {
	old := *s
	last := old[len(old)-1]
	old[len(old)-1] = item{}
	*s = old[:len(old)-1]
	return last
}
