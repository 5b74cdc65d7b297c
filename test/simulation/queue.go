package simulation

import "time"

// event is something that happens at a time.
type event struct {
	at time.Duration
	// number orders events of one time: the first that was planned comes first.
	number uint64
	// news is an event that changes something by itself, unlike a status poll that is due.
	news bool
	do   func()
}

// queue holds the events to come as a binary heap.
type queue struct {
	events []event
	number uint64
	news   int
}

func (q *queue) reset() { q.events, q.number, q.news = q.events[:0], 0, 0 }

func (q *queue) push(e event) {
	q.number++
	e.number = q.number
	if e.news {
		q.news++
	}
	q.events = append(q.events, e)
	for i := len(q.events) - 1; i > 0; {
		parent := (i - 1) / 2
		if !q.before(i, parent) {
			return
		}
		q.events[i], q.events[parent] = q.events[parent], q.events[i]
		i = parent
	}
}

// pop takes the next event out. The queue is not empty.
func (q *queue) pop() event {
	first, last := q.events[0], len(q.events)-1
	q.events[0], q.events[last] = q.events[last], event{}
	q.events = q.events[:last]
	for i := 0; ; {
		next := i
		for child := 2*i + 1; child <= 2*i+2 && child < last; child++ {
			if q.before(child, next) {
				next = child
			}
		}
		if next == i {
			break
		}
		q.events[i], q.events[next] = q.events[next], q.events[i]
		i = next
	}
	if first.news {
		q.news--
	}
	return first
}

func (q *queue) before(i, j int) bool {
	a, b := &q.events[i], &q.events[j]
	return a.at < b.at || a.at == b.at && a.number < b.number
}
