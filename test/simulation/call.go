package simulation

import (
	"context"
	"time"

	"payrelay/internal/gateway"
)

// answer is what the provider says to one call.
type answer struct {
	result gateway.Result
	err    error
}

func errorOf(kind gateway.ErrorKind, op, code string) *gateway.Error {
	return &gateway.Error{Kind: kind, Op: op, Code: code}
}

// ends returns when a call must have ended, by its context. The context counts in real time, in which a scenario takes
// microseconds: where it agrees with what the documents promise, the promise is taken, and the scenario can be repeated.
func (w *world) ends(ctx context.Context, promised time.Duration) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return w.at + time.Hour
	}
	byContext := w.at + time.Until(deadline).Round(time.Second)
	if d := byContext - promised; d > -2*time.Second && d < 2*time.Second {
		return promised
	}
	return byContext
}

// send is a call that may move money. arrive is what the provider does when the request comes in. A request with an id of
// its own may come in twice: the provider knows it then.
func (w *world) send(op, id string, ends time.Duration, identified bool, arrive func() answer) (gateway.Result, error) {
	f := &w.faults
	p := w.current
	p.lost = true
	w.noteAge(id)
	w.say("%s: %s is sent", p.name, op)
	if o := f.outage(w.at); o != nil || w.chance(f.notSent) {
		if o == nil || !o.unresponsive {
			w.wait(w.between(0, 100*time.Millisecond))
			p.lost = false
			return w.back(op, answer{err: errorOf(gateway.KindNotSent, op, "connection_refused")})
		}
		return w.timeOut(op, ends)
	}
	transit := w.between(time.Millisecond, 300*time.Millisecond)
	if w.chance(f.answerLate) {
		transit = w.between(0, providerTimeout)
	}
	if w.chance(f.requestLost) {
		return w.timeOut(op, ends)
	}
	w.wait(min(transit, ends-w.at)) // a request that arrives, arrives while its call lasts
	a := arrive()
	if identified && w.chance(f.duplicated) {
		w.say("provider: the request comes in twice")
		a = arrive() // a proxy sent it once more
	}
	if w.chance(f.answerLost) {
		w.say("the answer is lost")
		if w.chance(0.5) {
			return w.timeOut(op, ends)
		}
		w.wait(min(w.between(0, time.Second), ends-w.at))
		return w.back(op, answer{err: errorOf(gateway.KindUnknown, op, "bad_gateway")})
	}
	transit = w.between(time.Millisecond, 300*time.Millisecond)
	if w.chance(f.answerLate) {
		transit = w.between(0, providerTimeout)
	}
	if w.at+transit > ends {
		return w.timeOut(op, ends)
	}
	w.wait(transit)
	p.lost = false
	return w.back(op, a)
}

// noteAge notes how old an answer about an order will be.
func (w *world) noteAge(id string) {
	if r := w.store.byProviderOrderID(id); r != nil && w.current != nil {
		w.current.asOf = r.order.Sequence
	}
}

// timeOut ends a call without an answer.
func (w *world) timeOut(op string, ends time.Duration) (gateway.Result, error) {
	w.current.found = nil // what the provider showed has not reached us
	w.wait(ends - w.at)
	e := errorOf(gateway.KindUnknown, op, "")
	e.Err = context.DeadlineExceeded
	return w.back(op, answer{err: e})
}

// back gives the answer to the process that asked, which may crash or be paused before it writes it down.
func (w *world) back(op string, a answer) (gateway.Result, error) {
	if w.tracing {
		w.say("%s: %s is answered: %s", w.current.name, op, a)
	}
	w.step(true)
	return a.result, a.err
}

// String says the answer in words.
func (a answer) String() string {
	if a.err != nil {
		return a.err.Error()
	}
	if a.result.Status == "" {
		return "a state that is not listed"
	}
	return string(a.result.Status)
}
