package httpapi

import (
	"context"

	"payrelay/internal/gateway"
	"payrelay/internal/http/internal/oapi"
	"payrelay/internal/payment"
)

func (s *server) createPayout(ctx context.Context, b *oapi.PayoutRequest) (*payment.Order, bool, error) {
	in, err := newPayout(ctx, b)
	if err != nil {
		return s.earlier(ctx, gateway.KindPayout, b.Reference, err)
	}
	return s.Orders.Payout(ctx, in)
}

func (s *server) createPayoutCard(ctx context.Context, b *oapi.PayoutCardRequest) (*payment.Order, bool, error) {
	urls, fields := returnsOf(ctx, b.ReturnUrls)
	fields["notification_url"] = b.NotificationUrl
	if err := checkCommon(ctx, fields, b.Metadata); err != nil {
		return s.earlier(ctx, gateway.KindPayoutCard, b.Reference, err)
	}
	return s.Orders.OpenPayoutCard(ctx, payment.NewPayoutCard{
		Shop: shopID(ctx), Reference: b.Reference, Account: b.Account, ReturnURLs: urls,
		Metadata: valueOf(b.Metadata), NotificationURL: valueOf(b.NotificationUrl), RequestHash: requestHash(ctx),
	})
}

// payoutMembers are the members of each type of payout method.
var payoutMembers = map[oapi.PayoutMethodInputType][]string{
	oapi.PayoutMethodInputTypeCard:       {"card"},
	oapi.PayoutMethodInputTypePayoutCard: {"payout_card_id"},
	oapi.PayoutMethodInputTypePhone:      {"phone"},
	oapi.PayoutMethodInputTypeBankAccount: {
		"number", "holder", "iin", "bin", "kbe", "bank_code", "bank_name", "payment_purpose_code", "recipient_code", "sender_code", "recipient_rnn", "recipient_name",
		"withdrawal_provider_id",
	},
}

// newPayout reads a payout request. With an error comes what could be read.
func newPayout(ctx context.Context, b *oapi.PayoutRequest) (payment.NewPayout, error) {
	var bad problems
	bad = append(bad, badURLs(ctx, map[string]*string{"notification_url": b.NotificationUrl, "site_url": b.SiteUrl})...)
	b.SiteUrl = orDefault(b.SiteUrl, principal(ctx).Shop.Defaults.SiteURL)
	badMetadata(b.Metadata, &bad)
	badReference(b.Reference, &bad)
	in := payment.NewPayout{
		Shop: shopID(ctx), Reference: b.Reference, Minor: b.Amount, Account: valueOf(b.Account), Customer: customer(b.Customer, &bad),
		Description: valueOf(b.Description), SiteURL: valueOf(b.SiteUrl), Details: details(b.Customer, nil, b.SiteUrl),
		Metadata: valueOf(b.Metadata), NotificationURL: valueOf(b.NotificationUrl), AllowDuplicate: valueOf(b.AllowDuplicate), RequestHash: requestHash(ctx),
	}
	if b.Currency != nil {
		in.Currency = amount(b.Amount, *b.Currency, &bad).Currency()
	}
	m := b.Method
	if m.Type == "" { // which the contract complains about
		return in, bad.err()
	}
	misplaced("method", string(m.Type), map[string]bool{
		"card": m.Card != nil, "payout_card_id": m.PayoutCardId != nil, "phone": m.Phone != nil, "number": m.Number != nil, "holder": m.Holder != nil,
		"iin": m.Iin != nil, "bin": m.Bin != nil, "kbe": m.Kbe != nil, "bank_code": m.BankCode != nil, "bank_name": m.BankName != nil,
		"payment_purpose_code": m.PaymentPurposeCode != nil, "recipient_code": m.RecipientCode != nil, "sender_code": m.SenderCode != nil,
		"recipient_rnn": m.RecipientRnn != nil, "recipient_name": m.RecipientName != nil,
		"withdrawal_provider_id": m.WithdrawalProviderId != nil,
	}, payoutMembers[m.Type], &bad)
	switch m.Type {
	case oapi.PayoutMethodInputTypeCard:
		if bad.require("method.card", m.Card != nil); m.Card == nil {
			m.Card = &oapi.Card{}
		}
		in.Method.Card = cardOf("method.card", m.Card, &bad)
	case oapi.PayoutMethodInputTypePayoutCard:
		bad.require("method.payout_card_id", m.PayoutCardId != nil)
		in.PayoutCard = m.PayoutCardId
	case oapi.PayoutMethodInputTypePhone:
		bad.require("method.phone", m.Phone != nil)
		in.Method.Phone = phone("method.phone", m.Phone, &bad)
	case oapi.PayoutMethodInputTypeBankAccount:
		bad.require("method.number", m.Number != nil)
		in.Method.BankAccount = &gateway.BankAccount{
			Number: valueOf(m.Number), Holder: valueOf(m.Holder), IIN: valueOf(m.Iin), BIN: valueOf(m.Bin), KBE: valueOf(m.Kbe), BankCode: valueOf(m.BankCode), BankName: valueOf(m.BankName),
			PaymentPurposeCode: valueOf(m.PaymentPurposeCode), RecipientCode: valueOf(m.RecipientCode), SenderCode: valueOf(m.SenderCode),
			RecipientRNN: valueOf(m.RecipientRnn), RecipientName: valueOf(m.RecipientName), WithdrawalProviderID: valueOf(m.WithdrawalProviderId),
		}
	}
	return in, bad.err()
}
