package smartcore

import (
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/kit"
)

func TestTwelveDigitsAreNoCardNumber(t *testing.T) {
	t.Parallel()
	const rrn = "401288888886" // passes the check of card numbers
	require.Equal(t, rrn, answer{RRN: rrn}.providerData(kit.Redactor{"288"})["rrn"], "a CVC that its digits happen to hold")
	require.Equal(t, "no "+rrn, answer{Err: "no " + rrn}.providerData(nil)["err"])
	require.Equal(t, rrn, callback{"rrn": rrn}.result(kit.Redactor{"288"}, false).ProviderData["rrn"])
	require.Equal(t, "401200******3010", answer{RRN: "4012000000003010"}.providerData(nil)["rrn"], "a card number where a reference belongs")
	require.NotContains(t, kit.Redactor(nil).Text("4222222222222"), "4222222222222", "13 digits")
}

// An operator searches by an id: digits of it that happen to be a card's CVC stay.
func TestAnIDIsKeptWhole(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"bfbcc310e4127699fae9f123", "pr-123bcc310e4127699fae9f0000000123", "4fd2fcc2-eb99-11f1-9772-9ab53ce11123"} {
		require.Equal(t, id, answer{OrderID: text(id), RefundID: text(id)}.providerData(kit.Redactor{"123"})["order_id"])
		require.Equal(t, "***", answer{OrderID: text(id)}.providerData(kit.Redactor{id})["order_id"], "a secret of that shape")
	}
	require.Equal(t, "order-***", answer{OrderID: "order-123"}.providerData(kit.Redactor{"123"})["order_id"], "no id of ours or the provider's")
	require.Equal(t, "401200******3010", answer{OrderID: "4012000000003010"}.providerData(nil)["order_id"])
}

func TestSentencesFitWhateverWasRefused(t *testing.T) {
	t.Parallel()
	for category, sentence := range sentences {
		require.NotContains(t, sentence, "payment", "%s may be told of a payout", category)
	}
	require.Equal(t, gateway.FailureDeclined, failureOf("EMITTER_DENIAL_PROCESSING_ERROR", nil, nil).Category)
}

// A word that says that the provider knows no scheme is not the name of one: the number's range tells then, or nothing does.
func TestAWordForNoSchemeIsNoBrand(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{
		"Prostir": "Prostir", "MASTER CARD": "MASTER CARD", "UNKNOWN": "TROY", "unknown": "TROY", "N/A": "TROY", "null": "TROY", "": "TROY", "4": "TROY",
	} {
		require.Equal(t, want, (&cardAnswer{Type: text(word), Number: "979203******0000"}).masked().Brand, word)
	}
	require.Empty(t, (&cardAnswer{Type: "UNKNOWN", Number: "986101******0009"}).masked().Brand)
}
