package uapay

import (
	"context"
	"strconv"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/kit"
)

// ConfirmCode implements gateway.CodeConfirmer, for payments (uapay.md 8.4) and transfers (uapay.md 9.1). A code that
// the provider did not take comes back as requires_action with a confirm_code action and the attempts that are left,
// and not as an error. How the provider tells a wrong code is not documented; inferred from both ways it could: an
// answer of error after which a code is still asked for, and an acknowledgement after which fewer attempts are left. An
// error that costs no attempt is about something else than the code: KindDeclined of gateway.CodeNotTried.
func (g *Gateway) ConfirmCode(ctx context.Context, ref gateway.Ref, code gateway.Secret) (gateway.Result, error) {
	e, params := paymentsConfirm, codeParams{Code: code.Reveal(), Key: ref.State[stateKey].Reveal()}
	params.InvoiceID, params.PaymentID = recall(ref, stateInvoice), recall(ref, statePayment)
	if ref.Kind == gateway.KindTransfer || bySplit(ref) {
		e, params.ID = p2pConfirm, params.PaymentID
		params.InvoiceID, params.PaymentID = "", ""
	}
	var f fields
	f.need("code", kit.Fit(code.Reveal(), wordShape))
	if len(f) > 0 {
		return gateway.Result{}, gateway.Refuse(e.op, f)
	}
	if params.ID == "" && (params.PaymentID == "" || params.InvoiceID == "") {
		return gateway.Result{}, &gateway.Error{Kind: gateway.KindDeclined, Op: e.op, Code: "nothing_to_confirm"}
	}
	if params.ID == "" && params.Key == "" {
		return gateway.Result{}, &gateway.Error{Kind: gateway.KindDeclined, Op: e.op, Code: gateway.CodeKeyLost}
	}
	r, err := g.call(ctx, e, &params, nil, code.Reveal(), params.Key)
	if err != nil && !r.reported {
		return gateway.Result{}, err
	}
	checked, readErr := g.Fetch(ctx, ref)
	codeAwaited := readErr == nil && checked.NextAction != nil && checked.NextAction.Type == gateway.ActionConfirmCode
	switch {
	case err != nil && readErr != nil:
		return gateway.Result{}, err
	case err != nil && codeAwaited && counted(checked.NextAction, ref) && !fewer(checked.NextAction, ref):
		return gateway.Result{}, r.err(gateway.KindDeclined, e, gateway.CodeNotTried) // a code that is wrong costs an attempt
	case err != nil && codeAwaited: // the code was not taken
		for name, value := range r.providerData {
			checked.ProviderData[name] = value
		}
		return checked, nil
	case err != nil:
		if checked.Status == gateway.StatusFailed { // the code was not taken, and there is no other try
			checked.Failure.Category = gateway.FailureAuthentication
			checked.Failure.Message = "The code was wrong for the last time."
		}
		return checked, nil // whatever became of it, this is how things are
	case readErr != nil:
		return gateway.Result{Status: gateway.StatusProcessing, ProviderData: r.providerData}, nil
	case codeAwaited && !fewer(checked.NextAction, ref): // the provider is not done with the code yet
		checked.Status, checked.NextAction = gateway.StatusProcessing, nil
	}
	return checked, nil
}

// counted reports whether an action tells the attempts that are left, and so did the one before.
func counted(next *gateway.NextAction, ref gateway.Ref) bool {
	return next.AttemptsLeft != nil && ref.State[stateLeft] != ""
}

// fewer reports whether an action has fewer attempts left than were left before.
func fewer(next *gateway.NextAction, ref gateway.Ref) bool {
	before, err := strconv.Atoi(ref.State[stateLeft].Reveal())
	return err == nil && next.AttemptsLeft != nil && *next.AttemptsLeft < before
}
