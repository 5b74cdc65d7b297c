package app

import (
	"testing"

	"github.com/stretchr/testify/require"

	"payrelay/internal/bintable"
	"payrelay/internal/routing"
)

func TestAListOfBINsIsImported(t *testing.T) {
	t.Parallel()
	b := newOperated(t)
	list := secretIn(t, "bin,country,bank\n401200,GB,Bank\n40120005,FR,Bank\n401201,,Bank\n")
	require.Contains(t, b.command(t, "bin", "status"), "There is no table")
	require.JSONEq(t, `{"version": null, "unusable": null}`, b.command(t, "bin", "status", "--json"))
	require.Contains(t, b.command(t, "bin", "show", "40120000"), "There is no table")

	before := b.contents(t)
	dry := b.command(t, "bin", "import", list, "--dry-run", "--reason", "a try")
	require.Contains(t, dry, "Nothing was changed. The table would have 3 ranges with 100 BINs of 8 digits, of 2 countries, of 2 lines.")
	require.Contains(t, dry, "1 line names no country and was left out")
	require.Contains(t, dry, "Columns that were left out: bank.")
	require.Contains(t, dry, "100 are new, 0 have another country, and 0 are gone")
	require.Equal(t, before, b.contents(t))

	require.Contains(t, b.command(t, "bin", "import", list, "--reason", "the list of November", "--as", "Ann"), "Version 1 is imported")
	require.Equal(t, "GB (version 1)\n", b.command(t, "bin", "show", "40120000"))
	require.Equal(t, "FR (version 1)\n", b.command(t, "bin", "show", "40120005"))
	require.Contains(t, b.command(t, "bin", "show", "401200"), "Not known by these digits alone: cards that begin with them are of GB, FR")
	require.Contains(t, b.command(t, "bin", "show", "545400"), "Not known: version 1 does not have it")
	require.JSONEq(t, `{"bin": "401200", "country": null, "countries": ["GB", "FR"], "version": 1}`, b.command(t, "bin", "show", "401200", "--json"))
	status := b.command(t, "bin", "status")
	require.Contains(t, status, "It has 3 ranges with 100 BINs of 8 digits, of 2 countries.")
	require.Contains(t, status, "by Ann ("+operatorName()+"): the list of November")

	require.Contains(t, b.command(t, "bin", "import", secretIn(t, "bin,country\n401200,GB\n545400,DE\n"), "--reason", "the list of December", "--json"),
		`"change":{"added":100,"removed":0,"moved":1}`)
	require.Contains(t, b.command(t, "bin", "status", "--json"), `"version":2`)
	entries := b.audit(t)
	last := entries[len(entries)-1]
	require.Equal(t, [2]string{"bin import", "the list of December"}, [2]string{last.Action, last.Reason})
	require.Contains(t, string(last.Before), `"version":1`)
	require.Contains(t, string(last.After), `"digest":"`)
}

func TestAWrongListOfBINsChangesNothing(t *testing.T) {
	t.Parallel()
	b := newOperated(t)
	before := b.contents(t)
	for text, want := range map[string]string{
		"bin,country\n401200,UK\n":           `line 2: "UK" is no country of ISO 3166-1: did you mean "GB"?`,
		"bin,country\n4012000000003010,GB\n": "line 2: a BIN has 6 to 8 digits",
		"":                                   "the file is empty",
	} {
		out := b.refused(t, "bin", "import", secretIn(t, text), "--reason", "x")
		require.Contains(t, out, want)
		require.NotContains(t, out, "4012000000003010")
	}
	require.NotContains(t, b.refused(t, "bin", "show", "4012000000003010"), "4012000000003010")
	require.Contains(t, b.refused(t, "bin", "import", secretIn(t, "bin,country\n401200,GB\n")), "--reason")
	require.Equal(t, before, b.contents(t))
}

// try and replay ask the present table where the facts do not say the country.
func TestRulesByCountryAreTried(t *testing.T) {
	t.Parallel()
	b := newOperated(t)
	b.command(t, "bin", "import", secretIn(t, "bin,country\n401200,GB\n"), "--reason", "x")
	rules := `{"rules": [{"name": "british", "when": {"card.country": ["GB"]}, "then": {"accounts": ["fake-1"]}}], "otherwise": "refuse"}`
	b.command(t, "route", "set", secretIn(t, rules), "--shop", "first", "--reason", "x")
	try := func(facts string) string {
		return b.command(t, "route", "try", "--facts", secretIn(t, facts), "--shop", "first", "--set", "1", "--json")
	}
	british := try(`{"currency": "EUR", "amount": 100, "flow": "direct", "method": "card", "card.bin": "40120000"}`)
	require.Contains(t, british, `"rule":"british"`)
	require.Contains(t, british, `"card.country":"GB"`)
	require.NotContains(t, try(`{"currency": "EUR", "amount": 100, "flow": "direct", "method": "card", "card.bin": "54540000"}`), "british")
	require.NotContains(t, try(`{"currency": "EUR", "amount": 100, "flow": "direct", "method": "card", "card.bin": "40120000", "card.country": "FR"}`), `"rule":"british"`, "the facts say it")
	require.Contains(t, b.command(t, "route", "replay", "--set", "1", "--shop", "first", "--all"), "no route")

	_, err := b.pool.Exec(t.Context(), "UPDATE bin_table SET reason = 'altered'")
	require.NoError(t, err)
	require.Contains(t, b.refused(t, "route", "try", "--facts", secretIn(t, `{"currency": "EUR", "amount": 1}`), "--shop", "first", "--set", "1"), "the BIN table was changed past payrelay: 'server bin import FILE' replaces it")
	require.Contains(t, b.refused(t, "bin", "show", "40120000"), "the BIN table was changed past payrelay: 'server bin import FILE' replaces it")
	require.Contains(t, b.command(t, "bin", "status"), "refuse payments, because the BIN table was changed past payrelay")
}

// Six digits of a card are of two countries. Where the rules treat them alike, the payment is counted; where they do not, that is said.
func TestReplayTellsOfCardsOfSeveralCountries(t *testing.T) {
	t.Parallel()
	list, err := bintable.Read([]byte("bin,country\n40120000,GB\n40120001,FR\n401201,DE\n"))
	require.NoError(t, err)
	accounts := []routing.Account{{Name: "a"}, {Name: "b"}}
	for name, tc := range map[string]struct {
		countries, bin, to string
		certain            bool
	}{
		"both elsewhere":    {`"DE"`, "401200", "b", true},
		"one of the two":    {`"GB"`, "401200", "b", false},
		"eight digits tell": {`"GB"`, "40120000", "a", true},
		"of one country":    {`"DE"`, "401201", "a", true},
		"no card":           {`"GB"`, "", "b", true},
	} {
		rules, problems := routing.Parse([]byte(`{"rules": [{"name": "there", "when": {"card.country": [` + tc.countries + `]}, "then": {"accounts": ["a"]}}, {"name": "else", "when": {}, "then": {"accounts": ["b"]}}], "otherwise": "refuse"}`))
		require.Empty(t, problems)
		r := replay{rules: rules, bins: list.Table}
		_, to, certain := r.decide(routing.Facts{Currency: "EUR", Amount: 100, Kind: "payment", Flow: "direct", Method: "card", CardBIN: tc.bin}, accounts)
		require.Equal(t, tc.certain, certain, name)
		if certain {
			require.Equal(t, tc.to, to, name)
		}
	}
}
