package faults

import (
	"context"
	"net/http"
	"slices"

	sent "payrelay/internal/sandbox/callback"
	"payrelay/internal/sandbox/smartcore"
	"payrelay/internal/sandbox/uapay"
)

// contradiction is a callback that was ordered from a simulator.
type contradiction struct {
	order, provider string // our id, and what the order is called at its provider
	status          string // that the callback claims
}

// contradict makes the provider say, properly signed, the opposite of how a payment has ended.
func (p *player) contradict(waiting context.Context, s *shopper, v view) {
	v, ok := s.until(waiting, v.ID, "succeeded", "failed", "canceled")
	if !ok || v.Status == "canceled" {
		return
	}
	c := contradiction{order: v.ID, provider: v.ProviderOrderID}
	var err error
	if _, at := p.simulators.SmartCore().Order(c.provider); at {
		refused := -1
		request := smartcore.CallbackRequest{Status: &refused}
		if c.status = "-1"; v.Status == "failed" {
			c.status, request = "2", smartcore.CallbackRequest{Variant: smartcore.VariantEarlySuccess}
		}
		err = p.simulators.SmartCore().SendCallback(c.provider, request)
	} else {
		if c.status = uapay.SystemRejected; v.Status == "failed" {
			c.status = uapay.SystemFinished
		}
		err = p.simulators.UAPAY().SendCallback(c.provider, uapay.CallbackRequest{Status: c.status})
	}
	if err != nil {
		return // the provider never had it
	}
	p.did("contradiction")
	p.mu.Lock()
	defer p.mu.Unlock()
	p.contradicts = append(p.contradicts, c)
}

// contradicted lists what the providers said against themselves, and whether it was acknowledged.
func (p *player) contradicted() (list []Contradiction) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.contradicts {
		said := Contradiction{Order: c.order}
		if o, ok := p.simulators.SmartCore().Order(c.provider); ok {
			said.Acknowledged = slices.ContainsFunc(o.Callbacks, func(cb *smartcore.Callback) bool { return cb.Status == c.status && acknowledged(cb.Delivery) })
		}
		if o, ok := p.simulators.UAPAY().Order(c.provider); ok {
			said.Acknowledged = slices.ContainsFunc(o.Callbacks, func(cb *uapay.Callback) bool { return cb.Status == c.status && acknowledged(cb.Delivery) })
		}
		list = append(list, said)
	}
	return list
}

func acknowledged(d sent.Delivery) bool {
	return slices.ContainsFunc(d.Attempts, func(a sent.Attempt) bool { return a.Status == http.StatusOK })
}
