package card

import (
	_ "embed"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

//go:embed testdata/brands.tsv
var expectedBrands string

// Each range is tried at both ends, in its middle and beside both ends.
func TestBrandsOfEachRangeAndItsNeighbors(t *testing.T) {
	t.Parallel()
	tried := 0
	for line := range strings.Lines(expectedBrands) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		number, brands, _ := strings.Cut(strings.TrimRight(line, "\n"), "\t")
		require.True(t, Luhn(number), number)
		require.Equal(t, brands, strings.Join(BrandsOf(number), ","), number)
		if brands != "" {
			require.True(t, Plausible(number), number)
		}
		tried++
	}
	require.Greater(t, tried, 3*len(strings.Split(rangesFile, "\n")), "the numbers of every range")
}

func TestEachRowHasASourceAndADate(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for line := range strings.Lines(rangesFile) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		columns := strings.Split(strings.TrimSpace(line), "\t")
		require.Len(t, columns, 5, line)
		require.Regexp(t, `^20\d\d-\d\d-\d\d$`, columns[4], line)
		require.NotEmpty(t, columns[3], line)
		require.False(t, seen[columns[0]], line)
		seen[columns[0]] = true
		from, _, err := prefixes(columns[0])
		require.NoError(t, err)
		require.Contains(t, expectedBrands, padded8(from), "no example of "+columns[0])
	}
}

func padded8(n int) string {
	text := strings.Repeat("0", 8) + strconv.Itoa(n)
	return "\n" + text[len(text)-8:]
}

func TestRangesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"4\t16\tVISA\tx\n", "x\t16\tVISA\tx\ty\n", "4\t11\tVISA\tx\ty\n", "4\t16-20\tVISA\tx\ty\n", "5-4\t16\tVISA\tx\ty\n", "123456789\t16\tV\tx\ty\n"} {
		_, err := readRanges(bad)
		require.Error(t, err, bad)
	}
	_, err := readRanges("#\n")
	require.NoError(t, err)
}

func TestABrandOfPartOfANumber(t *testing.T) {
	t.Parallel()
	for leading, want := range map[string]string{
		"401200******3010": "VISA", "401200": "VISA", "986001******0009": "HUMO", "604001": "UKRCARD", "60400100": "UKRCARD",
		"604000": "", "604201": "", "650837": "", "65083700": "TROY", "622126": "UNIONPAY", "356000": "JCB",
	} {
		require.Equal(t, want, BrandOf(leading), leading)
	}
	require.Equal(t, []string{"UNIONPAY", "DISCOVER"}, BrandsOf("622126"))
	require.Empty(t, BrandOf("40120000000000"), "no VISA has 14 digits")
	for _, unknown := range []string{
		"970300", "911100", "911300", "900000", "999999", "985900", "986100", "979300", "980300", "980500", "968201",
		"650923", "650000", "810000", "300", "310000", "000000", "", "34****", "4012", "４０１２００",
	} {
		require.Empty(t, BrandsOf(unknown), unknown)
	}
}

// What cannot be named is found in texts all the same.
func TestPlausible(t *testing.T) {
	t.Parallel()
	for digits, want := range map[string]bool{
		number: true, "378282246310005": true, "9792030000000000": true, "9860010000000009": true, "5061000000000005": true, "6304000000000000": true,
		"6502740000000001": true, "4012000000003011": false, "40120000000030": false, "1012000000003016": false, "": false,
		"9312000000003013": false, "630400000000": false,
	} {
		require.Equal(t, want, Plausible(digits), digits)
	}
}
