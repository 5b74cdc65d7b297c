package uapay

import (
	"context"
	"encoding/json"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/kit"
)

// Fetch implements gateway.Gateway.
func (g *Gateway) Fetch(ctx context.Context, ref gateway.Ref) (gateway.Result, error) {
	switch ref.Kind {
	case gateway.KindRefund:
		return g.fetchRefund(ctx, ref)
	case gateway.KindTransfer:
		return g.fetchTransfer(ctx, ref)
	case gateway.KindPayout:
		return g.fetchPayout(ctx, ref)
	case gateway.KindPayoutCard:
		return gateway.Result{}, gateway.Errorf(gateway.KindUnsupported, "fetch", "UAPAY keeps no cards for payouts")
	case gateway.KindPayment:
		if bySplit(ref) {
			return g.fetchC2A(ctx, ref)
		}
	}
	if invoiceID, paymentID := recall(ref, stateInvoice), recall(ref, statePayment); invoiceID != "" && paymentID != "" && ref.State[stateDirect] != "" {
		return g.checkStatus(ctx, ref, invoiceID, paymentID)
	}
	found, err := g.readInvoice(ctx, ref)
	if g.c2a && ref.Flow != gateway.FlowHosted && err != nil && gateway.KindOf(err) == gateway.KindNotFound {
		return g.fetchC2A(ctx, ref) // it never had an invoice; a hosted payment can have nothing else
	}
	if err != nil {
		return gateway.Result{}, err
	}
	return g.readPayment(ctx, ref, found)
}

// checkStatus asks about a payment that we lead the payer through (uapay.md 8.2). The answer's own id may differ from
// the payment's.
func (g *Gateway) checkStatus(ctx context.Context, ref gateway.Ref, invoiceID, paymentID string) (gateway.Result, error) {
	r, err := g.call(ctx, paymentsCheck, &paymentParams{PaymentID: paymentID, InvoiceID: invoiceID}, nil)
	if err != nil {
		return gateway.Result{}, err
	}
	if r.Status == "" && r.PaymentStatus == "" {
		return gateway.Result{}, r.err(gateway.KindUnknown, paymentsCheck, "no_status")
	}
	result := g.result(r, r.answer, checkState(r.answer).fetched(ref.Operation), ref)
	result.ProviderReference, result.BankReferences = invoiceID, []string{paymentID}
	if next := result.NextAction; next != nil && next.Type == gateway.ActionConfirmCode && r.Key == "" && ref.State[stateKey] == "" {
		result.NextAction = nil // the key, without which no code is taken (uapay.md 8.4), was lost with an answer
	}
	left := ""
	if next := result.NextAction; next != nil && next.AttemptsLeft != nil {
		left = itoa(int64(*next.AttemptsLeft))
	}
	result.State = saved(stateInvoice, invoiceID, statePayment, paymentID, stateDirect, "1", stateKey, string(r.Key), stateLeft, left, stateReturn, ref.State[stateReturn].Reveal())
	return result, nil
}

// found is an invoice as the provider shows it.
type found struct {
	reply
	id string
	// payment is the payment that decides, nil if there is none.
	payment *answer
}

// readInvoice reads an order's invoice, looking it up by the order's id if its own is not known (uapay.md 7.2, 7.3). An
// order that the provider has no invoice of is an error of KindNotFound.
func (g *Gateway) readInvoice(ctx context.Context, ref gateway.Ref) (found, error) {
	id := recall(ref, stateInvoice)
	if id == "" {
		id = kit.Fit(ref.ProviderReference, kit.IDShape)
	}
	if id == "" {
		var err error
		if id, err = g.findInvoice(ctx, ref.OrderID); err != nil {
			return found{}, err
		}
	}
	r, err := g.call(ctx, invoicesShow, &idParams{ID: id}, nil)
	switch {
	case err != nil:
		return found{}, err
	case string(r.ID) != id:
		return found{}, r.err(gateway.KindUnknown, invoicesShow, "other_order")
	}
	f := found{reply: r, id: id}
	if r.Payments != nil {
		f.payment = decisive(*r.Payments, ref)
	}
	if f.payment == nil && isScheduled(ref) { // the invoice is the first payment's, and says nothing else of this one
		return found{}, r.err(gateway.KindUnknown, invoicesShow, "no_payment")
	}
	if p := f.payment; p != nil {
		if (p.InvoiceID != "" && string(p.InvoiceID) != id) || kit.Fit(p.PaymentID, kit.IDShape) == "" {
			return found{}, r.err(gateway.KindUnknown, invoicesShow, "other_order")
		}
		if otherCurrency(p.Currency) {
			return found{}, r.err(gateway.KindUnknown, invoicesShow, "other_currency")
		}
	}
	return f, nil
}

// findInvoice finds an invoice by the order's id (uapay.md 7.3).
func (g *Gateway) findInvoice(ctx context.Context, orderID string) (string, error) {
	r, err := g.listInvoices(ctx, orderID)
	if err != nil {
		return "", err
	}
	return r.only(invoicesList, r.Invoices, orderID)
}

// only returns the id of the one entry of a list that was asked for by an order's id. An empty list says that the
// provider does not know the order.
func (r reply) only(e endpoint, list *[]answer, orderID string) (string, error) {
	switch {
	case list == nil:
		return "", r.err(gateway.KindUnknown, e, "no_list")
	case len(*list) == 0:
		return "", r.err(gateway.KindNotFound, e, "empty_list")
	case len(*list) > 1:
		return "", r.err(gateway.KindUnknown, e, "several_orders")
	}
	entry := (*list)[0]
	id := kit.Fit(entry.ID, kit.IDShape)
	if id == "" || string(entry.ExternalID) != orderID {
		return "", r.err(gateway.KindUnknown, e, "other_order")
	}
	return id, nil
}

// The ranks of an invoice's payments, by how much each tells about the order.
const (
	rankFailed = iota + 1
	rankUnderWay
	rankReversed // it had money
	rankMoney
	rankKnown // the one of an earlier answer, with money
)

// decisive is the payment of an invoice that tells about the order: the one that is remembered with money, else one that has
// or had money, else one under way, else a failed one. Of several with money it is the first: a subscription's later charges
// stand on the same invoice. Of several others it is the newest. One that was under way when it was looked at is nothing to
// hold on to: the money may come by another. Of a subscription's later charge only its own payment tells.
func decisive(payments []answer, ref gateway.Ref) (best *answer) {
	highest := 0
	for i := range payments {
		p := &payments[i]
		if isScheduled(ref) && string(p.PaymentID) != recall(ref, statePayment) {
			continue
		}
		rank := p.rank(ref)
		if rank > highest || rank == highest && older(*p, *best) == (rank >= rankReversed) {
			best, highest = p, rank
		}
	}
	return best
}

// rank is how much a payment of an invoice tells about the order.
func (a answer) rank(ref gateway.Ref) int {
	m := shownState(a).meaning(ref.Operation)
	known := recall(ref, statePayment)
	over := m.status == gateway.StatusFailed || m.status == gateway.StatusCanceled
	switch {
	case known != "" && string(a.PaymentID) == known && (m.money() || modified(ref) && !over):
		return rankKnown
	case m.reversed:
		return rankReversed
	case m.money():
		return rankMoney
	case over:
		return rankFailed
	}
	return rankUnderWay
}

// older reports whether a has a lower number than b.
func older(a, b answer) bool {
	if len(a.Number) != len(b.Number) {
		return len(a.Number) < len(b.Number)
	}
	return a.Number < b.Number
}

// readPayment reads what an invoice says of its order.
func (g *Gateway) readPayment(ctx context.Context, ref gateway.Ref, f found) (gateway.Result, error) {
	p, direct := f.payment, isDirect(f.ExtraInfo)
	if p == nil {
		return f.unpaid(direct)
	}
	m := shownState(*p).fetched(ref.Operation)
	if m.waiting && direct {
		if back := string(f.RedirectURL); back != "" && ref.State[stateReturn] == "" { // forgotten with a lost answer
			ref.State = saved(stateReturn, back)
		}
		return g.checkStatus(ctx, ref, f.id, string(p.PaymentID))
	}
	p.addProviderData(f.providerData, f.hide)
	result := g.result(f.reply, *p, m, ref)
	if m.waiting {
		result.Status = gateway.StatusRequiresAction // on the provider's page
	}
	result.ProviderReference, result.State, result.BankReferences = f.id, saved(stateInvoice, f.id), f.movements(ref.Operation)
	if direct || m.reported() || modified(ref) {
		result.State = saved(stateInvoice, f.id, statePayment, string(p.PaymentID))
	}
	var err error
	switch {
	case isScheduled(ref):
		result.ProviderReference = string(p.PaymentID)
	case result.Status == gateway.StatusSucceeded:
		result.ProviderCharges, err = g.providerCharges(f, ref)
	}
	return result, err
}

// unpaid reads an invoice without a payment. Of a direct one the invoice is an envelope only.
func (f found) unpaid(direct bool) (gateway.Result, error) {
	out := gateway.Result{
		Status: gateway.StatusRequiresAction, ProviderReference: f.id, Amount: f.Amount.Pointer(), State: saved(stateInvoice, f.id), ProviderData: f.providerData,
	}
	switch {
	case f.Payments == nil:
		return gateway.Result{}, f.err(gateway.KindUnknown, invoicesShow, "no_payments")
	case f.InvoiceStatus == "INACTIVE": // uapay.md 15.4: nobody can pay it any more
		out.Status = gateway.StatusCanceled
	case direct: // the payment that was to be in it never arrived
		return gateway.Result{}, f.err(gateway.KindNotFound, invoicesShow, "no_payment")
	}
	return out, nil
}

// movements names the payment of an invoice that decides, and every other one that has the payer's money besides. The later
// charges of a subscription are no second charges.
func (f found) movements(op gateway.Operation) []string {
	ids := []string{string(f.payment.PaymentID)}
	if f.Type == "SUBSCRIBE" {
		return ids
	}
	for _, p := range *f.Payments {
		m, id := shownState(p).meaning(op), kit.Fit(p.PaymentID, kit.IDShape)
		if m.money() && !m.reversed && id != "" && id != ids[0] {
			ids = append(ids, id)
		}
	}
	return ids
}

// modified reports whether a capture or cancel was asked for, and so of which payment of the invoice.
func modified(ref gateway.Ref) bool {
	return ref.Operation == gateway.OpCapture || ref.Operation == gateway.OpCancel
}

// fetched is the meaning of a state that was asked for later, and not right after a command: a hold that stands is one
// whose command has not been carried out, and may never have arrived. How long that must last is not ours to judge.
func (s state) fetched(op gateway.Operation) meaning {
	if hold := s.meaning(gateway.OpAuthorize); hold.status == gateway.StatusAuthorized && (op == gateway.OpCapture || op == gateway.OpCancel) {
		return hold
	}
	return s.meaning(op)
}

// isDirect reports whether an invoice's extraInfo, an object or its text, holds directMark.
func isDirect(raw json.RawMessage) bool {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		raw = json.RawMessage(s)
	}
	var info extraInfo
	return json.Unmarshal(raw, &info) == nil && info.Payrelay == directMark
}
