package payment

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
)

var epoch = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func newTestOrder() *Order {
	o := &Order{ID: uuid.New(), ShopID: uuid.New(), Kind: gateway.KindPayment, Operation: gateway.OpSale, Amount: money.New(1000, "EUR"), CreatedAt: epoch}
	o.step(StatusCreated, SourceRequest, nil, epoch)
	return o
}

// orderIn returns an order brought to a status by a legal road.
func orderIn(t testing.TB, status Status) *Order {
	o := newTestOrder()
	if status != StatusCreated {
		require.Equal(t, Apply, o.Record(undated(status)))
	}
	return o
}

func undated(status Status) Observation {
	return Observation{Source: SourceCallback, Status: status, At: epoch}
}

func TestEveryPairOfStatuses(t *testing.T) {
	t.Parallel()
	// Rows: what the order is. Columns: what a report of unknown age says. A apply, = repeat, . stale, X conflict.
	table := map[Status]string{
		//                     created unknown processing action authorized succeeded failed canceled
		StatusCreated:        ".AAAAAAA",
		StatusUnknown:        ".=AAAAAA",
		StatusProcessing:     "..=.AAAA",
		StatusRequiresAction: "..A=AAAA",
		StatusAuthorized:     "....=AAA",
		StatusSucceeded:      ".....=XX",
		StatusFailed:         ".....A=.", // either way no money moved, but for a success: it came late
		StatusCanceled:       ".....A.=",
	}
	want := map[byte]Verdict{'A': Apply, '=': Repeat, '.': Stale, 'X': Conflict}
	require.Len(t, table, len(Statuses))
	for from, row := range table {
		for i, to := range Statuses {
			o := orderIn(t, from)
			before := *o
			verdict := o.Record(undated(to))
			require.Equal(t, want[row[i]], verdict, "%s, reported %s", from, to)
			switch verdict { //nolint:exhaustive // Verify and NoOrder are verdicts on callbacks
			case Apply:
				require.Equal(t, from.Final(), o.SupersededBy != nil)
				require.True(t, o.Status == to || from.Final() && o.Status == from)
				require.Equal(t, before.Sequence+1, o.Sequence)
			case Conflict:
				require.Equal(t, 1, o.Conflicts)
				require.Len(t, o.NewConflicts(), 1)
				fallthrough
			case Repeat, Stale:
				require.Equal(t, from, o.Status)
				require.Equal(t, before.Sequence, o.Sequence)
			}
		}
	}
}

func TestAReportThatIsNewerThanWhatIsStoredMayLeadAlongEveryLegalStep(t *testing.T) {
	t.Parallel()
	for _, from := range Statuses {
		for _, to := range Statuses {
			o := orderIn(t, from)
			r := undated(to)
			r.AsOf = o.Sequence
			verdict := o.Record(r)
			late := from.Final() && from != StatusSucceeded && to == StatusSucceeded
			if late || Legal(from, to) && from != to { // money that came back has a test of its own
				require.Equal(t, Apply, verdict, "%s to %s", from, to)
			} else {
				require.NotEqual(t, Apply, verdict, "%s to %s", from, to)
			}
			// asked before the present status was written: like a report of unknown age
			overtaken := orderIn(t, from)
			undatedVerdict, _ := overtaken.Judge(undated(to))
			r.AsOf = overtaken.Sequence - 1
			lateVerdict, _ := overtaken.Judge(r)
			require.Equal(t, undatedVerdict, lateVerdict, "%s, reported late %s", from, to)
		}
	}
}

// Every permutation, with repeats, of every legal history of up to six reports ends in the same state.
func TestTheOrderOfReportsDoesNotMatter(t *testing.T) {
	t.Parallel()
	histories := 0
	var walk func(at Status, path []Status)
	seenSets := map[string]bool{}
	walk = func(at Status, path []Status) {
		if len(path) > 0 {
			histories++
			key := multiset(path)
			if !seenSets[key] {
				seenSets[key] = true
				checkPermutations(t, path)
			}
		}
		if len(path) == 6 {
			return
		}
		for _, to := range steps[at] {
			walk(to, append(path[:len(path):len(path)], to))
		}
	}
	walk(StatusCreated, nil)
	require.Greater(t, histories, 100)
	t.Logf("%d histories, %d different sets of reports", histories, len(seenSets))
}

func multiset(path []Status) string {
	counts := map[Status]int{}
	for _, s := range path {
		counts[s]++
	}
	key := ""
	for _, s := range Statuses {
		key += fmt.Sprint(counts[s], " ")
	}
	return key
}

// checkPermutations delivers the reports of a history in every order, each also twice, and compares the ends.
func checkPermutations(t *testing.T, history []Status) {
	t.Helper()
	want := highest(history)
	if last := history[len(history)-1]; last.Final() {
		require.Equal(t, last, want, "a history that ends finally ends so in every order")
	}
	permute(append([]Status(nil), history...), func(p []Status) {
		o, twice := newTestOrder(), newTestOrder()
		for _, s := range p {
			o.Record(undated(s))
			twice.Record(undated(s))
			twice.Record(undated(s))
		}
		for _, s := range p { // and the whole history once more
			twice.Record(undated(s))
		}
		require.Equal(t, want, o.Status, "%v", p)
		require.Equal(t, want, twice.Status, "%v, each twice", p)
		require.Zero(t, o.Conflicts+twice.Conflicts, "%v", p)
		require.Equal(t, o.Sequence, twice.Sequence, "repeats add nothing to the history")
		require.Equal(t, o.Captured, twice.Captured)
	})
}

func highest(history []Status) Status {
	best := StatusCreated
	for _, s := range history {
		if rank[s] > rank[best] {
			best = s
		}
	}
	return best
}

func permute(s []Status, visit func([]Status)) {
	var heap func(k int)
	heap = func(k int) {
		if k <= 1 {
			visit(s)
			return
		}
		for i := range k {
			heap(k - 1)
			if k%2 == 0 {
				s[i], s[k-1] = s[k-1], s[i]
			} else {
				s[0], s[k-1] = s[k-1], s[0]
			}
		}
	}
	heap(len(s))
}

func TestOfTwoContradictoryFinalsTheFirstIsKept(t *testing.T) {
	t.Parallel()
	finals := []Status{StatusSucceeded, StatusFailed, StatusCanceled}
	for _, first := range finals {
		for _, second := range finals {
			if first == second {
				continue
			}
			o := orderIn(t, StatusProcessing)
			require.Equal(t, Apply, o.Record(undated(first)))
			r := undated(second)
			r.AsOf = o.Sequence // not even the newest report flips a final status
			verdict := o.Record(r)
			require.Equal(t, first, o.Status)
			if first != StatusSucceeded && second != StatusSucceeded {
				require.Equal(t, Stale, verdict, "either way no money moved")
				continue
			}
			if second == StatusSucceeded {
				require.Equal(t, Apply, verdict)
				require.NotNil(t, o.SupersededBy, "another order carries the money")
				continue
			}
			require.Equal(t, Conflict, verdict)
			require.Equal(t, 1, o.Conflicts)
		}
	}
}

func TestReportsAboutOtherMoneyAreConflicts(t *testing.T) {
	t.Parallel()
	other, minus, more := int64(999), int64(-1), int64(1001)
	for name, change := range map[string]func(*Observation){
		"amount":           func(r *Observation) { r.Amount = &other },
		"currency":         func(r *Observation) { r.Currency = "USD" },
		"kind":             func(r *Observation) { r.Kind = gateway.KindRefund },
		"settled negative": func(r *Observation) { r.Settled = &minus },
		"settled too much": func(r *Observation) { r.Settled = &more },
	} {
		o := orderIn(t, StatusProcessing)
		r := undated(StatusSucceeded)
		change(&r)
		require.Equal(t, Conflict, o.Record(r), name)
		require.Equal(t, StatusProcessing, o.Status, name)
		require.Zero(t, o.Captured, name)
	}
	o := orderIn(t, StatusSucceeded)
	r := undated(StatusSucceeded)
	r.Settled = &other
	require.Equal(t, Conflict, o.Record(r), "succeeded again, with less")
	require.EqualValues(t, 1000, o.Captured)
}

func TestAnOldAuthorizedDoesNotUndoACapture(t *testing.T) {
	t.Parallel()
	o := orderIn(t, StatusAuthorized)
	o.Operation = gateway.OpCapture
	r := undated(StatusProcessing)
	r.AsOf = o.Sequence
	require.Equal(t, Apply, o.Record(r))
	require.Equal(t, Stale, o.Record(undated(StatusAuthorized)))
	r = undated(StatusAuthorized)
	r.AsOf = o.Sequence
	require.Equal(t, Apply, o.Record(r), "asked after the capture: it did not happen")
}

func TestALateAnswerAddsWhatItKnows(t *testing.T) {
	t.Parallel()
	o := newTestOrder()
	require.Equal(t, Apply, o.Record(undated(StatusSucceeded)))
	late := Observation{Source: SourceAnswer, Status: StatusRequiresAction, AsOf: 1, ProviderReference: "64a7", NextAction: &gateway.NextAction{Type: gateway.ActionRedirect, URL: "https://x"}, At: epoch}
	require.Equal(t, Stale, o.Record(late))
	require.Equal(t, "64a7", o.ProviderReference)
	require.Nil(t, o.NextAction, "nothing is to be done for a finished order")
}

func TestHistoryNeverHasAGap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		o := newTestOrder()
		for range rapid.IntRange(0, 12).Draw(t, "reports") {
			r := undated(rapid.SampledFrom(Statuses).Draw(t, "status"))
			if rapid.Bool().Draw(t, "fresh") {
				r.AsOf = o.Sequence
			}
			was := o.Status
			o.Record(r)
			if was.Final() && o.Status != was {
				t.Fatalf("left the final status %s for %s", was, o.Status)
			}
		}
		at := Status("")
		for i, tr := range o.Transitions() {
			if tr.Sequence != i+1 || tr.From != at || !Legal(tr.From, tr.To) {
				t.Fatalf("transition %d: %s to %s after %s", tr.Sequence, tr.From, tr.To, at)
			}
			at = tr.To
		}
		if at != o.Status || len(o.Transitions()) != o.Sequence {
			t.Fatal("the history does not end in the order's status")
		}
		if o.Captured > o.Amount.Minor() || (o.Captured > 0) != (o.Status == StatusSucceeded) {
			t.Fatalf("captured %d while %s", o.Captured, o.Status)
		}
	})
}

func TestNoReportOfUnknownAgeLeadsInACircle(t *testing.T) {
	t.Parallel()
	for _, from := range Statuses {
		for _, to := range Statuses {
			if v, _ := orderIn(t, from).Judge(undated(to)); v == Apply && !from.Final() { // what an end leads to is another order
				require.Greater(t, rank[to], rank[from])
			}
		}
	}
}

func TestAnotherSumThanAskedForIsRecordedAndShown(t *testing.T) {
	t.Parallel()
	part := func(minor int64) Observation {
		return Observation{Source: SourceCallback, Status: StatusSucceeded, Settled: &minor, At: epoch}
	}
	o := orderIn(t, StatusProcessing)
	require.Equal(t, Apply, o.Record(part(900)))
	require.EqualValues(t, 900, o.Captured)
	require.Equal(t, 1, o.Conflicts)
	require.Equal(t, "900 was settled instead of 1000", o.NewConflicts()[0].Reason)
	require.Equal(t, Repeat, o.Record(part(900)))
	require.Equal(t, 1, o.Conflicts)

	for minor, conflicts := range map[int64]int{400: 0, 1000: 1, 300: 1} {
		o = orderIn(t, StatusAuthorized)
		o.Operation, o.CaptureAmount = gateway.OpCapture, 400
		o.step(StatusProcessing, SourceRequest, nil, epoch)
		require.Equal(t, Apply, o.Record(part(minor)))
		require.Equal(t, minor, o.Captured)
		require.Equal(t, conflicts, o.Conflicts, "%d", minor)
	}
}

func TestALaterReportCompletesThePaymentMethod(t *testing.T) {
	t.Parallel()
	masked := func(m gateway.MaskedMethod) Observation {
		m.Type = "card"
		return Observation{Source: SourceCallback, Status: StatusProcessing, PaymentMethod: &m, At: epoch}
	}
	o := newTestOrder()
	o.Record(masked(gateway.MaskedMethod{Masked: "401200******3010", BIN: "401200"}))
	first := o.PaymentMethod
	o.Record(masked(gateway.MaskedMethod{Masked: "401200******3010", BIN: "4012", Country: "ESP"}))
	require.Equal(t, &gateway.MaskedMethod{Type: "card", Masked: "401200******3010", BIN: "401200", Country: "ESP"}, o.PaymentMethod)
	require.Empty(t, first.Country, "what others may hold is not changed")
	o.Record(masked(gateway.MaskedMethod{Masked: "510510******5100", Brand: "MASTERCARD"}))
	require.Equal(t, "401200******3010", o.PaymentMethod.Masked)
	require.Empty(t, o.PaymentMethod.Brand, "another card's")
}

// A refund reserves its sum of the payment. What failed gives it back, and what succeeded makes it final; no other order does.
func TestWhatAnEndDoesToThePayment(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		kind               gateway.Kind
		status             Status
		reserved, refunded int64
	}{
		{gateway.KindRefund, StatusFailed, -1000, 0},
		{gateway.KindRefund, StatusCanceled, -1000, 0},
		{gateway.KindRefund, StatusSucceeded, 0, 1000},
		{gateway.KindRefund, StatusProcessing, 0, 0},
		{gateway.KindPayment, StatusFailed, 0, 0},
		{gateway.KindPayment, StatusSucceeded, 0, 0},
	} {
		o := newTestOrder()
		o.Kind = tc.kind
		require.Equal(t, Apply, o.Record(undated(tc.status)))
		reserved, refunded := o.ParentDelta()
		require.Equal(t, tc.reserved, reserved, "%s %s", tc.kind, tc.status)
		require.Equal(t, tc.refunded, refunded, "%s %s", tc.kind, tc.status)
	}
}

// A customer keeps the form that they have, unless whoever names another one was asked after it was given.
func TestWhichFormIsKept(t *testing.T) {
	t.Parallel()
	first, second := &gateway.NextAction{URL: "https://a"}, &gateway.NextAction{URL: "https://b"}
	for name, tc := range map[string]struct {
		known, reported, want *gateway.NextAction
		late                  bool // asked for before the order had its form
	}{
		"newer":               {first, second, second, false},
		"older":               {first, second, first, true},
		"none before":         {nil, second, second, true},
		"none before, newer":  {nil, second, second, false},
		"no longer mentioned": {first, nil, first, false},
	} {
		o := orderIn(t, StatusRequiresAction)
		o.NextAction = tc.known
		r := Observation{Source: SourceStatusPoll, Status: StatusRequiresAction, NextAction: tc.reported, AsOf: o.Sequence, At: epoch}
		if tc.late {
			r.AsOf--
		}
		require.Equal(t, Repeat, o.Record(r), name)
		require.Equal(t, tc.want, o.NextAction, name)
	}
}
