package smartcore

import (
	"context"
	"strconv"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
)

// stateCaptured remembers the sum of a partial capture: older installations do not name a finalAmount (A20).
const stateCaptured = "captured"

// Capture implements gateway.Capturer (4.4). The whole sum is captured by naming none.
func (g *Gateway) Capture(ctx context.Context, ref gateway.Ref, amount money.Money) (gateway.Result, error) {
	if amount.Currency() != ref.Amount.Currency() || amount.Minor() <= 0 || amount.Minor() > ref.Amount.Minor() {
		return gateway.Result{}, &gateway.Error{
			Kind: gateway.KindInvalid, Op: capture.op,
			Fields: []gateway.FieldError{{Field: "amount", Message: "must be more than zero and at most what is held"}},
		}
	}
	ref.Operation = gateway.OpCapture
	body := orderRequest{OrderID: ref.OrderID}
	if amount.Minor() < ref.Amount.Minor() {
		body.Amount = strconv.FormatInt(amount.Minor(), 10)
		ref.State = map[string]gateway.Secret{stateCaptured: gateway.Secret(body.Amount)}
	} else {
		ref.State = nil
	}
	result, err := g.command(ctx, capture, ref, body)
	if err == nil {
		result.State = ref.State
	}
	return result, err
}

// capturedPart is the sum of the partial capture that was asked for, nil if all was.
func capturedPart(ref gateway.Ref) *int64 {
	minor, err := strconv.ParseInt(ref.State[stateCaptured].Reveal(), 10, 64)
	if err != nil || minor <= 0 || minor > ref.Amount.Minor() {
		return nil
	}
	return &minor
}

// Cancel implements gateway.Canceler (4.5). It releases held money; the reference knows no other cancel.
func (g *Gateway) Cancel(ctx context.Context, ref gateway.Ref) (gateway.Result, error) {
	ref.Operation = gateway.OpCancel
	return g.command(ctx, cancel, ref, orderRequest{OrderID: ref.OrderID})
}

// command sends a capture or cancel. Of the answer only the status is read, because its form differs between
// installations (A3), and an end is confirmed by a check (A4). With err filled the call itself failed, and a status of -1
// beside it is no success of a cancel: what the check then says about the order decides.
func (g *Gateway) command(ctx context.Context, e endpoint, ref gateway.Ref, body orderRequest) (gateway.Result, error) {
	r, err := g.post(ctx, e, body)
	switch {
	case err != nil:
		return gateway.Result{}, err
	case saysNotFound(string(r.Err)):
		return gateway.Result{}, r.err(gateway.KindNotFound, e, string(r.Err))
	case r.Err != "":
		checked, err := g.Fetch(ctx, ref)
		switch {
		case err != nil:
			return gateway.Result{}, r.err(gateway.KindUnknown, e, string(r.Err))
		case checked.Status == gateway.StatusCanceled:
			return checked, nil
		}
		return gateway.Result{}, r.err(gateway.KindRefused, e, string(r.Err))
	case !r.Status.set:
		return gateway.Result{}, r.err(gateway.KindUnknown, e, "no_status")
	}
	claimed := gateway.Result{Status: statusOf(r.Status.value, ref.Operation, false), Evidence: r.evidence}
	if claimed.Status == gateway.StatusFailed {
		claimed.Failure = failureOf(string(r.ErrorCode), r.Cascade, r.hide)
	}
	if id := fit(string(r.OrderID), idShape); id != ref.OrderID {
		claimed.ProviderReference = id
	}
	if r.Status.is(statusSuccess) || r.Status.is(statusFail) {
		return g.confirm(ctx, ref, claimed), nil
	}
	return claimed, nil
}
