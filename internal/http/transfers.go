package httpapi

import (
	"context"

	"payrelay/internal/card"
	"payrelay/internal/gateway"
	"payrelay/internal/http/internal/oapi"
	"payrelay/internal/payment"
)

func (s *server) createTransfer(ctx context.Context, b *oapi.TransferRequest) (*payment.Order, bool, error) {
	in, err := newTransfer(ctx, b)
	if err != nil {
		return s.earlier(ctx, gateway.KindTransfer, b.Reference, err)
	}
	return s.Orders.Transfer(ctx, in)
}

func (s *server) importTransfer(ctx context.Context, b *oapi.TransferImportRequest) (*payment.Order, bool, error) {
	query := gateway.TransferQuery{ProviderID: valueOf(b.ProviderId), ReceiptID: valueOf(b.ReceiptId)}
	if query == (gateway.TransferQuery{}) {
		return nil, false, problems{{Field: "provider_id", Message: "is required, unless receipt_id is given"}}.err()
	}
	return s.Orders.ImportTransfer(ctx, payment.TransferImport{Shop: shopID(ctx), Account: b.Account, Query: query})
}

func (s *server) confirmTransfer(ctx context.Context, key payment.Key, b *oapi.ConfirmRequest) (*payment.Order, error) {
	code, err := typedCode(b.Code)
	if err != nil {
		return nil, err
	}
	return s.Orders.ConfirmTransfer(ctx, key, code)
}

// newTransfer reads a transfer request.
func newTransfer(ctx context.Context, b *oapi.TransferRequest) (payment.NewTransfer, error) {
	bad := badURLs(ctx, map[string]*string{"notification_url": b.NotificationUrl})
	badMetadata(b.Metadata, &bad)
	in := payment.NewTransfer{
		Shop: shopID(ctx), Reference: b.Reference, Account: b.Account, Amount: amount(b.Amount, b.Currency, &bad),
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
