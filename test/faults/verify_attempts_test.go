package faults

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// moved is a good snapshot whose paid order went to another account first.
func moved() Snapshot {
	b := good()
	paid := b.row("paid")
	paid.Account = "EUR-second"
	paid.Steps[1].At, paid.Steps[2].At = at.Add(10*time.Second), at.Add(20*time.Second)
	paid.Ended = []Ended{{1, "EUR-sandbox", "pr-paid-first", "not_sent", at.Add(5 * time.Second), []string{"not_sent"}}}
	b.effect("ref-paid").Merchant = "second"
	b.Attempts = map[string][]Attempt{
		"paid":   {{1, "EUR-sandbox", "pr-paid-first", "failed", "not_sent"}, {2, "EUR-second", "pr-paid", "succeeded", ""}},
		"failed": {{1, "", "pr-failed", "failed", ""}}, "waits": {{1, "", "pr-waits", "created", ""}}, "held": {{1, "", "pr-held", "authorized", ""}},
		"absent": {{1, "", "pr-absent", "failed", ""}},
	}
	return b
}

func TestAttemptsAreHeldToTheirProof(t *testing.T) {
	t.Parallel()
	require.Empty(t, Check(moved()).Violations)
	effect := func(state State) func(*Snapshot) {
		return func(b *Snapshot) {
			b.Effects = append(b.Effects, Effect{Provider: "smartcore", Merchant: "test", ID: "pr-paid-first", Reference: "ref-paid", Kind: "payment", State: state, Sum: 1000})
		}
	}
	ended := func(change func(*Ended)) func(*Snapshot) {
		return func(b *Snapshot) { change(&b.row("paid").Ended[0]) }
	}
	for name, c := range map[string]struct {
		harm func(*Snapshot)
		want []Kind
	}{
		"both accounts took the money":     {effect(Paid), []Kind{AttemptUnproven, DoubleEffect}},
		"the first account has it, unpaid": {effect(Open), []Kind{AttemptUnproven}},
		"the first account refused it":     {effect(Failed), []Kind{AttemptUnproven}},
		"its reason proves nothing":        {ended(func(e *Ended) { e.Reason = "timeout" }), []Kind{AttemptUnproven, AttemptsDiffer}},
		"the call's outcome was unknown":   {ended(func(e *Ended) { e.Outcomes = []string{"not_sent", "unknown"} }), []Kind{AttemptUnproven}},
		"the order had been unknown":       {ended(func(e *Ended) { e.At = at.Add(12 * time.Second) }), []Kind{AttemptUnproven}},
		"an attempt is missing":            {ended(func(e *Ended) { e.Number = 2 }), []Kind{AttemptUnproven, AttemptsDiffer}},
		"bytes had left":                   {func(b *Snapshot) { b.Carried = map[string]bool{"pr-paid-first": true} }, []Kind{AttemptUnproven}},
		"the provider got the call": {func(b *Snapshot) {
			b.Calls = []Call{{Provider: "smartcore", Endpoint: "initPayment", Order: "pr-paid-first"}}
		}, []Kind{AttemptUnproven}},
		"another merchant has the order":     {func(b *Snapshot) { b.effect("ref-paid").Merchant = "test" }, []Kind{AttemptsDiffer}},
		"the shop is shown one attempt":      {func(b *Snapshot) { b.Attempts["paid"] = b.Attempts["paid"][1:] }, []Kind{AttemptsDiffer}},
		"the shop is shown another reason":   {func(b *Snapshot) { b.Attempts["paid"][0].Reason = "x" }, []Kind{AttemptsDiffer}},
		"the shop is shown another end":      {func(b *Snapshot) { b.Attempts["paid"][1].Status = "failed" }, []Kind{AttemptsDiffer}},
		"the attempts of one cannot be read": {func(b *Snapshot) { delete(b.Attempts, "failed") }, []Kind{AttemptsDiffer}},
		"a request made four attempts": {func(b *Snapshot) {
			paid := b.row("paid")
			for n := 2; n < 4; n++ {
				next := paid.Ended[0]
				next.Number = n
				paid.Ended = append(paid.Ended, next)
			}
			b.Attempts = nil
		}, []Kind{AttemptUnproven}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := moved()
			c.harm(&b)
			var kinds []Kind
			for _, v := range Check(b).Violations {
				kinds = append(kinds, v.Kind)
			}
			require.Equal(t, c.want, slices.Compact(kinds), Check(b).Violations)
		})
	}
}
