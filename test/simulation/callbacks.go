package simulation

import (
	"encoding/binary"
	"time"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
)

// message is a callback that the provider signed.
type message struct {
	n gateway.Notification
	d *deal
	// honest: it passes every rule and tells how the deal ended.
	honest, forged bool
	// contradicts: it tells that money moved of a deal that had failed, or moved twice.
	contradicts bool
	taken       bool // we answered that we have it
}

// retries are the pauses after which a callback that was not taken is sent once more (uapay.md 10).
var retries = [...]time.Duration{5 * time.Second, 5 * time.Minute, time.Hour, 2 * time.Hour, 24 * time.Hour}

// announce sends callbacks about a fact, or does not.
func (p *provider) announce(d *deal, f fact) {
	w := p.w
	open := f.status == gateway.StatusProcessing || f.status == gateway.StatusRequiresAction
	if d.elsewhere || open && !w.chance(0.1) || w.chance(w.faults.callbackLost) {
		return
	}
	m := message{d: d, n: p.notificationOf(d, f), contradicts: f.reversal}
	m.honest = !open && m.n.Weak == ""
	p.spoil(&m, f)
	p.post(m)
}

// post sends a callback: soon or late, once or more often.
func (p *provider) post(m message) {
	w := p.w
	m.n.Fingerprint = binary.BigEndian.AppendUint64(nil, w.rng.Uint64())
	p.sent = append(p.sent, m)
	i := len(p.sent) - 1
	p.w.plan(p.delay(), true, func() { p.deliver(i, 0) })
	for w.chance(w.faults.callbackRepeated) && w.chance(0.7) {
		p.w.plan(p.delay()+p.delay(), true, func() { p.deliver(i, 0) })
	}
}

func (p *provider) delay() time.Duration {
	w := p.w
	if w.chance(w.faults.callbackLate) {
		if w.chance(0.1) {
			return w.between(time.Minute, 27*time.Hour)
		}
		return w.between(time.Second, 30*time.Minute)
	}
	return w.between(time.Millisecond, 2*time.Second)
}

// notificationOf is what a callback about a fact says.
func (p *provider) notificationOf(d *deal, f fact) gateway.Notification {
	n := gateway.Notification{OrderID: d.id, Result: p.result(d, f, gateway.Ref{Operation: gateway.OpSale})}
	r := &n.Result
	r.State = nil
	r.Kind = d.kind
	if d.kind == gateway.KindPayoutCard {
		r.Kind = "" // smartcore.md 14.7: any type is taken
	}
	if d.kind == gateway.KindRefund {
		n.OrderID, r.ProviderReference = d.parent.id, ""
	}
	r.Amount = &d.amount
	if d.kind == gateway.KindPayoutCard {
		r.Amount = nil
	}
	if d.manner.acknowledges && d.modified {
		r.Amount = nil // a lower sum than the order's may be the captured one
	}
	if d.manner.oneWord {
		r.ProviderReference = ""
		p.inOneWord(d, f, &n)
	}
	return n
}

// inOneWord says it as a provider that has one word for a hold and a success, and one for a failure and a release.
func (p *provider) inOneWord(d *deal, f fact, n *gateway.Notification) {
	switch f.status { //nolint:exhaustive // the others have a word of their own
	case gateway.StatusAuthorized, gateway.StatusSucceeded:
		n.Result.Status = gateway.StatusSucceeded
		if d.kind == gateway.KindPayment {
			n.Statuses = heldWord
		}
		if n.Result.Settled == nil && d.kind != gateway.KindPayoutCard {
			n.Weak, n.Rule = "a success without the sum that was settled", "weak"
		}
	case gateway.StatusFailed, gateway.StatusCanceled:
		n.Result.Status = gateway.StatusFailed
		if d.kind == gateway.KindPayment {
			n.Statuses = endWord
		}
	}
}

var (
	heldWord = map[gateway.Operation]gateway.Status{gateway.OpAuthorize: gateway.StatusAuthorized, gateway.OpCancel: gateway.StatusAuthorized}
	endWord  = map[gateway.Operation]gateway.Status{gateway.OpCancel: gateway.StatusCanceled}
)

// spoil makes a callback one that must be verified, or forges it.
func (p *provider) spoil(m *message, f fact) {
	w := p.w
	r := &m.n.Result
	switch {
	case w.chance(w.faults.callbackForged):
		m.forged, m.honest, m.contradicts = true, false, false
		r.Status = gateway.StatusSucceeded
	case m.d.manner.verifyTransfers && m.d.kind == gateway.KindTransfer:
		m.n.VerifyReason, m.n.Rule, m.honest = "callbacks about transfers are not documented", "transfer", false
	case w.chance(w.faults.callbackVerify):
		m.n.VerifyReason, m.n.Rule, m.honest = "a value holds a bar", "c1", false
		if w.chance(0.5) { // the values are another order's
			r.Status = gateway.StatusSucceeded
			if f.status == gateway.StatusSucceeded {
				r.Status = gateway.StatusFailed
			}
			m.contradicts = false
			r.BankReferences = nil
			m.n.Statuses = nil
		}
	case w.chance(w.faults.callbackSum) && r.Settled != nil && r.Status == gateway.StatusSucceeded:
		odd := m.d.amount + 1 + w.rng.Int64N(1000)
		if w.chance(0.3) {
			odd = 0
		}
		r.Settled, m.honest = &odd, false
	}
}

// deliver brings a callback to us. What we do not take is sent once more, a few times.
func (p *provider) deliver(i, attempt int) {
	w := p.w
	m := &p.sent[i]
	w.say("a callback arrives: %s is %s%s", m.d.name(), m.n.Result.Status, m.manner())
	if w.at >= w.downUntil {
		w.start("callback", func() { p.hand(i) })
	}
	if attempt < len(retries) && !m.forged {
		w.plan(retries[attempt], true, func() {
			if !p.sent[i].taken {
				p.deliver(i, attempt+1)
			}
		})
	}
}

// manner says how a callback arrives that is not simply believed.
func (m *message) manner() string {
	switch {
	case m.forged:
		return ", forged"
	case m.n.VerifyReason != "":
		return ", to be verified"
	case m.n.Weak != "":
		return ", weak"
	}
	return ""
}

// hand gives a callback to the service. The same one may be spelled in many ways.
func (p *provider) hand(i int) {
	w := p.w
	m := p.sent[i]
	body := binary.BigEndian.AppendUint32(nil, uint32(i)) //nolint:gosec // a scenario has few callbacks
	body = append(body, byte(w.rng.Uint32()&0xff))        //nolint:gosec // one random byte
	raw := gateway.RawCallback{Method: "POST", Body: body, ReceivedAt: w.now()}
	verdict, err := w.service.HandleCallback(background, m.d.manner.name, tokenOf(m.d.account).Reveal(), raw)
	switch {
	case m.forged && payment.CodeOf(err) != payment.CodeCallbackForged:
		w.violate("a forged callback is answered with %q, %v", verdict, err)
	case m.forged:
		return
	case err != nil:
		w.violate("a signed callback is not taken: %v", err)
	}
	p.sent[i].taken = true
	if m.honest {
		m.d.reported = true
	}
	if m.contradicts && m.d.now().reversal {
		m.d.reversalKnown = true
	} else if m.contradicts && p.secondMovement(m.d) {
		m.d.mustConflict = true
	}
	p.acknowledged(m.d)
}

// secondMovement reports whether the first movement of money is on record of a deal that was taken twice.
func (p *provider) secondMovement(d *deal) bool {
	r := p.w.store.byProviderOrderID(d.id)
	if r == nil || !r.order.Status.Final() || d.taken == nil {
		return false
	}
	return r.order.BankReferences[d.taken[0]] == payment.StatusSucceeded
}

// acknowledged says that we know for good that the provider has a deal. It may deny it from then on.
func (p *provider) acknowledged(d *deal) {
	if !d.acknowledged {
		d.acknowledged = true
		d.forgotten = p.w.chance(p.w.faults.forgets)
		if d.forgotten {
			d.mayConflict = true // when nobody can tell for a day, an operator is called
			p.w.say("provider: %s is denied from now on", d.name())
		}
	}
}

// ReadCallback implements gateway.Gateway.
func (g *model) ReadCallback(raw gateway.RawCallback) (gateway.Notification, error) {
	m := g.p.sent[binary.BigEndian.Uint32(raw.Body)]
	if m.forged {
		return gateway.Notification{}, errorOf(gateway.KindInvalidSignature, "callback", "")
	}
	return m.n, nil
}
