package uapay

import (
	"fmt"
	"slices"

	"payrelay/internal/sandbox/control"
	"payrelay/internal/sandbox/names"
)

// Afterwards lists what Later takes.
func Afterwards() []string {
	return []string{control.Refund, control.Chargeback, control.LateSuccess, control.LateRefund, control.ChargedTwice, control.SubscriptionCharge}
}

// Later lets something happen to an order's newest payment that its merchant did not ask for. The documents have a word for money
// that went back, REVERSED, and none for why; that a chargeback shows as that is assumed.
func (t *Simulator) Later(id string, what control.Later) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.store.any(id)
	switch {
	case o == nil:
		return fmt.Errorf("%s of %s: %w", what.What, id, ErrUnknownOrder)
	case o.Payment() == nil:
		return fmt.Errorf("%s of %s: %w: nobody has paid it", what.What, id, control.ErrNotNow)
	}
	happen := map[string]func(*Order, *Payment, control.Later) error{
		control.Refund: t.refundInCabinet, control.Chargeback: t.chargeBack, control.LateSuccess: t.succeedLate,
		control.LateRefund: t.refundLate, control.ChargedTwice: t.chargeTwice, control.SubscriptionCharge: t.chargeNow,
	}[what.What]
	if happen == nil {
		return names.Check("what", what.What, Afterwards())
	}
	o.muted = what.NoCallback
	err := happen(o, o.Payment(), what)
	o.muted = false
	if err != nil {
		return fmt.Errorf("%s of %s: %w", what.What, id, err)
	}
	return nil
}

// taken reports whether the money of a payment was taken, whatever went back of it.
func (p *Payment) taken() error {
	if !slices.Contains([]string{SystemFinished, SystemReversed}, p.System) {
		return fmt.Errorf("%w: it has no finished payment", control.ErrNotNow)
	}
	return nil
}

// refundInCabinet refunds a part or the rest. A transfer gets no RETURN operation.
func (t *Simulator) refundInCabinet(o *Order, p *Payment, what control.Later) error {
	if err := p.taken(); err != nil {
		return err
	}
	amount, err := what.Share(p.paid() - p.Refunded)
	if err == nil {
		t.reverse(o, p, amount)
	}
	return err
}

// chargeBack takes a sum back. A bank does not ask what was refunded before, nor what it has taken back already.
func (t *Simulator) chargeBack(o *Order, p *Payment, what control.Later) error {
	if err := p.taken(); err != nil {
		return err
	}
	amount, err := what.Share(p.paid())
	if err == nil {
		t.note(o, "chargeback of %d", amount)
		t.reverse(o, p, amount)
	}
	return err
}

// succeedLate takes the money of a payment that had ended without success.
func (t *Simulator) succeedLate(o *Order, p *Payment, _ control.Later) error {
	if !slices.Contains([]string{SystemRejected, SystemCanceled, SystemClosed}, p.System) {
		return fmt.Errorf("%w: its payment has not failed", control.ErrNotNow)
	}
	t.end(o, p, SystemFinished)
	return nil
}

// refundLate carries out the last refund that was refused, or acknowledged and ignored.
func (t *Simulator) refundLate(o *Order, p *Payment, _ control.Later) error {
	amount := p.notRefunded
	switch {
	case amount == 0:
		return fmt.Errorf("%w: it has no refund that was refused", control.ErrNotNow)
	case amount > p.paid()-p.Refunded:
		return fmt.Errorf("%w: less than %d is left of the payment", control.ErrNotNow, amount)
	}
	p.notRefunded = 0
	t.reverse(o, p, amount)
	return nil
}

// chargeTwice adds a second payment by the same card.
func (t *Simulator) chargeTwice(o *Order, p *Payment, _ control.Later) error {
	if o.Kind != KindInvoice || o.Type == "SUBSCRIBE" || p.System != SystemFinished {
		return fmt.Errorf("%w: it is no finished payment of an invoice", control.ErrNotNow)
	}
	t.end(o, t.newPayment(o, p.Card, p.Amount), SystemFinished)
	return nil
}

// chargeNow lets the next charge of a subscription come before its time, or one more after its end.
func (t *Simulator) chargeNow(o *Order, _ *Payment, _ control.Later) error {
	if o.Inactive || o.lastDue.IsZero() {
		return fmt.Errorf("%w: it is no subscription that was paid", control.ErrNotNow)
	}
	t.charge(o)
	return nil
}
