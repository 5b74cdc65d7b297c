package bintable

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"payrelay/internal/country"
)

func read(t testing.TB, lines ...string) *List {
	t.Helper()
	list, err := Read([]byte(strings.Join(lines, "\n")))
	require.NoError(t, err)
	return list
}

func TestTheMostExactLineSaysTheCountry(t *testing.T) {
	t.Parallel()
	table := read(t, "bin,country", "401200,GB", "40120005,FR", "4012001,DE", "401201-401203,GB", "40120390-40120399,ES", "999999,UA", "000000,PT").Table
	for bin, want := range map[string]string{
		"40120000": "GB", "40120004": "GB", "40120005": "FR", "40120006": "GB", "4012001": "DE", "40120010": "DE", "40120019": "DE", "40120020": "GB",
		"401201": "GB", "40120389": "GB", "40120390": "ES", "40120399": "ES", "40120400": "", "40119999": "", "99999999": "UA", "999999": "UA", "00000000": "PT", "00000100": "",
		"401200": "", "401203": "", "4012000": "", "4012039": "ES", "401202": "GB",
		"": "", "40120": "", "401200000": "", "4012000x": "", "４０１２００": "",
	} {
		require.Equal(t, want, table.Country(bin), bin)
	}
	require.Equal(t, []string{"GB", "FR", "DE"}, table.Countries("401200"), "six digits that several countries have")
	require.Equal(t, []string{"ES"}, table.Countries("40120390"))
	require.Equal(t, []string{""}, table.Countries("555555"))
	require.Equal(t, Size{Ranges: 8, BINs: 100 + 300 + 100 + 100, Countries: 6}, table.Size())
	var none *Table
	require.Empty(t, none.Country("40120000"))
	require.Zero(t, none.Size())
}

// TestATableSaysWhatItsLinesSay compares tables of all kinds of lines with a search of the lines themselves.
func TestATableSaysWhatItsLinesSay(t *testing.T) {
	t.Parallel()
	type line struct {
		first, last uint32
		country     string
	}
	rapid.Check(t, func(t *rapid.T) {
		var lines []line
		text := []string{"iin_start,iin_end,country"}
		for range rapid.IntRange(1, 30).Draw(t, "lines") {
			l := line{first: rapid.Uint32Range(0, 40).Draw(t, "first"), country: rapid.SampledFrom([]string{"DE", "FR", "GB"}).Draw(t, "country")}
			l.last = l.first + rapid.Uint32Range(0, 12).Draw(t, "length")
			lines = append(lines, l)
			text = append(text, fmt.Sprintf("%08d,%08d,%s", l.first, l.last, l.country))
		}
		clash := false
		for _, a := range lines {
			for _, b := range lines {
				crosses := a.first < b.first && b.first <= a.last && a.last < b.last
				differs := a.first == b.first && a.last == b.last && a.country != b.country
				clash = clash || crosses || differs
			}
		}
		list, err := Read([]byte(strings.Join(text, "\n")))
		require.Equal(t, clash, err != nil, "%v", err)
		if clash {
			return
		}
		decoded, err := Decode(list.Table.Encode())
		require.NoError(t, err)
		require.Equal(t, list.Table, decoded)
		for bin := range uint32(60) {
			want, shortest := "", uint32(100)
			for _, l := range lines {
				if length := l.last - l.first; l.first <= bin && bin <= l.last && length < shortest {
					want, shortest = l.country, length
				}
			}
			require.Equal(t, want, decoded.Country(fmt.Sprintf("%08d", bin)))
		}
		for i := 1; i < len(decoded.starts); i++ {
			require.Less(t, decoded.starts[i-1], decoded.starts[i])
			require.NotEqual(t, decoded.countries[i-1], decoded.countries[i])
		}
	})
}

func TestTheOrderOfLinesChangesNothing(t *testing.T) {
	t.Parallel()
	one := read(t, "bin,country", "401200,GB", "40120005,FR", "401201,GB", "401200,GB")
	other := read(t, "country,bank,bin", "FR,x,40120005", "GB,y,401201", "GB,z,401200")
	require.Equal(t, one.Table.Encode(), other.Table.Encode())
	require.Equal(t, []string{"bank"}, other.Ignored)
}

func TestAChangeIsCounted(t *testing.T) {
	t.Parallel()
	before := read(t, "bin,country", "401200,GB", "401201,GB").Table
	after := read(t, "bin,country", "401200,GB", "4012001,FR", "401202,DE").Table
	require.Equal(t, Change{Added: 100, Removed: 100, Moved: 10}, after.ChangeFrom(before))
	require.Equal(t, Change{Added: 200}, before.ChangeFrom(nil))
	require.Zero(t, before.ChangeFrom(before))
}

func TestWhatWasNotEncodedIsRefused(t *testing.T) {
	t.Parallel()
	good := read(t, "bin,country", "401200,GB").Table.Encode()
	for _, content := range []string{"", "bins2\n", format, string(good[:len(good)-1]), format + "\x01GB", format + "\x00  \x00GB", format + "\x00XX", format + "\x00  \xff\xff\xff\xff\x7fGB"} {
		_, err := Decode([]byte(content))
		require.ErrorIs(t, err, errDamaged, "%q", content)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(format + "\x00  \x05GB"))
	f.Fuzz(func(t *testing.T, content []byte) {
		table, err := Decode(content)
		if err != nil {
			return
		}
		table.Country("40120000")
		table.ChangeFrom(nil)
		repeated, err := Decode(table.Encode())
		require.NoError(t, err)
		require.Equal(t, table, repeated)
	})
}

// large is a table with a range in each country and many more.
func large(t testing.TB) *Table {
	lines := []string{"bin,country"}
	for i := range 300_000 {
		lines = append(lines, fmt.Sprintf("%08d,%s", 40_000_000+2*i, country.Code(1+i%249)))
	}
	return read(t, lines...).Table
}

func TestALargeTableIsSmallAndAsksForNoMemory(t *testing.T) { //nolint:paralleltest // others would be counted
	table := large(t)
	require.Less(t, len(table.Encode()), 2<<20)
	require.Zero(t, testing.AllocsPerRun(100, func() { table.Country("40300000") }))
	require.NotEmpty(t, table.Country("40300000"))
}

func BenchmarkCountry(b *testing.B) {
	table, bins := large(b), make([]string, 1024)
	for i := range bins {
		bins[i] = fmt.Sprintf("%08d", 40_000_000+i*7919%600_000)
	}
	for i := 0; b.Loop(); i++ {
		table.Country(bins[i%len(bins)])
	}
}
