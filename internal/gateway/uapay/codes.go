package uapay

import (
	"context"
	"maps"
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
	e, params, err := codeCall(ref, code.Reveal())
	if err != nil {
		return gateway.Result{}, err
	}
	r, err := g.call(ctx, e, &params, nil, params.Code, params.Key)
	if err != nil && !r.reported {
		return gateway.Result{}, err
	}
	checked, readErr := g.Fetch(ctx, ref)
	switch {
	case err != nil && readErr != nil:
		return gateway.Result{}, err
	case err != nil:
		return r.codeNotTaken(e, checked, ref)
	case readErr != nil:
		return gateway.Result{Status: gateway.StatusProcessing, ProviderData: r.providerData}, nil
	case codeAwaited(checked) && !fewer(checked.NextAction, ref): // the provider is not done with the code yet
		checked.Status, checked.NextAction = gateway.StatusProcessing, nil
	}
	return checked, nil
}

// codeCall is the call that confirms an order with a code.
func codeCall(ref gateway.Ref, code string) (endpoint, codeParams, error) {
	e, params := paymentsConfirm, codeParams{Code: code, Key: ref.State[stateKey].Reveal()}
	params.InvoiceID, params.PaymentID = recall(ref, stateInvoice), recall(ref, statePayment)
	if ref.Kind == gateway.KindTransfer || bySplit(ref) {
		e, params.ID = p2pConfirm, params.PaymentID
		params.InvoiceID, params.PaymentID = "", ""
	}
	var f fields
	f.need("code", kit.Fit(code, wordShape))
	switch {
	case len(f) > 0:
		return e, params, gateway.Refuse(e.op, f)
	case params.ID == "" && (params.PaymentID == "" || params.InvoiceID == ""):
		return e, params, &gateway.Error{Kind: gateway.KindDeclined, Op: e.op, Code: "nothing_to_confirm"}
	case params.ID == "" && params.Key == "":
		return e, params, &gateway.Error{Kind: gateway.KindDeclined, Op: e.op, Code: gateway.CodeKeyLost}
	}
	return e, params, nil
}

// codeNotTaken says what became of an order whose confirmation the provider answered with an error. checked is how the order
// reads after it.
func (r reply) codeNotTaken(e endpoint, checked gateway.Result, ref gateway.Ref) (gateway.Result, error) {
	switch {
	case codeAwaited(checked) && counted(checked.NextAction, ref) && !fewer(checked.NextAction, ref):
		return gateway.Result{}, r.err(gateway.KindDeclined, e, gateway.CodeNotTried) // a code that is wrong costs an attempt
	case codeAwaited(checked):
		maps.Copy(checked.ProviderData, r.providerData)
	case checked.Status == gateway.StatusFailed: // there is no other try
		checked.Failure.Category = gateway.FailureAuthentication
		checked.Failure.Message = "The code was wrong for the last time."
	}
	return checked, nil // whatever became of it, this is how things are
}

// codeAwaited reports whether an order waits for a code.
func codeAwaited(r gateway.Result) bool {
	return r.NextAction != nil && r.NextAction.Type == gateway.ActionConfirmCode
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
