package card

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each range is tried at both ends, within, and at both neighbours. Those are of no scheme unless one is named.
func TestBrandOf(t *testing.T) {
	t.Parallel()
	for _, r := range []struct {
		from, to      int
		brand         string
		before, after string
	}{
		{220000, 220499, "MIR", "", ""},
		{222100, 272099, "MASTERCARD", "", ""},
		{340000, 349999, "AMEX", "", ""},
		{352800, 358999, "JCB", "", ""},
		{370000, 379999, "AMEX", "", ""},
		{400000, 401177, "VISA", "", ""}, // then Elo
		{401180, 431273, "VISA", "", ""},
		{431275, 438934, "VISA", "", ""},
		{438936, 451415, "VISA", "", ""},
		{451417, 457392, "VISA", "", ""},
		{457394, 457630, "VISA", "", ""},
		{457633, 493697, "VISA", "", ""},
		{493700, 499999, "VISA", "", ""},
		{501800, 501899, "MAESTRO", "", ""},
		{502000, 502099, "MAESTRO", "", ""},
		{503800, 503899, "MAESTRO", "", ""},
		{510000, 559999, "MASTERCARD", "", ""},
		{589300, 589399, "MAESTRO", "", ""},
		{601100, 601199, "DISCOVER", "", ""},
		{620000, 621829, "UNIONPAY", "", ""},
		{621840, 621979, "UNIONPAY", "", ""},
		{622000, 627099, "UNIONPAY", "", ""},
		{627200, 627299, "UNIONPAY", "", ""},
		{627600, 627779, "UNIONPAY", "", ""}, // 627780 is Elo
		{627781, 627799, "UNIONPAY", "", ""},
		{628200, 628999, "UNIONPAY", "", ""},
		{629100, 629299, "UNIONPAY", "", ""},
		{630400, 630499, "MAESTRO", "", ""},
		{644000, 649999, "DISCOVER", "", ""},
		{675900, 675999, "MAESTRO", "", ""},
		{676100, 676399, "MAESTRO", "", ""},
		{979200, 979299, "TROY", "", ""},
		{980400, 980499, "PROSTIR", "", ""},
	} {
		for _, six := range []int{r.from, (r.from + r.to) / 2, r.to} {
			require.Equal(t, r.brand, BrandOf(fmt.Sprintf("%06d******1234", six)), six)
		}
		require.Equal(t, r.before, BrandOf(fmt.Sprint(r.from-1)), r.from-1)
		require.Equal(t, r.after, BrandOf(fmt.Sprint(r.to+1)), r.to+1)
	}
}

// Cards of schemes that share a range with others, or that are not known here, have no brand: they had a wrong one before.
func TestNoBrandIsBetterThanAWrongOne(t *testing.T) {
	t.Parallel()
	for leading, scheme := range map[string]string{
		"970400": "Napas", "986000": "HUMO", "911200": "Belkart", "905100": "ArCa", "900000": "none known", "999999": "none known",
		"401178": "Elo", "506699": "Elo", "509000": "Elo", "636297": "Elo", "650031": "Elo", "627780": "Elo",
		"506099": "Verve", "507865": "Verve", "508500": "RuPay", "652150": "RuPay", "817200": "RuPay", "501900": "Dankort",
		"650274": "Troy inside 65", "637095": "Hiper", "606282": "Hipercard", "561400": "Uzcard", "860000": "Uzcard", "604001": "UkrCard",
		"300000": "Diners", "000000": "none", "": "", "3400": "too short", "34****": "too short", "４０１２００": "no digits",
	} {
		require.Empty(t, BrandOf(leading), scheme)
	}
}

// What cannot be named is found in texts all the same.
func TestPlausible(t *testing.T) {
	t.Parallel()
	for digits, want := range map[string]bool{
		number: true, "378282246310005": true, "9792030000000000": true, "9860010000000009": true, "5061000000000005": true, "6304000000000000": true,
		"6502740000000001": true, "4012000000003011": false, "40120000000030": false, "1012000000003016": false, "": false,
	} {
		require.Equal(t, want, Plausible(digits), digits)
	}
}
