package smartcore

import (
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/sandbox/testcard"
)

// Each card of the table is declined with its code: a payment, a hold and a payout.
func TestCardsThatAreDeclined(t *testing.T) {
	t.Parallel()
	b := newBundle(t, nil)
	seen := map[string]bool{}
	for _, c := range Declines {
		require.True(t, testcard.Luhn(c.Number), c.Number)
		require.False(t, seen[c.Does] || seen[c.Number], "one card for each code")
		seen[c.Does], seen[c.Number] = true, true
		b.call("/pci/initPaymentHost2Host", b.pay("pay-"+c.Number, with(card(c.Number), object{"payment_method": "card"})))
		b.call("/pci/authorize", b.pay("hold-"+c.Number, card(c.Number)))
		b.call("/pci/withdrawal/init", object{
			"account": "EUR-sandbox-payout", "order_id": "out-" + c.Number, "amount": 5, "payment_method": "card", "customer_card_number": c.Number,
			"customer_card_exp_month": "02", "customer_card_exp_year": "29",
		})
		for _, kind := range []string{"pay-", "hold-", "out-"} {
			got := b.status(kind+c.Number, StatusFailed)
			require.Equal(t, c.Does, got["errorMessage"], kind+c.Number)
			if c.Does == CodeGateNotFound {
				require.NotEmpty(t, got["cascadeErrors"])
			} else {
				require.Nil(t, got["cascadeErrors"])
			}
		}
	}
	b.call("/pci/initPaymentHost2Host", b.pay("other", with(card("4111111111111111"), object{"payment_method": "card"})))
	require.Equal(t, CodeEmitterDenial, b.status("other", StatusFailed)["errorMessage"])
}
