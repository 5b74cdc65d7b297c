package uapay

import (
	"context"
	"fmt"
	"strings"

	"payrelay/internal/card"
	"payrelay/internal/gateway"
	"payrelay/internal/gateway/kit"
)

// The provider's two engines for transfers: the classic one, and the one of split payments.
const (
	engineClassic = "classic"
	engineSplit   = "split"
)

// checkTransfer is Check for a transfer.
func (g *Gateway) checkTransfer(req gateway.TransferRequest) []gateway.FieldError {
	var f fields
	f.money(req.Ref.Amount)
	f.orderID(req.Ref.OrderID)
	f.need("customer.phone", phone(req.Customer.Phone))
	end := func(name string, e gateway.TransferEnd) {
		switch {
		case e.CardID != "":
			f.need(name+".card_id", kit.Fit(e.CardID, kit.IDShape))
		case e.Card == nil:
			f.add(name, "is required by the provider: a card_id or a card")
		default:
			f.need(name+".card.number", e.Card.Number.Reveal())
		}
	}
	end("from", req.From)
	end("to", req.To)
	if c := req.From.Card; req.From.CardID == "" && c != nil {
		f.expiry("from.card.exp_month", c.Expiry)
		f.refuseIf(c.Holder != "", "from.card.holder", noHolder)
	}
	if c := req.To.Card; c != nil {
		f.paidTo("to.card", c)
	}
	return f
}

// expiry checks the month until which a card is good.
func (f *fields) expiry(name string, e card.Expiry) {
	if e.Month < 1 || e.Month > 12 || e.Year < 2000 {
		f.add(name, "is required by the provider, with exp_year")
	}
}

// Transfer implements gateway.Transferrer by the classic engine (uapay.md 9.1). Cards instead of card ids are for
// accounts that may handle card numbers.
func (g *Gateway) Transfer(ctx context.Context, req gateway.TransferRequest) (gateway.Result, error) {
	if bad := g.checkTransfer(req); len(bad) > 0 {
		return gateway.Result{}, gateway.Refuse(p2pCreate.op, bad)
	}
	from, to := cardOf(req.From), cardOf(req.To)
	// The request does not say which language the payer speaks: the provider's own.
	r, err := g.call(ctx, p2pCreate, &localeParams{Locale: "uk"}, transferData{
		ExternalID: req.Ref.OrderID, CardFrom: from, CardTo: to, Notify: notify{Phone: phone(req.Customer.Phone), Email: req.Customer.Email},
		Amount: kopecks(req.Ref.Amount), Currency: currencyNumber, Description: req.Description, CallbackURL: req.CallbackURL,
	}, from.PAN, from.SecurityCode, to.PAN, req.Customer.Phone, phone(req.Customer.Phone), req.Customer.Email)
	if err != nil {
		return gateway.Result{}, err
	}
	id := kit.Fit(r.ID, kit.IDShape)
	if id == "" {
		return gateway.Result{}, r.err(gateway.KindUnknown, p2pCreate, "no_payment")
	}
	r.providerData["payment_id"] = id
	ref := req.Ref
	ref.Kind = gateway.KindTransfer
	ref.State = saved(statePayment, id, stateKey, string(r.Key), stateEngine, engineClassic)
	return g.soon(ctx, ref, gateway.Result{Status: gateway.StatusProcessing, ProviderReference: id, ProviderData: r.providerData, State: ref.State}), nil
}

func cardOf(e gateway.TransferEnd) cardRef {
	out := cardRef{ID: e.CardID}
	if e.Card == nil {
		return out
	}
	out.SecurityCode = e.Card.CVC.Reveal()
	if out.ID == "" {
		out.PAN, out.ExpiresAt = e.Card.Number.Reveal(), expiry(e.Card.Expiry)
	}
	return out
}

// expiry is YYYY-MM (uapay.md 5), empty if there is none.
func expiry(e card.Expiry) string {
	if e.IsZero() {
		return ""
	}
	return fmt.Sprintf("%04d-%02d", e.Year, e.Month)
}

// phone is a number as the provider writes it, without a plus.
func phone(s string) string { return strings.TrimPrefix(s, "+") }

// fetchTransfer reads a transfer where it is known. One that the classic engine has no entry of was never started by us.
func (g *Gateway) fetchTransfer(ctx context.Context, ref gateway.Ref) (gateway.Result, error) {
	id := recall(ref, statePayment)
	if id == "" {
		id = kit.Fit(ref.ProviderReference, kit.IDShape)
	}
	if id != "" && bySplit(ref) {
		return g.readSplit(ctx, ref, idParams{ID: id})
	}
	if id == "" {
		r, err := g.call(ctx, p2pList, &idParams{ExternalIDs: []string{ref.OrderID}}, nil)
		if err != nil {
			return gateway.Result{}, err
		}
		if id, err = r.only(p2pList, r.Payments, ref.OrderID); err != nil {
			return gateway.Result{}, err
		}
	}
	r, err := g.call(ctx, p2pShow, &idParams{ID: id}, nil)
	switch {
	case err != nil:
		return gateway.Result{}, err
	case string(r.ID) != id, r.ExternalID != "" && string(r.ExternalID) != ref.OrderID:
		return gateway.Result{}, r.err(gateway.KindUnknown, p2pShow, "other_order")
	case r.Status == "":
		return gateway.Result{}, r.err(gateway.KindUnknown, p2pShow, "no_status")
	}
	m := classicMeaning(r.answer)
	result := g.result(r, r.answer, m, ref)
	left := ""
	if next := result.NextAction; next != nil && next.AttemptsLeft != nil {
		left = itoa(int64(*next.AttemptsLeft))
	}
	result.ProviderReference = id
	result.State = saved(statePayment, id, stateEngine, engineClassic, stateKey, string(r.Key), stateLeft, left)
	return result, nil
}

// FindTransfer implements gateway.TransferImporter by the newer engine (uapay.md 9.2), which knows transfers by its own
// id and by the receipt's. An answer of error is KindDeclined: how "no such transfer" looks is not documented.
func (g *Gateway) FindTransfer(ctx context.Context, query gateway.TransferQuery) (gateway.Result, error) {
	var f fields
	if query.ProviderID == "" && query.ReceiptID == "" {
		f.add("provider_id", "is required, unless receipt_id is given")
	}
	if query.ProviderID != "" {
		f.need("provider_id", kit.Fit(query.ProviderID, kit.IDShape))
	}
	if query.ReceiptID != "" {
		f.need("receipt_id", kit.Fit(query.ReceiptID, kit.IDShape))
	}
	if len(f) > 0 {
		return gateway.Result{}, gateway.Refuse(splitShow.op, f)
	}
	ref := gateway.Ref{Kind: gateway.KindTransfer, Operation: gateway.OpSale}
	return g.readSplit(ctx, ref, idParams{ID: query.ProviderID, ReceiptID: query.ReceiptID})
}

// startedAs is the id that whoever started a transfer gave it: that of its first operation that has one and is no return.
func (a answer) startedAs() string {
	for _, o := range a.Operations {
		if id := kit.Fit(o.ExternalID, kit.IDShape); id != "" && o.Type != "RETURN" {
			return id
		}
	}
	return kit.Fit(a.ExternalID, kit.IDShape)
}

// readSplit reads a transfer or payout of the newer engine (uapay.md 9.2) by its operations (uapay.md 15.2).
func (g *Gateway) readSplit(ctx context.Context, ref gateway.Ref, query idParams) (gateway.Result, error) {
	e := splitShow
	if ref.OrderID == "" {
		e = splitImport
	}
	r, err := g.call(ctx, e, &query, nothing{})
	if err != nil {
		return gateway.Result{}, err
	}
	id := kit.Fit(r.ID, kit.IDShape)
	switch {
	case id == "", query.ID != "" && id != query.ID, query.ReceiptID != "" && string(r.ReceiptID) != query.ReceiptID:
		return gateway.Result{}, r.err(gateway.KindUnknown, splitShow, "other_order")
	case r.Status == "" || !r.Amount.Set:
		return gateway.Result{}, r.err(gateway.KindUnknown, splitShow, "no_status")
	}
	m, refunded := splitMeaning(r.answer)
	result := g.result(r, r.answer, m, ref)
	result.Refunded, result.Currency, result.ProviderReference, result.OrderID = refunded, currency, id, r.startedAs()
	result.State = saved(statePayment, id, stateEngine, engineSplit, stateKey, string(r.Key))
	if ref.Kind == gateway.KindPayout {
		result.PaymentMethod = masked(r.CardToMasked)
	}
	return result, nil
}
