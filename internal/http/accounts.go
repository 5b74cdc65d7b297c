package httpapi

import (
	"context"
	"net/http"

	"payrelay/internal/gateway"
	"payrelay/internal/http/internal/oapi"
	"payrelay/internal/payment"
)

func (s *server) listAccounts(ctx context.Context, _ *call, q oapi.ListAccountsParams) (reply, error) {
	accounts, err := s.Orders.Accounts(ctx, shopID(ctx))
	if err != nil {
		return reply{}, err
	}
	page, err := pageOf(accounts, "accounts", func(a payment.AccountInfo) string { return a.Name }, q.Cursor, q.Limit)
	if err != nil {
		return reply{}, err
	}
	list := oapi.AccountList{Data: []oapi.Account{}, NextCursor: nullable(page.Next)}
	for _, a := range page.Items {
		list.Data = append(list.Data, renderAccount(a))
	}
	return reply{status: http.StatusOK, body: list}, nil
}

func renderAccount(a payment.AccountInfo) oapi.Account {
	out := oapi.Account{
		Name: a.Name, Provider: a.Provider, Currency: string(a.Currency), For: string(a.Purpose), Mode: string(a.Mode), Priority: priority(a.Priority),
		Capabilities: a.Capabilities, CapabilitiesOff: []oapi.CapabilityOff{}, Limits: []oapi.AccountLimit{},
	}
	if out.Capabilities == nil {
		out.Capabilities = []string{}
	}
	for _, off := range a.Off {
		out.CapabilitiesOff = append(out.CapabilitiesOff, oapi.CapabilityOff{Capability: off.Capability, Reason: off.Reason})
	}
	for _, l := range a.Limits {
		if !l.Counts() {
			out.Limits = append(out.Limits, oapi.AccountLimit{Kind: oapi.Kind(l.Kind), Rule: string(l.Rule), Currency: string(l.Currency), Amount: l.Amount})
		}
	}
	return out
}

// priority is null for an account that requests must name.
func priority(p int) *int {
	if p == 0 {
		return nil
	}
	return &p
}

// noAccount answers an address that names no account of the shop.
var noAccount = &payment.Error{Code: payment.CodeNotFound, Message: payment.UnknownAccountMessage}

// ofAccount turns the complaint about an account that a request names into one about the address.
func ofAccount(err error) error {
	if payment.CodeOf(err) == payment.CodeUnknownAccount {
		return noAccount
	}
	return err
}

func (s *server) getBalance(ctx context.Context, c *call) (reply, error) {
	b, err := s.Orders.Balance(ctx, shopID(ctx), c.path["name"])
	if err != nil {
		return reply{}, ofAccount(err)
	}
	return reply{status: http.StatusOK, body: oapi.Balance{Balance: b.Balance, HoldBalance: b.Hold, RollingBalance: b.Rolling, Currency: string(b.Currency)}}, nil
}

func (s *server) createCardFrame(ctx context.Context, c *call, b *oapi.CardFrameRequest) (reply, error) {
	f, err := s.Orders.CardFrame(ctx, shopID(ctx), c.path["name"], gateway.CardFrameRequest{
		Payout: b.For == oapi.CardFrameRequestForPayouts, Redirect: valueOf(b.Redirect),
	})
	if err != nil {
		return reply{}, ofAccount(err)
	}
	body := oapi.CardFrame{Url: f.URL}
	if !f.ExpiresAt.IsZero() {
		body.ExpiresAt = utc(&f.ExpiresAt)
	}
	return reply{status: http.StatusOK, body: body, secret: true}, nil
}
