package routing

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"payrelay/internal/bintable"
)

func euro() Facts {
	return Facts{
		Shop: "books", Kind: "payment", Currency: "EUR", Amount: 60000, Flow: "direct", Capture: "automatic", Method: "card",
		CardBIN: "40120000", CardBrand: "VISA", CardCountry: "GB", Metadata: map[string]string{"channel": "web", "customer_id": "17"}, CustomerKey: "c17", OrderKey: "o1",
	}
}

var linked = []Account{{Name: "EUR-main", Priority: 1}, {Name: "EUR-second"}, {Name: "EUR-third"}}

func TestTheFirstRuleThatFitsDecides(t *testing.T) {
	t.Parallel()
	s := parsed(t, example)
	d := s.Decide(euro(), linked)
	require.Equal(t, "large euro", d.Rule)
	require.Equal(t, StickyCustomer, d.Draw)
	require.Len(t, d.Candidates, 3)
	require.Equal(t, "EUR-third", d.Candidates[2].Account, "the fallback is last")

	small := euro()
	small.Amount = 49999
	d = s.Decide(small, linked)
	require.Equal(t, "euro", d.Rule)
	require.Equal(t, []string{"EUR-main", "EUR-second"}, d.Accounts())

	kiosk := small
	kiosk.Metadata = map[string]string{"channel": "kiosk"}
	d = s.Decide(kiosk, linked)
	require.Empty(t, d.Rule)
	require.Equal(t, []string{"EUR-main"}, d.Accounts(), "otherwise the priorities decide")
}

func TestAFactThatIsNotKnownMeetsNoCondition(t *testing.T) {
	t.Parallel()
	s := parsed(t, rules("refuse", "not a kiosk", `{"metadata.channel": {"not": ["kiosk"]}}`, `{"accounts": ["A"]}`))
	d := s.Decide(Facts{Kind: "payment"}, []Account{{Name: "A"}})
	require.Empty(t, d.Accounts())
	require.Empty(t, d.Rule)
}

func TestEachKindOfCondition(t *testing.T) {
	t.Parallel()
	many := make([]string, 20)
	for i := range many {
		many[i] = fmt.Sprintf(`"9%05d"`, i)
	}
	for when, want := range map[string]bool{
		`{}`:                            true,
		`{"shop": ["books", "toys"]}`:   true,
		`{"shop": {"not": ["books"]}}`:  false,
		`{"kind": ["payment"]}`:         true,
		`{"currency": ["EUR"]}`:         true,
		`{"currency": ["USD"]}`:         false,
		`{"flow": ["hosted"]}`:          false,
		`{"capture": ["automatic"]}`:    true,
		`{"method": ["card"]}`:          true,
		`{"method": {"not": ["card"]}}`: false,
		`{"recurring": false}`:          true,
		`{"recurring": true}`:           false,
		`{"card.bin": ["40120000"]}`:    true,
		`{"card.bin": ["4012000"]}`:     true,
		`{"card.bin": ["401201"]}`:      false,
		`{"card.bin": [` + strings.Join(many, ",") + `, "401200"]}`:    true,
		`{"card.bin": [` + strings.Join(many, ",") + `]}`:              false,
		`{"card.brand": ["VISA"]}`:                                     true,
		`{"customer.country": ["DE"]}`:                                 false,
		`{"card.country": ["GB", "FR"]}`:                               true,
		`{"card.country": ["FR"]}`:                                     false,
		`{"card.country": {"not": ["FR"]}}`:                            true,
		`{"card.country": {"not": ["GB"]}}`:                            false,
		`{"metadata.channel": ["web", "app"]}`:                         true,
		`{"currency": ["EUR"], "amount": {"gt": 59999, "lte": 60000}}`: true,
		`{"currency": ["EUR"], "amount": {"gt": 60000}}`:               false,
		`{"currency": ["EUR"], "amount": {"lt": 60000}}`:               false,
	} {
		d := parsed(t, rules("refuse", "r", when, `{"accounts": ["A"]}`)).Decide(euro(), []Account{{Name: "A"}})
		require.Equal(t, want, d.Rule == "r", when)
	}
}

func TestTheNextRuleIsAskedWhereNoAccountIsLeft(t *testing.T) {
	t.Parallel()
	out := []Account{{Name: "A", Priority: 1, Reason: Draining}, {Name: "B"}}
	next := parsed(t, rules("refuse", "first", `{}`, `{"accounts": ["A", "C"]}`, "second", `{"currency": ["EUR"]}`, `{"accounts": ["B"]}`)).Decide(euro(), out)
	require.Equal(t, []Candidate{{Account: "A", Reason: Draining}, {Account: "C", Reason: NotLinked}, {Account: "B"}}, next.Candidates)
	require.Equal(t, "second", next.Rule)
	refused := parsed(t, rules("by_priority", "first", `{}`, `{"accounts": ["A"], "if_none": "refuse"}`)).Decide(euro(), out)
	require.Equal(t, "first", refused.Rule)
	require.Empty(t, refused.Accounts())
}

// What is stored with a decision holds no more than the rules may ask for.
func TestOnlyWhatRulesAskForIsKept(t *testing.T) {
	t.Parallel()
	d := parsed(t, rules("refuse", "r", `{"card.bin": ["401200"], "metadata.channel": ["web"]}`, `{"accounts": ["A"]}`)).Decide(euro(), []Account{{Name: "A"}})
	require.Equal(t, map[string]string{"channel": "web"}, d.Facts.Metadata)
	require.Equal(t, "401200", d.Facts.CardBIN, "no rule asks for more digits")
	require.Equal(t, "r", d.Rule)
}

func split(t testing.TB, a, b int) *Set {
	t.Helper()
	return parsed(t, rules("refuse", "split", `{}`, fmt.Sprintf(`{"split": {"A": %d, "B": %d}}`, a, b)))
}

func TestASplitHoldsItsWeightsAndMovesOnlyWhatItMust(t *testing.T) {
	t.Parallel()
	const keys = 100_000
	accounts := []Account{{Name: "A"}, {Name: "B"}}
	before, after := split(t, 80, 20), split(t, 70, 30)
	first, moved, wrong := 0, 0, 0
	for i := range keys {
		f := Facts{Kind: "payment", OrderKey: fmt.Sprintf("key-%d", i)}
		a, b := before.Decide(f, accounts).Candidates[0].Account, after.Decide(f, accounts).Candidates[0].Account
		if a == "A" {
			first++
		}
		if a != b {
			moved++
		}
		if a == "B" && b == "A" {
			wrong++
		}
	}
	require.InDelta(t, 0.80, float64(first)/keys, 0.01)
	require.LessOrEqual(t, float64(moved)/keys, 0.105)
	require.Zero(t, wrong, "an account that lost weight got a payment")
}

// An account that is out leaves its part to the others, and moves none of theirs.
func TestAnAccountThatIsOutMovesOnlyItsOwn(t *testing.T) {
	t.Parallel()
	s := parsed(t, rules("refuse", "split", `{}`, `{"split": {"A": 50, "B": 30, "C": 20}}`))
	counts := map[string]int{}
	for i := range 20_000 {
		f := Facts{Kind: "payment", OrderKey: fmt.Sprintf("key-%d", i)}
		all := s.Decide(f, []Account{{Name: "A"}, {Name: "B"}, {Name: "C"}})
		d := s.Decide(f, []Account{{Name: "A", Reason: Disabled}, {Name: "B"}, {Name: "C"}})
		if first := all.Accounts()[0]; first != "A" {
			require.Equal(t, first, d.Accounts()[0])
			continue
		}
		counts[d.Accounts()[0]]++
	}
	require.InDelta(t, 0.6, float64(counts["B"])/float64(counts["B"]+counts["C"]), 0.02)
}

// An unhealthy account comes after all others of its rule, but for one payment in twenty, which tries it out.
func TestAnUnhealthyAccountComesLast(t *testing.T) {
	t.Parallel()
	s := parsed(t, rules("refuse", "split", `{}`, `{"split": {"A": 80, "B": 20}, "fallback": ["C"]}`))
	const keys = 20_000
	tries := 0
	for i := range keys {
		f := Facts{Kind: "payment", OrderKey: fmt.Sprintf("key-%d", i)}
		d := s.Decide(f, []Account{{Name: "A", Reason: Unhealthy}, {Name: "B"}, {Name: "C"}})
		require.Equal(t, d, s.Decide(d.Facts, d.Considered()), "from what is stored")
		if d.Tries("A") {
			tries++
			healthy := s.Decide(f, []Account{{Name: "A"}, {Name: "B"}, {Name: "C"}})
			require.Equal(t, healthy.Accounts(), d.Accounts())
			continue
		}
		require.Equal(t, []string{"B", "C", "A"}, d.Accounts())
	}
	require.InDelta(t, trialShare, float64(tries)/keys, 0.005)

	d := s.Decide(Facts{Kind: "payment"}, []Account{{Name: "A", Reason: Unhealthy}, {Name: "B", Reason: Draining}, {Name: "C", Reason: CircuitOpen}})
	require.Equal(t, "split", d.Rule)
	require.Equal(t, []string{"A"}, d.Accounts(), "it is put last, not out")

	d = s.Decide(Facts{Kind: "payment"}, []Account{{Name: "A", Reason: Unhealthy}, {Name: "B", Reason: Draining}, {Name: "C", Reason: Unhealthy}})
	require.Equal(t, []string{"A", "C"}, d.Accounts())
	d.PassOver("A", Limit)
	require.Equal(t, d, s.Decide(d.Facts, d.Considered()), "from what is stored of one that was passed over")
}

func drawSet(t *rapid.T) string {
	when := rapid.SampledFrom([]string{
		`{}`, `{"currency": ["EUR"]}`, `{"currency": ["EUR", "USD"]}`, `{"currency": ["EUR"], "amount": {"gte": 500}}`, `{"currency": ["USD"], "amount": {"lt": 700}}`,
		`{"flow": ["direct"]}`, `{"flow": {"not": ["direct"]}}`, `{"recurring": true}`, `{"card.brand": ["VISA"]}`, `{"card.bin": ["401200"]}`, `{"card.bin": {"not": ["40120000"]}}`, `{"card.country": ["GB", "FR"]}`, `{"card.country": {"not": ["GB"]}}`,
		`{"method": ["card", "apple_pay"]}`, `{"metadata.channel": ["web"]}`, `{"metadata.channel": {"not": ["web", "app"]}}`, `{"shop": ["books"]}`, `{"capture": ["manual"], "flow": ["direct"]}`,
	})
	then := rapid.SampledFrom([]string{`{"accounts": ["A"]}`, `{"accounts": ["B", "A"]}`, `{"accounts": ["C"], "if_none": "refuse"}`, `{"split": {"A": 8, "B": 2}, "sticky": "customer"}`, `{"split": {"A": 1, "C": 1}, "fallback": ["B"]}`})
	var list []string
	for i := range rapid.IntRange(1, 6).Draw(t, "rules") {
		list = append(list, fmt.Sprintf("rule %d", i), when.Draw(t, "when"), then.Draw(t, "then"))
	}
	return rules(rapid.SampledFrom([]string{"refuse", "by_priority"}).Draw(t, "otherwise"), list...)
}

func drawFacts(t *rapid.T) Facts {
	pick := func(name string, values ...string) string { return rapid.SampledFrom(values).Draw(t, name) }
	f := Facts{
		Shop: pick("shop", "books", "toys"), Kind: "payment", Currency: pick("currency", "EUR", "USD"), Amount: rapid.Int64Range(1, 1000).Draw(t, "amount"),
		Flow: pick("flow", "hosted", "direct"), Capture: pick("capture", "automatic", "manual"), Recurring: rapid.Bool().Draw(t, "recurring"),
		CustomerKey: pick("customer", "", "c1", "c2"), OrderKey: pick("order", "o1", "o2", "o3"),
	}
	if channel := pick("channel", "", "web", "app", "kiosk"); channel != "" {
		f.Metadata = map[string]string{"channel": channel}
	}
	if f.Flow == "hosted" {
		f.Method = pick("method", "", "mobile")
		return f
	}
	if f.Method = pick("method", "card", "apple_pay", "stored_card"); f.Method == "card" {
		f.CardBIN, f.CardBrand, f.CardCountry = pick("bin", "40120000", "40120099", "54540000"), pick("brand", "", "VISA", "MASTERCARD"), pick("country", "", "GB", "FR", "DE")
	}
	return f
}

// The same facts give the same decision, from the set as it was written and from what a decision keeps.
func TestTheSameFactsGiveTheSameDecision(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		body := drawSet(t)
		s, problems := Parse([]byte(body))
		require.Empty(t, problems)
		reasons := rapid.SampledFrom([]Reason{"", "", Draining, CircuitOpen, Unhealthy})
		accounts := []Account{{"A", 1, reasons.Draw(t, "A")}, {"B", 0, reasons.Draw(t, "B")}}
		d := s.Decide(drawFacts(t), accounts)
		require.Equal(t, d, s.Decide(d.Facts, accounts))
		text, err := json.Marshal(d)
		require.NoError(t, err)
		var stored Decision
		require.NoError(t, json.Unmarshal(text, &stored))
		next, _ := Parse([]byte(body))
		require.Equal(t, d, next.Decide(stored.Facts, stored.Considered()), "from what is stored")
	})
}

// Whatever the analysis lets pass has no gap, and no rule that decides nothing.
func TestAnAnalysedSetHasNoGap(t *testing.T) {
	t.Parallel()
	known := []KnownAccount{
		{Name: "A", Currency: "EUR", Payments: true, Begins: true, Shops: []string{"books", "toys"}, Prioritized: []string{"books"}},
		{Name: "B", Currency: "EUR", Payments: true, Begins: true, Shops: []string{"books", "toys"}},
	}
	rapid.Check(t, func(t *rapid.T) {
		s, problems := Parse([]byte(drawSet(t)))
		require.Empty(t, problems)
		f := drawFacts(t)
		f.Currency = "EUR"
		accounts := []Account{{Name: "A"}, {Name: "B"}}
		if f.Shop == "books" {
			accounts[0].Priority = 1
		}
		d := s.Decide(f, accounts)
		if s.Gap(f.Shop, "EUR", known) == "" {
			require.NotEmpty(t, d.Accounts(), "%+v", f)
		}
		for _, p := range s.Check("", known) {
			require.False(t, p.Rule == d.Rule && strings.Contains(p.Message, "takes all of its payments") && len(d.Candidates) == len(s.ruleNamed(d.Rule).accounts()), "%s decided %+v", p, f)
		}
	})
}

func (s *Set) ruleNamed(name string) *Rule {
	i := slices.IndexFunc(s.Rules, func(r Rule) bool { return r.Name == name })
	return &s.Rules[i]
}

func manyRules(n int) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf("rule %d", i), fmt.Sprintf(`{"currency": ["EUR"], "flow": ["direct"], "amount": {"gte": %d}, "card.bin": ["9%05d", "8%05d"]}`, i, i, i), `{"split": {"A": 80, "B": 20}}`)
	}
	list[len(list)-2] = `{"currency": ["EUR"]}`
	return rules("refuse", list...)
}

// The last of 200 rules decides, after each other one was compared in two of its conditions.
func BenchmarkDecide(b *testing.B) {
	s, f := parsed(b, manyRules(200)), euro()
	for name, reason := range map[string]Reason{"healthy": "", "unhealthy": Unhealthy} {
		b.Run(name, func(b *testing.B) {
			accounts := []Account{{Name: "A", Reason: reason}, {Name: "B"}}
			for b.Loop() {
				if d := s.Decide(f, accounts); d.Rule != "rule 199" {
					b.Fatal(d)
				}
			}
		})
	}
}

// Many rules cost little more than one: comparing them allocates nothing.
func TestManyRulesAllocateNoMoreThanOne(t *testing.T) { //nolint:paralleltest // others would be counted
	f, accounts := euro(), []Account{{Name: "A"}, {Name: "B"}}
	allocations := func(n int) float64 {
		s := parsed(t, manyRules(n))
		return testing.AllocsPerRun(100, func() { s.Decide(f, accounts) })
	}
	require.LessOrEqual(t, allocations(200), allocations(1)+1)
}

func TestAShareThatIsAlmostNothing(t *testing.T) {
	t.Parallel()
	require.False(t, math.IsNaN(score(Share{"A", 1}, "", "")))
	require.Positive(t, score(Share{"A", mostWeight}, "", ""))
}

// A rule is for payments, unless it says otherwise.
func TestPayoutsHaveRulesOfTheirOwn(t *testing.T) {
	t.Parallel()
	s := parsed(t, rules("by_priority", "payments", `{}`, `{"accounts": ["A"]}`, "payouts", `{"kind": ["payout"], "method": ["phone"]}`, `{"accounts": ["B"], "failover": true}`))
	accounts := []Account{{Name: "C", Priority: 1}, {Name: "A"}, {Name: "B"}}
	for kind, want := range map[string][]string{"payment": {"A"}, "payout": {"B"}} {
		d := s.Decide(Facts{Kind: kind, Method: "phone"}, accounts)
		require.Equal(t, want, d.Accounts(), kind)
		require.Equal(t, kind == "payout", d.Failover)
	}
	d := s.Decide(Facts{Kind: "payout", Method: "card"}, accounts)
	require.Equal(t, []string{"C"}, d.Accounts(), "no rule fits")
	require.False(t, d.Failover)
}

// A rule asks for the country of a card, which the table says; where it does not, the condition does not hold.
func TestTheCountryOfACardIsAFact(t *testing.T) {
	t.Parallel()
	list, err := bintable.Read([]byte("bin,country\n401200,GB\n40120005,FR\n"))
	require.NoError(t, err)
	accounts := []Account{{Name: "A"}, {Name: "B"}, {Name: "C"}}
	asks := parsed(t, rules("refuse", "french", `{"card.country": ["FR"]}`, `{"accounts": ["A"]}`, "foreign", `{"card.country": {"not": ["FR"]}}`, `{"accounts": ["B"]}`, "others", `{}`, `{"accounts": ["C"]}`))
	require.True(t, asks.AsksCardCountry())
	card := Facts{Kind: "payment", Flow: "direct", Method: "card", OrderKey: "o"}
	for bin, want := range map[string][3]string{
		"40120000": {"foreign", "GB", "B"}, "40120005": {"french", "FR", "A"}, "54540000": {"others", "", "C"}, "401200": {"others", "", "C"}, "": {"others", "", "C"},
	} {
		card.CardBIN = bin
		d := asks.Decide(asks.Located(card, list.Table), accounts)
		require.Equal(t, want, [3]string{d.Rule, d.Facts.CardCountry, d.Accounts()[0]}, bin)
		// The stored decision says it all: another table, or none, changes nothing of it.
		require.Equal(t, d, asks.Decide(d.Facts, d.Considered()))
	}
	card.CardBIN = "40120005"
	require.Equal(t, "others", asks.Decide(asks.Located(card, nil), accounts).Rule, "there is no table")
	said := card
	said.CardCountry = "DE"
	require.Equal(t, "DE", asks.Located(said, list.Table).CardCountry, "what was stored counts, not what the table says now")

	other := parsed(t, rules("refuse", "all", `{"card.bin": ["401200"]}`, `{"accounts": ["A"]}`))
	require.False(t, other.AsksCardCountry())
	require.Equal(t, card, other.Located(card, list.Table), "no rule asks")
	require.Empty(t, other.Kept(said).CardCountry)
	require.Empty(t, other.WithoutBINs())
	problems := asks.WithoutBINs()
	require.Len(t, problems, 2)
	require.Contains(t, problems[0].String(), `rule "french": asks for card.country, and no BIN table is there`)
}
