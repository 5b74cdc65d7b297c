package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/card"
	"payrelay/internal/gateway"
	"payrelay/internal/money"
	"payrelay/internal/payment"
)

// An order that needs what its account's contract leaves out is refused with the reason, and nothing of it is stored or sent.
func TestWhatAContractLeavesOutIsRefused(t *testing.T) {
	t.Parallel()
	b := newFixture(t)
	m := &mover{}
	service := b.mover(m)
	fits := func(payment.Account) error { return nil }
	pay := func(reference string, change func(*payment.NewPayment)) error {
		in := payment.NewPayment{Shop: b.shop.ID, Reference: reference, Amount: money.New(1000, "EUR"), Flow: gateway.FlowDirect, RequestHash: []byte("h")}
		change(&in)
		_, _, err := service.CreatePayment(t.Context(), in)
		return err
	}
	moves := map[string]func(reference string) error{
		gateway.VariantCardNumber: func(reference string) error {
			return pay(reference, func(in *payment.NewPayment) { in.Method.Card = &card.Card{} })
		},
		gateway.VariantBankPayout: func(reference string) error {
			_, _, err := service.Payout(t.Context(), payment.NewPayout{
				Shop: b.shop.ID, Reference: reference, Minor: 100, Account: "EUR-1", RequestHash: []byte("h"), Method: gateway.PayoutMethod{BankAccount: &gateway.BankAccount{}},
			})
			return err
		},
	}
	for capability, move := range map[string]int{"payout": 1, "payout_card": 2, "transfer": 3, "recurring": 4, "refund": 5, "capture": 6, "cancel": 7} {
		var parent payment.Key
		if on := everyMove[move].on; on != "" {
			parent = b.parent(t, m, service, "parent-"+capability, on)
		}
		moves[capability] = func(reference string) error {
			return everyMove[move].do(t.Context(), service, b.shop.ID, reference, parent)
		}
	}
	m.answer = gateway.Result{Status: gateway.StatusProcessing}
	for capability, move := range moves {
		require.NoError(t, b.Withhold(t.Context(), "EUR-1", capability, "the contract says so", fits))
		calls, orders := m.asked, b.count(t, "SELECT count(*) FROM orders")
		err := move("w-" + capability)
		require.Equal(t, payment.CodeUnsupported, payment.CodeOf(err), "%s: %v", capability, err)
		require.ErrorContains(t, err, "("+capability+"): the contract says so. Nothing was stored or sent")
		require.Equal(t, calls, m.asked, capability)
		require.Equal(t, orders, b.count(t, "SELECT count(*) FROM orders"), capability)
		infos, err := service.Accounts(t.Context(), b.shop.ID)
		require.NoError(t, err)
		require.NotContains(t, infos[0].Capabilities, capability)

		require.NoError(t, b.Withhold(t.Context(), "EUR-1", capability, "", fits))
		require.NoError(t, move("w-"+capability), capability)
		require.Equal(t, calls+1, m.asked, capability)
	}
	for _, needs := range []struct {
		capability string
		change     func(*payment.NewPayment)
	}{
		{"capture", func(in *payment.NewPayment) { in.Manual = true }},
		{"recurring", func(in *payment.NewPayment) { in.Recurring.Enabled = true }},
	} {
		require.NoError(t, b.Withhold(t.Context(), "EUR-1", needs.capability, "the contract says so", fits))
		require.Equal(t, payment.CodeUnsupported, payment.CodeOf(pay("new-"+needs.capability, needs.change)))
	}
	require.NoError(t, pay("plain", func(*payment.NewPayment) {}))
	require.Empty(t, b.altered(t), "it is sealed")
}
