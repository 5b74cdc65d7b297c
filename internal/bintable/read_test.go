package bintable

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPublicListsAreRead(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"one column":          "bin,country\n401200,GB\n",
		"a range":             "bin,country\n401200-401200,GB\n",
		"two columns":         "iin_start,iin_end,number_length,scheme,brand,country,bank_name\n401200,,16,visa,Traditional,GB,\"A bank, of course\"\n",
		"names and capitals":  "\ufeffBIN,Brand,Type,Issuer,isoCode2,isoCode3,CountryName\r\n401200,VISA,DEBIT,x,GB,GBR,UNITED KINGDOM\r\n",
		"a line says nothing": "bin, country\n 401200 , GB\n401201,\n",
	} {
		list := read(t, text)
		require.Equal(t, "GB", list.Table.Country("401200"), name)
		require.Equal(t, 1, list.Lines, name)
		require.Equal(t, strings.Contains(name, "nothing"), list.NoCountry == 1, name)
	}
}

func TestEveryWrongLineIsNamed(t *testing.T) {
	t.Parallel()
	_, err := Read([]byte("bin,country\n401200,UK\n4012,GB\n4012000000003010,GB\n401200,GB\n401209-401200,GB\n401201,GB,x\n401200,FR\n500000-500010,GB\n500005-500020,GB\n"))
	var problems Problems
	require.ErrorAs(t, err, &problems)
	require.Equal(t, Problems{
		`line 2: "UK" is no country of ISO 3166-1: did you mean "GB"?`,
		"line 3: a BIN has 6 to 8 digits, and a range two of them, such as 401200-401299",
		"line 4: a BIN has 6 to 8 digits, and a range two of them, such as 401200-401299",
		"line 6: the range ends before it begins",
		"line 7: wrong number of fields",
		"line 8: line 5 gives the same BINs to GB, and this one to FR",
		"line 10: its range crosses that of line 9: one may lie within another, or beside it",
	}, problems)
	require.NotContains(t, err.Error(), "4012000000003010", "it may be a card number")

	for text, want := range map[string]string{
		"":                                             "the file is empty",
		"bin,land\n401200,GB\n":                        "line 1 must name the columns",
		"bin;country\n401200;GB\n":                     "line 1 must name the columns, separated by commas",
		"iin_start,country\n401200,GB\n":               "line 1 must name the columns",
		"401200,GB\n":                                  "line 1 must name the columns",
		"bin,country,BIN\n401200,GB,1\n":               "is there twice",
		"bin,country\n":                                "no line has a BIN and a country",
		"bin,country\n401200,\n":                       "no line has a BIN and a country",
		"bin,country\n401200,\"GB\n":                   "line 2: extraneous or missing",
		strings.Repeat(" ", MostBytes+1):               "larger than 64 MiB",
		"bin,country\n" + strings.Repeat("4,GB\n", 60): "and 10 more",
		"bin,country\n" + strings.Repeat("401200,GB\n", mostLines+1): "more than 1000000 lines",
	} {
		_, err := Read([]byte(text))
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "Nothing was changed.")
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("bin,country\n401200-401299,GB\n40120005,FR\n"))
	f.Add([]byte("iin_start,iin_end,country\n401200,,GB\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		list, err := Read(content)
		if err != nil {
			return
		}
		table, err := Decode(list.Table.Encode())
		require.NoError(t, err)
		require.Equal(t, list.Table, table)
		require.Positive(t, table.Size().BINs)
	})
}
