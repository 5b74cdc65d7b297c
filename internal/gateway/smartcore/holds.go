package smartcore

import (
	"context"
	"fmt"
	"maps"
	"strconv"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/kit"
	"payrelay/internal/money"
)

// stateHold is how the latest check before a command showed the held money. The provider may show status 2 for a hold
// as for what is captured from it (smartcore.md A23): only a check that shows something else proves that a capture,
// whose answer was lost, arrived. Only a check tells it: answers have fewer fields, and are recorded late.
const stateHold = "hold"

// stateTried says that a capture was sent of which checks showed nothing. It may take effect all the same, so how the
// hold is shown is not learned anew from then on.
const stateTried = "tried"

// HoldUnverified implements gateway.HoldProber: how the hold is shown must be known before a capture or cancel is sent.
func (g *Gateway) HoldUnverified(ref gateway.Ref) bool { return ref.State[stateHold] == "" }

// compare stores how a hold is shown, or reads a check of an order with a capture or cancel under way against that. A hold that is shown otherwise
// after a capture that seemed lost says nothing certain: that capture may have arrived after all.
func (r reply) compare(result *gateway.Result, ref gateway.Ref) {
	hold, shown := ref.State[stateHold], r.shown()
	switch ref.Operation { //nolint:exhaustive // nothing is held by the others
	case gateway.OpAuthorize:
		switch {
		case result.Status != gateway.StatusAuthorized:
		case ref.State[stateTried] != "" && hold != "" && hold != shown:
			result.Status = ""
		default:
			result.State = map[string]gateway.Secret{stateHold: shown}
		}
	case gateway.OpCapture, gateway.OpCancel:
		if hold == "" || hold != shown {
			return
		}
		result.Status = unchanged(r.answer, ref)
		if ref.Operation == gateway.OpCapture {
			result.State = map[string]gateway.Secret{stateTried: "true"}
		}
	}
}

// shown is what a check tells of an order's state, for comparing with another check. The date at the end is the moment
// of the last change (smartcore.md 4.6).
func (a answer) shown() gateway.Secret {
	return gateway.Secret(fmt.Sprintf("%d|%s|%d|%s", a.Status.Value, a.AuthorizeStatus, a.FinalAmount.Value, a.EndDate))
}

// unchanged reads a check that shows an order with a capture or cancel under way as its hold was shown before: what was asked did not happen
// (smartcore.md 14.4), or not yet, which whoever has the answer to the last command can tell. A capture of which
// nothing but the status is shown, and that status is the one of a captured order as well, stays open: that check says
// nothing.
func unchanged(a answer, ref gateway.Ref) gateway.Status {
	if ref.Operation == gateway.OpCapture && a.Status.Is(statusSuccess) && a.EndDate == "" {
		return ""
	}
	return gateway.StatusAuthorized
}

// Capture implements gateway.Capturer (smartcore.md 4.4). The whole sum is captured by naming none.
func (g *Gateway) Capture(ctx context.Context, ref gateway.Ref, amount money.Money) (gateway.Result, error) {
	if bad := g.checkCapture(ref, amount); len(bad) > 0 {
		return gateway.Result{}, &gateway.Error{Kind: gateway.KindInvalid, Op: capture.op, Fields: bad}
	}
	ref.Operation = gateway.OpCapture
	body := orderRequest{OrderID: ref.OrderID}
	if amount.Minor() < ref.Amount.Minor() {
		body.Amount = strconv.FormatInt(amount.Minor(), 10)
	}
	return g.command(ctx, capture, ref, body)
}

// checkCapture is Check for a capture. The older text knows no amount of a capture (smartcore.md 4.4): an
// installation of it takes all that is held, whatever it is asked for.
func (g *Gateway) checkCapture(ref gateway.Ref, amount money.Money) []gateway.FieldError {
	switch held := ref.Amount; {
	case amount.Currency() != held.Currency() || amount.Minor() <= 0 || amount.Minor() > held.Minor():
		return []gateway.FieldError{{Field: "amount", Message: "must be more than zero and at most what is held"}}
	case amount.Minor() < held.Minor() && !g.partialCapture:
		return []gateway.FieldError{{Field: "amount", Message: "must be left out: this account captures all of a hold or nothing"}}
	}
	return nil
}

// Cancel implements gateway.Canceler (smartcore.md 4.5). It releases held money; the documents know no other cancel.
func (g *Gateway) Cancel(ctx context.Context, ref gateway.Ref) (gateway.Result, error) {
	ref.Operation = gateway.OpCancel
	return g.command(ctx, cancel, ref, orderRequest{OrderID: ref.OrderID})
}

// command sends a capture or cancel. Of the answer only the status is read, because its form differs between
// installations (smartcore.md A3), and an end is confirmed by a check (smartcore.md A4).
func (g *Gateway) command(ctx context.Context, e endpoint, ref gateway.Ref, body orderRequest) (gateway.Result, error) {
	r, err := g.post(ctx, e, body)
	switch {
	case err != nil:
		return gateway.Result{}, err
	case r.Err != "":
		return g.commandFailed(ctx, e, ref, r)
	case !r.Status.Set:
		return gateway.Result{}, r.err(gateway.KindUnknown, e, "no_status")
	}
	claimed := gateway.Result{Status: statusOf(r.Status.Value, ref.Operation, false), ProviderData: r.providerData}
	if claimed.Status == gateway.StatusFailed {
		claimed.Failure = failureOf(string(r.ErrorCode), r.Cascade, r.hide)
	}
	if id := kit.Fit(r.OrderID, kit.IDShape); id != ref.OrderID {
		claimed.ProviderReference = id
	}
	if r.Status.Is(statusSuccess) || r.Status.Is(statusFail) {
		return g.confirmCommand(ctx, e, ref, r, claimed)
	}
	return claimed, nil
}

// commandFailed reads an answer with err filled: the call itself failed. A status of -1 beside it is no success of a cancel:
// what the check then says about the order decides.
func (g *Gateway) commandFailed(ctx context.Context, e endpoint, ref gateway.Ref, r reply) (gateway.Result, error) {
	code := string(r.Err)
	if saysNotFound(code) {
		return gateway.Result{}, r.err(gateway.KindNotFound, e, code)
	}
	checked, err := g.Fetch(ctx, ref)
	switch {
	case err != nil:
		return gateway.Result{}, r.err(gateway.KindUnknown, e, code)
	case checked.Status == gateway.StatusCanceled, checked.Status == gateway.StatusSucceeded && ref.State[stateHold] != "":
		return checked, nil // an earlier command, whose answer was lost, had arrived
	case !declines(code):
		return gateway.Result{}, r.err(gateway.KindUnknown, e, code) // it may be carried out yet
	}
	return gateway.Result{}, r.err(gateway.KindDeclined, e, code)
}

// confirmCommand confirms an answer that claims an end. How the hold was shown has served after that: later checks are about an
// order that has ended, which may be shown just so.
func (g *Gateway) confirmCommand(ctx context.Context, e endpoint, ref gateway.Ref, r reply, claimed gateway.Result) (gateway.Result, error) {
	stored := ref.State[stateHold] != ""
	ref.State = nil // the answer is proof enough of a change
	confirmed, err := g.confirm(ctx, e, ref, r, claimed)
	if err != nil {
		return gateway.Result{}, err
	}
	if s := confirmed.Status; stored && (s == gateway.StatusSucceeded || s == gateway.StatusCanceled) {
		state := map[string]gateway.Secret{}
		maps.Copy(state, confirmed.State)
		state[stateHold] = ""
		confirmed.State = state
	}
	return confirmed, nil
}
