package routing

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var known = []KnownAccount{
	{Name: "EUR-main", Currency: "EUR", Payments: true, Begins: true, Shops: []string{"books"}, Prioritized: []string{"books"}},
	{Name: "EUR-second", Currency: "EUR", Payments: true, Begins: true, Shops: []string{"books", "toys"}},
	{Name: "EUR-drained", Currency: "EUR", Payments: true, Shops: []string{"books"}},
	{Name: "USD-main", Currency: "USD", Payments: true, Begins: true, Shops: []string{"books"}},
	{Name: "EUR-payouts", Currency: "EUR", Payouts: true, Begins: true, Shops: []string{"books"}},
	{Name: "EUR-alone", Currency: "EUR", Payments: true, Begins: true},
}

const main = `{"accounts": ["EUR-main"]}`

func TestASetIsAnalysed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ body, shop, want string }{
		"good":                       {rules("refuse", "a", `{"currency": ["EUR"]}`, main), "books", ""},
		"account with a slip":        {rules("refuse", "a", `{}`, `{"accounts": ["EUR-mian"]}`), "", `rule "a": there is no account "EUR-mian": did you mean "EUR-main"?`},
		"no such account":            {rules("refuse", "a", `{}`, `{"accounts": ["completely-other"]}`), "", `there is no account "completely-other"`},
		"not the shop's":             {rules("refuse", "a", `{}`, main), "toys", `shop toys may not use account EUR-main`},
		"not of the rule's shop":     {rules("refuse", "a", `{"shop": ["toys"]}`, main), "", `no shop of this rule may use account EUR-main`},
		"linked to nobody":           {rules("refuse", "a", `{}`, `{"accounts": ["EUR-alone"]}`), "", `no shop of this rule may use account EUR-alone`},
		"other currency":             {rules("refuse", "a", `{"currency": ["EUR"]}`, `{"accounts": ["USD-main"]}`), "", `account USD-main holds USD, which no payment of this rule has`},
		"for payouts":                {rules("refuse", "a", `{}`, `{"accounts": ["EUR-payouts"]}`), "", `account EUR-payouts is for payouts only`},
		"a payout at one of those":   {rules("refuse", "a", `{"kind": ["payout"]}`, `{"accounts": ["EUR-payouts"]}`), "", ""},
		"both at one of those":       {rules("refuse", "a", `{"kind": ["payout", "payment"]}`, `{"accounts": ["EUR-payouts", "EUR-main"]}`), "", ""},
		"for payments":               {rules("refuse", "a", `{"kind": ["payout"]}`, main), "", `account EUR-main is for payments only`},
		"payments before payouts":    {rules("refuse", "a", `{}`, main, "b", `{"kind": ["payout"]}`, `{"accounts": ["EUR-payouts"]}`), "", ""},
		"payouts twice":              {rules("refuse", "a", `{"kind": ["payout"]}`, `{"accounts": ["EUR-payouts"]}`, "b", `{"kind": ["payout"], "method": ["phone"]}`, `{"accounts": ["EUR-payouts"]}`), "", `rule "b": rule "a" before it`},
		"each method of payouts":     {rules("refuse", "a", `{"kind": ["payout"], "method": ["card", "phone"]}`, `{"accounts": ["EUR-payouts"]}`, "b", `{"kind": ["payout"], "method": ["payout_card", "bank_account"]}`, `{"accounts": ["EUR-payouts"]}`, "c", `{"kind": ["payout"]}`, `{"accounts": ["EUR-payouts"]}`), "", `rule "c": the rules before it take all`},
		"a hosted payout":            {rules("refuse", "a", `{"kind": ["payout"], "flow": ["hosted"]}`, `{"accounts": ["EUR-payouts"]}`), "", `no payment meets all conditions`},
		"a wallet for a payout":      {rules("refuse", "a", `{"kind": ["payout"], "method": ["apple_pay"]}`, `{"accounts": ["EUR-payouts"]}`), "", `no payment meets all conditions`},
		"a payment to a phone":       {rules("refuse", "a", `{"method": ["phone"]}`, main), "", `no payment meets all conditions`},
		"a BIN of a payout":          {rules("refuse", "a", `{"kind": ["payout"], "card.bin": ["401200"]}`, `{"accounts": ["EUR-payouts"]}`), "", ""},
		"a broad rule first":         {rules("refuse", "a", `{"currency": ["EUR"]}`, main, "b", `{"currency": ["EUR"], "flow": ["direct"]}`, main), "", `rule "b": rule "a" before it takes all of its payments`},
		"a narrow rule first":        {rules("refuse", "a", `{"currency": ["EUR"], "flow": ["direct"]}`, main, "b", `{"currency": ["EUR"]}`, main), "", ""},
		"two that take all together": {rules("refuse", "a", `{"flow": ["direct"]}`, main, "b", `{"flow": ["hosted"]}`, main, "c", `{"currency": ["EUR"]}`, main), "", `rule "c": the rules before it take all of its payments together`},
		"amounts that meet":          {rules("refuse", "a", `{"currency": ["EUR"], "amount": {"lt": 500}}`, main, "b", `{"currency": ["EUR"], "amount": {"gte": 500}}`, main, "c", `{"currency": ["EUR"]}`, main), "", `rule "c": the rules before it`},
		"amounts with a gap":         {rules("refuse", "a", `{"currency": ["EUR"], "amount": {"lt": 500}}`, main, "b", `{"currency": ["EUR"], "amount": {"gt": 500}}`, main, "c", `{"currency": ["EUR"]}`, main), "", ""},
		"cards are paid directly":    {rules("refuse", "a", `{"flow": ["direct"]}`, main, "b", `{"card.bin": ["401200"]}`, main), "", `rule "b": rule "a" before it`},
		"a shorter BIN first":        {rules("refuse", "a", `{"card.bin": ["401200"]}`, main, "b", `{"card.bin": ["40120000"]}`, main), "", `rule "a" before it`},
		"a longer BIN first":         {rules("refuse", "a", `{"card.bin": ["40120000"]}`, main, "b", `{"card.bin": ["401200"]}`, main), "", ""},
		"not known is not covered":   {rules("refuse", "a", `{"metadata.x": ["1"]}`, main, "b", `{"metadata.x": {"not": ["1"]}}`, main, "c", `{}`, main), "", ""},
		"a card in a hosted form":    {rules("refuse", "a", `{"flow": ["hosted"], "card.bin": ["401200"]}`, main), "", `rule "a": no payment meets all conditions`},
		"a BIN of a wallet":          {rules("refuse", "a", `{"method": ["apple_pay"], "card.bin": ["401200"]}`, main), "", `no payment meets all conditions`},
		"a hosted stored card":       {rules("refuse", "a", `{"flow": ["hosted"], "method": ["stored_card"]}`, main), "", `no payment meets all conditions`},
		"no flow":                    {rules("refuse", "a", `{"flow": {"not": ["hosted", "direct"]}}`, main), "", `no payment meets all conditions`},
		"a country of a payout":      {rules("refuse", "a", `{"kind": ["payout"], "card.country": ["GB"]}`, `{"accounts": ["EUR-payouts"]}`), "", ""},
		"a country in a hosted form": {rules("refuse", "a", `{"flow": ["hosted"], "card.country": ["GB"]}`, main), "", `its BIN and country only with method card`},
		"a country of a wallet":      {rules("refuse", "a", `{"method": ["apple_pay"], "card.country": {"not": ["GB"]}}`, main), "", `no payment meets all conditions`},
		"a country twice":            {rules("refuse", "a", `{"card.country": ["GB", "DE"]}`, main, "b", `{"card.country": ["DE"]}`, main), "", `rule "a" before it`},
		"all but a country":          {rules("refuse", "a", `{"card.country": {"not": ["GB"]}}`, main, "b", `{"card.country": ["GB"]}`, main, "c", `{"method": ["card"]}`, main), "", ""},
		"another shop's":             {rules("refuse", "a", `{"shop": ["toys"]}`, main), "books", `the set is for shop books alone`},
	} {
		problems := parsed(t, c.body).Check(c.shop, known)
		if c.want == "" {
			require.Empty(t, problems, name)
			continue
		}
		require.NotEmpty(t, problems, name)
		require.Contains(t, problems[0].String(), c.want, name)
	}
}

func TestAGapIsDescribed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ body, shop, currency, want string }{
		"none":                       {rules("refuse", "a", `{"currency": ["EUR"]}`, main), "books", "EUR", ""},
		"another currency":           {rules("refuse", "a", `{"currency": ["EUR"]}`, main), "books", "USD", "a payment with shop books, currency USD has no account"},
		"priorities":                 {rules("by_priority", "a", `{"flow": ["direct"]}`, main), "books", "EUR", ""},
		"priorities of nobody":       {rules("by_priority", "a", `{"flow": ["direct"]}`, `{"accounts": ["EUR-second"]}`), "toys", "EUR", "flow hosted"},
		"some amounts":               {rules("refuse", "a", `{"currency": ["EUR"], "amount": {"gte": 500}}`, main), "books", "EUR", "amount 0 to 499"},
		"both halves":                {rules("refuse", "a", `{"flow": ["direct"]}`, main, "b", `{"flow": ["hosted"]}`, main), "books", "EUR", ""},
		"no metadata":                {rules("refuse", "a", `{"metadata.x": ["1"]}`, main, "b", `{"metadata.x": {"not": ["1"]}}`, main), "books", "EUR", "metadata.x not known"},
		"only a drained account":     {rules("refuse", "a", `{"currency": ["EUR"]}`, `{"accounts": ["EUR-drained"]}`), "books", "EUR", "has no account that begins orders"},
		"a drained one and the next": {rules("refuse", "a", `{"flow": ["direct"]}`, `{"accounts": ["EUR-drained"]}`, "b", `{}`, main), "books", "EUR", ""},
		"a refusal before the next":  {rules("refuse", "a", `{"flow": ["direct"]}`, `{"accounts": ["EUR-drained"], "if_none": "refuse"}`, "b", `{}`, main), "books", "EUR", "flow direct"},
		"payouts alone":              {rules("refuse", "a", `{"kind": ["payout"]}`, main), "books", "EUR", "a payment with shop books, currency EUR has no account"},
		"each method of payments":    {rules("refuse", "a", `{"flow": ["hosted"]}`, main, "b", `{"method": ["card", "apple_pay", "google_pay", "stored_card"]}`, main), "books", "EUR", ""},
		"not linked":                 {rules("refuse", "a", `{}`, main), "toys", "EUR", "has no account"},
	} {
		gap := parsed(t, c.body).Gap(c.shop, c.currency, known)
		if c.want == "" {
			require.Empty(t, gap, name)
			continue
		}
		require.Contains(t, gap, c.want, name)
	}
}

// A large set is judged in no time, whatever its rules have in common.
func TestALargeSetIsJudgedInTime(t *testing.T) {
	t.Parallel()
	s := parsed(t, manyRules(200))
	began := time.Now()
	s.Check("", known)
	require.Empty(t, s.Gap("books", "EUR", []KnownAccount{{Name: "A", Currency: "EUR", Payments: true, Begins: true, Shops: []string{"books"}}}))
	require.Less(t, time.Since(began), 20*time.Second)
}
