package smartcore

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/kit"
	"payrelay/internal/money"
)

// The provider's statuses (smartcore.md 7). Compare with each: both -1 and 1 are "not zero".
const (
	statusWaiting    = 0 // for the customer, on a form or a 3-D Secure page
	statusProcessing = 1
	statusSuccess    = 2
	statusFail       = -1 // and, after a cancel, done
)

// statusOf reads a status by what was asked last (smartcore.md 14.4). Zero means that the combination says nothing
// certain. held is whether the provider filled authorize_status.
func statusOf(status int64, op gateway.Operation, held bool) gateway.Status {
	switch op {
	case gateway.OpAuthorize:
		switch {
		case status == statusSuccess, status == statusProcessing && held:
			return gateway.StatusAuthorized
		}
	case gateway.OpCancel:
		switch status {
		case statusFail:
			return gateway.StatusCanceled
		case statusSuccess:
			return "" // the cancel took no effect, and nobody knows whether money is held or taken
		}
	case gateway.OpCapture:
		if status == statusWaiting {
			return gateway.StatusProcessing
		}
	case gateway.OpSale:
	}
	switch status {
	case statusWaiting:
		return gateway.StatusRequiresAction
	case statusProcessing:
		return gateway.StatusProcessing
	case statusSuccess:
		return gateway.StatusSucceeded
	case statusFail:
		return gateway.StatusFailed
	}
	return "" // smartcore.md 7: any other value leaves the order where it is
}

// kindOf reads a transaction's type (smartcore.md 4.6).
func kindOf(t string) gateway.Kind {
	switch t {
	case "Payment":
		return gateway.KindPayment
	case "Refund":
		return gateway.KindRefund
	case "Withdrawal":
		return gateway.KindPayout
	}
	return ""
}

// settled is the sum that a success names (smartcore.md A20), as it is: nil if it names none. Nothing else is said of one.
func settled(status, final number) *int64 {
	if !status.Is(statusSuccess) {
		return nil
	}
	return final.Pointer()
}

// bankReferences names the movement of money that an answer or callback is about. One that is masked names none.
func bankReferences(rrn string, hide kit.Redactor) []string {
	if rrn = kit.Fit(rrn, rrnField); rrn == "" || absent(rrn) || keptRRN(rrn, hide) != rrn {
		return nil
	}
	return []string{rrn}
}

// read turns an answer about ref into a result.
func (g *Gateway) read(r reply, ref gateway.Ref) gateway.Result {
	result := gateway.Result{
		Status:       statusOf(r.Status.Value, ref.Operation, r.AuthorizeStatus != ""),
		ProviderData: r.providerData, PaymentMethod: r.Card.masked(),
	}
	if !r.Status.Set {
		result.Status = ""
	}
	r.compare(&result, ref)
	if ref.Kind != gateway.KindPayoutCard { // smartcore.md 14.7: a kept card has no amount, and any type
		result.Kind = kindOf(string(r.Type))
		result.Amount = r.Amount.Pointer()
		if c := money.Currency(r.Currency); c.Valid() {
			result.Currency = c
		}
		if result.Status == gateway.StatusSucceeded || ref.Operation == gateway.OpAuthorize {
			result.Settled = settled(r.Status, r.FinalAmount)
		}
		result.BankReferences = bankReferences(string(r.RRN), r.hide)
	}
	switch result.Status {
	case gateway.StatusFailed:
		result.Failure = failureOf(r.failureCode(), r.Cascade, r.hide)
	case gateway.StatusProcessing, gateway.StatusRequiresAction:
		if next := g.nextAction(r.answer); next != nil {
			result.Status, result.NextAction = gateway.StatusRequiresAction, next
		}
	case gateway.StatusAuthorized, gateway.StatusSucceeded, gateway.StatusCanceled:
	}
	return result
}

// processingID is the shape of the provider's own ids in form addresses (smartcore.md 6).
var processingID = regexp.MustCompile(`^[0-9a-f]{24}$`)

// reference is the provider's id of the order, if the answer tells one (smartcore.md A1): an order_id that is not ours,
// or the end of the form's address.
func (a answer) reference(sent string) string {
	for _, id := range []text{a.RefundID, a.PaymentID, a.ProcessingOrderID, a.OrderID} {
		if s := kit.Fit(id, kit.IDShape); s != "" && s != sent {
			return s
		}
	}
	if u, err := url.Parse(string(a.FormURL)); err == nil {
		return kit.Fit(u.Path[strings.LastIndex(u.Path, "/")+1:], processingID)
	}
	return ""
}

// nextAction is what the customer must do, by smartcore.md 5: the form, else the issuer's page for 3-D Secure 2, else
// for 1. Nil if nothing can be done. A 3-D Secure method call has no address to go to and is left out.
func (g *Gateway) nextAction(a answer) *gateway.NextAction {
	if form := string(a.FormURL); form != "" {
		if !g.mayOpen(form, true) {
			return nil
		}
		return &gateway.NextAction{Type: gateway.ActionRedirect, URL: form}
	}
	issuer := string(a.ACSURL)
	switch {
	case issuer == "" || !g.mayOpen(issuer, false):
		return nil
	case a.CReq != "":
		return &gateway.NextAction{Type: gateway.ActionPostForm, URL: issuer, Fields: map[string]string{"creq": string(a.CReq)}}
	case a.PaReq != "":
		return &gateway.NextAction{Type: gateway.ActionPostForm, URL: issuer, Fields: map[string]string{
			"PaReq": string(a.PaReq), "MD": string(a.MD), "TermUrl": string(a.TermURL),
		}}
	}
	return nil
}

// mayOpen reports whether a customer's browser may be sent to address (smartcore.md A28). The provider's own forms must be
// on a listed host, if hosts are listed.
func (g *Gateway) mayOpen(address string, form bool) bool {
	if !kit.MayOpen(address, g.bases[roleGateway]) {
		return false
	}
	u, err := url.Parse(address)
	return err == nil && (!form || len(g.formHosts) == 0 || slices.Contains(g.formHosts, strings.ToLower(u.Hostname())))
}
