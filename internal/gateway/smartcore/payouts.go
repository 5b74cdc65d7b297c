package smartcore

import (
	"context"
	"fmt"

	"payrelay/internal/gateway"
)

// checkPayout is Check for a payout.
func (g *Gateway) checkPayout(req gateway.PayoutRequest) []gateway.FieldError {
	var f fields
	f.money(req.Ref.Amount)
	f.orderID(req.Ref.OrderID)
	if g.currency != "" && req.Ref.Amount.Currency() != g.currency {
		f.add("currency", "must be the account's") // withdrawals carry none (smartcore.md 2)
	}
	f.echoed("customer.first_name", req.Customer.FirstName)
	f.echoed("customer.middle_name", req.Customer.MiddleName)
	f.echoed("customer.last_name", req.Customer.LastName)
	f.echoed("description", req.Description)
	switch m := req.Method; {
	case m.Card != nil:
		f.need("method.card.number", m.Card.Number.Reveal())
		f.refuseIf(m.Card.CVC.Reveal() != "", "method.card.cvc", "SmartCore asks for no security code of a card that is paid to")
		f.refuseIf(m.Card.Holder != "", "method.card.holder", "SmartCore takes a recipient's name as customer.first_name and customer.last_name only")
		if !m.Card.Expiry.IsZero() {
			f.expiry("method.card", m.Card.Expiry)
		}
	case m.PayoutCardID != "":
	case m.Phone != "":
		f.need("method.phone", digits(m.Phone))
	case m.BankAccount != nil && !g.bankPayouts:
		f.add("method", "must not be bank_account: payouts to bank accounts are switched off for this account")
	case m.BankAccount != nil:
		f.need("method.number", m.BankAccount.Number)
		f.need("method.holder", m.BankAccount.Holder)
	default:
		f.add("method", "is required: a card, payout_card, phone or bank_account")
	}
	return f
}

// Payout implements gateway.Payer (smartcore.md 4.10).
func (g *Gateway) Payout(ctx context.Context, req gateway.PayoutRequest) (gateway.Result, error) {
	if bad := g.checkPayout(req); len(bad) > 0 {
		return gateway.Result{}, gateway.Refuse(withdrawal.op, bad)
	}
	c := req.Customer
	w := withdrawalRequest{
		Account: g.account, OrderID: req.Ref.OrderID, Amount: req.Ref.Amount.Minor(), Purpose: req.Description,
		FirstName: c.FirstName, MiddleName: c.MiddleName, LastName: c.LastName, Phone: c.Phone,
		BirthDate: birthDate(c.BirthDate), ZipCode: c.Address.PostalCode, Country: c.Address.Country, IP: c.IP,
		CallbackURL: req.CallbackURL,
	}
	e := withdrawal
	switch m := req.Method; {
	case m.Card != nil:
		e.role, w.PaymentMethod = rolePCI, "card"
		w.CardNumber, w.Site = m.Card.Number.Reveal(), req.SiteURL
		if !m.Card.Expiry.IsZero() {
			w.CardExpMonth, w.CardExpYear = fmt.Sprintf("%02d", m.Card.Expiry.Month), fmt.Sprintf("%02d", m.Card.Expiry.Year%100)
		}
	case m.PayoutCardID != "":
		e.role, w.PaymentMethod, w.TokenOrderID = g.tokenRole, "token", m.PayoutCardID // smartcore.md A13
	case m.Phone != "":
		e.role, w.PaymentMethod, w.PhoneBalance = roleGateway, "phoneBalance", digits(m.Phone)
	default:
		e.role, w.PaymentMethod, w.Site = rolePCI, "account", req.SiteURL // smartcore.md A15
		b := m.BankAccount
		w.BankAccount, w.BankHolder, w.BankRecipientName = b.Number, b.Holder, b.RecipientName
		w.BankIIN, w.BankBIN, w.BankKBE, w.BankCNP = b.IIN, b.BIN, b.KBE, b.PaymentPurposeCode
		w.BankCode, w.BankName = b.BankCode, b.BankName
		w.BankRecipientCode, w.BankSenderCode, w.BankRecipientRNN = b.RecipientCode, b.SenderCode, b.RecipientRNN
		w.ProviderID = b.WithdrawalProviderID
	}
	return g.start(ctx, e, req.Ref, w, w.CardNumber, w.BankAccount)
}

// checkPayoutCard is Check for a card for payouts.
func (*Gateway) checkPayoutCard(req gateway.PayoutCardRequest) []gateway.FieldError {
	var f fields
	f.orderID(req.Ref.OrderID)
	f.refuseIf(req.ReturnURLs.Status != "", "return_urls.status", "SmartCore sends customers back from this form to return_urls.success and return_urls.fail only")
	return f
}

// OpenPayoutCard implements gateway.PayoutCardOpener (smartcore.md 4.9). The order's own id is the card's token afterwards.
func (g *Gateway) OpenPayoutCard(ctx context.Context, req gateway.PayoutCardRequest) (gateway.Result, error) {
	if bad := g.checkPayoutCard(req); len(bad) > 0 {
		return gateway.Result{}, gateway.Refuse(tokenizeForm.op, bad)
	}
	return g.start(ctx, tokenizeForm, req.Ref, tokenizeRequest{
		Account: g.account, OrderID: req.Ref.OrderID, CallbackURL: req.CallbackURL,
		SuccessURL: req.ReturnURLs.Success, FailURL: req.ReturnURLs.Fail,
	})
}

// Balance implements gateway.BalanceReader (smartcore.md 4.11), in the account's currency: the provider names none.
func (g *Gateway) Balance(ctx context.Context) (gateway.Balance, error) {
	r, err := g.post(ctx, balance, balanceRequest{Account: g.account})
	if err != nil {
		return gateway.Balance{}, err
	}
	if !r.Balance.Set || !r.HoldBalance.Set || !r.RollingBalance.Set {
		kind, code := gateway.KindUnknown, string(r.Err)
		if declines(code) {
			kind = gateway.KindDeclined
		}
		if code == "" {
			code = "no_balance"
		}
		return gateway.Balance{}, r.err(kind, balance, code)
	}
	return gateway.Balance{Balance: r.Balance.Value, Hold: r.HoldBalance.Value, Rolling: r.RollingBalance.Value, Currency: g.currency}, nil
}
