package uapay

import (
	"context"
	"crypto/subtle"
	"fmt"
	"strings"
	"time"

	"payrelay/internal/plural"
	"payrelay/internal/sandbox/control"
	"payrelay/internal/sandbox/fault"
	"payrelay/internal/sandbox/names"
	"payrelay/internal/sandbox/recipe"
)

// Functions of this file expect the simulator's mutex to be held, except those that say otherwise.

func (t *Simulator) note(o *Order, format string, args ...any) {
	if len(o.History) >= 200 {
		o.History = o.History[1:]
	}
	o.History = append(o.History, Event{At: t.now().UTC(), Text: fmt.Sprintf(format, args...)})
}

// newPayment opens a payment of an order.
func (t *Simulator) newPayment(o *Order, card *Card, amount int64) *Payment {
	now := t.now().UTC()
	p := &Payment{
		ID: newID(), Number: t.nextNumber(), ReceiptID: newReceipt(), Amount: amount, Commission: t.commission(amount), Card: card,
		Email: o.Email, System: SystemOpen, Invoicer: InvoicerNew, Stage: StageOpen, CreatedAt: now, UpdatedAt: now,
		key: newKey(), md: newID(),
	}
	o.Payments = append(o.Payments, p)
	t.store.index(o, p)
	t.note(o, "payment %d of %d opened", p.Number, p.Amount)
	return p
}

// set changes the statuses of an unfinished payment.
func (t *Simulator) set(o *Order, p *Payment, stage Stage, system, invoicer string) {
	p.Stage, p.System, p.Invoicer, p.UpdatedAt = stage, system, invoicer, t.now().UTC()
	p.visit++
	t.note(o, "payment %d: %s / %s", p.Number, system, invoicer)
	t.follow(p)
	if t.settings.CallbackNonTerminal && !p.Terminal() {
		t.callback(o, p)
	}
}

// end gives a payment its outcome and tells the merchant.
func (t *Simulator) end(o *Order, p *Payment, system string) {
	now := t.now().UTC()
	stage := StageDone
	switch system {
	case SystemHolded:
		stage = StageHeld
		p.PaidAt, p.Held = &now, p.Amount
	case SystemFinished:
		if p.PaidAt == nil {
			p.PaidAt = &now
		}
	case SystemReversed:
		p.ReversedAt = &now
	}
	if o.Kind == KindDirect && system == SystemFinished {
		t.addOperation(o, p, Operation{Type: opReceive, Status: SystemFinished, Amount: p.Amount})
	}
	t.set(o, p, stage, system, invoicerOf(system))
	t.callback(o, p)
	t.afterRecipe(o, false)
	if system == SystemFinished && o.Type == "SUBSCRIBE" {
		t.planCharge(o)
	}
}

// later runs do after a while unless the payment left its present stage.
func (t *Simulator) later(wait time.Duration, o *Order, p *Payment, do func(*Order, *Payment)) {
	// By id, so that a long wait does not keep a forgotten order in memory.
	orderID, paymentID, visit := o.ID, p.ID, p.visit
	t.queue.After(wait, func(context.Context) {
		t.mu.Lock()
		defer t.mu.Unlock()
		if o := t.store.orders[orderID]; o != nil {
			if p := o.payment(paymentID); p != nil && p.visit == visit {
				do(o, p)
			}
		}
	})
}

func (t *Simulator) decideLater(o *Order, p *Payment) {
	t.later(ms(t.settings.ProcessingMS), o, p, t.decide)
}

func (t *Simulator) rule(o *Order, p *Payment) *Rule {
	for i, r := range t.settings.Rules {
		if (r.ExternalPrefix == "" || strings.HasPrefix(o.ExternalID, r.ExternalPrefix)) && (r.Amount == 0 || r.Amount == p.Amount) {
			return &t.settings.Rules[i]
		}
	}
	return nil
}

// decide lets a rule or the card say what becomes of an open payment.
func (t *Simulator) decide(o *Order, p *Payment) {
	if r := t.rule(o, p); r != nil {
		t.apply(o, p, r.Outcome)
		return
	}
	switch {
	case o.is(recipe.Paid):
		t.apply(o, p, "success")
		return
	case o.is(recipe.Declined):
		t.apply(o, p, "fail")
		return
	case o.is(recipe.FailsAuthentication) && o.Kind != KindA2C && !p.unchallenged:
		t.apply(o, p, "3ds")
		return
	}
	card := p.Card
	if o.Kind == KindA2C {
		card = o.CardTo
	}
	b := card.behaviour
	if b == behaviourUnknown {
		b = behaviourReject
		if t.settings.UnknownCard == "succeed" {
			b = behaviourSuccess
		}
	}
	if (o.Kind == KindA2C || p.unchallenged) && (b == behaviour3DS || b == behaviourLookup) {
		b = behaviourSuccess // the receiver of a payout is never asked
	}
	outcomes := map[behaviour]Outcome{
		behaviourSuccess: "success", behaviour3DS: "3ds", behaviourLookup: "lookup", behaviourReject: "fail", behaviourPending: "pending",
		behaviourCancel: "cancel", behaviourClose: "closed",
	}
	t.apply(o, p, outcomes[b])
}

// Outcome is how a payer, or a test in the payer's place, moves an order; see Outcomes.
type Outcome string

// Outcomes lists what Complete and rules take.
func Outcomes() []Outcome {
	return []Outcome{"success", "fail", "cancel", "closed", "pending", "3ds", "lookup", "timeout", "hold_expired"}
}

// Errors of Complete.
var (
	ErrUnknownOrder = control.ErrUnknownOrder
	ErrFinished     = control.ErrFinished
)

func (t *Simulator) apply(o *Order, p *Payment, outcome Outcome) {
	switch outcome {
	case "success":
		t.succeed(o, p)
	case "fail":
		t.end(o, p, SystemRejected)
	case "cancel", "timeout", "hold_expired":
		t.end(o, p, SystemCanceled)
	case "closed":
		t.end(o, p, SystemClosed)
	case "pending":
		t.set(o, p, StagePending, SystemPending, InvoicerNew)
	case "3ds":
		t.set(o, p, Stage3DS, SystemConfirm, InvoicerNew)
		t.later(ms(t.settings.ConfirmTimeoutMS), o, p, t.abandon)
	case "lookup":
		p.AttemptsLeft = t.settings.LookupAttempts
		t.set(o, p, StageLookup, SystemConfirm, InvoicerNew)
		t.later(ms(t.settings.ConfirmTimeoutMS), o, p, t.abandon)
	}
}

func (t *Simulator) abandon(o *Order, p *Payment) { t.end(o, p, SystemCanceled) }

func (t *Simulator) succeed(o *Order, p *Payment) {
	switch {
	case o.Type == "HOLD" && t.settings.HoldUnpaidMS > 0:
		t.set(o, p, StageOpen, SystemHolded, InvoicerNew)
		t.later(ms(t.settings.HoldUnpaidMS), o, p, t.hold)
	case o.Type == "HOLD":
		t.hold(o, p)
	case t.settings.PayedMS > 0:
		t.set(o, p, StageOpen, SystemPayed, InvoicerPaid)
		t.later(ms(t.settings.PayedMS), o, p, func(o *Order, p *Payment) { t.end(o, p, SystemFinished) })
	default:
		t.end(o, p, SystemFinished)
	}
}

func (t *Simulator) hold(o *Order, p *Payment) {
	t.end(o, p, SystemHolded)
	t.later(t.settings.scaled(t.settings.HoldTTLMS), o, p, func(o *Order, p *Payment) {
		t.note(o, "nobody completed the hold")
		t.end(o, p, SystemCanceled)
	})
}

// reverse refunds a part or the rest of a payment.
func (t *Simulator) reverse(o *Order, p *Payment, amount int64) {
	p.Refunded += amount
	t.note(o, "%d reversed, %d of %d in all", amount, p.Refunded, p.paid())
	if p.Refunded >= p.paid() || t.settings.PartialReverse == "reversed" {
		t.end(o, p, SystemReversed)
		return
	}
	p.UpdatedAt = t.now().UTC()
}

// lookup judges a payer's code and counts the attempts; after the last one the
// payment is rejected, which is assumed.
func (t *Simulator) lookup(o *Order, p *Payment, code string) bool {
	if subtle.ConstantTimeCompare([]byte(code), []byte(t.settings.LookupCode)) == 1 {
		t.confirmed(o, p)
		return true
	}
	p.AttemptsLeft--
	t.note(o, "wrong code, %s left", plural.Of(p.AttemptsLeft, "attempt", "attempts"))
	if p.AttemptsLeft <= 0 {
		t.end(o, p, SystemRejected)
	}
	return false
}

// confirmed goes on after a challenge that was passed.
func (t *Simulator) confirmed(o *Order, p *Payment) {
	if o.is(recipe.FailsAuthentication) {
		t.end(o, p, SystemRejected)
		return
	}
	t.set(o, p, StagePending, SystemPending, InvoicerNew)
	if p.hosted {
		t.succeed(o, p)
		return
	}
	t.later(ms(t.settings.ProcessingMS), o, p, t.succeed)
}

// expireLater closes an invoice that was not paid in time.
func (t *Simulator) expireLater(o *Order) {
	if o.PayUntil != nil {
		t.closeLater(o, o.PayUntil.Sub(t.now()))
	}
	if ttl := t.settings.InvoiceTTLMS; ttl > 0 {
		t.closeLater(o, ms(ttl))
	}
}

// closeLater closes an invoice after a while unless somebody began to pay it.
func (t *Simulator) closeLater(o *Order, wait time.Duration) {
	id := o.ID
	t.queue.After(wait, func(context.Context) {
		t.mu.Lock()
		defer t.mu.Unlock()
		if o := t.store.orders[id]; o != nil && !o.Inactive && o.Payment() == nil {
			t.closeInvoice(o, "the time to pay is over")
		}
	})
}

// planCharge arms the next charge of a subscription. Intervals are scaled, so the
// dates of charges follow the plan and not the clock.
func (t *Simulator) planCharge(o *Order) {
	p := o.Payment()
	if o.lastDue.IsZero() {
		o.lastDue = *p.PaidAt
	}
	at := o.lastDue.AddDate(0, 0, int(o.Interval))
	o.PlannedAt = &at
	if at.After(*o.ExpiresAt) {
		o.PlannedAt = nil
		t.note(o, "subscription is over")
		return
	}
	t.later(t.settings.scaled(int(o.Interval)*24*3_600_000), o, p, func(o *Order, p *Payment) {
		if !o.Inactive && o.PlannedAt != nil && o.PlannedAt.Equal(at) && o.Payment() == p {
			t.charge(o)
		}
	})
}

// charge is the planned charge of a subscription.
func (t *Simulator) charge(o *Order) {
	if o.PlannedAt != nil {
		o.lastDue = *o.PlannedAt
	}
	next := t.newPayment(o, o.Payment().Card, o.Amount)
	if r := t.rule(o, next); r != nil {
		t.apply(o, next, r.Outcome)
		return
	}
	t.succeed(o, next) // the payer proved the card with the first payment
}

// Complete moves the newest payment of an order as if the payer had done it. An
// invoice without a payment gets one, by the card that succeeds.
func (t *Simulator) Complete(id string, outcome Outcome) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.store.any(id)
	if o == nil {
		return fmt.Errorf("complete %s: %w", id, ErrUnknownOrder)
	}
	return t.complete(o, outcome)
}

func (t *Simulator) complete(o *Order, outcome Outcome) error {
	if err := names.Check("outcome", outcome, Outcomes()); err != nil {
		return fmt.Errorf("complete %s: %w", o.ExternalID, err)
	}
	p := o.Payment()
	switch {
	case p != nil && outcome == "hold_expired" && p.Stage == StageHeld:
	case p != nil && !p.Terminal():
	case o.Kind == KindInvoice && t.payable(o) == "":
		amount := o.Amount
		if amount == 0 {
			amount = 100
		}
		p = t.newPayment(o, newCard(o.ClientID, CardSuccess), amount)
		t.store.cards.put(p.Card.ID, p.Card)
	default:
		return fmt.Errorf("complete %s: %w", o.ExternalID, ErrFinished)
	}
	if o.Kind == KindA2C && o.CardTo == nil {
		o.CardTo = newCard(o.ClientID, CardSuccess)
	}
	if p.Card == nil && o.Kind != KindA2C {
		p.Card = newCard(o.ClientID, CardSuccess)
	}
	t.apply(o, p, outcome)
	return nil
}

// beforeAnswer delivers the order's callback while the call that made it is
// still unanswered, when the fault asks for it. It must be called without the mutex.
func (t *Simulator) beforeAnswer(ctx context.Context, endpoint string, o *Order) {
	f, ok := t.faults.Take(endpoint, o.ExternalID, fault.CallbackBeforeAnswer).Find(fault.CallbackBeforeAnswer)
	if !ok {
		return
	}
	t.mu.Lock()
	p := o.Payment()
	switch {
	case f.Outcome != "":
		_ = t.complete(o, Outcome(f.Outcome)) // an outcome that fits nothing leaves the order alone
	case p != nil && p.Stage == StageOpen:
		t.decide(o, p)
	}
	var last *Callback
	if n := len(o.Callbacks); n > 0 {
		last = o.Callbacks[n-1]
	}
	t.mu.Unlock()
	if last != nil {
		t.sender.Deliver(ctx, &last.Delivery)
	}
}
