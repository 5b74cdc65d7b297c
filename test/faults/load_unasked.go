package faults

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"payrelay/internal/sandbox/control"
	"payrelay/internal/sandbox/smartcore"
)

// movement is money of a payment that moved at SmartCore without a request: given back, taken back, or taken twice.
type movement struct {
	order, provider string // our id, and what the order is called at its provider
	what            string
	amount          int64
}

// payLate pays an attempt that its provider had declined, after the order was paid at another account. It reports whether it did.
func (p *player) payLate(waiting context.Context, s *shopper, o Order, v view) bool {
	if o.Cascade == "" || o.Part%2 == 0 {
		return false
	}
	v, ok := s.until(waiting, v.ID, "succeeded", "failed", "canceled")
	if !ok || v.Status != "succeeded" {
		return false
	}
	declined := ""
	for _, a := range s.attemptsOf(waiting, v.ID) {
		if strings.HasPrefix(a.Reason, "declined_by_") {
			declined = a.ProviderOrderID
		}
	}
	if declined == "" || p.simulators.SmartCore().Later(declined, control.Later{What: control.LateSuccess}) != nil {
		return false
	}
	p.did("money moved by itself: " + control.LateSuccess)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.movements = append(p.movements, movement{v.ID, declined, control.LateSuccess, v.Amount})
	return true
}

// moveMoney lets money of a payment that succeeded move by itself. It reports whether it did.
func (p *player) moveMoney(waiting context.Context, s *shopper, o Order, v view) bool {
	if _, at := p.simulators.SmartCore().Order(v.ProviderOrderID); !at || o.Part%3 == 0 {
		return false
	}
	v, ok := s.until(waiting, v.ID, "succeeded", "failed", "canceled")
	if !ok || v.Status != "succeeded" {
		return false
	}
	m := movement{v.ID, v.ProviderOrderID, []string{control.Refund, control.Chargeback, control.ChargedTwice}[o.Minor%3], v.Captured}
	what := control.Later{What: m.what}
	if m.what != control.ChargedTwice && v.Captured > 1 {
		m.amount = v.Captured / 2
		what.Amount = m.amount
	}
	if p.simulators.SmartCore().Later(m.provider, what) != nil {
		return false // the provider never had it
	}
	p.did("money moved by itself: " + m.what)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.movements = append(p.movements, m)
	return true
}

// movedBySelf lists the money that moved by itself, and whether a genuine callback about it was acknowledged.
func (p *player) movedBySelf() (list []Movement) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.movements {
		payment, ok := p.simulators.SmartCore().Order(m.provider)
		if !ok {
			continue
		}
		if said, moved := m.in(payment, p.simulators.SmartCore().Refunds(m.provider)); moved {
			list = append(list, said)
		}
	}
	return list
}

// in is the movement as the provider's records have it. It reports false of money that was to go back, and did not.
func (m movement) in(payment smartcore.Order, back []smartcore.Order) (said Movement, moved bool) {
	said = Movement{Order: m.order, Provider: m.provider, What: m.what, Amount: m.amount}
	switch m.what {
	case control.LateSuccess:
		said.Acknowledged = successAcknowledged(payment, payment.RRN)
		return said, true
	case control.ChargedTwice: // where no callback has reported the first RRN, payrelay takes the second one for it
		said.Acknowledged = successAcknowledged(payment, payment.EarlierRRNs...) && successAcknowledged(payment, payment.RRN)
		return said, true
	}
	for _, o := range back {
		if o.Operation != smartcore.OpRefund && o.Status != smartcore.StatusFailed {
			said.Acknowledged, moved = said.Acknowledged || successAcknowledged(o, o.RRN), true
		}
	}
	return said, moved
}

// successAcknowledged reports whether a genuine callback was acknowledged that tells of a success of o by one of its RRNs.
func successAcknowledged(o smartcore.Order, rrns ...string) bool {
	return slices.ContainsFunc(o.Callbacks, func(c *smartcore.Callback) bool {
		return c.Variant == smartcore.VariantGenuine && acknowledged(c.Delivery) &&
			c.Fields["status"] == strconv.Itoa(smartcore.StatusSuccess) && slices.Contains(rrns, c.Fields["rrn"])
	})
}
