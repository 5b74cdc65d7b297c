package httpapi

import (
	"context"

	"payrelay/internal/card"
	"payrelay/internal/gateway"
	"payrelay/internal/http/internal/oapi"
	"payrelay/internal/payment"
)

// CreateTransfer implements oapi.StrictServerInterface.
func (h *handlers) CreateTransfer(ctx context.Context, r oapi.CreateTransferRequestObject) (oapi.CreateTransferResponseObject, error) {
	in, err := newTransfer(ctx, r.Body)
	if err != nil {
		return h.rejected(ctx, gateway.KindTransfer, r.Body.Reference, err)
	}
	return made(ctx)(h.Orders.Transfer(ctx, in))
}

// ImportTransfer implements oapi.StrictServerInterface.
func (h *handlers) ImportTransfer(ctx context.Context, r oapi.ImportTransferRequestObject) (oapi.ImportTransferResponseObject, error) {
	b := r.Body
	query := gateway.TransferQuery{ProviderID: valueOf(b.ProviderId), ReceiptID: valueOf(b.ReceiptId)}
	if query == (gateway.TransferQuery{}) {
		return nil, problems{{Field: "provider_id", Message: "is required, unless receipt_id is given"}}.err()
	}
	return made(ctx)(h.Orders.ImportTransfer(ctx, payment.TransferImport{Shop: principal(ctx).Shop.ID, Account: b.Account, Query: query}))
}

// ConfirmTransfer implements oapi.StrictServerInterface.
func (h *handlers) ConfirmTransfer(ctx context.Context, r oapi.ConfirmTransferRequestObject) (oapi.ConfirmTransferResponseObject, error) {
	code, err := typedCode(r.Body.Code)
	if err != nil {
		return nil, err
	}
	o, err := h.Orders.ConfirmTransfer(ctx, key(ctx, r.Id), code)
	return created(ctx, o, false, err)
}

// newTransfer reads a transfer request.
func newTransfer(ctx context.Context, b *oapi.TransferRequest) (payment.NewTransfer, error) {
	bad := badURLs(ctx, map[string]*string{"notification_url": b.NotificationUrl})
	badMetadata(b.Metadata, &bad)
	in := payment.NewTransfer{
		Shop: principal(ctx).Shop.ID, Reference: b.Reference, Account: b.Account, Amount: amount(b.Amount, b.Currency, &bad),
		From: transferEnd("from", b.From, &bad), To: transferEnd("to", b.To, &bad), Customer: customer(b.Customer, &bad),
		Description: valueOf(b.Description), Details: details(b.Customer, nil, nil), Metadata: valueOf(b.Metadata), NotificationURL: valueOf(b.NotificationUrl), RequestHash: requestHash(ctx),
	}
	return in, bad.err()
}

// transferEnd reads one end of a transfer: a kept card or a card, and not both.
func transferEnd(at string, e oapi.TransferEnd, bad *problems) (out gateway.TransferEnd) {
	switch {
	case (e.CardId == nil) == (e.Card == nil):
		bad.add(at, "must have either card_id or card")
	case e.Card != nil && e.Cvc != nil:
		bad.add(at+".cvc", "belongs inside card")
	case e.Card != nil:
		out.Card = cardOf(at+".card", e.Card, bad)
	case at == "to" && e.Cvc != nil:
		bad.add(at+".cvc", "is the sender's business: nobody asks for the recipient's")
	case e.Cvc != nil:
		out.CardID, out.Card = *e.CardId, &card.Card{CVC: cvcOf(at+".cvc", e.Cvc, bad)}
	default:
		out.CardID = *e.CardId
	}
	return out
}
