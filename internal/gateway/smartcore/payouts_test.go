package smartcore

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/card"
	"payrelay/internal/gateway"
	"payrelay/internal/money"
)

func TestRefund(t *testing.T) {
	t.Parallel()
	req := gateway.RefundRequest{Refund: ref("ours", 300), Payment: ref("pay-1", 1000), Reason: "returned", CallbackURL: "https://us/cb"}
	for answer, want := range map[string]struct {
		status gateway.Status
		kind   gateway.ErrorKind
	}{
		`{"success":true,"refund_id":"r-1"}`:                    {gateway.StatusProcessing, 0}, // confirmed by a check, not by this
		`{"success":false,"message":"","refund_id":"r-1"}`:      {gateway.StatusProcessing, 0},
		`{"status":-1,"err":"VALIDATION_PROCESSING_ERROR"}`:     {gateway.StatusFailed, 0},
		`{"success":false,"message":""}`:                        {"", gateway.KindUnknown},
		`{"success":true}`:                                      {"", gateway.KindUnknown},
		`{"success":false,"err":"VALIDATION_PROCESSING_ERROR"}`: {"", gateway.KindUnknown},
		// No id and no check: only a plain refusal is believed at once. After the rest the money may have gone back.
		`{"status":-1,"errorMessage":"LIMIT_PROCESSING_ERROR"}`:                                         {gateway.StatusFailed, 0},
		`{"status":-1,"err":"TECHNICAL_PROCESSING_ERROR"}`:                                              {"", gateway.KindUnknown},
		`{"status":-1,"err":"PROCESSING_ERROR"}`:                                                        {"", gateway.KindUnknown},
		`{"status":-1,"err":"request timed out"}`:                                                       {"", gateway.KindUnknown},
		`{"status":-1,"errorMessage":"TECHNICAL_PROCESSING_ERROR","err":"VALIDATION_PROCESSING_ERROR"}`: {"", gateway.KindUnknown},
		`{"status":-1}`: {"", gateway.KindUnknown},
	} {
		p := newProvider(t, map[string]string{"/refund": answer})
		result, err := open(t, p.account()).Refund(t.Context(), req)
		require.Len(t, p.seen(), 1)
		require.Equal(t, map[string]any{"order_id": "pay-1", "amount": 300.0, "reason": "returned", "callback_url": "https://us/cb"}, p.seen()[0].Body)
		if want.status == "" {
			require.Error(t, err, answer)
			require.Equal(t, want.kind, gateway.KindOf(err), answer)
			continue
		}
		require.NoError(t, err, answer)
		require.Equal(t, want.status, result.Status, answer)
		if want.status == gateway.StatusProcessing {
			require.Equal(t, "r-1", result.ProviderReference, answer)
		}
	}
	p := newProvider(t, nil)
	for _, bad := range []gateway.RefundRequest{
		{Refund: ref("ours", 300), Payment: ref("pay-1", 1000)},
		{Refund: ref("ours", 0), Payment: ref("pay-1", 1000), Reason: "r"},
		{Refund: ref("ours", 1001), Payment: ref("pay-1", 1000), Reason: "r"},
		{Refund: gateway.Ref{Amount: money.New(1, "USD")}, Payment: ref("pay-1", 1000), Reason: "r"},
	} {
		_, err := open(t, p.account()).Refund(t.Context(), bad)
		require.Equal(t, gateway.KindInvalid, gateway.KindOf(err))
	}
	require.Empty(t, p.seen())
}

func TestPayoutHostsAndMethods(t *testing.T) {
	t.Parallel()
	bank := &gateway.BankAccount{
		Number: "KZ86125KZT5004100100", Holder: "John Doe", IIN: "1", BIN: "2", KBE: "3", BankCode: "4", BankName: "5",
		PaymentPurposeCode: "6", RecipientCode: "7", SenderCode: "8", RecipientRNN: "9", RecipientName: "10",
		WithdrawalProviderID: "11",
	}
	for name, tc := range map[string]struct {
		method gateway.PayoutMethod
		tokens string
		role   string
		want   map[string]any
	}{
		"card":          {gateway.PayoutMethod{Card: mustCard(t, "4012000000003010", "")}, "", "pci", map[string]any{"payment_method": "card", "customer_card_number": "4012000000003010"}},
		"kept card":     {gateway.PayoutMethod{PayoutCardID: "tok-1"}, "", "gateway", map[string]any{"payment_method": "token", "tokenize_transaction_order_id": "tok-1"}},
		"kept card pci": {gateway.PayoutMethod{PayoutCardID: "tok-1"}, "pci", "pci", map[string]any{"payment_method": "token", "tokenize_transaction_order_id": "tok-1"}},
		"phone":         {gateway.PayoutMethod{Phone: "+79123456789"}, "", "gateway", map[string]any{"payment_method": "phoneBalance", "phone_withdrawal": "79123456789"}},
		"bank account": {gateway.PayoutMethod{BankAccount: bank}, "", "pci", map[string]any{
			"payment_method": "account", "account_withdrawal": "KZ86125KZT5004100100", "account_withdrawal_holder": "John Doe",
			"account_withdrawal_iin": "1", "account_withdrawal_bin": "2", "account_withdrawal_kbe": "3", "account_withdrawal_bank_code": "4",
			"account_withdrawal_bank_name": "5", "account_withdrawal_cnp": "6", "account_withdrawal_recipient_code": "7",
			"account_withdrawal_sender_code": "8", "account_withdrawal_recipient_rnn": "9", "account_withdrawal_recipient_name": "10",
			"provider_id": "11",
		}},
	} {
		p := newProvider(t, map[string]string{"/withdrawal/init": `{"order_id":"testPayout_1050","status":1,"processing_order_id":"px-1"}`})
		a := p.account()
		if tc.tokens != "" {
			a.Settings["payout_card_host"] = tc.tokens
		}
		result, err := open(t, a).Payout(t.Context(), documentedPayout(t, tc.method))
		require.NoError(t, err, name)
		require.Equal(t, gateway.StatusProcessing, result.Status, name)
		require.Equal(t, "px-1", result.ProviderReference, name)
		call := p.seen()[0]
		require.Equal(t, tc.role, call.Role, name)
		for key, want := range tc.want {
			require.Equal(t, want, call.Body[key], "%s: %s", name, key)
		}
		require.NotContains(t, call.Body, "currency", name)
	}
}

func TestPayoutRefusals(t *testing.T) {
	t.Parallel()
	p := newProvider(t, nil)
	a := p.account()
	a.Settings["bank_payouts"] = "off"
	g := open(t, a)
	for field, change := range map[string]func(*gateway.PayoutRequest){
		"currency":              func(r *gateway.PayoutRequest) { r.Ref.Amount = money.New(100, "USD") },
		"amount":                func(r *gateway.PayoutRequest) { r.Ref.Amount = eur(0) },
		"method":                func(r *gateway.PayoutRequest) { r.Method = gateway.PayoutMethod{} },
		"method.card.number":    func(r *gateway.PayoutRequest) { r.Method = gateway.PayoutMethod{Card: &card.Card{}} },
		"method.card.exp_month": func(r *gateway.PayoutRequest) { r.Method.Card.Expiry = card.Expiry{Month: 13, Year: 2030} },
	} {
		req := documentedPayout(t, gateway.PayoutMethod{Card: mustCard(t, "4012000000003010", "")})
		change(&req)
		_, err := g.Payout(t.Context(), req)
		var e *gateway.Error
		require.ErrorAs(t, err, &e, field)
		require.Equal(t, gateway.KindInvalid, e.Kind, field)
		require.Len(t, e.Fields, 1, field)
		require.Equal(t, field, e.Fields[0].Field)
	}
	_, err := g.Payout(t.Context(), documentedPayout(t, gateway.PayoutMethod{BankAccount: &gateway.BankAccount{Number: "1", Holder: "2"}}))
	require.Equal(t, gateway.KindInvalid, gateway.KindOf(err))
	require.Empty(t, p.seen())
}

func TestPayoutSucceedsAtOnceOnlyWhenConfirmed(t *testing.T) {
	t.Parallel()
	req := documentedPayout(t, gateway.PayoutMethod{Phone: "+79123456789"})
	answers := map[string]string{
		"/withdrawal/init": `{"order_id":"testPayout_1050","status":2}`,
		"/check":           `{"order_id":"testPayout_1050","status":2,"amount":10000,"type":"Withdrawal"}`,
	}
	result, err := open(t, newProvider(t, answers).account()).Payout(t.Context(), req)
	require.NoError(t, err)
	require.Equal(t, gateway.StatusSucceeded, result.Status)
	require.Equal(t, gateway.KindPayout, result.Kind)
	delete(answers, "/check")
	result, err = open(t, newProvider(t, answers).account()).Payout(t.Context(), req)
	require.NoError(t, err)
	require.Equal(t, gateway.StatusProcessing, result.Status)
}

func TestBalanceNeedsAllThree(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{"balance":1,"holdBalance":2}`, `{"err":"PROCESSING_ERROR"}`, `{"balance":"x","holdBalance":1,"rollingBalance":2}`} {
		_, err := open(t, newProvider(t, map[string]string{"/withdrawal/balance/get": body}).account()).Balance(t.Context())
		require.Error(t, err, body)
		require.Equal(t, gateway.KindUnknown, gateway.KindOf(err), body)
	}
	_, err := open(t, newProvider(t, map[string]string{"/withdrawal/balance/get": `{"status":-1,"err":"VALIDATION_PROCESSING_ERROR"}`}).account()).Balance(t.Context())
	require.Equal(t, gateway.KindDeclined, gateway.KindOf(err), "it is no payout account, and asking again does not make it one")
}

func TestStatements(t *testing.T) {
	t.Parallel()
	const base = "/aggregation-service/public/transaction/excel"
	task := base + "/task/t1"
	for body, want := range map[string]struct {
		ready bool
		kind  gateway.ErrorKind
		fails bool
	}{
		`{"id":"t1","status":2}`:  {ready: true},
		`{"id":"t1","status":1}`:  {},
		`{"id":"t1","status":-1}`: {kind: gateway.KindDeclined, fails: true},
		`{"id":"t2","status":2}`:  {kind: gateway.KindUnknown, fails: true},
		`{"id":"t1"}`:             {kind: gateway.KindUnknown, fails: true},
	} {
		ready, err := open(t, newProvider(t, map[string]string{task: body}).account()).TransactionReportReady(t.Context(), "t1")
		require.Equal(t, want.ready, ready, body)
		require.Equal(t, want.fails, err != nil, body)
		if err != nil {
			require.Equal(t, want.kind, gateway.KindOf(err), body)
		}
	}
	p := newProvider(t, map[string]string{task + "/result": `{"status":1}`})
	g := open(t, p.account())
	var w bytes.Buffer
	require.Error(t, g.DownloadTransactionReport(t.Context(), "t1", &w))
	require.Zero(t, w.Len(), "nothing that is no workbook is written")
	before := len(p.seen())
	for _, bad := range []string{"", "..", "a/b", "a?b"} {
		_, err := g.TransactionReportReady(t.Context(), bad)
		require.Equal(t, gateway.KindInvalid, gateway.KindOf(err))
		require.Equal(t, gateway.KindInvalid, gateway.KindOf(g.DownloadTransactionReport(t.Context(), bad, &w)))
	}
	now := time.Unix(1700000000, 0)
	_, err := g.StartTransactionReport(t.Context(), gateway.TransactionReportRequest{Kind: gateway.KindTransfer, Status: gateway.StatusAuthorized, From: now, To: now})
	var e *gateway.Error
	require.ErrorAs(t, err, &e)
	require.Len(t, e.Fields, 3)
	require.Len(t, p.seen(), before, "nothing was sent")
}

func TestRefundsAndChargesAreCheckedBeforeTheyAreMade(t *testing.T) {
	t.Parallel()
	p := newProvider(t, nil)
	g := open(t, p.account())
	names := func(missing []gateway.FieldError) (out []string) {
		for _, f := range missing {
			out = append(out, f.Field)
		}
		return out
	}
	refund := gateway.RefundRequest{Refund: ref("r-1", 100), Payment: ref("o-1", 1000), Reason: "torn"}
	require.Empty(t, g.Check(refund))
	charge := gateway.ChargeRequest{Ref: ref("c-1", 100), Parent: ref("o-1", 1000), Description: "May"}
	require.Empty(t, g.Check(charge))
	for _, blank := range []string{"", " ", "|", "\u2028", " |\t| "} {
		refund.Reason, charge.Description = blank, blank
		require.Equal(t, []string{"reason"}, names(g.Check(refund)), "%q", blank)
		require.Equal(t, []string{"description"}, names(g.Check(charge)), "%q", blank)
		_, err := g.Refund(t.Context(), refund)
		require.Equal(t, gateway.KindInvalid, gateway.KindOf(err))
		_, err = g.Charge(t.Context(), charge)
		require.Equal(t, gateway.KindInvalid, gateway.KindOf(err))
	}
	require.Empty(t, p.seen(), "nothing was sent")
}

func TestAnExpiryIsMissingOrWrong(t *testing.T) {
	t.Parallel()
	g := open(t, account(""))
	says := func(e card.Expiry) (out []string) {
		c := *mustCard(t, "4012000000003010", "123")
		c.Expiry = e
		for _, f := range g.Check(direct("o-1", gateway.PaymentMethod{Card: &c}, gateway.OpSale)) {
			out = append(out, f.Message)
		}
		return out
	}
	require.Equal(t, []string{"is required by the provider, 1 to 12", "is required by the provider, four digits"}, says(card.Expiry{}))
	require.Equal(t, []string{"must be 2000 to 2099"}, says(card.Expiry{Month: 1, Year: 2100}))
	require.Equal(t, []string{"must be 1 to 12"}, says(card.Expiry{Month: 13, Year: 2030}))
}
