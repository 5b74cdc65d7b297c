package uapay

import (
	"net/url"
	"slices"
	"strings"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/kit"
)

// The words of the payment system, and of the invoicer (uapay.md 8.9).
var (
	systemWords   = []string{"OPEN", "PENDING", "NEEDS_CONFIRMATION", "PAYED", "HOLDED", "FINISHED", "REJECTED", "CANCELED", "CLOSED", "REVERSED", "RETURNED"}
	invoicerWords = []string{"NEW", "PAID", "FINISHED", "REVERSED", "CANCELED"}
)

// state is what the provider says of a payment, in its own words.
type state struct{ system, invoicer string }

// checkState reads an answer of checkStatus, where status is the payment system's word (uapay.md 8.9).
func checkState(a answer) state { return align(string(a.Status), string(a.PaymentStatus)) }

// shownState reads an answer of payments/show or a member of an invoice's payments, where status is the invoicer's word.
func shownState(a answer) state { return align(string(a.PaymentStatus), string(a.Status)) }

// align puts the two words in order. Where they can only be read the other way round, they are.
func align(system, invoicer string) state {
	fits := func(system, invoicer string) bool {
		return (system == "" || slices.Contains(systemWords, system)) && (invoicer == "" || slices.Contains(invoicerWords, invoicer))
	}
	if !fits(system, invoicer) && fits(invoicer, system) {
		system, invoicer = invoicer, system
	}
	return state{system, invoicer}
}

// meaning is a state in neutral words.
type meaning struct {
	status gateway.Status
	// waiting says that it is the payer's turn, as far as the words tell.
	waiting bool
	// reversed says that the money went back.
	reversed bool
}

// money reports whether a payment has or had the payer's money, held or taken.
func (m meaning) money() bool {
	return m.status == gateway.StatusSucceeded || m.status == gateway.StatusAuthorized || m.reversed
}

// reported reports whether a payment is over, or has the payer's money: it is known what became of it.
func (m meaning) reported() bool { return m.status != gateway.StatusProcessing && m.status != "" }

// word is the payment system's word for a state. Where only the invoicer's is known, it is the one that stands for it. A
// word of the invoicer's that is not listed says nothing.
func (s state) word() string {
	switch {
	case s.system != "":
		return s.system
	case s.invoicer == "NEW":
		return "OPEN"
	case s.invoicer == "PAID":
		return "PAYED"
	case slices.Contains(invoicerWords, s.invoicer):
		return s.invoicer
	}
	return ""
}

// meaning reads a state by the last operation that was asked for (uapay.md 15.1). The zero meaning is of words that are
// not listed.
func (s state) meaning(op gateway.Operation) meaning {
	switch s.word() {
	case "OPEN", "NEEDS_CONFIRMATION":
		return meaning{status: gateway.StatusProcessing, waiting: true}
	case "PENDING", "PAYED":
		return meaning{status: gateway.StatusProcessing}
	case "HOLDED":
		if s.invoicer == "PAID" && op == gateway.OpAuthorize {
			return meaning{status: gateway.StatusAuthorized}
		}
		// Not placed yet, a step of a plain payment, or what was asked since is still under way.
		return meaning{status: gateway.StatusProcessing}
	case "FINISHED":
		return meaning{status: gateway.StatusSucceeded}
	case "REJECTED":
		return meaning{status: gateway.StatusFailed}
	case "CANCELED", "CLOSED":
		return meaning{status: gateway.StatusCanceled}
	case "REVERSED", "RETURNED":
		if op == gateway.OpAuthorize || op == gateway.OpCancel {
			return meaning{status: gateway.StatusCanceled} // held money was let go
		}
		return meaning{status: gateway.StatusSucceeded, reversed: true}
	}
	return meaning{}
}

// The names of what is stored with an order.
const (
	stateInvoice = "invoice_id"
	statePayment = "payment_id"
	stateKey     = "key"        // unlocks the card's code for confirm and TermUrl (uapay.md 8.1)
	stateReturn  = "return_url" // where the payer goes after 3-D Secure
	stateDirect  = "direct"     // the card came through us, so that we lead the payer through 3-D Secure
	stateLeft    = "attempts_left"
	stateLater   = "scheduled" // it is a later charge of a subscription
	stateEngine  = "engine"    // which of the provider's two engines knows a transfer
)

// saved makes a State of pairs, leaving out empty values.
func saved(pairs ...string) map[string]gateway.Secret {
	out := map[string]gateway.Secret{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			out[pairs[i]] = gateway.Secret(pairs[i+1])
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// recall returns a stored value that has the shape of an id, or "".
func recall(ref gateway.Ref, name string) string {
	return kit.Fit(ref.State[name].Reveal(), kit.IDShape)
}

// result makes a result of what an answer says about ref. words holds the statuses, sums and card; a may be another
// answer that holds what the payer must do.
func (g *Gateway) result(r reply, words answer, m meaning, ref gateway.Ref) gateway.Result {
	out := gateway.Result{Status: m.status, Amount: words.Amount.Pointer(), ProviderData: r.providerData, PaymentMethod: masked(words.CardFromMasked)}
	if words.Currency != "" {
		out.Currency = currency // any other was rejected before
	}
	if m.waiting {
		if next := g.nextAction(r.answer, ref); next != nil {
			out.Status, out.NextAction = gateway.StatusRequiresAction, next
		}
	}
	switch out.Status {
	case gateway.StatusFailed:
		out.Failure = rejected()
	case gateway.StatusSucceeded:
		out.Settled, out.Amount = settled(words, ref)
		if m.reversed {
			out.Refunded = out.Settled
			if out.Refunded == nil {
				out.Refunded = words.Amount.Pointer()
			}
			if out.Refunded == nil {
				minor := ref.Amount.Minor()
				out.Refunded = &minor
			}
		}
	case gateway.StatusProcessing, gateway.StatusRequiresAction, gateway.StatusAuthorized, gateway.StatusCanceled:
		if ref.Operation == gateway.OpCapture && words.Amount.Value < ref.Amount.Minor() {
			out.Amount = nil // a lowered sum is no other order
		}
	}
	return out
}

// settled is how much of a payment the provider says moved, nil if it does not say, and the sum that it is about. After a
// partial capture a lower sum is what was taken. Of the order's own sum the documents do not say which of the two it is:
// what was asked for is not put in its place.
func settled(a answer, ref gateway.Ref) (moved, amount *int64) {
	if ref.Operation == gateway.OpCapture && a.Amount.Set && a.Amount.Value > 0 && a.Amount.Value < ref.Amount.Minor() {
		return a.Amount.Pointer(), nil
	}
	return nil, a.Amount.Pointer()
}

// rejected says that the provider declined. It never gives a reason.
func rejected() *gateway.Failure {
	return &gateway.Failure{
		Category: gateway.FailureUnknown, Code: "REJECTED", Advice: gateway.AdviceCustomerMayRetry, Cascade: []gateway.CascadeError{}, Retry: gateway.RetryUnknown,
		Message: "The provider or the card's bank refused, and the provider does not say why.",
	}
}

// nextAction is what the payer must do (uapay.md 8.2 to 8.4), nil if that is not known.
func (g *Gateway) nextAction(a answer, ref gateway.Ref) *gateway.NextAction {
	c := a.Confirmation
	if c == nil {
		return nil
	}
	switch c.Type {
	case "LOOKUP":
		next := &gateway.NextAction{Type: gateway.ActionConfirmCode}
		if c.Left.Set && c.Left.Value >= 0 {
			left := int(c.Left.Value)
			next.AttemptsLeft = &left
		}
		return next
	case "3DS":
		term := termURL(a, ref)
		if term == "" || !kit.MayOpen(string(c.URL), g.base) || !kit.MayOpen(term, g.base) {
			return nil
		}
		form := map[string]string{}
		for name, value := range c.Form { // all of them, also those that are not documented
			form[name] = string(value)
		}
		form["TermUrl"] = term
		return &gateway.NextAction{Type: gateway.ActionPostForm, URL: string(c.URL), Fields: form}
	}
	return nil
}

// termURL is where the issuer sends the payer back to: a page of the provider, which finishes the payment and sends the
// payer on to the shop (uapay.md 8.3).
func termURL(a answer, ref gateway.Ref) string {
	r := a.Redirect
	if r == nil || r.URL == "" {
		r = a.Confirmation.Redirect
	}
	if r == nil || r.URL == "" {
		return ""
	}
	id, key := string(r.Params.ID), string(a.Key)
	if id == "" {
		id = string(a.ID)
	}
	if key == "" {
		key = ref.State[stateKey].Reveal()
	}
	query := "?id=" + url.QueryEscape(id)
	if key != "" {
		query += "&key=" + url.QueryEscape(key)
	}
	if back := ref.State[stateReturn].Reveal(); back != "" {
		query += "&redirect=" + url.QueryEscape(back)
	}
	return string(r.URL) + query
}

// classicMeaning reads the status of a transfer of the classic engine (uapay.md 15.3).
func classicMeaning(a answer) meaning {
	switch a.Status {
	case "NEEDS_CONFIRMATION":
		return meaning{status: gateway.StatusProcessing, waiting: true}
	case "PENDING", "OPEN":
		return meaning{status: gateway.StatusProcessing}
	case "FINISHED":
		return meaning{status: gateway.StatusSucceeded}
	case "REJECTED":
		return meaning{status: gateway.StatusFailed}
	case "REVERSED":
		return meaning{status: gateway.StatusSucceeded, reversed: true}
	case "CANCELED":
		return meaning{status: gateway.StatusCanceled}
	}
	return meaning{}
}

// has reports whether a payment has an operation of a type and status; of no type, a debit or credit.
func (a answer) has(kind, status text) bool {
	return slices.ContainsFunc(a.Operations, func(o operation) bool {
		return o.Status == status && (kind == o.Type || kind == "" && (o.Type == "SEND" || o.Type == "RECEIVE"))
	})
}

// returned is how much went back, as the payment or its operations say. Of two sums that differ the larger one counts: the
// other is not up to date, or leaves a way out of which the documents do not tell.
func (a answer) returned() number {
	sum := number{}
	for _, o := range a.Operations {
		if o.Type == "RETURN" && o.Status == "FINISHED" && o.Amount.Set {
			sum = number{Value: sum.Value + o.Amount.Value, Set: true}
		}
	}
	if back := a.ReturnAmount; back.Set && (!sum.Set || back.Value > sum.Value) {
		return back
	}
	return sum
}

// splitMeaning reads a transfer or payout of the newer engine (uapay.md 15.2), and what went back of it, nil for nothing.
// Whatever the payment's own status, money that went back was taken before.
func splitMeaning(a answer) (m meaning, refunded *int64) {
	m = a.splitStatus()
	back := a.returned()
	switch ended := m.status == gateway.StatusFailed || m.status == gateway.StatusCanceled; {
	case m.reversed && !back.Set:
		return m, a.Amount.Pointer() // REVERSED and RETURNED say that all went back
	case !back.Set || back.Value == 0:
		return m, nil
	case a.Amount.Set && back.Value >= a.Amount.Value:
		return meaning{status: gateway.StatusSucceeded, reversed: true}, back.Pointer()
	case ended || a.has("RETURN", "FINISHED"):
		return meaning{status: gateway.StatusSucceeded}, back.Pointer()
	}
	return m, back.Pointer()
}

// splitStatus is splitMeaning without what went back. The payment's own status says nothing while it is OPEN: that follows a
// cancel as well as a challenge, so the operations decide.
func (a answer) splitStatus() meaning {
	switch strings.TrimSpace(string(a.Status)) {
	case "FINISHED":
		if a.PendingAmount.Value > 0 {
			return meaning{status: gateway.StatusProcessing}
		}
		return meaning{status: gateway.StatusSucceeded}
	case "REJECTED":
		return meaning{status: gateway.StatusFailed}
	case "REVERSED", "RETURNED":
		return meaning{status: gateway.StatusSucceeded, reversed: true}
	case "CANCELED":
		return meaning{status: gateway.StatusCanceled}
	case "WAITING_COMPLETE":
		if a.has("SEND", "FINISHED") && a.has("RETURN", "NEEDS_COMPLETE") {
			return meaning{status: gateway.StatusSucceeded} // a refund was begun and is not done
		}
		return meaning{status: gateway.StatusProcessing}
	case "OPEN", "NEEDS_CONFIRMATION", "PENDING":
		switch {
		case a.has("", "NEEDS_CONFIRMATION"):
			return meaning{status: gateway.StatusRequiresAction, waiting: true}
		case a.has("", "CANCELED") && !a.has("", "FINISHED"):
			return meaning{status: gateway.StatusCanceled}
		}
		return meaning{status: gateway.StatusProcessing}
	}
	return meaning{}
}
