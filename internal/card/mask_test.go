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
