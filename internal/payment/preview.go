package payment

import (
	"context"
	"slices"

	"payrelay/internal/routing"
)

// Preview is where a payment would go.
type Preview struct {
	// Account is the one that would take it.
	Account Account
	// Rule is the routing rule that chose it, "" where none did.
	Rule string
	// Candidates are the shop's accounts in the order in which they would be tried, and then the others.
	Candidates []PreviewCandidate
}

// PreviewCandidate is an account of the shop, with a word for why the payment would not go there, "" if it may.
type PreviewCandidate struct {
	Account Account
	Reason  routing.Reason
}

// notRouted is the reason of an account that the routing does not lead to.
const notRouted routing.Reason = "not_routed"

// PreviewPayment says which account would take a payment, and why not the others. It stores and sends nothing. A payment that would
// be refused is refused alike.
func (s *Service) PreviewPayment(ctx context.Context, in NewPayment) (*Preview, error) {
	it := s.paymentIntake(in)
	candidates, decision, err := s.routed(ctx, it)
	if err != nil {
		return nil, err
	}
	accounts, err := s.Store.ShopAccounts(ctx, in.Shop)
	if err != nil {
		return nil, err
	}
	p := &Preview{}
	passedOver := map[string]bool{}
	var refused error // by the first, as firstOffer does
	for _, a := range candidates {
		reason := s.wouldTake(in, a)
		if reason == nil {
			p.Account = a
			break
		}
		if refused == nil {
			refused = reason
		}
		if !isHeldBack(refused) {
			break
		}
		passedOver[a.Name] = isHeldBack(reason)
	}
	if p.Account.Name == "" {
		return nil, refused
	}
	if decision != nil {
		p.Rule = decision.Rule
	}
	for _, a := range candidates {
		p.add(a, p.reasonOf(a, passedOver[a.Name]))
	}
	for _, a := range accounts {
		reason := reasonNotToTake(a, it.currency, it.purpose)
		if reason == "" || reason == routing.Unhealthy {
			reason = notRouted
		}
		p.add(a, reason)
	}
	return p, nil
}

// reasonOf says why the payment would not go to one of the candidates.
func (p *Preview) reasonOf(a Account, passedOver bool) routing.Reason {
	switch {
	case passedOver:
		return routing.CircuitOpen
	case a.Demoted && a.Name != p.Account.Name:
		return routing.Unhealthy
	}
	return ""
}

func (p *Preview) add(a Account, reason routing.Reason) {
	if !slices.ContainsFunc(p.Candidates, func(c PreviewCandidate) bool { return c.Account.Name == a.Name }) {
		p.Candidates = append(p.Candidates, PreviewCandidate{a, reason})
	}
}

// wouldTake says why an account would not take a payment now.
func (s *Service) wouldTake(in NewPayment, a Account) error {
	gw, err := s.open(a)
	if err != nil {
		return err
	}
	if err := a.allows(in.needs()...); err != nil {
		return err
	}
	req := s.trialPayment(in, a, gw.gateway)
	if err := refusalOf(expired(req, s.Now()), gw.gateway.Check(req), a); err != nil {
		return err
	}
	return heldBack(gw.gateway, req.Ref)
}
