package card

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMaskText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"card 4012000000003010 refused":      "card 401200******3010 refused",
		"card 4012 0000 0000 3010":           "card 401200******3010",
		"4012000000003010 12/30":             "***/30",
		"4012-0000-0000-3010 739":            "***",
		"x40120000000030101234567890123456y": "x***y",
		"rrn 318513456789":                   "rrn 318513456789",
		"order 2026112100000001":             "order 2026112100000001",
		"":                                   "",
	} {
		require.Equal(t, want, MaskText(text), text)
	}
}

// Ids of ours hold what looks like a card number by chance. They are how people find an order.
func TestMaskTextLeavesOwnIDsWhole(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"pr-0a4012000000003010bcdef012345678",
		"order pr-4012000000003010000000000000000f, paid",
		"pr-64a7e106d46c5db10d082b1364a7e106",
		"01a1fd0c-4012-4000-8000-003010bc0000", "a4012000-0000-3010-9c39-80becf791395",
		"1795219200000", "+442079460612", "401288888886",
	} {
		require.Equal(t, text, MaskText(text))
	}
	// What only resembles one is masked as before.
	for text, want := range map[string]string{
		"pr-4012000000003010":                                  "pr-401200******3010",
		"pr-0a4012000000003010bcdef0123456789":                 "pr-0a401200******3010bcdef0123456789",
		"xpr-0a4012000000003010bcdef012345678":                 "xpr-0a401200******3010bcdef012345678",
		"pr-40120000000030100000000000000000":                  "pr-***",
		"40120000-0000-3010-0000-000000000000":                 "***",
		"pr-0a4012000000003010bcdef012345678 4012000000003010": "pr-0a4012000000003010bcdef012345678 401200******3010",
	} {
		require.Equal(t, want, MaskText(text), text)
	}
}
