package smartcore

import "payrelay/internal/sandbox/testcard"

func (t *Simulator) tokenize(c *call) answer {
	if bad := c.body.complaints(tokenizeFields); bad != nil {
		return t.invalid(c, bad...)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	acc, bad := t.payout(c)
	if bad != nil {
		return *bad
	}
	o := &Order{Operation: OpTokenize, Type: "Tokenization", Account: acc.Name, Currency: acc.Currency}
	if bad := t.open(c, o); bad != nil {
		return *bad
	}
	t.enter(o, StageForm, StatusWaiting)
	out := blank(c.endpoint)
	out["status"], out["description"], out["responseType"] = StatusProcessing, "", "REDIRECT"
	out["form_url"], out["order_id"] = o.FormURL, t.answeredID(o, "processing")
	return answer{body: out, made: o}
}

func (t *Simulator) withdraw(c *call) answer {
	bad := c.body.complaints(withdrawalFields)
	method := c.body.text("payment_method")
	if method == "" { // the older text makes it optional
		method = "card"
	}
	needs := map[string]string{
		"card": "customer_card_number", "token": "tokenize_transaction_order_id", "phoneBalance": "phone_withdrawal",
		"account": "account_withdrawal",
	}[method]
	switch {
	case needs == "":
		bad = append(bad, "payment_method is not known")
	case !c.body.has(needs):
		bad = append(bad, needs+" is required")
	}
	s := t.Settings()
	if (method == "card" && c.role != rolePCI) || (method == "phoneBalance" && c.role != roleGateway) ||
		(method == "token" && !hostAllowed(s.TokenHost, c.role)) || (method == "account" && !hostAllowed(s.AccountHost, c.role)) {
		bad = append(bad, "payment_method "+method+" does not belong to the "+c.role+" host")
	}
	if bad != nil {
		return t.invalid(c, bad...)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.startWithdrawal(c, method)
}

func (t *Simulator) startWithdrawal(c *call, method string) answer {
	acc, bad := t.payout(c)
	if bad != nil {
		return *bad
	}
	o := &Order{Type: "Withdrawal", Account: acc.Name, Currency: acc.Currency}
	o.Amount, _ = c.body.amount("amount") // checked with the other fields
	out := blank(c.endpoint)
	switch method {
	case "card":
		digits, ok := testcard.Digits(c.body.text("customer_card_number"))
		if !ok {
			return t.invalidLocked(c, "customer_card_number must be 12 to 19 digits")
		}
		o.Operation = OpWithdrawalCard
		o.Card = newCard(digits, "", c.body.text("customer_card_exp_month"), c.body.text("customer_card_exp_year"))
		t.expire(o.Card)
		out["card"] = cardBody(o.Card)
	case "token":
		token := t.orders.order(c.merchant.Key, c.body.text("tokenize_transaction_order_id"))
		if token == nil || token.Operation != OpTokenize || token.Status != StatusSuccess {
			return t.invalidLocked(c, "tokenize_transaction_order_id names no finished tokenization")
		}
		card := *token.Card
		o.Operation, o.Card = OpWithdrawalToken, &card
	case "phoneBalance":
		o.Operation, o.Phone = OpWithdrawalPhone, c.body.text("phone_withdrawal")
	default:
		o.Operation = OpWithdrawalAccount
	}
	if bad := t.open(c, o); bad != nil {
		return *bad
	}
	if acc.Balance < o.Amount {
		o.Error = CodeInsufficientFunds
	} else {
		acc.Balance -= o.Amount
		acc.hold += o.Amount
	}
	t.enter(o, StageProcessing, StatusProcessing)
	if t.settings.WithdrawalImmediate {
		t.settle(o)
	} else {
		t.settleLater(o, t.settings.WithdrawalMS)
	}
	out["order_id"], out["status"] = o.OrderID, o.Status
	return answer{body: out, made: o}
}

func (t *Simulator) balance(c *call) answer {
	if bad := c.body.complaints([]string{"account"}); bad != nil {
		return t.invalid(c, bad...)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	acc, bad := t.payout(c)
	if bad != nil {
		return *bad
	}
	return answer{body: map[string]any{"balance": acc.Balance, "holdBalance": acc.hold, "rollingBalance": 0}}
}

func (t *Simulator) payout(c *call) (*account, *answer) {
	acc := t.accounts[accountKey{c.merchant.Key, c.body.text("account")}]
	if acc == nil || !acc.Payout {
		a := t.invalidLocked(c, "account is not a payout account of this merchant")
		return nil, &a
	}
	return acc, nil
}
