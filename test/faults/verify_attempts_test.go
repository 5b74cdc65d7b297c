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
	paid.Ended = []Ended{{Number: 1, Account: "EUR-sandbox", ProviderOrderID: "pr-paid-first", Reason: "not_sent", At: at.Add(5 * time.Second), Outcomes: []string{"not_sent"}}}
	b.effect("ref-paid").Merchant = "second"
	b.Attempts = map[string][]Attempt{
		"paid":   {{1, "EUR-sandbox", "pr-paid-first", "failed", "not_sent", ""}, {2, "EUR-second", "pr-paid", "succeeded", "", ""}},
		"failed": {{1, "", "pr-failed", "failed", "", ""}}, "waits": {{1, "", "pr-waits", "created", "", ""}}, "held": {{1, "", "pr-held", "authorized", "", ""}},
		"absent": {{1, "", "pr-absent", "failed", "", ""}},
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

// declinedFirst is a good snapshot whose paid order was declined at another account first.
func declinedFirst() Snapshot {
	b := moved()
	first := &b.row("paid").Ended[0]
	first.Reason, first.FailureCode, first.Outcomes, first.Shown = "declined_by_provider", "TECHNICAL_PROCESSING_ERROR", []string{"requires_action"}, true
	b.Attempts["paid"][0].Reason, b.Attempts["paid"][0].FailureCode = first.Reason, first.FailureCode
	b.Effects = append(b.Effects, Effect{
		Provider: "smartcore", Merchant: "test", ID: "pr-paid-first", Reference: "ref-paid", Kind: "payment", State: Failed, Sum: 1000, Code: first.FailureCode,
	})
	for i := range b.Requests {
		if b.Requests[i].Reference == "ref-paid" {
			b.Requests[i].Cascade = "provider"
		}
	}
	return b
}

func TestADeclineIsHeldToItsProof(t *testing.T) {
	t.Parallel()
	require.Empty(t, Check(declinedFirst()).Violations)
	ended := func(change func(*Ended)) func(*Snapshot) {
		return func(b *Snapshot) { change(&b.row("paid").Ended[0]); b.Attempts = nil }
	}
	there := func(change func(*Effect)) func(*Snapshot) {
		return func(b *Snapshot) { change(&b.Effects[len(b.Effects)-1]) }
	}
	for name, c := range map[string]struct {
		harm func(*Snapshot)
		want []Kind
	}{
		"both accounts took the money":     {there(func(e *Effect) { e.State, e.Code = Paid, "" }), []Kind{AttemptUnproven, DoubleEffect}},
		"the provider works on it":         {there(func(e *Effect) { e.State, e.Code = Open, "" }), []Kind{AttemptUnproven}},
		"the provider has another reason":  {there(func(e *Effect) { e.Code = "PROCESSING_ERROR" }), []Kind{AttemptUnproven}},
		"the provider does not have it":    {func(b *Snapshot) { b.Effects = b.Effects[:len(b.Effects)-1] }, []Kind{AttemptUnproven}},
		"nobody had been asked":            {ended(func(e *Ended) { e.Shown = false }), []Kind{AttemptUnproven}},
		"the call's outcome was unknown":   {ended(func(e *Ended) { e.Outcomes = []string{"unknown"} }), []Kind{AttemptUnproven}},
		"the code lets nothing go on":      {ended(func(e *Ended) { e.FailureCode = "DO_NOT_HONOUR_PROCESSING_ERROR" }), []Kind{AttemptUnproven}},
		"the shop had not asked for that":  {func(b *Snapshot) { b.Requests = slices.Clone(b.Requests); clearCascade(b) }, []Kind{AttemptUnproven}},
		"the shop asked for the others":    {ended(func(e *Ended) { e.FailureCode = "EMITTER_DENIAL_PROCESSING_ERROR" }), []Kind{AttemptUnproven}},
		"the shop is shown another code":   {func(b *Snapshot) { b.Attempts["paid"][0].FailureCode = "" }, []Kind{AttemptsDiffer}},
		"it is paid late, with no dispute": {func(b *Snapshot) { payLate(b); b.row("late").Disputes = nil }, []Kind{MissedDispute}},
		"it is paid late, with no order": {func(b *Snapshot) {
			payLate(b)
			b.Rows = b.Rows[:len(b.Rows)-1]
			b.Notices = slices.DeleteFunc(b.Notices, func(n Notice) bool { return n.Order == "late" })
		}, []Kind{MissedDispute}},
		"nobody had paid it late": {func(b *Snapshot) { payLate(b); b.Movements = nil }, []Kind{AttemptUnproven, DoubleEffect, FalseDispute, NotAsked}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := declinedFirst()
			c.harm(&b)
			var kinds []Kind
			for _, v := range Check(b).Violations {
				kinds = append(kinds, v.Kind)
			}
			require.Equal(t, c.want, slices.Compact(kinds), Check(b).Violations)
		})
	}
	late := declinedFirst()
	payLate(&late)
	require.Empty(t, Check(late).Violations)
	claimed := declinedFirst() // by a forged callback
	x := index(claimed)
	asked := Row{ID: "asked", Parent: "paid", ProviderOrderID: "pr-paid-first", Status: "failed"}
	require.True(t, x.takenOver(asked), "it was made to ask about the attempt")
	asked.Status = "succeeded"
	require.False(t, x.takenOver(asked))
	asked.Status, asked.ProviderOrderID = "failed", "pr-another"
	require.False(t, x.takenOver(asked))
}

func clearCascade(b *Snapshot) {
	for i := range b.Requests {
		b.Requests[i].Cascade = ""
	}
}

// payLate has the attempt paid that was declined, and an order that carries the money.
func payLate(b *Snapshot) {
	there := &b.Effects[len(b.Effects)-1]
	there.State, there.Code = Paid, ""
	b.Movements = []Movement{{"paid", "pr-paid-first", "late_success", 1000, true}}
	late := *b.row("paid")
	late.ID, late.Reference, late.Parent, late.ProviderOrderID, late.Account = "late", "ref-paid~late1", "paid", "pr-paid-first", "EUR-sandbox"
	late.Ended, late.Disputes, late.Refunded, late.Reserved = nil, []Dispute{{"late_success", 1000}}, 0, 0
	b.Rows = append(b.Rows, late)
	b.Attempts = nil
	for _, n := range b.Notices {
		if n.Order == "paid" {
			n.Order, n.Payload = "late", "late"+n.Payload
			b.Notices = append(b.Notices, n)
		}
	}
}

// A charge by a provider's schedule is an order that no shop asked for. It is held to the provider's record of it.
func TestAChargeByAProvidersScheduleIsHeldToItsRecord(t *testing.T) {
	t.Parallel()
	charged := func() Snapshot {
		b := good()
		row := *b.row("paid")
		row.ID, row.Reference, row.Parent, row.ProviderOrderID, row.ProviderReference = "later", "ref-paid~sub-0123456789abcdef", "paid", "pr-later", "charge-2"
		row.Refunded, row.Reserved = 0, 0
		b.Rows = append(b.Rows, row)
		b.Effects = append(b.Effects, Effect{Provider: "smartcore", ID: "pr-paid", ChargeID: "charge-2", Kind: kindScheduled, State: Paid, Sum: 1000})
		for _, n := range b.Notices {
			if n.Order == "paid" {
				n.Order, n.Payload = "later", "later"+n.Payload
				b.Notices = append(b.Notices, n)
			}
		}
		return b
	}
	require.Empty(t, Check(charged()).Violations)
	for name, c := range map[string]struct {
		harm func(*Snapshot)
		want []Kind
	}{
		"the provider made none":     {func(b *Snapshot) { b.Effects = b.Effects[:len(b.Effects)-1] }, []Kind{FalsePaid, NotAsked}},
		"the provider's failed":      {func(b *Snapshot) { b.Effects[len(b.Effects)-1].State = Failed }, []Kind{FalsePaid}},
		"it is of another sum":       {func(b *Snapshot) { b.Effects[len(b.Effects)-1].Sum = 999 }, []Kind{AmountMismatch}},
		"two orders are of the same": {func(b *Snapshot) { b.Rows = append(b.Rows, *b.row("later")) }, []Kind{DoubleEffect}},
	} {
		b := charged()
		c.harm(&b)
		var kinds []Kind
		for _, v := range Check(b).Violations {
			kinds = append(kinds, v.Kind)
		}
		require.Equal(t, c.want, slices.Compact(kinds), "%s: %v", name, Check(b).Violations)
	}
}
