package uapay

import (
	"context"

	"payrelay/internal/gateway"
)

// cancelInvoice gives up an invoice that nobody has paid (uapay.md 7.6; path and members are inferred). An
// error whose code proves nothing leaves it to a reading; the cancel of an invoice that can
// still be paid was declined only if the code says so.
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

// listInvoices asks about up to 100 invoices by the ids of their orders (uapay.md 7.3).
func (g *Gateway) listInvoices(ctx context.Context, orderIDs ...string) (reply, error) {
	return g.call(ctx, invoicesList, &idParams{ExternalIDs: orderIDs}, nil)
}
