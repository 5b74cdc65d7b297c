package faults

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/store"
)

var at = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// legal is the part of the table that the tests' orders walk.
var legal = map[[2]string]bool{
	{"", "created"}: true, {"created", "requires_action"}: true, {"requires_action", "succeeded"}: true, {"created", "processing"}: true,
	{"processing", "succeeded"}: true, {"processing", "failed"}: true, {"created", "failed"}: true, {"created", "unknown"}: true,
	{"requires_action", "authorized"}: true,
}

// good is a snapshot in which everything is as it must be: a paid payment with a refund, one that failed, one that waits, one
// that is held, and a payout.
func good() Snapshot {
	walk := func(causes []string, statuses ...string) []Step {
		var steps []Step
		last := ""
		for i, s := range statuses {
			steps = append(steps, Step{i + 1, last, s, causes[i], at.Add(time.Duration(i) * time.Second)})
			last = s
		}
		return steps
	}
	final := func(after time.Duration) *time.Time { t := at.Add(after); return &t }
	row := func(id, kind, status string, amount int64, steps []Step) Row {
		return Row{
			ID: id, Shop: "shop", Kind: kind, Reference: "ref-" + id, Status: status, Provider: "smartcore", ProviderOrderID: "pr-" + id, Amount: amount, Asked: amount,
			Sequence: len(steps), Steps: steps, CreatedAt: at, Answered: true,
		}
	}
	b := Snapshot{
		Kept: map[string]bool{"acc/key": true}, Legal: legal, Callbacks: []Acknowledged{{"acc", "key"}},
		Listings:   []Listing{{ID: "done", State: "ready", File: true}, {ID: "not made", State: "failed", Fails: true}},
		Injections: []Injection{{Name: "storm"}, {Name: "clock"}, {Name: "shop_500"}},
	}
	paid := row("paid", "payment", "succeeded", 1000, walk([]string{"request", "answer", "callback"}, "created", "requires_action", "succeeded"))
	paid.Captured, paid.Refunded, paid.Reserved, paid.Applied, paid.FinalizedAt = 1000, 400, 400, 1, final(time.Second)
	back := row("back", "refund", "succeeded", 400, walk([]string{"request", "answer", "check"}, "created", "processing", "succeeded"))
	back.Parent, back.ProviderReference, back.CreatedAt, back.Called, back.FinalizedAt = "paid", "r-1", at.Add(time.Minute), final(time.Minute), final(2*time.Minute)
	failed := row("failed", "payment", "failed", 500, walk([]string{"request", "answer", "check"}, "created", "processing", "failed"))
	waits := row("waits", "payment", "requires_action", 600, walk([]string{"request", "answer"}, "created", "requires_action"))
	held := row("held", "payment", "authorized", 700, walk([]string{"request", "answer", "check"}, "created", "requires_action", "authorized"))
	held.Authorized = 700
	out := row("out", "payout", "succeeded", 300, walk([]string{"request", "answer", "check"}, "created", "processing", "succeeded"))
	out.Captured = 300
	absent := row("absent", "payment", "failed", 900, walk([]string{"request", "answer"}, "created", "failed"))
	b.Rows = []Row{paid, back, failed, waits, held, out, absent}
	effect := func(id, kind string, state State, sum int64) Effect {
		return Effect{Provider: "smartcore", ID: "pr-" + id, Reference: "ref-" + id, Kind: kind, State: state, Sum: sum}
	}
	refund := effect("paid", "refund", Paid, 400)
	refund.RefundID, refund.Reference = "r-1", "ref-back"
	b.Effects = []Effect{
		effect("paid", "payment", Paid, 1000), refund, effect("failed", "payment", Failed, 500), effect("waits", "payment", Open, 600),
		effect("held", "payment", Held, 700), effect("out", "payout", Paid, 300),
	}
	for _, r := range b.Rows {
		b.Answers = append(b.Answers, Answer{Shop: "shop", Kind: r.Kind, Reference: r.Reference, Order: r.ID, Status: 200, Keyed: true, RequestID: "r-" + r.ID, Replayed: r.ID, ReplayStatus: 200, Verbatim: true})
		for _, s := range r.Steps[1:] {
			captured := int64(0)
			if s.Sequence == r.Sequence {
				captured = r.Captured
			}
			b.Notices = append(b.Notices, Notice{Shop: "shop", Order: r.ID, Sequence: s.Sequence, Status: s.To, Captured: captured, Genuine: true, Payload: r.ID + s.To})
		}
	}
	b.ask()
	return b
}

// find is the row or effect of a snapshot by its id.
func (b *Snapshot) row(id string) *Row {
	return &b.Rows[slices.IndexFunc(b.Rows, func(r Row) bool { return r.ID == id })]
}

func (b *Snapshot) effect(reference string) *Effect {
	return &b.Effects[slices.IndexFunc(b.Effects, func(e Effect) bool { return e.Reference == reference })]
}

func (b *Snapshot) notice(order string, sequence int) int {
	return slices.IndexFunc(b.Notices, func(n Notice) bool { return n.Order == order && n.Sequence == sequence })
}

func TestGoodSnapshotsHaveNoViolation(t *testing.T) {
	t.Parallel()
	r := Check(good())
	require.Empty(t, r.Violations)
	require.Empty(t, r.Operator)
	require.Empty(t, Unsettled(good()))

	b := good()
	b.Answers[0].Verbatim, b.Unkept = false, map[string]bool{b.Answers[0].RequestID: true}
	b.Answers[1].OtherBody, b.Answers[1].OtherOrder = "idempotency_mismatch", "reference_conflict"
	b.Contradictions = []Contradiction{{"paid", true}, {"failed", false}}
	b.row("paid").Conflicts = 1
	require.Empty(t, Check(b).Violations)
	b = good() // the repeat was answered anew, and its answer is the one that was kept
	b.Answers[0].Changed, b.Unkept = true, map[string]bool{b.Answers[0].RequestID: true}
	require.Empty(t, Check(b).Violations)

	twice := good() // at least once is the promise
	twice.Notices = append(twice.Notices, twice.Notices...)
	require.Empty(t, Check(twice).Violations)
}

func TestEveryViolationIsReported(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		harm func(*Snapshot)
		want Kind
		also []Kind
	}{
		"an acknowledged order is gone": {func(b *Snapshot) {
			b.Rows = slices.DeleteFunc(b.Rows, func(r Row) bool { return r.ID == "absent" })
			b.Notices = slices.DeleteFunc(b.Notices, func(n Notice) bool { return n.Order == "absent" })
		}, Lost, nil},
		"an acknowledged refund is another one now": {func(b *Snapshot) { b.Answers[1].Order, b.Answers[1].Replayed = "other", "other" }, Lost, nil},
		"a replay is answered with another order":   {func(b *Snapshot) { b.Answers[0].Replayed = "other" }, Lost, nil},
		"a replay is refused":                       {func(b *Snapshot) { b.Answers[0].ReplayStatus = 409 }, Lost, nil},
		"a replay has another text":                 {func(b *Snapshot) { b.Answers[0].Changed = true }, Lost, nil},
		"a replay has another status":               {func(b *Snapshot) { b.Answers[0].ReplayStatus = 201 }, Lost, nil},
		"a key's answer is not replayed":            {func(b *Snapshot) { b.Answers[0].Verbatim = false }, NotIdempotent, nil},
		"a used key is taken for another request":   {func(b *Snapshot) { b.Answers[0].OtherBody = "accepted" }, NotIdempotent, nil},
		"a used reference is taken for another":     {func(b *Snapshot) { b.Answers[0].OtherOrder = "accepted" }, NotIdempotent, nil},
		"a contradiction that nobody hears of":      {func(b *Snapshot) { b.Contradictions = []Contradiction{{"paid", true}} }, MissedConflict, nil},
		"a shop was never answered":                 {func(b *Snapshot) { b.Unanswered = []string{"t1-1"} }, NotAnswered, nil},
		"an acknowledged callback is not kept":      {func(b *Snapshot) { b.Kept = nil }, Lost, nil},
		"the provider has an order that we do not": {func(b *Snapshot) {
			b.Effects = append(b.Effects, Effect{Provider: "smartcore", ID: "pr-?", Kind: "payment", State: Open, Sum: 5})
		}, Lost, nil},
		"the provider has an order that failed and that we do not know": {func(b *Snapshot) {
			b.Effects = append(b.Effects, Effect{Provider: "smartcore", ID: "pr-?", Kind: "payment", State: Failed, Sum: 5})
		}, Lost, nil},
		"the provider has a failed refund that we do not know": {func(b *Snapshot) {
			b.Effects = append(b.Effects, Effect{Provider: "smartcore", ID: "pr-paid", Reference: "?", Kind: "refund", State: Failed, Sum: 5})
		}, Lost, nil},
		"two provider orders for one request": {func(b *Snapshot) {
			b.Rows = append(b.Rows, Row{
				ID: "second", Shop: "shop", Kind: "payment", Reference: "x", Status: "succeeded", Provider: "smartcore", ProviderOrderID: "pr-second", Amount: 1000, Asked: 1000, Captured: 1000,
			})
			b.Effects = append(b.Effects, Effect{Provider: "smartcore", ID: "pr-second", Reference: "ref-paid", Kind: "payment", State: Paid, Sum: 1000})
		}, DoubleEffect, []Kind{HistoryBroken, NotAsked}},
		"one order paid twice": {func(b *Snapshot) { b.Effects = append(b.Effects, *b.effect("ref-out")) }, DoubleEffect, nil},
		"one refund given twice": {func(b *Snapshot) {
			b.Effects = append(b.Effects, *b.effect("ref-back"))
		}, DoubleEffect, []Kind{FalseFailed}},
		"refunds under way at the same time": {func(b *Snapshot) {
			second := *b.row("back")
			second.ID, second.Reference, second.Called, second.Amount = "back2", "ref-back2", new(at.Add(90*time.Second)), 100
			b.Rows = append(b.Rows, second)
			b.row("paid").Refunded, b.row("paid").Reserved = 500, 500
			b.Effects = append(b.Effects, Effect{Provider: "smartcore", ID: "pr-paid", RefundID: "r-2", Reference: "ref-back2", Kind: "refund", State: Paid, Sum: 100})
			for s, word := range []string{"processing", "succeeded"} {
				b.Notices = append(b.Notices, Notice{Shop: "shop", Order: "back2", Sequence: s + 2, Status: word, Genuine: true, Payload: word})
			}
		}, DoubleEffect, []Kind{NotAsked}},
		"failed here and paid there by a later try": {func(b *Snapshot) {
			b.Effects = append(b.Effects, Effect{Provider: "smartcore", ID: "pr-failed", Kind: "payment", State: Paid, Sum: 500})
		}, FalseFailed, nil},
		"failed here and open there by a later try": {func(b *Snapshot) {
			b.Effects = append(b.Effects, Effect{Provider: "smartcore", ID: "pr-failed", Kind: "payment", State: Open, Sum: 500})
		}, FalseFailed, nil},
		"waiting here, and the invoice was shown to nobody": {func(b *Snapshot) { b.effect("ref-waits").State = Empty }, NotSettled, nil},
		"a statement that is not there":                     {func(b *Snapshot) { b.Listings[0].State = "" }, Lost, nil},
		"a statement that never ends":                       {func(b *Snapshot) { b.Listings[0].State = "processing" }, NotSettled, nil},
		"a statement failed that the provider made":         {func(b *Snapshot) { b.Listings[0].State = "failed" }, FalseFailed, nil},
		"a statement is ready that the provider refused":    {func(b *Snapshot) { b.Listings[1].State = "ready" }, FalsePaid, nil},
		"a statement without a file":                        {func(b *Snapshot) { b.Listings[0].File = false }, Lost, nil},
		"refunds under way at the same time, a little": {func(b *Snapshot) {
			second := *b.row("back")
			second.ID, second.Reference, second.Called, second.Amount = "back2", "ref-back2", new(at.Add(2*time.Minute-3*time.Second)), 100
			b.Rows = append(b.Rows, second)
			b.row("paid").Refunded, b.row("paid").Reserved = 500, 500
			b.Effects = append(b.Effects, Effect{Provider: "smartcore", ID: "pr-paid", RefundID: "r-2", Reference: "ref-back2", Kind: "refund", State: Paid, Sum: 100})
			for s, word := range []string{"processing", "succeeded"} {
				b.Notices = append(b.Notices, Notice{Shop: "shop", Order: "back2", Sequence: s + 2, Status: word, Genuine: true, Payload: word})
			}
		}, DoubleEffect, []Kind{NotAsked}},
		"failed here and paid there":         {func(b *Snapshot) { b.effect("ref-failed").State = Paid }, FalseFailed, nil},
		"failed here and given up there":     {func(b *Snapshot) { b.effect("ref-failed").State = Canceled }, FalseFailed, nil},
		"failed here and held there":         {func(b *Snapshot) { b.effect("ref-failed").State = Held }, FalseFailed, nil},
		"failed here and still to be paid":   {func(b *Snapshot) { b.effect("ref-failed").State = Open }, FalseFailed, nil},
		"a refund failed here and was given": {func(b *Snapshot) { b.failRefund() }, FalseFailed, []Kind{DoubleEffect}},
		"paid here and failed there":         {func(b *Snapshot) { b.effect("ref-paid").State = Failed }, FalsePaid, nil},
		"paid here and only held there":      {func(b *Snapshot) { b.effect("ref-out").State = Held }, FalsePaid, nil},
		"paid here and unknown there": {func(b *Snapshot) {
			b.Effects = slices.DeleteFunc(b.Effects, func(e Effect) bool { return e.Reference == "ref-out" })
		}, FalsePaid, nil},
		"a refund succeeded here and failed there": {func(b *Snapshot) { b.effect("ref-back").State = Failed }, FalsePaid, nil},
		"the sum of refunds is short there":        {func(b *Snapshot) { b.effect("ref-back").Reference = ""; b.Effects[1].Sum = 399 }, FalsePaid, nil},
		"paid there and waiting here":              {func(b *Snapshot) { b.effect("ref-waits").State = Paid }, NotSettled, nil},
		"failed there and waiting here":            {func(b *Snapshot) { b.effect("ref-waits").State = Failed }, NotSettled, nil},
		"held there and waiting here":              {func(b *Snapshot) { b.effect("ref-waits").State = Held }, NotSettled, nil},
		"absent there and waiting here": {func(b *Snapshot) {
			b.Effects = slices.DeleteFunc(b.Effects, func(e Effect) bool { return e.Reference == "ref-waits" })
		}, NotSettled, nil},
		"captured another sum": {func(b *Snapshot) { b.effect("ref-out").Sum = 299 }, AmountMismatch, nil},
		"captured another sum than asked for": {func(b *Snapshot) {
			b.effect("ref-out").Sum, b.row("out").Captured = 299, 299
			b.Notices[b.notice("out", 3)].Captured = 299
		}, AmountMismatch, nil},
		"holds another sum":    {func(b *Snapshot) { b.effect("ref-held").Sum = 1 }, AmountMismatch, nil},
		"refunded another sum": {func(b *Snapshot) { b.row("paid").Refunded = 300 }, AmountMismatch, nil},
		"reserved another sum": {func(b *Snapshot) { b.row("paid").Reserved = 500 }, AmountMismatch, nil},
		"a gap in the history": {func(b *Snapshot) { b.row("paid").Steps[1].Sequence = 5 }, HistoryBroken, nil},
		"a broken seal": {func(b *Snapshot) {
			b.Altered = []store.Finding{{Table: "orders", ID: "paid", What: "the seal is broken"}}
		}, HistoryBroken, nil},
		"a step that is not legal":         {func(b *Snapshot) { b.Legal = map[[2]string]bool{} }, HistoryBroken, nil},
		"a status that no step led to":     {func(b *Snapshot) { b.row("waits").Steps = b.row("waits").Steps[:1] }, HistoryBroken, []Kind{NotificationWrong}},
		"a callback judged twice":          {func(b *Snapshot) { b.row("paid").Applied = 0 }, HistoryBroken, nil},
		"a notification never came":        {func(b *Snapshot) { b.drop("paid", 2) }, NotificationGap, nil},
		"the last notification never came": {func(b *Snapshot) { b.drop("out", 3) }, NotificationGap, nil},
		"notifications out of order": {func(b *Snapshot) {
			i, j := b.notice("paid", 2), b.notice("paid", 3)
			b.Notices[i], b.Notices[j] = b.Notices[j], b.Notices[i]
		}, NotificationOrder, nil},
		"a notification says something else":     {func(b *Snapshot) { b.Notices[b.notice("paid", 2)].Status = "failed" }, NotificationWrong, nil},
		"the last one has another sum":           {func(b *Snapshot) { b.Notices[b.notice("paid", 3)].Captured = 1 }, NotificationWrong, nil},
		"a signature does not hold":              {func(b *Snapshot) { b.Notices[0].Genuine = false }, NotificationWrong, nil},
		"another shop was told":                  {func(b *Snapshot) { b.Notices[0].Shop = "other" }, NotificationWrong, nil},
		"one notification with two texts":        {func(b *Snapshot) { n := b.Notices[0]; n.Payload = "x"; b.Notices = append(b.Notices, n) }, NotificationWrong, nil},
		"a shop was told of an order that isn't": {func(b *Snapshot) { b.Notices = append(b.Notices, Notice{Shop: "shop", Order: "?", Genuine: true}) }, Lost, nil},
		"an internal error":                      {func(b *Snapshot) { b.Crashes = []Crash{{"POST /v1/payments", "500"}} }, InternalError, nil},
		"an operator called for nothing":         {func(b *Snapshot) { b.row("paid").Conflicts = 1 }, FalseConflict, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := good()
			c.harm(&b)
			kinds := kindsOf(b)
			require.Contains(t, kinds, c.want)
			for _, k := range kinds {
				require.Contains(t, append(c.also, c.want), k)
			}
		})
	}
}

func (b *Snapshot) drop(order string, sequence int) {
	i := b.notice(order, sequence)
	b.Notices = slices.Delete(b.Notices, i, i+1)
}

// failRefund makes the refund failed here, everything that follows from it included.
func (b *Snapshot) failRefund() {
	r := b.row("back")
	r.Status, r.Steps[2].To = "failed", "failed"
	b.row("paid").Refunded, b.row("paid").Reserved = 0, 0
	b.Notices[b.notice("back", 3)].Status = "failed"
}

// What nobody can ask about waits for an operator and is no violation; what could be asked about is one.
func TestWhatCannotBeAskedAboutWaitsForAnOperator(t *testing.T) {
	t.Parallel()
	open := func() Snapshot {
		b := good()
		r := b.row("back")
		r.Status, r.Steps, r.Sequence, r.FinalizedAt = "unknown", []Step{{1, "", "created", "request", at}, {2, "created", "unknown", "answer", at}}, 2, nil
		r.ProviderReference, r.Answered = "", false
		b.row("paid").Refunded = 0
		b.Calls = []Call{{Provider: "smartcore", Endpoint: "refund", Order: "pr-paid", Reference: "ref-back", At: r.Called.Add(time.Millisecond), Spoiled: true}}
		b.drop("back", 3)
		b.Notices[b.notice("back", 2)].Status = "unknown"
		return b
	}
	b := open()
	require.Empty(t, Check(b).Violations)
	require.Equal(t, []string{"back"}, Check(b).Operator)

	b = open()
	b.row("back").ProviderReference = "r-1"
	require.Equal(t, NotSettled, Check(b).Violations[0].Kind)
	b = open()
	b.row("back").Answered = true
	require.Equal(t, NotSettled, Check(b).Violations[0].Kind)
	b = open()
	b.effect("ref-back").Acknowledged = true
	require.Equal(t, NotSettled, Check(b).Violations[0].Kind, "a callback told how it ended")
	simulator := *b.effect("ref-back")
	simulator.State, simulator.Reference = Failed, ""
	b.Effects = append(b.Effects, simulator)
	require.Empty(t, Check(b).Violations, "the callback may be about another refund of the same sum")
	b.Effects[len(b.Effects)-1].Acknowledged = false
	require.Empty(t, Check(b).Violations, "also while that one's callback has not come")
	b.Effects[len(b.Effects)-1].Sum--
	require.Equal(t, []Kind{NotSettled}, kindsOf(b), "another sum tells the callbacks apart")
	b = open()
	b.effect("ref-back").Sum = 399
	require.Equal(t, []Kind{AmountMismatch, FalseFailed}, kindsOf(b), "neither all of the open refund nor none of it went back")

	b = open()
	all := b.effect("ref-back")
	all.Sum, all.Reference, b.row("back").Amount, b.row("paid").Reserved = 1000, "", 1000, 1000
	b.request("ref-back").Amount = 1000
	for i := range b.Rows {
		b.Rows[i].Provider = "uapay"
	}
	b.row("back").Called = nil
	b.Injections = append(b.Injections, Injection{Name: "kill", From: at.Add(time.Minute), To: at.Add(time.Minute), Process: true})
	require.Empty(t, Check(b).Violations, "whether it was asked for is not known")
	b.row("back").Called = new(at)
	require.Equal(t, []Kind{NotSettled}, kindsOf(b), "nothing of the payment is left")

	b = good()
	out := b.row("out")
	out.Provider, out.Status, out.Captured, out.Steps, out.Sequence = "uapay", "created", 0, out.Steps[:1], 1
	b.drop("out", 2)
	b.drop("out", 3)
	require.Equal(t, NotSettled, Check(b).Violations[0].Kind, "the payout moved money")
	b.effect("ref-out").State = Failed
	require.Equal(t, NotSettled, Check(b).Violations[0].Kind, "the provider shows how it ended")
	b.Effects = slices.DeleteFunc(b.Effects, func(e Effect) bool { return e.Reference == "ref-out" })
	require.Equal(t, []Kind{NotSettled}, kindsOf(b), "nothing can have taken the answer")
	b.Calls = []Call{{Provider: "uapay", Endpoint: "p2p/payments/a2c/initiate", Order: "pr-out", At: out.CreatedAt.Add(time.Millisecond), Spoiled: true}}
	require.Empty(t, Check(b).Violations)
	require.Equal(t, []string{"out"}, Check(b).Operator)
}

// A refund may get its CreatedAt and then wait until the one before it has ended.
func TestARefundThatWaitedForAnotherIsNoOverlap(t *testing.T) {
	t.Parallel()
	b := good()
	second := *b.row("back")
	second.ID, second.Reference, second.CreatedAt, second.Called = "back2", "ref-back2", at.Add(90*time.Second), new(at.Add(121*time.Second))
	var r Result
	indexed{children: map[string][]*Row{"paid": {b.row("back"), &second}}}.overlaps(&r)
	require.Empty(t, r.Violations)
	second.Called = new(at.Add(110 * time.Second))
	indexed{children: map[string][]*Row{"paid": {b.row("back"), &second}}}.overlaps(&r)
	require.Len(t, r.Violations, 1)
}

func kindsOf(b Snapshot) (kinds []Kind) {
	for _, v := range Check(b).Violations {
		kinds = append(kinds, v.Kind)
	}
	return kinds
}
