package record

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMaskHidesCardData(t *testing.T) {
	t.Parallel()
	got := Mask(map[string]any{
		"card_number": "4012 0000 0000 3010", "customer_card_number": json.Number("4111111111111112"), "card_cvv": "123",
		"apple_pay_dpan": "abcd", "purpose": "paid with 4003830171874018, thanks", "amount": json.Number("1000"),
		"nested": map[string]any{"list": []any{"4003830171874018", true}}, "customer_phone": "+442079460612",
	})
	require.Equal(t, map[string]any{
		"card_number": "401200******3010", "customer_card_number": "411111******1112", "card_cvv": "[3 characters]",
		"apple_pay_dpan": "[4 characters]", "purpose": "paid with 400383******4018, thanks", "amount": json.Number("1000"),
		"nested": map[string]any{"list": []any{"400383******4018", true}}, "customer_phone": "+442079460612",
	}, got)
}

func TestLogIsBounded(t *testing.T) {
	t.Parallel()
	l := New(20)
	for range 100 {
		l.Finish(l.Add(Request{Path: "/x"}), 200, nil, nil)
	}
	all := l.Last(0, nil)
	require.LessOrEqual(t, len(all), 20)
	require.Equal(t, 100, all[len(all)-1].Seq)
	require.Len(t, l.Last(3, nil), 3)
}
