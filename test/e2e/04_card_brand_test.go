package e2e

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// A card that no scheme is certain of has no brand, whatever the provider calls it.
func TestTheBrandOfACardIsItsSchemeOrNull(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	for number, want := range map[string]string{
		cardSuccess: "VISA", "9792030000000000": "TROY", "9860010000000009": "HUMO", "9704000000000000": "NAPAS", "2202200000000008": "MIR",
		"5018000000000009": "MAESTRO", "5061000000000005": "VERVE", "5085000000000007": "RUPAY", "6502740000000001": "TROY",
		"9312000000000004": "",
	} {
		o := d.makes("/v1/payments", direct("brand-"+number[:6], 1000, cardMethod(number), ""), http.StatusCreated)
		status := "failed" // the simulator declines cards that it does not know
		if number == cardSuccess {
			status = "succeeded"
		}
		d.ends(o.ID, status)
		var paid struct {
			PaymentMethod struct {
				BIN   string  `json:"bin"`
				Brand *string `json:"brand"`
			} `json:"payment_method"`
		}
		d.call(http.MethodGet, "/v1/payments/"+o.ID, "", &paid)
		require.Equal(t, number[:6], paid.PaymentMethod.BIN)
		if want == "" {
			require.Nil(t, paid.PaymentMethod.Brand, number)
			continue
		}
		require.NotNil(t, paid.PaymentMethod.Brand, number)
		require.Equal(t, want, *paid.PaymentMethod.Brand, number)
	}
}
