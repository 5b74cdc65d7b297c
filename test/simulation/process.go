package simulation

import (
	"errors"
	"fmt"
	"iter"
	"time"
)

// process runs one use case of the service. It stands still while it waits.
type process struct {
	name string
	run  func()
	next func() (struct{}, bool)
	halt func(struct{}) bool
	busy bool
	// polls says that the process only asks about an order, because it is due: that is no news.
	polls bool
	// life counts the use cases that the coroutine served: what was planned for one is nothing to the next.
	life int
	// crashed says that the process ends when it is resumed.
	crashed   bool
	startedAt time.Duration
	// found is what the last status poll of the process was answered about, until that is written down.
	found *deal
	// failed is with what the service panicked.
	failed string
	// asOf is the order's sequence when the last call about it was sent, negative before one.
	asOf int
	// lost says that the process got no answer to its last call: whether the call arrived is not known.
	lost bool
}

// statusPoll is the name of a process that asks about an order that is due.
const statusPoll = "status poll"

// errCrash unwinds a process that crashed.
var errCrash = errors.New("the process crashed")

// start runs a use case in a process of its own, until it first waits.
func (w *world) start(name string, run func()) {
	var p *process
	if n := len(w.idle); n > 0 {
		p, w.idle = w.idle[n-1], w.idle[:n-1]
	} else {
		p = &process{}
		p.next, _ = iter.Pull(p.loop)
	}
	p.name, p.run, p.busy, p.crashed, p.startedAt, p.found, p.lost, p.asOf = name, run, true, false, w.at, nil, false, -1
	p.polls = name == statusPoll
	p.life++
	w.running = append(w.running, p)
	w.resume(p)
}

// loop runs one use case after the other, so that a coroutine serves many.
func (p *process) loop(halt func(struct{}) bool) {
	p.halt = halt
	for {
		p.once()
		p.busy = false
		if !halt(struct{}{}) {
			return
		}
	}
}

func (p *process) once() {
	defer func() {
		if r := recover(); r != nil && r != any(errCrash) {
			p.failed = fmt.Sprint(r)
		}
	}()
	p.run()
}

// resume lets a process go on until it waits or ends.
func (w *world) resume(p *process) {
	before := w.current
	w.current = p
	p.next()
	w.current = before
	if p.busy {
		return
	}
	for i, r := range w.running {
		if r == p {
			w.running = append(w.running[:i], w.running[i+1:]...)
			break
		}
	}
	if p.failed != "" {
		w.violate("the service panics: %s", p.failed)
		p.failed = ""
	}
	p.run = nil
	w.idle = append(w.idle, p)
}

// wait lets the running process stand still for a time.
func (w *world) wait(d time.Duration) {
	p := w.current
	if p == nil {
		return // the scenario's rules read the store: nobody waits
	}
	life := p.life
	w.plan(d, !p.polls, func() {
		if p.busy && p.life == life {
			w.resume(p)
		}
	})
	p.halt(struct{}{})
	if p.crashed {
		panic(errCrash)
	}
}

// crash ends the running process, and with all every other one, too.
func (w *world) crash(all bool) {
	w.say("%s crashes", w.current.name)
	if all {
		w.endOthers()
		w.downUntil = w.at + w.between(time.Second, time.Minute)
	}
	panic(errCrash)
}

// endOthers ends every process but the running one.
func (w *world) endOthers() {
	for i := 0; i < len(w.running); {
		p := w.running[i]
		if p == w.current {
			i++
			continue
		}
		p.crashed = true
		w.resume(p) // takes it off the list
	}
}

// step is a place between two steps of a process: it may crash or be paused here, if the scenario's faults say so.
func (w *world) step(pausable bool) {
	if w.current == nil {
		return
	}
	w.steps++
	if f := &w.faults; w.steps == f.crashAt {
		f.crashAt = w.steps + 1 + w.rng.IntN(30)
		if f.crashes--; f.crashes <= 0 {
			f.crashAt = 0
		}
		w.crash(w.chance(0.5))
	}
	if f := &w.faults; pausable && f.pauseAt > 0 && w.steps >= f.pauseAt {
		f.pauseAt = w.steps + 1 + w.rng.IntN(40)
		if f.pauses--; f.pauses <= 0 {
			f.pauseAt = 0
		}
		d := w.between(time.Millisecond, time.Second)
		if w.chance(0.5) {
			d = w.between(time.Second, 4*time.Minute)
		}
		w.say("%s stands still for %s", w.current.name, d)
		w.wait(d)
	}
}
