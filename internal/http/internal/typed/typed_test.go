package typed

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/card"
)

func TestCardDataIsDecodedAndNotShown(t *testing.T) {
	t.Parallel()
	var in struct {
		Number, Bad Number
		Code        *CVC
		Wrong       CVC
	}
	require.NoError(t, json.Unmarshal([]byte(`{"Number":"4012 0000 0000 3010","Bad":"4012000077773011","Code":"739","Wrong":"12345"}`), &in))
	require.NoError(t, in.Number.Err)
	require.Equal(t, "4012000000003010", in.Number.PAN.Reveal())
	require.Equal(t, "739", in.Code.CVC.Reveal())
	require.ErrorIs(t, in.Bad.Err, card.ErrNumber)
	require.ErrorIs(t, in.Wrong.Err, card.ErrCVC)
	text, err := json.Marshal(in)
	require.NoError(t, err)
	shown := string(text)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		for _, v := range []any{in, in.Number, in.Bad, *in.Code, in.Code, in.Wrong} {
			shown += fmt.Sprintf(verb, v)
		}
	}
	for _, secret := range []string{"401200000000", "00003010", `"739`, "{739", "7777", "12345"} {
		require.NotContains(t, shown, secret)
	}
}
