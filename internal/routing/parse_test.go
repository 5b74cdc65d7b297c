package routing

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const example = `{"rules": [
  {"name": "large euro", "when": {"currency": ["EUR"], "amount": {"gte": 50000}, "card.bin": ["401200", "54540000"]},
   "then": {"split": {"EUR-main": 80, "EUR-second": 20}, "sticky": "customer", "fallback": ["EUR-third"]}},
  {"name": "euro", "when": {"currency": ["EUR"], "metadata.channel": {"not": ["kiosk"]}}, "then": {"accounts": ["EUR-main", "EUR-second"]}}],
 "otherwise": "by_priority"}`

func parsed(t testing.TB, body string) *Set {
	t.Helper()
	s, problems := Parse([]byte(body))
	require.Empty(t, problems)
	return s
}

// rules is a set of rules, each given as its name, its conditions and what it does.
func rules(otherwise string, list ...string) string {
	var parts []string
	for i := 0; i < len(list); i += 3 {
		parts = append(parts, `{"name": "`+list[i]+`", "when": `+list[i+1]+`, "then": `+list[i+2]+`}`)
	}
	return `{"rules": [` + strings.Join(parts, ", ") + `], "otherwise": "` + otherwise + `"}`
}

func TestTheExampleOfTheGuide(t *testing.T) {
	t.Parallel()
	s := parsed(t, example)
	require.True(t, s.ByPriority)
	require.Equal(t, []string{"EUR-main", "EUR-second", "EUR-third"}, s.Accounts())
	require.Equal(t, []string{"channel"}, s.keys)
	require.Equal(t, 8, s.binDigits)
}

func TestWhatIsWrongWithASetIsNamed(t *testing.T) {
	t.Parallel()
	one := func(when, then string) string { return rules("refuse", "r", when, then) }
	const to = `{"accounts": ["A"]}`
	for body, want := range map[string]string{
		``:                                 `no JSON`,
		`[]`:                               `must be a JSON object`,
		`{"rules": []} x`:                  `something after its end`,
		`{"rules": [], "rules": []}`:       `"rules" is there twice`,
		`{"rules": []}`:                    `rules must be a list of 1 to 500 rules`,
		`{"ruels": []}`:                    `"ruels" is not known: did you mean "rules"?`,
		rules("by_prority", "r", `{}`, to): `otherwise: "by_prority" is not known: did you mean "by_priority"?`,
		`{"rules": [{"name": "", "when": {}, "then": {"accounts": ["A"]}}]}`:  `rule "#1": name must be a text`,
		rules("refuse", "r", `{}`, to, "r", `{}`, to):                         `rule "r": another rule has this name`,
		one(`{"curency": ["EUR"]}`, to):                                       `rule "r": "curency" is not known: did you mean "currency"?`,
		one(`{"currency": ["eur"]}`, to):                                      `"eur" is no currency in circulation`,
		one(`{"currency": []}`, to):                                           `currency must be a list`,
		one(`{"currency": "EUR"}`, to):                                        `currency must be a list`,
		one(`{"currency": ["EUR", "EUR"]}`, to):                               `currency has "EUR" twice`,
		one(`{"amount": {"gte": 1}}`, to):                                     `amount needs currency with one currency`,
		one(`{"amount": {"gte": 1}, "currency": ["EUR", "USD"]}`, to):         `amount needs currency with one currency`,
		one(`{"amount": {"gte": 1.5}, "currency": ["EUR"]}`, to):              `amount.gte must be a whole number`,
		one(`{"amount": {"get": 1}, "currency": ["EUR"]}`, to):                `amount."get" is not known: did you mean "gt"?`,
		one(`{"amount": {"gte": 9, "lt": 9}, "currency": ["EUR"]}`, to):       `the rule can never match`,
		one(`{"flow": ["hostd"]}`, to):                                        `"hostd" is not known: did you mean "hosted"?`,
		one(`{"kind": ["transfer"]}`, to):                                     `"transfer" is never routed`,
		one(`{}`, `{"accounts": ["A"], "skip_incomplete": "yes"}`):            `skip_incomplete must be true`,
		one(`{}`, `{"accounts": ["A"], "failover": true}`):                    `failover must be true, and belongs to rules for payouts`,
		one(`{"kind": ["payout"]}`, `{"accounts": ["A"], "failover": "yes"}`): `failover must be true`,
		one(`{"recurring": ["true"]}`, to):                                    `recurring must be true or false`,
		one(`{"card.bin": ["4012"]}`, to):                                     `"4012" must be the first 6 to 8 digits`,
		one(`{"card.bin": ["401200000000301"]}`, to):                          `must be the first 6 to 8 digits`,
		one(`{"card.brand": ["visa"]}`, to):                                   `"visa" must be a brand in capital letters`,
		one(`{"customer.country": ["Germany"]}`, to):                          `"Germany" is no country of ISO 3166-1: write two capital letters`,
		one(`{"customer.country": ["UK"]}`, to):                               `"UK" is no country of ISO 3166-1: did you mean "GB"?`,
		one(`{"card.country": {"not": ["UK"]}}`, to):                          `card.country: "UK" is no country of ISO 3166-1: did you mean "GB"?`,
		one(`{"card.country": ["de"]}`, to):                                   `did you mean "DE"?`,
		one(`{"metadata.": ["x"]}`, to):                                       `"metadata." is not known`,
		one(`{"metadata.x": [""]}`, to):                                       `metadata.x must hold texts that are not empty`,
		one(`{}`, `{}`):                                                       `then must have accounts, in their order, or split`,
		one(`{}`, `{"accounts": []}`):                                         `accounts must be a list of names of accounts, at least one`,
		one(`{}`, `{"accounts": ["A", "A"]}`):                                 `names account "A" twice`,
		one(`{}`, `{"accounts": ["A"], "sticky": "order"}`):                   `sticky belongs to split`,
		one(`{}`, `{"split": {"A": 1}}`):                                      `weights of two accounts or more`,
		one(`{}`, `{"split": {"A": 0, "B": 1}}`):                              `the weight of account "A" must be a whole number of 1`,
		one(`{}`, `{"split": {"A": 1, "B": 1}, "fallback": ["A"]}`):           `names account "A" twice`,
		one(`{}`, `{"split": {"A": 1, "B": 1}, "sticky": "custmer"}`):         `did you mean "customer"?`,
		one(`{}`, `{"accounts": ["A"], "if_none": "refused"}`):                `did you mean "refuse"?`,
		strings.Repeat(" ", mostBytes+1):                                      `larger than 256 KiB`,
		strings.Repeat(`{"rules":[`, 9):                                       `nested too deep`,
	} {
		s, problems := Parse([]byte(body))
		require.Nil(t, s, body)
		require.NotEmpty(t, problems, body)
		require.Contains(t, problems[0].String(), want, body)
	}
}

func TestFactsAreReadStrictly(t *testing.T) {
	t.Parallel()
	f, err := ParseFacts([]byte(`{"shop": "books", "currency": "EUR", "amount": 100, "card.bin": "401200", "metadata": {"channel": "web"}}`))
	require.NoError(t, err)
	require.Equal(t, Facts{Shop: "books", Kind: "payment", Currency: "EUR", Amount: 100, Flow: "hosted", Capture: "automatic", CardBIN: "401200", Metadata: map[string]string{"channel": "web"}}, f)
	for body, want := range map[string]string{
		`{"curency": "EUR"}`:            `did you mean "currency"?`,
		`{"currency": "euro"}`:          `no currency in circulation`,
		`{"amount": "x"}`:               `amount`,
		`{"card.bin": "4012000000003"}`: `first 6 to 8 digits`,
		`{"card.country": "UK"}`:        `did you mean "GB"?`,
		`x`:                             `no JSON`,
	} {
		_, err := ParseFacts([]byte(body))
		require.ErrorContains(t, err, want, body)
	}
}

// FuzzParse: whatever a file holds, it is refused with a reason or gives a set that decides.
func FuzzParse(f *testing.F) {
	f.Add([]byte(example))
	f.Add([]byte(rules("refuse", "a", `{"recurring": true, "flow": {"not": ["hosted"]}}`, `{"accounts": ["A"], "if_none": "refuse"}`)))
	f.Add([]byte(`{"rules": [{"name": "a", "when": {"amount": {"gt": 9223372036854775807}, "currency": ["EUR"]}, "then": {"accounts": ["A"]}}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		s, problems := Parse(body)
		require.Equal(t, s == nil, len(problems) > 0)
		if s == nil {
			return
		}
		s.Check("", nil)
		s.Gap("books", "EUR", nil)
		d := s.Decide(Facts{Kind: "payment", Currency: "EUR", Flow: "direct", CardBIN: "40120000"}, []Account{{Name: "A"}})
		text, err := json.Marshal(d)
		require.NoError(t, err)
		var stored Decision
		require.NoError(t, json.Unmarshal(text, &stored))
	})
}
