package faults

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// leastStrikes is how many faults must take effect in a run: a verdict over a quiet one is worth little.
const leastInjections = 3

// More open refunds of one provider than this, and more than half of all, are no accident of some lost answers.
const mostOpenRefunds = 10

// quiet finds a run in which next to nothing went wrong.
func (x indexed) quiet(r *Result) {
	if n := len(injectedFaults(x.Injections)); n < leastInjections {
		r.add(TooQuiet, "all", "%d faults took effect, and a run must have %d", n, leastInjections)
	}
}

// overdue finds what came right only after its time, when the snapshot was taken again: how long after the faults every order
// was settled and every notification had arrived, zero if that was not seen.
func overdue(r *Result, settled, reported time.Duration) {
	switch {
	case settled == 0:
		r.add(NotSettled, "all", "not every order was settled %s after the faults", SettleLimit)
	case settled > SettleLimit+time.Second: // looked at too late to know better
		r.add(NotSettled, "all", "the last order was settled %s after the faults", settled.Round(time.Millisecond))
	case reported == 0:
		r.add(NotificationGap, "all", "not every notification had arrived %s after the faults", noticeLimit)
	}
}

// lives finds processes that ended by themselves, or did not come back.
func (x indexed) lives(r *Result) {
	for _, e := range x.Exits {
		// A server that starts or ends while the database is away may give up; it is started again, as everywhere.
		if !x.during(e.At.Add(-exitWait), e.At, func(s Injection) bool { return s.Database || s.Idle }) {
			r.add(Died, e.Replica, "ended by itself at %s: %s", e.At.UTC().Format("15:04:05.000"), e.How)
		}
	}
	for _, name := range x.Away {
		r.add(Died, name, "not ready after %s without a fault", readyLimit)
	}
}

// exitWait is how long a process may take to give up after the database went away.
const exitWait = 10 * time.Second

// sentTwice finds what a provider was asked twice although it was asked for once: it may have refused the second time, and
// another one may not.
func (x indexed) sentTwice(r *Result) {
	once, reverses, commands := map[Call]int{}, map[string]int{}, map[string]int{}
	for _, q := range x.Calls {
		switch q.Endpoint {
		case "capture", "cancel", "invoicer/payments/complete", "invoicer/payments/cancel":
			commands[q.Order]++
		case "invoicer/payments/reverse":
			reverses[q.Order]++
		default:
			once[Call{Provider: q.Provider, Endpoint: q.Endpoint, Order: q.Order, Reference: q.Reference}]++
		}
	}
	for q, n := range once {
		if n > 1 {
			r.add(SentTwice, cmp.Or(q.Reference, x.ours(q.Order)), "%s was sent %d times to %s", q.Endpoint, n, q.Provider)
		}
	}
	for order, n := range commands {
		if row := x.byProvider[order]; row != nil && n > commandWritten(*row) {
			r.add(SentTwice, row.ID, "%d captures and cancels were sent to %s, and %d were asked for%s", n, row.Provider, commandWritten(*row), trail(*row))
		}
	}
	for order, n := range reverses {
		if row := x.byProvider[order]; row != nil && n > len(x.children[row.ID]) {
			r.add(SentTwice, row.ID, "%d refunds were sent to %s, and %d were asked for", n, row.Provider, len(x.children[row.ID]))
		}
	}
}

// ours is what we call a provider's order.
func (x indexed) ours(order string) string {
	if row := x.byProvider[order]; row != nil {
		return row.ID
	}
	return order
}

// commandWritten counts the captures and cancels that a shop gave: each is a step of its own, before it is sent.
func commandWritten(row Row) int {
	return count(row.Steps, func(s Step) bool {
		return s.Cause == "request" && s.From != "" && s.From != "created" && s.To == "processing"
	})
}

// forgeries finds callbacks that were taken although their signature does not hold.
func (x indexed) forgeries(r *Result) {
	for _, f := range x.Forgeries {
		if f.Status < 400 {
			r.add(ForgeryTaken, x.ours(f.Order), "a callback of %s without a signature that holds (%s) was answered %d", f.Provider, f.Variant, f.Status)
		}
	}
}

// excused reports whether a fault can have taken the answer to the call that an order is about: the provider spoiled that
// very answer, or a process, the database or the way to the provider was hurt while it was under way.
func (x indexed) excused(row Row, endpoints ...string) bool {
	from, to := row.CreatedAt.Add(-clockSlack), row.CreatedAt.Add(providerTimeout+callSlack)
	if row.Called != nil {
		from, to = row.Called.Add(-clockSlack), row.Called.Add(row.CallTook+clockSlack)
	}
	order := row.ProviderOrderID
	if parent := x.byID[row.Parent]; parent != nil {
		order = parent.ProviderOrderID
	}
	for _, q := range x.Calls {
		if q.Spoiled && q.Order == order && slices.Contains(endpoints, q.Endpoint) && (q.Reference == "" || q.Reference == row.Reference) &&
			!q.At.Before(from) && !q.At.After(to) {
			return true
		}
	}
	return x.during(from, to, func(s Injection) bool { return s.Calls || s.Process || s.Database })
}

// callSlack is how long after PROVIDER_TIMEOUT the outcome of a call may still be on its way to its row.
const callSlack = 3 * time.Second

// open finds more refunds without an outcome than lost answers can explain.
func (x indexed) open(r *Result) {
	all, open := map[string]int{}, map[string]int{}
	for _, row := range x.Rows {
		if row.Kind == "refund" {
			all[row.Provider]++
			if !final(row.Status) {
				open[row.Provider]++
			}
		}
	}
	for provider, n := range open {
		if n > mostOpenRefunds && n > all[provider]/2 {
			r.add(NotSettled, "refunds at "+provider, "%d of %d refunds have no outcome", n, all[provider])
		}
	}
}

func final(status string) bool {
	return status == "succeeded" || status == "failed" || status == "canceled"
}

// repeats compares the snapshot with what it said before every request was sent once more: nothing of that may have done
// anything. What was not final may have gone on by itself.
func (x indexed) repeats(r *Result) {
	if x.Before == nil {
		return
	}
	was := index(Snapshot{Rows: x.Before.Rows, Effects: x.Before.Effects})
	x.appeared(r, was)
	sums := func(r Row) string {
		return fmt.Sprintf("%s, captured %d, refunded %d, reserved %d", r.Status, r.Captured, r.Refunded, r.Reserved)
	}
	for _, row := range was.Rows {
		switch now := x.byID[row.ID]; {
		case now == nil:
			r.add(Lost, row.ID, "a %s is gone since requests were sent again", row.Kind)
		case final(row.Status) && sums(row) != sums(*now) && !slices.ContainsFunc(was.children[row.ID], func(c *Row) bool { return !final(c.Status) }):
			r.add(DoubleEffect, row.ID, "%s was %s, and is %s since requests were sent again", row.Kind, sums(row), sums(*now))
		}
	}
	before, now := moves(was.Effects), moves(x.Effects)
	for name, sum := range before {
		if now[name] < sum {
			r.add(Lost, name, "%d had moved at the provider, and %d after requests were sent again", sum, now[name])
		}
	}
	for name, sum := range now {
		if sum > before[name] && !was.pending(name) {
			r.add(DoubleEffect, name, "%d had moved at the provider, and %d after requests were sent again", before[name], sum)
		}
	}
}

// appeared finds orders that requests which were sent again have made.
func (x indexed) appeared(r *Result, was indexed) {
	for _, row := range x.Rows {
		if was.byID[row.ID] == nil && !x.takenOver(row) && !row.scheduled() {
			r.add(DoubleEffect, row.ID, "a %s of reference %q came to be when requests were sent again", row.Kind, row.Reference)
		}
	}
}

// moves sums up what moved at the providers, by order and kind.
func moves(list []Effect) map[string]int64 {
	sums := map[string]int64{}
	for _, e := range list {
		if e.State == Paid && e.Kind != kindScheduled {
			sums[e.ID+" "+e.Kind] += e.Sum
		}
	}
	return sums
}

// pending reports whether something of an order was under way at its provider, or here: it may move money at any time.
func (x indexed) pending(name string) bool {
	return slices.ContainsFunc(x.Effects, func(e Effect) bool { return e.ID+" "+e.Kind == name && e.State == Open }) ||
		slices.ContainsFunc(x.Rows, func(row Row) bool {
			order := row.ProviderOrderID
			if parent := x.byID[row.Parent]; row.Kind == "refund" && parent != nil {
				order = parent.ProviderOrderID
			}
			return order+" "+row.Kind == name && !final(row.Status) && row.Status != "authorized"
		})
}
