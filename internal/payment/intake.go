package payment

import (
	"context"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
)

// intake is a request for a new order. Each use case says what is its own; the steps are the same for all: route, open, check
// what the provider can do and needs, write down, send.
type intake struct {
	// order is what the shop said of it. Its account and ids are still to come.
	order Order
	// account is a name, or "" for routing by currency, "" being the account's, and purpose.
	account  string
	currency money.Currency
	purpose  Purpose
	// minor is the order's amount where the account says in which currency.
	minor int64
	// offer says what would be sent, or why it cannot be.
	offer func(context.Context, target, *Order) (offer, error)
}

// target is where an order goes.
type target struct {
	account     Account
	gateway     gateway.Gateway
	callbackURL string
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
	account, err := s.route(ctx, in.order.ShopID, in.account, in.currency, in.purpose)
	if err != nil {
		return s.rejectOrReplay(ctx, &in.order, err)
	}
	gw, err := s.open(account)
	if err != nil {
		return nil, false, err
	}
	if in.minor > 0 {
		in.order.Amount = money.New(in.minor, account.Currency)
	}
	to := target{account, gw.gateway, s.CallbackURL(account)}
	o, err := s.newOrder(ctx, in.order.at(account))
	if err != nil {
		return nil, false, err
	}
	of, err := in.offer(ctx, to, o)
	if err != nil {
		return s.rejectOrReplay(ctx, o, err)
	}
	if err := heldBack(gw.gateway, of.ref); err != nil {
		return s.rejectOrReplay(ctx, o, err)
	}
	return s.begin(ctx, o, attempt{operation: of.operation, call: of.call, until: s.latest(o)})
}

// childIntake is a request for an order that belongs to a payment, such as its refund. It goes where the payment went.
type childIntake struct {
	payment Key
	// order is as in intake; offer completes it by its payment.
	order Order
	// complete checks the payment, and completes the order by it.
	complete func(parent *Order, to target, o *Order) error
	offer    func(parent *Order, to target, o *Order) (offer, error)
}

// acceptChild is accept for an order that belongs to a payment. A repeat is answered before anything is checked: the payment
// may have changed since.
func (s *Service) acceptChild(ctx context.Context, in childIntake) (*Order, bool, error) {
	parent, gw, account, err := s.parent(ctx, in.payment)
	if err != nil {
		return nil, false, err
	}
	if earlier, err := s.Earlier(ctx, in.order.ShopID, in.order.Kind, in.order.Reference, in.order.RequestHash); earlier != nil || err != nil {
		return earlier, false, err
	}
	to := target{account, gw.gateway, s.CallbackURL(account)}
	in.order.ParentID, in.order.NotificationURL = &parent.ID, orElse(in.order.NotificationURL, parent.NotificationURL)
	if err := in.complete(parent, to, &in.order); err != nil {
		return nil, false, err
	}
	o, err := s.newOrder(ctx, in.order.at(account))
	if err != nil {
		return nil, false, err
	}
	of, err := in.offer(parent, to, o)
	if err != nil {
		return nil, false, err
	}
	if err := heldBack(gw.gateway, of.ref); err != nil {
		return nil, false, err
	}
	return s.begin(ctx, o, attempt{operation: of.operation, call: of.call, until: s.latest(o)})
}

// at is the order with its account.
func (o Order) at(a Account) Order { //nolint:gocritic // a new order, copied on purpose
	o.Provider, o.AccountID, o.AccountName = a.Provider, a.ID, a.Name
	return o
}
