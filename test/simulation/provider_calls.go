package simulation

import (
	"time"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
)

// count notes that a request that moves money is sent, and that it is the first of its order.
func (p *provider) count(op, id string) {
	if p.requests[id]++; p.requests[id] > 1 {
		p.w.violate("%s is sent twice for one order", op)
	}
}

// accept is a request that makes an order coming in.
func (p *provider) accept(op string, d deal) answer {
	w := p.w
	if r := w.store.byProviderOrderID(d.id); r == nil {
		w.violate("%s comes in of an order that is not written down", op)
	} else if r.order.Status.Final() {
		w.violate("%s comes in of an order that is %s already", op, r.order.Status)
	} else {
		w.checkAttempts(r)
	}
	if before := p.find(d.id); before != nil {
		before.mayConflict = true
		return answer{err: errorOf(gateway.KindDuplicate, op, "duplicate")}
	}
	if w.chance(w.faults.refused) {
		return answer{err: errorOf(gateway.KindDeclined, op, "refused")}
	}
	made := p.add(d)
	p.proceed(made)
	if w.chance(w.faults.unclear) {
		return answer{result: gateway.Result{ProviderReference: made.reference}}
	}
	result := p.result(made, made.now(), gateway.Ref{Operation: operationOf(made)})
	if result.Status == gateway.StatusRequiresAction {
		result.NextAction = form
	}
	return answer{result: result}
}

func (p *provider) add(d deal) *deal {
	made := &d
	made.reference, made.denials = p.newReference(), p.absent[d.id]
	made.unshown = d.kind == gateway.KindPayout && !d.manner.showsPayouts && p.w.chance(0.3)
	if d.manner.namesMovements && d.kind == gateway.KindPayment {
		made.taken = []string{"t" + made.reference}
		made.held = made.taken
		if p.w.chance(0.5) {
			made.held = []string{"h" + made.reference}
		}
	}
	p.deals = append(p.deals, made)
	return made
}

func operationOf(d *deal) gateway.Operation {
	if d.hold {
		return gateway.OpAuthorize
	}
	return gateway.OpSale
}

// refund is a request for a refund coming in. Each is done: the provider cannot tell one from its repetition.
func (p *provider) refund(g *model, req gateway.RefundRequest) answer {
	w, m := p.w, g.manner
	paid := p.find(req.Payment.OrderID)
	if paid == nil || w.chance(w.faults.refused) {
		return answer{err: errorOf(gateway.KindDeclined, "refund", "refused")}
	}
	d := p.add(deal{manner: m, account: g.account, kind: gateway.KindRefund, id: req.Refund.OrderID, amount: req.Refund.Amount.Minor(), parent: paid})
	if !m.refundIDs {
		d.reference = ""
		p.become(d, fact{status: gateway.StatusSucceeded, settled: d.amount})
		return answer{result: gateway.Result{Status: gateway.StatusProcessing}}
	}
	p.become(d, fact{status: gateway.StatusProcessing})
	end := fact{status: gateway.StatusSucceeded, settled: d.amount}
	if w.chance(0.2) {
		end = fact{status: gateway.StatusFailed}
	}
	p.later(d, w.between(10*time.Millisecond, time.Hour), end)
	return answer{result: p.result(d, d.now(), gateway.Ref{Operation: gateway.OpSale})}
}

// modified notes that a capture or cancel came in, and that none before it was accepted.
func (p *provider) modified(d *deal, op string) {
	if d.modified {
		p.w.violate("a %s comes in after a capture or cancel that the provider had accepted", op)
	}
}

// capture is a capture coming in.
func (p *provider) capture(d *deal, minor int64) answer {
	w := p.w
	p.modified(d, "capture")
	if d.now().status != gateway.StatusAuthorized || w.chance(w.faults.commandDeclined) {
		return answer{err: errorOf(gateway.KindDeclined, "capture", "refused")}
	}
	if d.modified = true; d.manner.takesAll {
		minor = d.amount
	}
	end := fact{status: gateway.StatusSucceeded, settled: minor, command: true}
	if w.chance(0.1) {
		end = fact{status: gateway.StatusFailed, command: true}
	}
	if d.held != nil && d.held[0] != d.taken[0] {
		d.mayConflict = true // the hold's own callback may come late, with another name: that may be a second charge
	}
	p.carryOut(d, end)
	return p.acknowledge(d)
}

// carryOut does what a capture or cancel asked for: at once, or later. Meanwhile the provider shows that it is at work; one
// whose acknowledgment has reached us may show the hold as before.
func (p *provider) carryOut(d *deal, end fact) {
	w := p.w
	after := w.between(10*time.Millisecond, time.Hour)
	switch {
	case w.chance(0.5):
		p.become(d, end)
		return
	case d.manner.acknowledges && w.faults.answersArrive() && d.now().status == gateway.StatusAuthorized:
	default:
		p.become(d, fact{status: gateway.StatusProcessing, command: true})
	}
	p.later(d, after, end)
}

// cancel is a cancel coming in.
func (p *provider) cancel(d *deal) answer {
	w := p.w
	p.modified(d, "cancel")
	unpaid := d.manner.cancelsUnpaid && d.now().status == gateway.StatusRequiresAction
	if d.now().status != gateway.StatusAuthorized && !unpaid || w.chance(w.faults.commandDeclined) {
		return answer{err: errorOf(gateway.KindDeclined, "cancel", "refused")}
	}
	d.modified = true
	end := fact{status: gateway.StatusCanceled, command: true}
	if r := w.store.byProviderOrderID(d.id); unpaid || r != nil && r.order.Authorized == 0 {
		p.become(d, end) // for us it is unpaid: while it shows that it is at work, it may as well be the customer who pays
	} else {
		p.carryOut(d, end)
	}
	return p.acknowledge(d)
}

// acknowledge is the answer to a capture or cancel: it names no sum (smartcore.md A3), and may only acknowledge.
func (p *provider) acknowledge(d *deal) answer {
	status := d.now().status
	if d.manner.acknowledges || status == gateway.StatusFailed {
		status = gateway.StatusProcessing
	}
	return answer{result: gateway.Result{Status: status}}
}

// poll is a call that only asks.
func (w *world) poll(op, id string, ends time.Duration, arrive func(*faults) answer) (gateway.Result, error) {
	w.noteAge(id)
	f := &w.faults
	if w.news == 0 {
		f = &noFaults // the provider has recovered: from now on it must be learned how each order stands
	}
	if o := f.outage(w.at); o != nil {
		if o.unresponsive {
			return w.timeOut(op, ends)
		}
		w.wait(w.between(0, 100*time.Millisecond))
		return w.back(op, answer{err: errorOf(gateway.KindNotSent, op, "connection_refused")})
	}
	if w.chance(f.pollFails) {
		if w.chance(0.3) {
			return w.timeOut(op, ends)
		}
		w.wait(w.between(0, time.Second))
		return w.back(op, answer{err: errorOf(gateway.KindUnknown, op, "bad_gateway")})
	}
	w.wait(w.between(time.Millisecond, 300*time.Millisecond))
	a := arrive(f)
	transit := w.between(time.Millisecond, 300*time.Millisecond)
	if w.chance(f.answerLate) {
		transit = w.between(0, pollTimeout)
	}
	if w.at+transit > ends {
		return w.timeOut(op, ends)
	}
	w.wait(transit)
	return w.back(op, a)
}

// status answers a status poll. What was done within the visibility delay may be withheld.
func (p *provider) status(m *manner, ref gateway.Ref, f *faults) answer {
	w := p.w
	at := w.at
	if w.chance(f.hidden) {
		at -= time.Duration(w.rng.Int64N(int64(m.visibility)))
	}
	if ref.Kind == gateway.KindRefund {
		return p.refundStatus(m, ref, at)
	}
	d := p.find(ref.OrderID)
	if d == nil && ref.ProviderReference != "" {
		d = p.byReference(ref.ProviderReference) // a transfer that was started elsewhere
	}
	if denied := p.deny(m, ref, d, at, f); denied != nil {
		return answer{err: denied}
	}
	shown := d.seen(at)
	if d.modified && d.wasHeld() && p.open(d) && d.denials < 2 && w.chance(f.denied) {
		shown = fact{status: gateway.StatusAuthorized, settled: d.amount}
	}
	if w.chance(f.unclear) {
		return answer{}
	}
	return p.show(m, d, shown, ref)
}

// show answers with how an order stands.
func (p *provider) show(m *manner, d *deal, shown fact, ref gateway.Ref) answer {
	if shown.status == gateway.StatusAuthorized && ref.Operation != gateway.OpAuthorize {
		d.denials++ // of the capture or cancel
	} else {
		p.w.current.found = d
	}
	result := p.result(d, shown, ref)
	if m.formRetried && result.Status == gateway.StatusRequiresAction {
		result.NextAction = form
	}
	return answer{result: result}
}

// deny answers that an order is not there, or not to be seen at an instant. It is nil if the order is shown.
func (p *provider) deny(m *manner, ref gateway.Ref, d *deal, at time.Duration, f *faults) error {
	hidden := d == nil || d.seen(at).status == ""
	switch {
	case ref.Kind == gateway.KindPayout && !m.showsPayouts && (hidden || d.unshown):
		return errorOf(gateway.KindUnknown, "fetch", "payout_not_visible")
	case d == nil:
		p.absent[ref.OrderID]++
	case hidden, d.forgotten, d.denials < 2 && p.w.chance(f.denied):
		d.denials++
	default:
		return nil
	}
	return errorOf(gateway.KindNotFound, "fetch", "no_such_order")
}

// open reports whether the end of a deal is not on record yet. What is said of an end is never untrue: nobody could tell.
func (p *provider) open(d *deal) bool {
	r := p.w.store.byProviderOrderID(d.id)
	return r != nil && !r.order.Status.Final()
}

// refundStatus answers a status poll of a refund: by its id, or by what became of the payment (uapay.md 15.1).
func (p *provider) refundStatus(m *manner, ref gateway.Ref, at time.Duration) answer {
	hidden := answer{err: errorOf(gateway.KindUnknown, "fetch", gateway.CodeNotVisible)}
	if m.refundIDs {
		d := p.byReference(ref.ProviderReference)
		if ref.ProviderReference == "" || d == nil {
			return hidden
		}
		if d.seen(at).status == "" || d.forgotten {
			return answer{err: errorOf(gateway.KindNotFound, "fetch", "no_such_order")}
		}
		return answer{result: p.result(d, d.seen(at), ref)}
	}
	paid := p.find(ref.Parent.OrderID)
	reversed := paid != nil && p.refunded(paid) == paid.now().settled
	if ref.State[acknowledgedState] != "" || reversed && ref.State[lastState] != "" {
		return answer{result: gateway.Result{Status: gateway.StatusSucceeded}}
	}
	return hidden
}

var form = &gateway.NextAction{Type: gateway.ActionRedirect, URL: "https://form.example"}

var declined = &gateway.Failure{Category: gateway.FailureDeclined, Code: "declined", Advice: gateway.AdviceCustomerMayRetry}

// providerData is what the provider said, by status.
var providerData = map[gateway.Status]gateway.ProviderData{}

func init() {
	for _, s := range []gateway.Status{
		gateway.StatusProcessing, gateway.StatusRequiresAction, gateway.StatusAuthorized, gateway.StatusSucceeded, gateway.StatusFailed, gateway.StatusCanceled,
	} {
		providerData[s] = gateway.ProviderData{"state": string(s)}
	}
}

// result is a fact in the words of an adapter.
func (p *provider) result(d *deal, f fact, ref gateway.Ref) gateway.Result {
	r := gateway.Result{Status: f.status, ProviderReference: d.reference, ProviderData: providerData[f.status]}
	if d.kind != gateway.KindPayoutCard {
		r.Currency = currency
		if d.kind != gateway.KindPayment || !d.modified {
			r.Amount = &d.amount
		}
	}
	switch f.status { //nolint:exhaustive // the others have nothing of their own
	case gateway.StatusAuthorized:
		r.Settled, r.BankReferences = d.named(f.settled), d.held
		if d.manner.probes {
			r.State = map[string]gateway.Secret{holdState: "held"}
		}
	case gateway.StatusSucceeded:
		r.Settled, r.BankReferences = d.named(f.settled), d.taken
		if d.returned > 0 {
			returned := d.returned
			r.Refunded = &returned
		}
	case gateway.StatusFailed:
		r.Failure = declined
		if d.failure != nil {
			r.Failure = d.failure
		}
	case gateway.StatusCanceled:
		if d.manner.oneWord && ref.Operation != gateway.OpCancel {
			r.Status = gateway.StatusFailed // smartcore.md 14.4: the provider has one word for both
		}
	}
	return r
}

// named is a sum that was held or taken, nil where the provider names none.
func (d *deal) named(settled int64) *int64 {
	if !d.manner.namesSums || d.kind == gateway.KindPayoutCard {
		return nil
	}
	return &settled
}

func sumOf(f fact) string {
	if f.settled == 0 {
		return ""
	}
	return " of " + money.New(f.settled, currency).String()
}
