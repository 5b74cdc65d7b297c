package money

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/currency"
	"pgregory.net/rapid"
)

func TestExponentsAgreeWithTheTablesOfXText(t *testing.T) {
	t.Parallel()
	// CLDR rounds some currencies to whole units in shops; ISO 4217, which providers use, keeps their decimals.
	cldrDiffers := map[Currency]bool{
		"AFN": true, "ALL": true, "IDR": true, "IQD": true, "IRR": true, "KPW": true, "LAK": true, "LBP": true, "MGA": true,
		"MMK": true, "PKR": true, "RSD": true, "SLE": true, "SOS": true, "SYP": true, "TZS": true, "UZS": true, "YER": true,
		"AMD": true, "COP": true, "CRC": true, "HUF": true, "GYD": true, "MNT": true, "MUR": true, "TWD": true, "KHR": true,
		"NOK": true, "SEK": true, "CZK": true, "DKK": true, "CHF": true, "CAD": true,
	}
	for c, have := range currencies {
		unit, err := currency.ParseISO(string(c))
		if err != nil {
			continue // newer than the tables of x/text
		}
		scale, _ := currency.Standard.Rounding(unit)
		if !cldrDiffers[c] {
			require.Equal(t, scale, int(have.exponent), "exponent of %s", c)
		}
	}
}

func TestParseCurrency(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "eur", "EURO", "XXX", "XTS", "XAU", "E R", "ЕUR"} {
		_, err := ParseCurrency(bad)
		require.Error(t, err, bad)
		if bad != "" {
			require.NotContains(t, err.Error(), "\""+bad)
		}
	}
	c, err := ParseCurrency("UAH")
	require.NoError(t, err)
	n, _ := c.Numeric()
	require.Equal(t, 980, n)
}

func TestString(t *testing.T) {
	t.Parallel()
	for want, m := range map[string]Money{
		"10.00 EUR": New(1000, "EUR"), "0.05 EUR": New(5, "EUR"), "-0.05 EUR": New(-5, "EUR"), "10 JPY": New(10, "JPY"), "1.234 KWD": New(1234, "KWD"),
	} {
		require.Equal(t, want, m.String())
	}
}

func TestAddNeverWrapsRound(t *testing.T) {
	t.Parallel()
	_, err := New(math.MaxInt64, "EUR").Add(New(1, "EUR"))
	require.ErrorIs(t, err, ErrOverflow)
	_, err = New(math.MinInt64, "EUR").Add(New(-1, "EUR"))
	require.ErrorIs(t, err, ErrOverflow)
	_, err = New(1, "EUR").Add(New(1, "USD"))
	require.ErrorIs(t, err, ErrCurrencyMismatch)
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Int64().Draw(t, "a"), rapid.Int64().Draw(t, "b")
		sum, err := New(a, "EUR").Add(New(b, "EUR"))
		if err == nil && ((b > 0 && sum.Minor() <= a) || (b < 0 && sum.Minor() >= a) || (b == 0 && sum.Minor() != a)) {
			t.Fatalf("%d + %d = %d", a, b, sum.Minor())
		}
	})
}

func TestNewRefusesUnknownCurrency(t *testing.T) {
	t.Parallel()
	require.Panics(t, func() { New(1, "eur") })
}
