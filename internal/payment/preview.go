package payment

import (
	"context"
	"slices"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
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
// be refused is refused alike: also for its reference. A repeat would be answered with its order, so the order's account is shown.
func (s *Service) PreviewPayment(ctx context.Context, in NewPayment) (*Preview, error) {
	switch earlier, err := s.Store.OrderByReference(ctx, in.Shop, gateway.KindPayment, in.Reference); {
	case err == nil && equalHash(earlier.RequestHash, in.RequestHash):
		return s.previewRepeat(ctx, earlier)
	case err == nil:
		return nil, errReferenceConflict
	case CodeOf(err) != CodeNotFound:
		return nil, err
	}
	it := s.paymentIntake(in)
	candidates, decision, err := s.routed(ctx, it)
	if err != nil {
		return nil, err
	}
	accounts, err := s.accountsOf(ctx, in.Shop)
	if err != nil {
		return nil, err
	}
	p := &Preview{}
	it.passedOver = map[string]routing.Reason{}
	it.obey(decision)
	if p.Account, err = s.previewAt(ctx, in, it, candidates); err != nil {
		return nil, err
	}
	if decision != nil {
		p.Rule = decision.Rule
	}
	for _, a := range candidates {
		reason := it.passedOver[a.Name]
		if reason == "" && a.Demoted && a.Name != p.Account.Name {
			reason = routing.Unhealthy
		}
		p.add(a, reason)
	}
	p.addRest(accounts, it.currency, it.purpose)
	return p, nil
}

// previewRepeat is the preview of a payment that is there already.
func (s *Service) previewRepeat(ctx context.Context, o *Order) (*Preview, error) {
	account, err := s.Store.Account(ctx, o.AccountID)
	if err != nil {
		return nil, err
	}
	accounts, err := s.accountsOf(ctx, o.ShopID)
	if err != nil {
		return nil, err
	}
	p := &Preview{Account: account}
	p.add(account, "")
	p.addRest(accounts, o.Amount.Currency(), PurposePayments)
	return p, nil
}

// addRest adds the accounts to which the payment is not routed.
func (p *Preview) addRest(accounts []Account, currency money.Currency, purpose Purpose) {
	for _, a := range accounts {
		reason := reasonNotToTake(a, currency, purpose)
		if reason == "" || reason == routing.Unhealthy {
			reason = notRouted
		}
		p.add(a, reason)
	}
}

func (p *Preview) add(a Account, reason routing.Reason) {
	if !slices.ContainsFunc(p.Candidates, func(c PreviewCandidate) bool { return c.Account.Name == a.Name }) {
		p.Candidates = append(p.Candidates, PreviewCandidate{a, reason})
	}
}

// previewAt is the account that beginAtOne would begin a payment at. It notes why others before it are passed over.
func (s *Service) previewAt(ctx context.Context, in NewPayment, it intake, candidates []Account) (Account, error) {
	at, err := it.firstTaking(candidates, func(a Account) error { return s.wouldTake(in, a) })
	if err != nil {
		return Account{}, err
	}
	taking := candidates[at]
	err = s.Store.CheckLimits(ctx, s.trialOrder(in, taking))
	if err == nil || !limitedBy(err, taking) || at+1 == len(candidates) {
		return taking, err
	}
	it.passedOver[taking.Name] = routing.Limit
	next, nextErr := s.previewAt(ctx, in, it, candidates[at+1:])
	if takesNeither(nextErr) {
		return Account{}, err
	}
	return next, nextErr
}

// trialOrder is a payment as it would be counted with the limits of an account.
func (s *Service) trialOrder(in NewPayment, a Account) *Order {
	o := s.paymentIntake(in).order.at(a)
	o.ID, o.CardFingerprint = s.NewID(), s.cardFingerprint(in.Method.Card)
	return &o
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
	late, needs := in.complaints(req, gw.gateway, s.Now())
	if err := refusalOf(late, needs, a); err != nil {
		return err
	}
	return heldBack(gw.gateway, req.Ref)
}
