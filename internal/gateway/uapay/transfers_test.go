package uapay

import (
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/card"
	"payrelay/internal/gateway"
)

func transferRequest(t testing.TB) gateway.TransferRequest {
	t.Helper()
	cvc, err := card.ParseCVC("123")
	require.NoError(t, err)
	return gateway.TransferRequest{
		Ref:  gateway.Ref{Kind: gateway.KindTransfer, Operation: gateway.OpSale, OrderID: "tr-77", Amount: uah(10000)},
		From: gateway.TransferEnd{CardID: testCard, Card: &card.Card{CVC: cvc}}, To: gateway.TransferEnd{CardID: "90817f6e-5d4c-4b3a-9f2e-1d0c9b8a7f6e"},
		Customer: gateway.Customer{Phone: "+380000000000", Email: "to@shop.example"}, Description: "test", CallbackURL: "https://shop.example/hooks/uapay",
	}
}

func TestTransfer(t *testing.T) {
	t.Parallel()
	vectors := loadVectors(t)
	p := newProvider(t, map[string][]string{
		"payments/p2p/direct/create": {vectors["p2p_direct_create"].data(t)}, "payments/p2p/show": {vectors["p2p_show_3ds"].data(t)},
		"payments/p2p/confirm": {""},
	})
	g := open(t, account(p.url))
	result, err := g.Transfer(t.Context(), transferRequest(t))
	require.NoError(t, err)
	var want struct{ Data map[string]any }
	require.NoError(t, jsonInto(vectors["p2p_direct_create"].Request, &want))
	require.Equal(t, want.Data, p.seen()[0].Data)
	require.Equal(t, gateway.StatusRequiresAction, result.Status)
	require.Equal(t, testP2P, result.ProviderReference)
	require.Equal(t, "https://api.demo.uapay.ua:443/api/payments/p2p/confirm?id="+testP2P+"&key="+result.State[stateKey].Reveal(), result.NextAction.Fields["TermUrl"])

	ref := transferRequest(t).Ref
	ref.State = result.State
	_, err = g.ConfirmCode(t.Context(), ref, "112233")
	require.NoError(t, err)
	require.NoError(t, jsonInto(vectors["p2p_confirm_lookup"].Request, &want))
	confirm := p.seen()[2]
	require.Equal(t, "payments/p2p/confirm", confirm.Path)
	require.Equal(t, map[string]any{"sessionId": testSession, "id": testP2P, "code": "112233", "key": result.State[stateKey].Reveal()}, confirm.Params)

	numbers := transferRequest(t)
	numbers.From = gateway.TransferEnd{Card: mustCard(t, "4111111111111111")}
	numbers.To = gateway.TransferEnd{Card: paidTo(t, "5454545454545454")}
	_, err = g.Transfer(t.Context(), numbers)
	require.NoError(t, err)
	sent := p.seen()[4].Data
	require.Equal(t, map[string]any{"pan": "4111111111111111", "expiresAt": "2031-03", "securityCode": "917"}, sent["cardFrom"])
	require.Equal(t, map[string]any{"pan": "5454545454545454"}, sent["cardTo"])
}

func TestTransferWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	p := newProvider(t, map[string][]string{"payments/p2p/direct/create": {`!{"code":"BANK_ERROR"}`}})
	_, err := open(t, account(p.url)).Transfer(t.Context(), transferRequest(t))
	require.Equal(t, gateway.KindUnknown, kindOf(t, err))

	p = newProvider(t, map[string][]string{
		"payments/p2p/show/list": {`{"payments":[{"id":"` + testP2P + `","externalId":"tr-77","status":"FINISHED","amount":10000}]}`},
		"payments/p2p/show":      {`{"id":"` + testP2P + `","externalId":"tr-77","status":"FINISHED","amount":10000}`},
	})
	result, err := open(t, account(p.url)).Fetch(t.Context(), transferRequest(t).Ref)
	require.NoError(t, err)
	require.Equal(t, gateway.StatusSucceeded, result.Status)
	require.Equal(t, testP2P, result.ProviderReference)

	p = newProvider(t, map[string][]string{"payments/p2p/show/list": {`{"payments":[]}`}})
	_, err = open(t, account(p.url)).Fetch(t.Context(), transferRequest(t).Ref)
	require.Equal(t, gateway.KindNotFound, kindOf(t, err))
}

func TestFindTransfer(t *testing.T) {
	t.Parallel()
	v := loadVectors(t)["seed_p2p_payments_show_bucket_finished"]
	const id = "a5878766-9a1f-485e-adb9-4c14d6bcceb1"
	p := newProvider(t, map[string][]string{"p2p/payments/show": {v.data(t)}})
	g := open(t, account(p.url))
	result, err := g.FindTransfer(t.Context(), gateway.TransferQuery{ProviderID: id, ReceiptID: "6ZDTRBEZ9YFP"})
	require.NoError(t, err)
	requireParams(t, v, p.seen()[0])
	require.Empty(t, p.seen()[0].Data)
	require.NotNil(t, p.seen()[0].Data, "an empty object, as in the example")
	require.Equal(t, gateway.StatusSucceeded, result.Status)
	require.Equal(t, id, result.ProviderReference)
	require.EqualValues(t, 400, *result.Amount)
	require.EqualValues(t, "UAH", result.Currency)
	require.Equal(t, "SEND FINISHED, RECEIVE FINISHED", result.ProviderData["operations"])

	followed, err := g.Fetch(t.Context(), gateway.Ref{Kind: gateway.KindTransfer, OrderID: "pr-1", ProviderReference: result.ProviderReference, Amount: uah(400), State: result.State})
	require.NoError(t, err)
	require.Equal(t, gateway.StatusSucceeded, followed.Status)

	_, err = g.FindTransfer(t.Context(), gateway.TransferQuery{ReceiptID: "ANOTHER"})
	require.Equal(t, gateway.KindUnknown, kindOf(t, err), "an answer about another receipt")
	_, err = g.FindTransfer(t.Context(), gateway.TransferQuery{})
	require.Equal(t, gateway.KindInvalid, kindOf(t, err))
	p = newProvider(t, map[string][]string{"p2p/payments/show": {`!{"code":"NO_SUCH_PAYMENT"}`}})
	_, err = open(t, account(p.url)).FindTransfer(t.Context(), gateway.TransferQuery{ProviderID: id})
	require.Equal(t, gateway.KindDeclined, kindOf(t, err))
}

// uapay.md 15.2, beyond the documented examples.
func TestSplitPayments(t *testing.T) {
	t.Parallel()
	op := func(kind, status text) operation {
		return operation{Type: kind, Status: status, Amount: number{Value: 5000, Set: true}}
	}
	sent, received, back := op("SEND", "FINISHED"), op("RECEIVE", "FINISHED"), op("RETURN", "FINISHED")
	none, half, all := number{}, number{Value: 5000, Set: true}, number{Value: 10000, Set: true}
	for name, tc := range map[string]struct {
		status   text
		pending  int64
		returned number // returnAmount
		ops      []operation
		want     gateway.Status
		back     int64
	}{
		"open alone":                        {"OPEN", 0, none, nil, gateway.StatusProcessing, 0},
		"taken and not credited":            {"OPEN", 0, none, []operation{sent, op("RECEIVE", "CANCELED")}, gateway.StatusProcessing, 0},
		"finished with a rest":              {"FINISHED", 1, none, []operation{sent}, gateway.StatusProcessing, 0},
		"a part went back":                  {"FINISHED", 0, none, []operation{sent, back}, gateway.StatusSucceeded, 5000},
		"all went back in two":              {"FINISHED", 0, none, []operation{back, back}, gateway.StatusSucceeded, 10000},
		"a part, and no operation says so":  {"FINISHED", 0, half, []operation{sent, received}, gateway.StatusSucceeded, 5000},
		"all, and no operation says so":     {"FINISHED", 0, all, []operation{sent, received}, gateway.StatusSucceeded, 10000},
		"all, and no operation at all":      {"FINISHED", 0, all, nil, gateway.StatusSucceeded, 10000},
		"all, though it was rejected":       {"REJECTED", 0, all, []operation{sent}, gateway.StatusSucceeded, 10000},
		"a part, though it was rejected":    {"REJECTED", 0, half, []operation{sent}, gateway.StatusSucceeded, 5000},
		"all, while the word is not listed": {"SOMETHING", 0, all, []operation{sent}, gateway.StatusSucceeded, 10000},
		"a part, while it is under way":     {"OPEN", 5000, half, []operation{sent}, gateway.StatusProcessing, 5000},
		"nothing, in a number":              {"FINISHED", 0, number{Value: 0, Set: true}, []operation{sent, received}, gateway.StatusSucceeded, 0},
		"a number behind its operations":    {"FINISHED", 0, number{Value: 0, Set: true}, []operation{sent, back}, gateway.StatusSucceeded, 5000},
		"a number beyond its operations":    {"FINISHED", 0, all, []operation{sent, back}, gateway.StatusSucceeded, 10000},
		"a number and its operation":        {"FINISHED", 0, half, []operation{sent, back}, gateway.StatusSucceeded, 5000},
		"the word alone":                    {"RETURNED", 0, none, []operation{sent}, gateway.StatusSucceeded, 10000},
		"the word, of a part":               {"REVERSED", 0, half, []operation{sent}, gateway.StatusSucceeded, 5000},
		"waits, though its return is over":  {"WAITING_COMPLETE", 0, none, []operation{sent, op("RETURN", "CANCELED")}, gateway.StatusProcessing, 0},
		"an unlisted word":                  {"SOMETHING", 0, none, []operation{sent}, "", 0},
	} {
		m, back := splitMeaning(answer{Status: tc.status, Amount: all, PendingAmount: number{Value: tc.pending, Set: true}, ReturnAmount: tc.returned, Operations: tc.ops})
		require.Equal(t, tc.want, m.status, name)
		if tc.back == 0 {
			require.Nil(t, back, name)
			continue
		}
		require.NotNil(t, back, name)
		require.Equal(t, tc.back, *back, name)
	}
	require.Equal(t, meaning{}, classicMeaning(answer{Status: "HOLDED"}), "not a word of the classic engine")
}

func TestPayout(t *testing.T) {
	t.Parallel()
	vectors := loadVectors(t)
	req := gateway.PayoutRequest{
		Ref:    gateway.Ref{Kind: gateway.KindPayout, Operation: gateway.OpSale, OrderID: "tr-900", Amount: uah(15000)},
		Method: gateway.PayoutMethod{Card: paidTo(t, "4111111111111111")}, Description: "Payout 900", CallbackURL: "https://shop.example/hooks/uapay",
	}
	p := newProvider(t, map[string][]string{
		"p2p/payments/a2c/initiate": {vectors["a2c_initiate"].data(t)}, "p2p/payments/a2c/complete": {vectors["a2c_complete"].data(t)},
	})
	result, err := open(t, account(p.url)).Payout(t.Context(), req)
	require.NoError(t, err)
	requireParams(t, vectors["a2c_initiate"], p.seen()[0])
	requireParams(t, vectors["a2c_complete"], p.seen()[1])
	require.Equal(t, map[string]any{"cardTo": map[string]any{"pan": "4111111111111111"}}, p.seen()[1].Data)
	require.Equal(t, gateway.StatusProcessing, result.Status)
	require.Equal(t, testP2P, result.ProviderReference)

	for name, tc := range map[string]struct {
		initiate, complete string
		kind               gateway.ErrorKind
		calls              int
	}{
		"not initiated":            {`!{"code":"NO_BALANCE"}`, "", gateway.KindDeclined, 1},
		"initiated for another":    {`{"paymentId":"x","externalId":"tr-901"}`, "", gateway.KindDeclined, 2}, // and cancelled
		"nobody knows":             {vectors["a2c_initiate"].data(t), `!{"code":"BANK_ERROR"}`, gateway.KindUnknown, 2},
		"the card is not accepted": {vectors["a2c_initiate"].data(t), `!{"code":"FORMAT_ERROR","fields":{"data":{"cardTo":{"pan":"FORMAT"}}}}`, gateway.KindDeclined, 3}, // and cancelled
	} {
		p := newProvider(t, map[string][]string{"p2p/payments/a2c/initiate": {tc.initiate}, "p2p/payments/a2c/complete": {tc.complete}})
		_, err := open(t, account(p.url)).Payout(t.Context(), req)
		require.Equal(t, tc.kind, kindOf(t, err), name)
		require.Len(t, p.seen(), tc.calls, name)
	}

	// A payout whose answer was lost is looked up by the order's id, and never given up for lost.
	p = newProvider(t, map[string][]string{
		"payments/p2p/show": {`{"id":"` + testP2P + `","externalId":"tr-900","status":"OPEN"}`},
		"p2p/payments/show": {vectors["p2p_payments_show_a2c_finished"].data(t)},
	})
	found, err := open(t, account(p.url)).Fetch(t.Context(), req.Ref)
	require.NoError(t, err)
	require.Equal(t, gateway.StatusSucceeded, found.Status)
	require.Equal(t, "545454******5454", found.PaymentMethod.Masked)
	p = newProvider(t, map[string][]string{"payments/p2p/show": {`!{"code":"NOT_FOUND"}`}})
	_, err = open(t, account(p.url)).Fetch(t.Context(), req.Ref)
	require.Equal(t, gateway.KindUnknown, kindOf(t, err))

	for name, method := range map[string]gateway.PayoutMethod{"phone": {Phone: "+380"}, "account": {BankAccount: &gateway.BankAccount{}}, "none": {}, "payout card": {PayoutCardID: "x"}} {
		req.Method = method
		_, err = open(t, account("")).Payout(t.Context(), req)
		require.Equal(t, gateway.KindInvalid, kindOf(t, err), name)
	}
}
