package uapay

import (
	"context"
	"time"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
)

// InvoiceChange is what an invoice's payer and callbacks are told from now on (uapay.md 7.4). Empty members stay as
// they are.
type InvoiceChange struct {
	Tag, RedirectURL, CallbackURL string
	// ExtraInfo is JSON as text.
	ExtraInfo string
	// CardTo is the provider's id of the card that a P2P invoice pays to.
	CardTo string
}

// UpdateInvoice changes a payment's invoice. It moves no money.
func (g *Gateway) UpdateInvoice(ctx context.Context, ref gateway.Ref, change InvoiceChange) error {
	id, err := g.invoiceOf(ctx, ref)
	if err != nil {
		return err
	}
	data := invoiceChange{Tag: change.Tag, RedirectURL: change.RedirectURL, CallbackURL: change.CallbackURL, ExtraInfo: change.ExtraInfo}
	if change.CardTo != "" {
		data.CardTo = &cardRef{ID: change.CardTo}
	}
	r, err := g.call(ctx, invoicesUpdate, &idParams{ID: id}, data)
	if err == nil && string(r.ID) != id {
		return r.err(gateway.KindUnknown, invoicesUpdate, "other_order")
	}
	return err
}

// Subscription is the schedule by which the provider charges a recurring payment (uapay.md 7.5).
type Subscription struct {
	Every             int // days
	ExpiresAt, NextAt time.Time
	// Amount is charged each time, and Commission on top of it, both in kopecks.
	Amount, Commission int64
	// Status is the provider's own word, of the schedule and not of any payment.
	Status string
}

// UpdateSubscription changes the schedule of a recurring payment. No way to stop one is documented; an end in the near
// future comes closest.
func (g *Gateway) UpdateSubscription(ctx context.Context, ref gateway.Ref, days int, until time.Time) (Subscription, error) {
	var f fields
	if days < 1 || days > 366 {
		f.add("recurring.frequency_days", "required by the provider, 1 to 366")
	}
	if until.IsZero() {
		f.add("recurring.expires_at", "required by the provider")
	}
	if len(f) > 0 {
		return Subscription{}, gateway.Refuse(subscriptionUpdate.op, f)
	}
	id, err := g.invoiceOf(ctx, ref)
	if err != nil {
		return Subscription{}, err
	}
	// The documents' table and example spell the id in two ways: both are sent (uapay.md 13).
	r, err := g.call(ctx, subscriptionUpdate, &subscriptionParams{ID: id, InvoiceID: id}, subscriptionData{Interval: days, ExpiresAt: until.UnixMilli()})
	switch {
	case err != nil:
		return Subscription{}, err
	case string(r.InvoiceID) != id:
		return Subscription{}, r.err(gateway.KindUnknown, subscriptionUpdate, "other_order")
	}
	return Subscription{
		Every: int(r.Interval.value), ExpiresAt: instant(r.ExpiresAt), NextAt: instant(r.PlannedPaidAt), Amount: r.Amount.value, Commission: r.commission().value,
		Status: fit(string(r.Status), wordShape),
	}, nil
}

// instant reads a time of an answer (uapay.md 5), zero if it cannot be read.
func instant(t text) time.Time {
	at, _ := time.Parse(time.RFC3339, string(t))
	return at.UTC()
}

// cancelInvoice gives up an invoice that nobody has paid (uapay.md 7.6; path and members are inferred). An
// error whose code proves nothing leaves it to a reading; an invoice that can still be paid was refused its cancel only
// if the code refuses.
func (g *Gateway) cancelInvoice(ctx context.Context, ref gateway.Ref, id string) (gateway.Result, error) {
	r, err := g.call(ctx, invoicesCancel, &idParams{ID: id}, nil)
	if err != nil && !r.reported {
		return gateway.Result{}, err
	}
	known := ref
	known.State = saved(stateInvoice, id)
	checked, readErr := g.Fetch(ctx, known)
	switch {
	case readErr == nil && checked.Status != "" && checked.Status != gateway.StatusRequiresAction:
		return checked, nil
	case err != nil && readErr == nil && checked.Status == gateway.StatusRequiresAction && declineOf(r.providerData["error_code"]):
		return gateway.Result{}, r.err(gateway.KindDeclined, invoicesCancel, r.providerData["error_code"])
	case err != nil:
		return gateway.Result{}, err
	}
	return gateway.Result{Status: gateway.StatusProcessing, ProviderReference: id, ProviderData: r.providerData, State: known.State}, nil
}

// invoiceOf returns the id of an order's invoice.
func (g *Gateway) invoiceOf(ctx context.Context, ref gateway.Ref) (string, error) {
	for _, id := range []string{recall(ref, stateInvoice), fit(ref.ProviderReference, idShape)} {
		if id != "" {
			return id, nil
		}
	}
	return g.findInvoice(ctx, ref.OrderID)
}

// listInvoices asks about up to 100 invoices, by their own ids or by those of orders (uapay.md 7.3).
func (g *Gateway) listInvoices(ctx context.Context, ids, orderIDs []string) (reply, error) {
	return g.call(ctx, invoicesList, &idParams{IDs: ids, ExternalIDs: orderIDs}, nil)
}

// Commission asks what the payer of an order's invoice is charged on top of amount (uapay.md 8.10).
func (g *Gateway) Commission(ctx context.Context, ref gateway.Ref, amount money.Money) (money.Money, error) {
	id, err := g.invoiceOf(ctx, ref)
	if err != nil {
		return money.Money{}, err
	}
	r, err := g.call(ctx, paymentsCommission, &paymentParams{InvoiceID: id}, amountData{Amount: kopecks(amount)})
	return r.asCommission(paymentsCommission, err)
}

// The types of transfer, as commissions are asked for.
const (
	TransferDirect = "DIRECT" // from card to card, by the classic engine
	TransferC2A    = "C2A"    // a card's payment
	TransferA2C    = "A2C"    // a payout
)

// TransferCommission asks what a transfer of a type is charged on top of amount (uapay.md 9.1).
func (g *Gateway) TransferCommission(ctx context.Context, amount money.Money, kind string) (money.Money, error) {
	r, err := g.call(ctx, p2pCommission, &commissionParams{Amount: kopecks(amount), PaymentType: kind}, nil)
	return r.asCommission(p2pCommission, err)
}

func (r reply) asCommission(e endpoint, err error) (money.Money, error) {
	switch {
	case err != nil:
		return money.Money{}, err
	case !r.CommissionAmount.set || r.CommissionAmount.value < 0:
		return money.Money{}, r.err(gateway.KindUnknown, e, "no_commission")
	}
	return money.New(r.CommissionAmount.value, currency), nil
}
