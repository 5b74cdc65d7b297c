package simulation

import (
	"encoding/binary"
	"encoding/hex"
	"slices"
	"time"

	"payrelay/internal/gateway"
)

// provider is the model of a provider: what it did with the money, which no fault changes.
type provider struct {
	w     *world
	deals []*deal
	sent  []message
	// requests counts the requests that were sent for each of our ids.
	requests map[string]int
	// absent counts how often we asked about an order that had not come in.
	absent map[string]int
}

// deal is one order, refund, payout or transfer as the provider has it.
type deal struct {
	manner  *manner
	account string
	kind    gateway.Kind
	// failure is how a payment was declined, nil for one that was not.
	failure *gateway.Failure
	// id is our id of it; a refund has the payment's, and its own number.
	id string
	// reference is the provider's own id.
	reference string
	amount    int64
	hold      bool
	hosted    bool
	parent    *deal
	facts     []fact
	// modified: a capture or cancel was accepted.
	modified bool
	// form: the customer has the address of the form.
	form bool
	// unshown: no status poll shows it.
	unshown bool
	// reported: a callback that passes every rule told us how it ended.
	reported bool
	// denials counts how often in a row the provider denied the deal, or its capture or cancel, since we wrote down that it
	// showed it.
	denials int
	// forgotten: it was acknowledged, and is denied from then on.
	forgotten, acknowledged bool
	// mustConflict says that we were notified of a contradiction, so that one must be on record; reversalKnown, that we were
	// notified that what had failed succeeded.
	mustConflict, reversalKnown bool
	// movements are the bank's names of the hold and of what was taken.
	held, taken []string
	// mayConflict: a conflict of this deal's order has a cause.
	mayConflict bool
	// elsewhere: it was started without us, and no callback about it comes here.
	elsewhere bool
	// returned is how much of a transfer came back.
	returned int64
}

// fact is what is true of a deal from a time on.
type fact struct {
	at     time.Duration
	status gateway.Status
	// settled is the sum that moved or is held.
	settled int64
	// command says that a capture or cancel led to it: within the visibility delay it may be withheld, as the creation may.
	command bool
	// reversal: a deal that had failed.
	reversal bool
}

func newProvider(w *world) *provider {
	return &provider{w: w, requests: map[string]int{}, absent: map[string]int{}}
}

func (p *provider) reset() {
	clear(p.deals)
	clear(p.sent)
	clear(p.requests)
	clear(p.absent)
	p.deals, p.sent = p.deals[:0], p.sent[:0]
}

// find returns the deal that has our id, refunds left out.
func (p *provider) find(id string) *deal {
	for _, d := range p.deals {
		if d.id == id && d.kind != gateway.KindRefund {
			return d
		}
	}
	return nil
}

// byReference returns the deal that has an id of the provider's.
func (p *provider) byReference(reference string) *deal {
	for _, d := range p.deals {
		if d.reference == reference {
			return d
		}
	}
	return nil
}

// newReference makes an id of the provider's own.
func (p *provider) newReference() string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], p.w.rng.Uint64())
	return hex.EncodeToString(b[:])
}

// now is the newest fact, and seen the newest of which the provider lets know at a time. Without one, seen has no status.
func (d *deal) now() fact {
	if len(d.facts) == 0 {
		return fact{}
	}
	return d.facts[len(d.facts)-1]
}

func (d *deal) seen(at time.Duration) fact {
	if len(d.facts) == 0 || d.facts[0].at > at {
		return fact{}
	}
	var last fact
	for _, f := range d.facts {
		if (f.command || f.reversal) && f.at > at {
			break
		}
		last = f
	}
	return last
}

// wasHeld reports whether the deal's money was held before what was asked last.
func (d *deal) wasHeld() bool {
	return slices.ContainsFunc(d.facts, func(f fact) bool { return f.status == gateway.StatusAuthorized })
}

// refunded is how much of a payment went back.
func (p *provider) refunded(payment *deal) (sum int64) {
	for _, d := range p.deals {
		if d.parent == payment && d.kind == gateway.KindRefund && d.now().status == gateway.StatusSucceeded {
			sum += d.amount
		}
	}
	return sum
}

// become makes something true of a deal, and tells of it by callbacks.
func (p *provider) become(d *deal, f fact) {
	f.at = p.w.at
	d.facts = append(d.facts, f)
	p.w.say("provider: %s is %s%s", d.name(), f.status, sumOf(f))
	if d.parent != nil && d.kind == gateway.KindRefund {
		if back := p.refunded(d.parent); back > d.parent.now().settled {
			p.w.violate("the provider gave back %d of %d", back, d.parent.now().settled)
		}
	}
	p.announce(d, f)
}

// later makes something true of a deal after a while, unless something else happened meanwhile.
func (p *provider) later(d *deal, after time.Duration, f fact) {
	life := len(d.facts)
	p.w.plan(after, true, func() {
		if len(d.facts) == life {
			p.become(d, f)
		}
	})
}

// proceed lets a new deal take its way.
func (p *provider) proceed(d *deal) {
	w := p.w
	switch {
	case d.hosted:
		p.become(d, fact{status: gateway.StatusRequiresAction})
		p.customer(d)
	case d.kind == gateway.KindPayment && w.chance(0.2):
		p.become(d, fact{status: gateway.StatusRequiresAction}) // the bank asks the customer
		p.customer(d)
	case w.chance(max(0.3, w.faults.declined)):
		p.finish(d) // at once
	default:
		p.become(d, fact{status: gateway.StatusProcessing})
		p.finishLater(d, w.between(10*time.Millisecond, 10*time.Minute))
	}
}

// customer lets the customer pay, or not.
func (p *provider) customer(d *deal) {
	w := p.w
	life := len(d.facts)
	w.plan(w.between(2*time.Second, 20*time.Minute), true, func() {
		if len(d.facts) != life {
			return
		}
		if !d.form || w.chance(0.2) {
			p.later(d, w.between(time.Minute, 2*time.Hour), fact{status: ended(w)})
			return
		}
		if w.chance(0.5) {
			p.become(d, fact{status: gateway.StatusProcessing})
			p.finishLater(d, w.between(10*time.Millisecond, 5*time.Minute))
			return
		}
		p.finish(d)
	})
}

// ended is how a payment ends that nobody paid.
func ended(w *world) gateway.Status {
	if w.chance(0.5) {
		return gateway.StatusCanceled
	}
	return gateway.StatusFailed
}

func (p *provider) finishLater(d *deal, after time.Duration) {
	life := len(d.facts)
	p.w.plan(after, true, func() {
		if len(d.facts) == life {
			p.finish(d)
		}
	})
}

// finish ends a deal that is under way, or holds its money.
func (p *provider) finish(d *deal) {
	w := p.w
	switch {
	case w.chance(max(0.2, w.faults.declined)):
		p.fail(d)
	case d.hold:
		p.become(d, fact{status: gateway.StatusAuthorized, settled: d.amount})
		if w.chance(0.1) {
			p.later(d, w.between(time.Minute, 12*time.Hour), fact{status: gateway.StatusCanceled}) // the hold lapses
		}
	default:
		p.become(d, fact{status: gateway.StatusSucceeded, settled: d.amount})
		if d.elsewhere && w.chance(0.4) {
			p.comeBack(d)
		}
		if d.kind == gateway.KindPayment && d.taken != nil && w.chance(w.faults.chargesTwice) {
			p.chargeTwice(d)
		}
	}
}

// fail ends a deal without money. Some providers think better of it.
func (p *provider) fail(d *deal) {
	w := p.w
	if d.kind == gateway.KindPayment {
		d.failure = failures[w.rng.IntN(len(failures))]
	}
	p.become(d, fact{status: gateway.StatusFailed})
	if d.hold || !w.chance(w.faults.reverses) {
		return
	}
	life := len(d.facts)
	w.plan(w.between(time.Second, time.Hour), true, func() {
		if len(d.facts) == life {
			d.mayConflict = true
			p.become(d, fact{status: gateway.StatusSucceeded, settled: d.amount, reversal: true})
		}
	})
}

// comeBack returns the money of a transfer, at once or in two parts.
func (p *provider) comeBack(d *deal) {
	w := p.w
	first := d.amount
	if w.chance(0.5) {
		first = 1 + w.rng.Int64N(d.amount)
	}
	after := w.between(time.Second, 5*time.Hour)
	w.plan(after, true, func() { p.giveBack(d, first) })
	if first < d.amount && w.chance(0.5) {
		w.plan(after+w.between(time.Second, time.Hour), true, func() { p.giveBack(d, d.amount) })
	}
}

func (p *provider) giveBack(d *deal, sum int64) {
	d.returned = sum
	p.w.say("provider: %d of the %s came back", sum, d.name())
}

// chargeTwice takes a payment a second time: the bank has another name of it.
func (p *provider) chargeTwice(d *deal) {
	w := p.w
	w.plan(w.between(time.Second, 2*time.Hour), true, func() {
		d.mayConflict = true
		w.say("provider: %s is taken a second time", d.name())
		m := message{d: d, n: p.notificationOf(d, d.now()), contradicts: true}
		m.n.Result.BankReferences = []string{p.newReference()}
		p.post(m)
	})
}

func (d *deal) name() string {
	if d.parent != nil {
		return string(d.kind) + " of " + d.parent.name()
	}
	return string(d.kind)
}
