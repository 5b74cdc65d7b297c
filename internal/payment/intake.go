package payment

import (
	"cmp"
	"context"
	"slices"

	"github.com/google/uuid"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
	"payrelay/internal/routing"
)

// Every use case that calls a provider about an order takes the same steps, and says only what is its own:
//   - where it goes: destination routes a new order, and existing finds the account of one that is there;
//   - check what the provider can do and needs, and what the order allows;
//   - write down what is about to be sent: begin does for a new order, UpdateOrder for a command;
//   - attempt: call the provider with no transaction open, and record what came of it.
//
// accept and acceptChild take them for new orders, command for a capture or cancel, confirm for a code, and ImportTransfer for
// an order that the provider has already.

// intake is a request for a new order.
type intake struct {
	// order is what the shop said of it. Its account and ids are still to come.
	order Order
	// account is a name, or "" for routing by currency, "" being the account's, and purpose.
	account  string
	currency money.Currency
	purpose  Purpose
	// facts are what routing rules ask about, by the name of the shop; nil for an order that no rule routes.
	facts func(shop string) routing.Facts
	// failover says that the order goes on to the next account where the first proves that nothing was sent.
	failover bool
	// skipIncomplete says that an account is passed over whose provider needs more than the request has, or cannot do what it asks.
	skipIncomplete bool
	// passedOver says why accounts were passed over. It is made where an order is begun.
	passedOver map[string]routing.Reason
	// minor is the order's amount where the account says in which currency.
	minor int64
	// offer says what would be sent, or why it cannot be.
	offer func(context.Context, target, *Order) (offer, error)
}

// target is where an order goes.
type target struct {
	*opened
	account     Account
	callbackURL string
}

// destination is where a new order goes: to the account named, or to one that fits.
func (s *Service) destination(ctx context.Context, shop uuid.UUID, name string, currency money.Currency, purpose Purpose) (target, error) {
	account, err := s.route(ctx, shop, name, currency, purpose)
	if err != nil {
		return target{}, err
	}
	return s.targetOf(account)
}

// existing loads an order of a kind, and says where it went.
func (s *Service) existing(ctx context.Context, key Key, kind gateway.Kind) (*Order, target, error) {
	o, err := s.Store.Order(ctx, key)
	if err != nil {
		return nil, target{}, err
	}
	if o.Kind != kind {
		return nil, target{}, ErrNotFound
	}
	to, err := s.targetAt(ctx, o.AccountID)
	return o, to, err
}

// targetAt is the target of what went to an account.
func (s *Service) targetAt(ctx context.Context, id uuid.UUID) (target, error) {
	account, err := s.Store.Account(ctx, id)
	if err != nil {
		return target{}, err
	}
	return s.targetOf(account)
}

func (s *Service) targetOf(account Account) (target, error) {
	gw, err := s.open(account)
	if err != nil {
		return target{}, err
	}
	return target{gw, account, s.CallbackURL(account)}, nil
}

// offer is what would be sent for an order.
type offer struct {
	operation string
	ref       gateway.Ref
	call      providerCall
}

// accept takes an order in. The same reference with the same request gives the first order, whatever would be said of the
// request today.
func (s *Service) accept(ctx context.Context, in intake) (*Order, bool, error) {
	o, isNew, err := s.acceptOnce(ctx, in)
	if in.account == "" && CodeOf(err) == CodeDisabled { // the account was drained or taken away a moment ago, which the store knows by now
		return s.acceptOnce(ctx, in)
	}
	return o, isNew, err
}

func (s *Service) acceptOnce(ctx context.Context, in intake) (*Order, bool, error) {
	candidates, decision, err := s.routed(ctx, in)
	if CodeOf(err) == CodeNoRoute {
		s.Observe(Event{Kind: in.order.Kind, Routed: RoutedOtherwise})
	}
	if err != nil {
		return s.rejectOrReplay(ctx, &in.order, err)
	}
	return s.beginAtOne(ctx, in, candidates, decision)
}

// beginAtOne begins an order at the first of the candidates that no limit of its own keeps from it. If each has one, that of the
// first counts.
func (s *Service) beginAtOne(ctx context.Context, in intake, candidates []Account, decision *routing.Decision) (*Order, bool, error) {
	in.passedOver = map[string]routing.Reason{}
	in.obey(decision)
	o, a, err := s.firstOffer(ctx, in, candidates, 1)
	if err != nil {
		return s.rejectOrReplay(ctx, &in.order, err)
	}
	if o.Routing, err = decisionOf(decision, in.passedOver); err != nil {
		return nil, false, err
	}
	taken := o.AccountName
	stored, isNew, err := s.begin(ctx, o, a)
	if isNew && decision != nil {
		s.Observe(Event{Kind: o.Kind, Order: stored.ID, Account: taken, Routed: orElse(decision.Rule, RoutedOtherwise)})
	}
	at := slices.IndexFunc(candidates, func(c Account) bool { return c.Name == taken })
	if !limitedBy(err, candidates[at]) || at+1 == len(candidates) {
		return stored, isNew, err
	}
	decision.PassOver(taken, routing.Limit)
	stored, isNew, next := s.beginAtOne(ctx, in, candidates[at+1:], decision)
	if takesNeither(next) {
		return nil, false, err
	}
	if isNew {
		s.Observe(Event{Provider: o.Provider, Kind: o.Kind, Order: stored.ID, Account: taken, Elsewhere: stored.AccountName, Reason: string(routing.Limit)})
	}
	return stored, isNew, next
}

// takesNeither reports whether an order cannot be begun at the next accounts either, after a limit of the first refused it.
func takesNeither(next error) bool {
	switch CodeOf(next) { //nolint:exhaustive // the others say that something may be stored, or is wrong with the database
	case CodeLimitExceeded, CodeMissingFields, CodeUnsupported, CodeInvalid, CodeDisabled:
		return true
	}
	return false
}

// obey takes in what a decision says of how its accounts are tried.
func (in *intake) obey(d *routing.Decision) {
	if d != nil {
		in.failover, in.skipIncomplete = in.failover || d.Failover, d.SkipIncomplete
	}
}

// passOver says why the next account may be tried after one that refused the order, "" if it may not.
func (in *intake) passOver(refusal error) routing.Reason {
	switch code := CodeOf(refusal); {
	case isHeldBack(refusal):
		return routing.CircuitOpen
	case in.skipIncomplete && (code == CodeMissingFields || code == CodeUnsupported):
		return routing.Incomplete
	}
	return ""
}

// firstTaking is the place of the first candidate that does not refuse the order. One where the order would be held back is passed
// over: nothing would be sent there. What is wrong with the request at the first candidate is not evaded, unless a rule says so.
func (in *intake) firstTaking(candidates []Account, refusal func(Account) error) (at int, first error) {
	for i, a := range candidates {
		refused := refusal(a)
		if refused == nil {
			return i, nil
		}
		if first == nil {
			first = refused
		}
		if in.passOver(first) == "" {
			break
		}
		in.passedOver[a.Name] = cmp.Or(in.passOver(refused), routing.Incomplete)
	}
	return 0, first
}

// firstOffer is the order, and its attempt, at the first of the candidates that takes it.
func (s *Service) firstOffer(ctx context.Context, in intake, candidates []Account, number int) (o *Order, a attempt, err error) {
	var of offer
	at, err := in.firstTaking(candidates, func(account Account) (refused error) {
		o, of, refused = s.offerAt(ctx, in, account, number)
		return refused
	})
	if err != nil {
		return nil, attempt{}, err
	}
	a = attempt{operation: of.operation, call: of.call, until: s.latest(o), number: number, failover: in.failover, cascade: o.Cascade}
	if rest := unlimited(candidates[at+1:]); len(rest) > 0 && number < mostAttempts && (a.failover || a.cascade != CascadeNone) {
		a.elsewhere = func(ctx context.Context) (*Order, attempt, error) { return s.firstOffer(ctx, in, rest, number+1) }
	}
	return o, a, nil
}

// unlimited leaves out the accounts with limits of their own.
func unlimited(accounts []Account) []Account {
	return slices.DeleteFunc(slices.Clone(accounts), func(a Account) bool { return len(a.Limits) > 0 })
}

// offerAt is the order as it would go to an account, or why it cannot.
func (s *Service) offerAt(ctx context.Context, in intake, a Account, number int) (*Order, offer, error) {
	to, err := s.targetOf(a)
	if err != nil {
		return nil, offer{}, err
	}
	if in.minor > 0 {
		in.order.Amount = money.New(in.minor, a.Currency)
	}
	o, err := s.newOrder(ctx, in.order.at(a), number)
	if err != nil {
		return nil, offer{}, err
	}
	of, err := in.offer(ctx, to, o)
	if err != nil {
		return nil, offer{}, err
	}
	return o, of, heldBack(to.gateway, of.ref)
}

// childIntake is a request for an order that belongs to a payment, such as its refund. It goes where the payment went.
type childIntake struct {
	payment Key
	// order is as in intake; offer completes it by its payment.
	order Order
	// complete checks the payment, and completes the order by it.
	complete func(ctx context.Context, parent *Order, to target, o *Order) error
	offer    func(parent *Order, to target, o *Order) (offer, error)
}

// acceptChild is accept for an order that belongs to a payment. A repeat is answered before anything is checked: the payment
// may have changed since.
func (s *Service) acceptChild(ctx context.Context, in childIntake) (*Order, bool, error) {
	parent, to, err := s.existing(ctx, in.payment, gateway.KindPayment)
	if err != nil {
		return nil, false, err
	}
	if earlier, err := s.Earlier(ctx, in.order.ShopID, in.order.Kind, in.order.Reference, in.order.RequestHash); earlier != nil || err != nil {
		return earlier, false, err
	}
	if err := continues(ctx, to.account); err != nil {
		return nil, false, err
	}
	if parent.Erased {
		return nil, false, &Error{Code: CodeInvalidState, Message: "The payment was erased, and with it what the provider needs to go on with it: nothing can be refunded or charged on it any more. Nothing was stored or sent."}
	}
	in.order.ParentID, in.order.NotificationURL = &parent.ID, orElse(in.order.NotificationURL, parent.NotificationURL)
	if err := in.complete(ctx, parent, to, &in.order); err != nil {
		return nil, false, err
	}
	o, err := s.newOrder(ctx, in.order.at(to.account), 1)
	if err != nil {
		return nil, false, err
	}
	of, err := in.offer(parent, to, o)
	if err != nil {
		return nil, false, err
	}
	if err := heldBack(to.gateway, of.ref); err != nil {
		return nil, false, err
	}
	return s.begin(ctx, o, attempt{operation: of.operation, call: of.call, until: s.latest(o)})
}

// at is the order with its account.
func (o Order) at(a Account) Order { //nolint:gocritic // a new order, copied on purpose
	o.Provider, o.AccountID, o.AccountName = a.Provider, a.ID, a.Name
	return o
}
