package payment

import (
	"context"
	"fmt"
	"time"

	"payrelay/internal/faultpoint"
	"payrelay/internal/gateway"
	"payrelay/internal/money"
)

// Capture takes held money, all of it when minor is 0. It returns the order as it is after the provider's answer:
// processing while the outcome is not known. Errors: CodeInvalidState, CodeAmountTooLarge, CodeUnsupported, and
// CodeProviderFailed when nothing was sent and the money is still held.
func (s *Service) Capture(ctx context.Context, key Key, minor int64) (*Order, error) {
	return s.command(ctx, key, gateway.OpCapture, func(gw gateway.Gateway, o *Order) error {
		switch {
		case minor < 0 || minor > o.Authorized:
			return &Error{
				Code: CodeAmountTooLarge, Message: fmt.Sprintf("The amount is more than what is held. Capture at most %d.", o.Authorized),
				Fields: []gateway.FieldError{{Field: "amount", Message: fmt.Sprintf("must be at most %d", o.Authorized)}},
			}
		case minor == 0:
			minor = o.Authorized
		}
		o.CaptureAmount = minor
		return refusesPart(gw, o)
	}, func(ctx context.Context, gw gateway.Gateway, o *Order) (gateway.Result, error) {
		c, ok := gw.(gateway.Capturer)
		if !ok {
			return gateway.Result{}, unsupported("capture")
		}
		return c.Capture(ctx, o.Ref(), money.New(minor, o.Amount.Currency()))
	})
}

// refusesPart says why the account's provider does not take what is to be captured, or nil.
func refusesPart(gw gateway.Gateway, o *Order) error {
	fields := gw.Check(gateway.CaptureRequest{Ref: o.Ref(), Amount: money.New(o.CaptureAmount, o.Amount.Currency())})
	if len(fields) == 0 {
		return nil
	}
	return &Error{
		Code: CodeUnsupported, Message: "The provider of account " + o.AccountName + " cannot do this.",
		Fields: fields,
	}
}

// Cancel releases held money, or gives up a payment that the customer has not paid, where the provider can. Errors as for
// Capture.
func (s *Service) Cancel(ctx context.Context, key Key) (*Order, error) {
	return s.command(ctx, key, gateway.OpCancel, func(gateway.Gateway, *Order) error { return nil },
		func(ctx context.Context, gw gateway.Gateway, o *Order) (gateway.Result, error) {
			c, ok := gw.(gateway.Canceler)
			if !ok {
				return gateway.Result{}, unsupported("cancel")
			}
			return c.Cancel(ctx, o.Ref())
		})
}

// command does something to a held payment: the order is processing, with what was asked written down, before the
// provider hears of it, so that of a capture and a cancel at once exactly one goes out.
func (s *Service) command(ctx context.Context, key Key, op gateway.Operation, prepare func(gateway.Gateway, *Order) error,
	call func(context.Context, gateway.Gateway, *Order) (gateway.Result, error),
) (*Order, error) {
	until := s.Now().Add(s.ProviderTimeout) // for the question before the command and the command together
	o, gw, unpaid, err := s.commandable(ctx, key, op)
	if err != nil {
		return nil, err
	}
	unverified, err := s.probe(ctx, o, gw, prepare, until)
	if err != nil {
		return nil, err
	}
	o, err = s.Store.UpdateOrder(ctx, key, func(o *Order) error {
		if err := holds(o, op, unpaid); err != nil {
			return err
		}
		if reason := unverified(o); reason != "" {
			return &Error{Code: CodeProviderFailed, Message: fmt.Sprintf("%s The %s was not sent. Try again later.", reason, op)}
		}
		if err := prepare(gw, o); err != nil {
			return err
		}
		o.command(s.policy(), op, s.Now())
		return nil
	})
	if err != nil {
		return nil, err
	}
	faultpoint.Hit("command-written")
	if latest := s.latest(o); latest.Before(until) { // the database's clock was set back meanwhile
		until = latest
	}
	written := o
	o, callErr, err := s.attempt(ctx, o, attempt{operation: string(op), until: until, call: func(ctx context.Context) (gateway.Result, error) {
		return call(ctx, gw, written)
	}})
	if err != nil {
		return nil, err
	}
	if callErr != nil && (o.Status == StatusAuthorized || o.Status == StatusRequiresAction) {
		return o, notDone(op, callErr)
	}
	return o, nil
}

// commandable loads an order that a command may go out for, and its gateway. unpaid says that the provider can cancel also
// what nobody has paid yet.
func (s *Service) commandable(ctx context.Context, key Key, op gateway.Operation) (o *Order, gw gateway.Gateway, unpaid bool, err error) {
	o, to, err := s.existing(ctx, key, gateway.KindPayment)
	if err != nil {
		return nil, nil, false, err
	}
	if err := continues(ctx, to.account); err != nil {
		return nil, nil, false, err
	}
	if err := to.account.allows(commandNeeds[op]); err != nil {
		return nil, nil, false, err
	}
	gw = to.gateway
	if u, ok := gw.(gateway.UnpaidCanceler); ok {
		unpaid = u.CancelsUnpaid()
	}
	if err := holds(o, op, unpaid); err != nil {
		return nil, nil, false, err
	}
	asked := o.Ref()
	asked.Operation = op
	return o, gw, unpaid, heldBack(gw, asked)
}

// probe asks how a hold is just before a command, where its provider needs that to tell later whether the command arrived.
// What it returns says why the command may not go out for the order as it is when asked, "" if it may.
func (s *Service) probe(ctx context.Context, o *Order, gw gateway.Gateway, prepare func(gateway.Gateway, *Order) error, until time.Time,
) (unverified func(*Order) string, err error) {
	prober, ok := gw.(gateway.HoldProber)
	if !ok || o.Status != StatusAuthorized {
		return func(*Order) string { return "" }, nil
	}
	trial := *o
	if err := prepare(gw, &trial); err != nil {
		return nil, err
	}
	_, reported, err := s.poll(ctx, o, false)
	if err != nil {
		return nil, err
	}
	sequence := o.Sequence
	return func(o *Order) string { return s.unseen(o, prober, reported, sequence, until) }, nil
}

// command writes down what the provider is about to be asked for.
func (o *Order) command(p Policy, op gateway.Operation, now time.Time) {
	o.Operation, o.ReportedAmount = op, nil
	o.StatusReason, o.FormLost = "", false
	o.Verification = o.OnCommand(now)
	if o.Status != StatusProcessing { // an unpaid one whose form nobody can reach has no step to make
		o.step(StatusProcessing, SourceRequest, gateway.ProviderData{"operation": string(op)}, now)
		o.snapshot()
	}
	o.intend(p, now)
}

// unseen says why a command must not be sent after a look at its hold, or "": whether a lost one arrived could not be told
// later. told is what the look answered, and sequence the order's before it. Another look, recorded since, may be an older one.
// A command that is sent just before until, when its time is over, would only be lost.
func (s *Service) unseen(o *Order, prober gateway.HoldProber, reported gateway.Result, sequence int, until time.Time) string {
	switch {
	case reported.Status == "":
		return "The provider does not answer, or does not tell how the hold stands."
	case Status(reported.Status) != StatusAuthorized || prober.HoldUnverified(o.Ref()):
		return "The provider does not show the hold."
	case o.Sequence != sequence:
		return "The payment changed meanwhile."
	case until.Sub(s.Now()) < s.ProviderTimeout/leastShare:
		return "The provider is slow, and too little time was left."
	}
	for k, v := range reported.State {
		if o.ProviderState[k] != v {
			return "The hold is changing at the provider."
		}
	}
	return ""
}

// leastShare is the part of ProviderTimeout, one in so many, that must be left for a command after the look at its hold.
const leastShare = 4

// holds says why op cannot be done to an order, or nil. unpaid says that the provider can give up an unpaid payment.
func holds(o *Order, op gateway.Operation, unpaid bool) error {
	switch {
	case o.Status == StatusAuthorized:
		return nil
	case op == gateway.OpCancel && unpaid && o.unpaid():
		return nil
	case op == gateway.OpCancel && o.unpaid():
		return &Error{Code: CodeUnsupported, Message: "The provider of this account cannot give up a payment that the customer may still make. It ends by itself when the provider gives it up."}
	case o.Status == StatusProcessing && o.modificationPending():
		return &Error{Code: CodeInvalidState, Message: fmt.Sprintf("A %s of this payment is under way. Its notification tells how it ended.", o.Operation)}
	}
	return &Error{Code: CodeInvalidState, Message: fmt.Sprintf("A %s needs a payment that is authorized; this one is %s.", op, o.Status)}
}

// notDone tells the shop why nothing was sent, or that the provider did nothing.
func notDone(op gateway.Operation, err error) error {
	if k := gateway.KindOf(err); k == gateway.KindUnsupported {
		return &Error{Code: CodeUnsupported, Message: fmt.Sprintf("The provider of this account cannot do a %s.", op), Err: err}
	}
	return providerFailed(fmt.Sprintf("The %s was not done; nothing changed. Try again later.", op), err)
}

func unsupported(op string) *gateway.Error {
	return &gateway.Error{Kind: gateway.KindUnsupported, Op: op}
}
