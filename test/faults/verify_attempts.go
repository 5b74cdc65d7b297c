package faults

import (
	"fmt"
	"slices"
)

// proofs are the reasons for which an order may go to another account, and the outcomes of calls that go with them. Each says that
// the provider took nothing; after any other outcome the order stays.
var proofs = map[string][]string{
	"not_sent":            {"not_sent"},
	"answer_not_signed":   {"not_sent"},
	"credentials_refused": {"credentials", "not_sent"},
	"initiate_unanswered": {"declined", "not_sent"},
}

// mostAttempts is how many a request may make.
const mostAttempts = 3

// attempts holds each payment's attempts to each other, to what its shop was shown and to what the providers' merchants saw: one
// ended without an effect before the next began, and the order is at the account that took it.
func (x indexed) attempts(r *Result) {
	for _, row := range x.Rows {
		for i, e := range row.Ended {
			x.ended(r, row, i, e)
		}
		if len(row.Ended) >= mostAttempts {
			r.add(AttemptUnproven, row.ID, "a request made %d attempts", len(row.Ended)+1)
		}
		for _, e := range x.orders[row.ProviderOrderID] {
			if owner := merchantOf(row.Account); owner != "" && e.Merchant != owner {
				r.add(AttemptsDiffer, row.ID, "is at account %s of merchant %s, and merchant %s of %s has it", row.Account, owner, e.Merchant, e.Provider)
			}
		}
		if x.Attempts != nil && row.Kind == "payment" {
			x.attemptsShown(r, row)
		}
	}
}

// ended holds one attempt that ended to the proof that nothing was done: its reason, the calls on record, the status that the order
// had, the bytes that left, and what the provider saw.
func (x indexed) ended(r *Result, row Row, i int, e Ended) {
	unproven := func(format string, args ...any) {
		r.add(AttemptUnproven, row.ID, "attempt %d at %s ended as %s, and %s", e.Number, e.Account, e.Reason, fmt.Sprintf(format, args...))
	}
	if e.Declined() {
		x.declined(row, i, e, unproven)
		return
	}
	outcomes, known := proofs[e.Reason]
	switch {
	case !known:
		unproven("that proves nothing")
	case e.Number != i+1:
		unproven("it is the %d. of the order", i+1)
	case i > 0 && row.Ended[i-1].At.After(e.At.Add(clockSlack)):
		unproven("the attempt before ended later")
	}
	for _, outcome := range e.Outcomes {
		if known && !slices.Contains(slices.Concat(outcomes, outcomesBefore(row, i)), outcome) {
			unproven("a call before had the outcome %s", outcome)
		}
	}
	for _, s := range row.Steps {
		if s.To != "created" && s.At.Before(e.At.Add(-clockSlack)) {
			unproven("the order was %s before", s.To)
		}
	}
	for _, seen := range x.seen(e, slices.Equal(outcomes, []string{"not_sent"})) {
		unproven("%s", seen)
	}
}

// declined holds an attempt that ended because of a decline to what its shop asked for, to the answer that showed the decline, and to
// the provider's own record, which is of a failure unless the money came later.
func (x indexed) declined(row Row, i int, e Ended, unproven func(format string, args ...any)) {
	asked := x.cascadeOf(row)
	switch {
	case e.Number != i+1:
		unproven("it is the %d. of the order", i+1)
	case !slices.Contains(helped[asked], e.FailureCode):
		unproven("its code is %s, and the shop asked for cascade %q", e.FailureCode, asked)
	case slices.ContainsFunc(row.Ended[:i], Ended.Declined):
		unproven("a decline had led elsewhere before")
	case !e.Shown:
		unproven("no answer had shown it")
	case slices.Contains(e.Outcomes, "unknown"):
		unproven("a call before had an unknown outcome")
	}
	switch list := x.orders[e.ProviderOrderID]; {
	case len(list) != 1:
		unproven("the provider has %d orders of it", len(list))
	case !x.agrees(e, list[0]):
		unproven("%s has it as %s because of %q", list[0].Provider, list[0].State, list[0].Code)
	}
}

// cascadeOf is what an order's shop asked for.
func (x indexed) cascadeOf(row Row) string {
	for _, q := range x.Requests {
		if q.Shop == row.Shop && q.Kind == row.Kind && q.Reference == row.Reference {
			return q.Cascade
		}
	}
	return ""
}

// agrees reports whether a provider's order has failed as an attempt was declined, or was paid late.
func (x indexed) agrees(e Ended, there Effect) bool {
	if there.State == Paid {
		return x.paidLate(e.ProviderOrderID)
	}
	return there.State == Failed && there.Code == e.FailureCode
}

// seen tells what of an attempt left for a provider or is at one. One that was refused may have been received.
func (x indexed) seen(e Ended, unsent bool) (seen []string) {
	if unsent && x.Carried[e.ProviderOrderID] {
		seen = append(seen, "bytes of its call had left")
	}
	for _, q := range x.Calls {
		if unsent && q.Order == e.ProviderOrderID {
			seen = append(seen, fmt.Sprintf("%s had got %s", q.Provider, q.Endpoint))
		}
	}
	for _, one := range x.orders[e.ProviderOrderID] {
		seen = append(seen, fmt.Sprintf("merchant %s of %s has it: %s, %d", one.Merchant, one.Provider, one.State, one.Sum))
	}
	return seen
}

// outcomesBefore are those that the attempts before one may have had.
func outcomesBefore(row Row, i int) (all []string) {
	for _, e := range row.Ended[:i] {
		all = append(all, proofs[e.Reason]...)
	}
	return all
}

// attemptsShown compares what a shop is shown of an order's attempts with the database.
func (x indexed) attemptsShown(r *Result, row Row) {
	shown, ok := x.Attempts[row.ID]
	want := make([]Attempt, 0, len(row.Ended)+1)
	for _, e := range row.Ended {
		want = append(want, Attempt{e.Number, e.Account, e.ProviderOrderID, "failed", e.Reason, e.FailureCode})
	}
	last := Attempt{len(row.Ended) + 1, row.Account, row.ProviderOrderID, row.Status, "", ""}
	if n := len(shown); n > 0 && !final(row.Status) { // it may have gone on
		last.Status = shown[n-1].Status
	}
	want = append(want, last)
	if !ok {
		r.add(AttemptsDiffer, row.ID, "its attempts could not be read")
	} else if !slices.Equal(shown, want) {
		r.add(AttemptsDiffer, row.ID, "the shop is shown attempts %v, and the database has %v", shown, want)
	}
}
