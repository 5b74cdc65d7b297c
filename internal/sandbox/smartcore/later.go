package smartcore

import (
	"fmt"
	"slices"

	"payrelay/internal/sandbox/control"
	"payrelay/internal/sandbox/names"
)

// Afterwards lists what Later takes.
func Afterwards() []string {
	return []string{control.Refund, control.Chargeback, control.LateSuccess, control.LateRefund, control.ChargedTwice}
}

// Later lets something happen to a payment, or a late success to a withdrawal, that its merchant did not ask for. The documents say nothing of any of it (only that
// type has more values than Payment and Refund); that money which goes back is reported as a Refund is assumed.
func (t *Simulator) Later(id string, what control.Later) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.orders.anyMerchant(id)
	switch {
	case o == nil:
		return fmt.Errorf("%s of %s: %w", what.What, id, ErrUnknownOrder)
	case o.Type != "Payment" && (!o.Withdrawal() || what.What != control.LateSuccess):
		return fmt.Errorf("%s of %s: %w: it is no payment", what.What, id, control.ErrNotNow)
	}
	happen := map[string]func(*Order, control.Later) error{
		control.Refund: t.refundInCabinet, control.Chargeback: t.chargeBack, control.LateSuccess: t.succeedLate,
		control.LateRefund: t.refundLate, control.ChargedTwice: t.chargeTwice,
	}[what.What]
	if happen == nil {
		return names.Check("what", what.What, Afterwards())
	}
	o.muted = what.NoCallback
	err := happen(o, what)
	o.muted = false
	if err != nil {
		return fmt.Errorf("%s of %s: %w", what.What, id, err)
	}
	return nil
}

// taken reports whether the money of a payment was taken.
func (o *Order) taken() error {
	if o.Status != StatusSuccess || o.Stage != StageDone {
		return fmt.Errorf("%w: it is no successful payment", control.ErrNotNow)
	}
	return nil
}

// refundInCabinet is a refund like any other, but for who asked for it.
func (t *Simulator) refundInCabinet(o *Order, what control.Later) error {
	if err := o.taken(); err != nil {
		return err
	}
	amount, err := what.Share(o.FinalAmount - o.Refunded)
	if err != nil {
		return err
	}
	r := t.giveBack(o, OpCabinet, amount, o.CallbackURL)
	r.muted = what.NoCallback
	t.enter(r, StageProcessing, StatusProcessing)
	t.settleLater(r, t.settings.ProcessingMS)
	return nil
}

// chargeBack takes a sum back at once. A bank does not ask what was refunded before, nor what it has taken back already.
func (t *Simulator) chargeBack(o *Order, what control.Later) error {
	if err := o.taken(); err != nil {
		return err
	}
	amount, err := what.Share(o.FinalAmount)
	if err != nil {
		return err
	}
	r := t.giveBack(o, OpBack, amount, o.CallbackURL)
	r.muted = what.NoCallback
	t.succeed(r)
	return nil
}

// succeedLate takes the money of a payment that had failed or was canceled, or pays a withdrawal out that had failed.
func (t *Simulator) succeedLate(o *Order, _ control.Later) error {
	if o.Status != StatusFailed || o.Stage != StageDone {
		return fmt.Errorf("%w: it is no failed payment", control.ErrNotNow)
	}
	if o.Withdrawal() {
		t.accounts[accountKey{o.Merchant, o.Account}].Balance -= o.Amount
	}
	o.Error, o.Cascade, o.Canceled, o.RRN = "", nil, false, t.nextRRN()
	t.end(o, StageDone, StatusSuccess)
	return nil
}

// refundLate carries out the newest refund that had failed. Its check and its callback say so from then on.
func (t *Simulator) refundLate(o *Order, what control.Later) error {
	for _, r := range slices.Backward(t.orders.refundsOf(o)) {
		if r.Operation != OpRefund || r.Status != StatusFailed {
			continue
		}
		if r.Amount > o.FinalAmount-o.Refunded {
			return fmt.Errorf("%w: less than %d is left of the payment", control.ErrNotNow, r.Amount)
		}
		o.Refunded += r.Amount
		t.note(o, "refund of %d carried out after all", r.Amount)
		r.muted = what.NoCallback
		t.succeed(r)
		return nil
	}
	return fmt.Errorf("%w: it has no refund that failed", control.ErrNotNow)
}

// chargeTwice takes the money once more. Only the RRN tells.
func (t *Simulator) chargeTwice(o *Order, _ control.Later) error {
	if err := o.taken(); err != nil {
		return err
	}
	o.EarlierRRNs, o.RRN = append(o.EarlierRRNs, o.RRN), t.nextRRN()
	t.note(o, "charged once more, RRN %s", o.RRN)
	t.callback(o)
	return nil
}
