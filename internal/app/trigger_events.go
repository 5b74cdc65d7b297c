//go:build !production

package app

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
)

// Amounts of docs/guides/testing.md that meet a fault, and one that meets none.
const (
	plainAmount         = 1000
	answerLostAmount    = 777701 // and paid by itself
	callbackLateAmount  = 777710
	refundRefusedAmount = 777712
	refundLateAmount    = 777713
	chargebackAmount    = 777714
	lateSuccessAmount   = 777716
)

// Test cards of docs/guides/testing.md.
const (
	paidCard, declinedCard = "4012000000003010", "4003830171874018" // of a payout at SmartCore

	uapayPaid, uapayChallenged, uapayDeclined, uapayPending, uapayCanceled = "4111111111111111", "5454545454545454", "4000000000000002", "4000000000000119", "4000000000000127"
)

// untriggered are events that a simulator cannot make, with the reason.
var untriggered = map[string]string{
	"payment.imported":     "An operator's command makes it: 'server mandate import', see docs/guides/recurring.md.",
	"refund.canceled":      "No provider cancels a refund: each says that it succeeded or failed.",
	"payout_card.canceled": "SmartCore, the only provider with payout cards, has no such end: a form that the customer leaves is payout_card.failed.",
}

// triggers are what makes each event happen. The notification is awaited by whoever calls.
var triggers = map[string]func(context.Context, *trigger) error{
	"payment.unknown":         makesPayment(answerLostAmount),
	"payment.requires_action": makesPayment(plainAmount),
	"payment.succeeded":       makesPaid(plainAmount),
	"payment.failed":          makesPayment(plainAmount, completes("fail")),
	"payment.authorized":      makesHeld(),
	"payment.processing":      makesHeld(awaits("payment.authorized"), asks("/capture", map[string]any{"amount": plainAmount})),
	"payment.canceled":        makesHeld(awaits("payment.authorized"), asks("/cancel", nil)),
	"payment.late_success":    makesLatePayment(),

	"refund.unknown":      makesPaid(callbackLateAmount, losesAnswer("refund"), refunds), // a quick callback would tell before the loss is noticed
	"refund.processing":   makesPaid(plainAmount, refunds),
	"refund.succeeded":    makesPaid(plainAmount, refunds),
	"refund.failed":       makesPaid(refundRefusedAmount, refunds),
	"refund.late_success": makesPaid(refundLateAmount, refunds),

	"payout.unknown":      makesPayout(answerLostAmount, paidCard),
	"payout.processing":   makesPayout(plainAmount, paidCard),
	"payout.succeeded":    makesPayout(plainAmount, paidCard),
	"payout.failed":       makesPayout(plainAmount, declinedCard),
	"payout.late_success": makesPayout(lateSuccessAmount, declinedCard),
	"payout.canceled":     makesHryvniaPayout(uapayCanceled),
	"payout.returned":     makesHryvniaPayout(uapayPaid, awaits("payout.succeeded"), happens("refund"), refreshes),

	"payout_card.unknown":         makesPayoutCard(true),
	"payout_card.requires_action": makesPayoutCard(false),
	"payout_card.processing":      makesPayoutCard(false, polledOnce),
	"payout_card.succeeded":       makesPayoutCard(false, completes("success")),
	"payout_card.failed":          makesPayoutCard(false, completes("fail")),

	"transfer.unknown":         makesTransfer(answerLostAmount, uapayPaid),
	"transfer.processing":      makesTransfer(plainAmount, uapayPending),
	"transfer.requires_action": makesTransfer(plainAmount, uapayChallenged),
	"transfer.succeeded":       makesTransfer(plainAmount, uapayPaid),
	"transfer.failed":          makesTransfer(plainAmount, uapayDeclined),
	"transfer.canceled":        makesTransfer(plainAmount, uapayCanceled),
	"transfer.returned":        makesTransfer(plainAmount, uapayPaid, awaits("transfer.succeeded"), happens("refund"), refreshes),

	"dispute.opened":  makesPaid(chargebackAmount),
	"dispute.closed":  makesPaid(chargebackAmount, resolves("accept")),
	"dispute.updated": makesLatePayment(resolves("refund")),
}

// triggerEvents are the names of all events.
func triggerEvents() []string {
	return slices.Sorted(maps.Keys(func() map[string]bool {
		all := map[string]bool{}
		for event := range triggers {
			all[event] = true
		}
		for event := range untriggered {
			all[event] = true
		}
		return all
	}()))
}

// step goes on with an order that was made.
type step func(context.Context, *trigger, made) error

// begins makes an order and takes the steps after it.
func begins(path string, body func() map[string]any, steps ...step) func(context.Context, *trigger) error {
	return func(ctx context.Context, t *trigger) error {
		o, err := t.create(ctx, path, body())
		for i := 0; err == nil && i < len(steps); i++ {
			err = steps[i](ctx, t, o)
		}
		return err
	}
}

// payer is who pays in all of them.
var payer = json.RawMessage(`{"first_name": "John", "last_name": "Doe", "email": "john@example.com", "phone": "+442079460612", "ip": "127.0.0.1",
	"address": {"line": "10 Downing Street", "city": "London", "postal_code": "SW1A 2AA", "country": "GB"}}`)

// makesPayment makes one on the form of SmartCore.
func makesPayment(amount int, steps ...step) func(context.Context, *trigger) error {
	return begins("/v1/payments", func() map[string]any {
		return map[string]any{"amount": amount, "currency": "EUR", "description": "Blue socks", "customer": payer}
	}, steps...)
}

// makesPaid makes a payment that succeeds.
func makesPaid(amount int, steps ...step) func(context.Context, *trigger) error {
	return makesPayment(amount, append([]step{completes("success"), awaits("payment.succeeded")}, steps...)...)
}

// makesLatePayment makes a payment that fails, and is paid after all.
func makesLatePayment(steps ...step) func(context.Context, *trigger) error {
	return makesPayment(plainAmount, append([]step{completes("fail"), awaits("payment.failed"), happens("late_success")}, steps...)...)
}

// makesHeld makes a payment whose money is held.
func makesHeld(steps ...step) func(context.Context, *trigger) error {
	return begins("/v1/payments", func() map[string]any {
		return map[string]any{
			"amount": plainAmount, "currency": "EUR", "description": "Blue socks", "customer": payer, "capture": "manual", "flow": "direct",
			"site_url": "https://shop.example", "payment_method": map[string]any{"type": "card", "card": map[string]any{"number": paidCard, "exp_month": 12, "exp_year": 2030, "cvc": "739", "holder": "John Doe"}},
		}
	}, steps...)
}

func makesPayout(amount int, number string, steps ...step) func(context.Context, *trigger) error {
	return makesPayoutFrom("EUR-sandbox-payout", amount, number, steps...)
}

func makesHryvniaPayout(number string, steps ...step) func(context.Context, *trigger) error {
	return makesPayoutFrom("UAH-sandbox-p2p", plainAmount, number, steps...)
}

func makesPayoutFrom(account string, amount int, number string, steps ...step) func(context.Context, *trigger) error {
	return begins("/v1/payouts", func() map[string]any {
		return map[string]any{"amount": amount, "account": account, "description": "Winnings", "method": map[string]any{"type": "card", "card": map[string]any{"number": number}}}
	}, steps...)
}

// makesPayoutCard makes a card that its holder leaves at SmartCore.
func makesPayoutCard(lost bool, steps ...step) func(context.Context, *trigger) error {
	leave := begins("/v1/payout-cards", func() map[string]any { return map[string]any{"account": "EUR-sandbox-payout"} }, steps...)
	if !lost {
		return leave
	}
	return func(ctx context.Context, t *trigger) error {
		if err := t.loseAnswer(ctx, "withdrawal/tokenize-form"); err != nil {
			return err
		}
		return leave(ctx, t)
	}
}

// makesTransfer makes one between cards at UAPAY.
func makesTransfer(amount int, from string, steps ...step) func(context.Context, *trigger) error {
	return begins("/v1/transfers", func() map[string]any {
		return map[string]any{
			"amount": amount, "currency": "UAH", "account": "UAH-sandbox-p2p", "description": "Dinner", "customer": map[string]any{"phone": "+380000000000"},
			"from": map[string]any{"card": map[string]any{"number": from, "exp_month": 3, "exp_year": 2031, "cvc": "739"}},
			"to":   map[string]any{"card": map[string]any{"number": uapayPaid}},
		}
	}, steps...)
}

func completes(outcome string) step {
	return func(ctx context.Context, t *trigger, o made) error { return t.complete(ctx, o, outcome) }
}

func happens(what string) step {
	return func(ctx context.Context, t *trigger, o made) error { return t.later(ctx, o, what) }
}

func awaits(event string) step {
	return func(ctx context.Context, t *trigger, _ made) error {
		_, err := t.await(ctx, event)
		return err
	}
}

func losesAnswer(endpoint string) step {
	return func(ctx context.Context, t *trigger, _ made) error { return t.loseAnswer(ctx, endpoint) }
}

// asks changes the payment, as the shop does.
func asks(what string, body any) step {
	return func(ctx context.Context, t *trigger, o made) error {
		var now made
		return t.client.call(ctx, http.MethodPost, "/v1/payments/"+o.ID+what, body, &now)
	}
}

// refreshes lets the service ask the provider now.
func refreshes(ctx context.Context, t *trigger, o made) error {
	var now made
	return t.client.call(ctx, http.MethodPost, "/v1/orders/"+o.ID+"/refresh", nil, &now)
}

func refunds(ctx context.Context, t *trigger, o made) error {
	_, err := t.create(ctx, "/v1/payments/"+o.ID+"/refunds", map[string]any{"amount": plainAmount, "reason": "the socks are too small"})
	return err
}

// resolves decides about the dispute as soon as it is there.
func resolves(action string) step {
	return func(ctx context.Context, t *trigger, _ made) error {
		n, err := t.await(ctx, "dispute.opened")
		if err != nil {
			return err
		}
		var now struct{ ID string }
		return t.client.call(ctx, http.MethodPost, "/v1/disputes/"+n.Dispute.ID+"/resolve", map[string]any{"action": action}, &now)
	}
}

// polledOnce lets a status poll find the order under way at the provider.
func polledOnce(ctx context.Context, t *trigger, o made) error {
	if err := t.control(ctx, o.Provider, "/faults", map[string]any{"kind": "check_lie", "order_id": o.ProviderOrderID, "status": 1, "count": 1}); err != nil {
		return err
	}
	return refreshes(ctx, t, o)
}
