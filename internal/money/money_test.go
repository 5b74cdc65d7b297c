package money

import (
	_ "embed"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// standard is the committed copy of the standard's tables.
//
//go:embed testdata/iso4217.tsv
var standard string

func TestTheTableIsTheStandards(t *testing.T) {
	t.Parallel()
	date := regexp.MustCompile(`published on ([0-9-]{10})`).FindStringSubmatch(standard)
	require.NotEmpty(t, date, "the copy says of when it is")
	circulating, gone := map[Currency]info{}, map[Currency]uint16{}
	for line := range strings.Lines(standard) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		cells := strings.Split(strings.TrimSpace(line), "\t")
		require.Len(t, cells, 5, line)
		number, err := strconv.ParseUint(cells[1], 10, 16)
		require.NoError(t, err, line)
		switch cells[3] {
		case "currency":
			minor, err := strconv.ParseUint(cells[2], 10, 8)
			require.NoError(t, err, line)
			circulating[Currency(cells[0])] = info{uint8(minor), uint16(number)}
		case "withdrawn":
			gone[Currency(cells[0])] = uint16(number)
		default:
			require.Contains(t, []string{"fund", "none"}, cells[3], line)
			require.False(t, Currency(cells[0]).Valid(), "%s is no money that a shop takes", cells[0])
		}
	}
	require.Len(t, circulating, 155, "what list one has, without 10 funds codes and 13 of no minor unit")
	require.Equal(t, circulating, currencies)
	for c, have := range withdrawn {
		require.Equal(t, gone[c], have.numeric, c)
		require.False(t, c.Circulates(), c)
	}
	require.Len(t, withdrawn, len(gone))
}

// TestWhatChangedLately holds what older tables get wrong.
func TestWhatChangedLately(t *testing.T) {
	t.Parallel()
	for code, number := range map[string]int{"XCG": 532, "ZWG": 924, "SLE": 925, "VED": 926} {
		c, err := ParseCurrency(code)
		require.NoError(t, err, code)
		n, _ := c.Numeric()
		require.Equal(t, number, n)
		require.True(t, c.Circulates())
	}
	for _, code := range []string{"ANG", "BGN", "CUC", "HRK", "SLL", "ZWL"} {
		_, err := ParseCurrency(code)
		require.ErrorIs(t, err, errWithdrawn, "%s is refused for what is new", code)
		c, err := KnownCurrency(code)
		require.NoError(t, err, "%s is read in what is old", code)
		require.True(t, c.Valid())
		require.False(t, c.Circulates())
		require.Equal(t, "10.00 "+code, New(1000, c).String())
	}
	require.Equal(t, "1000 BYR", New(1000, "BYR").String(), "no decimals then either")
}

func TestParseCurrency(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "eur", "EURO", "XXX", "XTS", "XAU", "E R", "ЕUR"} {
		for _, parse := range []func(string) (Currency, error){ParseCurrency, KnownCurrency} {
			_, err := parse(bad)
			require.ErrorIs(t, err, errUnknown, bad)
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
