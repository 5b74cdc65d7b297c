package country

import (
	_ "embed"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

//go:embed testdata/iso3166.tsv
var standardCountries string

func TestCountriesAreTheStandards(t *testing.T) {
	t.Parallel()
	var standard []string
	for line := range strings.Lines(standardCountries) {
		if !strings.HasPrefix(line, "#") {
			standard = append(standard, strings.Split(line, "\t")[0])
		}
	}
	slices.Sort(standard)
	require.Len(t, standard, 249)
	require.Equal(t, standard, codes)
}

func TestACodeHasANumber(t *testing.T) {
	t.Parallel()
	for i, code := range codes {
		require.Equal(t, i+1, Number(code))
		require.Equal(t, code, Code(i+1))
	}
	require.Empty(t, Code(0))
	for _, text := range []string{"", "UK", "gb", "GBR", "XK", "ZZ"} {
		require.Zero(t, Number(text), text)
	}
}

func TestTheRightCodeIsNamed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"UK": `did you mean "GB"?`, "EL": `did you mean "GR"?`, "de": `did you mean "DE"?`, " FR": `did you mean "FR"?`,
		"": "write two capital letters", "Germany": "write two capital letters", "ZZ": "write two capital letters",
	} {
		require.Contains(t, Problem(text), want, text)
	}
	for _, code := range others {
		require.True(t, Known(code), code)
	}
	require.Less(t, len(Problem(strings.Repeat("x", 1000))), 100)
}
