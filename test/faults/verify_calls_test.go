package faults

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/sandbox/fault"
	"payrelay/internal/sandbox/smartcore"
	"payrelay/internal/sandbox/uapay"
)

// watched is a good snapshot with what the simulators and the harness itself saw.
func watched() Snapshot {
	b := good()
	hold := b.row("held") // a capture was asked for, refused, and the money is still held
	b.Legal = map[[2]string]bool{{"authorized", "processing"}: true, {"processing", "authorized"}: true}
	for step := range legal {
		b.Legal[step] = true
	}
	for _, s := range []Step{{4, "authorized", "processing", "request", at}, {5, "processing", "authorized", "answer", at}} {
		hold.Steps, hold.Sequence = append(hold.Steps, s), s.Sequence
		b.Notices = append(b.Notices, Notice{Shop: "shop", Order: "held", Sequence: s.Sequence, Status: s.To, Genuine: true, Payload: fmt.Sprint("held", s.Sequence)})
	}
	call := func(provider, endpoint, order, reference string) Call {
		return Call{Provider: provider, Endpoint: endpoint, Order: order, Reference: reference, At: at}
	}
	b.Calls = []Call{
		call("smartcore", "initPayment", "pr-paid", ""), call("smartcore", "withdrawal/init", "pr-out", ""), call("smartcore", "capture", "pr-held", ""),
		call("smartcore", "refund", "pr-paid", "ref-back"),
	}
	b.Forgeries = []Forgery{{"smartcore", "pr-paid", "wrong_secret", 401}, {"smartcore", "pr-paid", "unsigned", 400}, {"uapay", "pr-paid", "alg_none", 502}}
	b.Exits = []Exit{{Replica: "replica-0.log", How: "exit status 1", At: at.Add(5 * time.Second)}}
	b.Injections = append(b.Injections, Injection{Name: "db_crash", From: at, To: at.Add(time.Second), Database: true})
	refund := b.effect("ref-back")
	refund.Started, refund.Ended = at.Add(time.Minute), at.Add(time.Minute+150*time.Millisecond)
	b.Before = &Reading{Effects: slices.Clone(b.Effects), Rows: slices.Clone(b.Rows)}
	return b
}

func (b *Snapshot) sendTwice(i int) { b.Calls = append(b.Calls, b.Calls[i]) }

// secondRefund adds another refund, given from one time to another at its provider.
func (b *Snapshot) secondRefund(started, ended time.Time) {
	second := *b.row("back")
	second.ID, second.Reference, second.Amount, second.Called, second.FinalizedAt = "back2", "ref-back2", 100, new(at.Add(time.Hour)), new(at.Add(2*time.Hour))
	b.Rows = append(b.Rows, second)
	b.row("paid").Refunded, b.row("paid").Reserved = 500, 500
	b.Effects = append(b.Effects, Effect{
		Provider: "smartcore", ID: "pr-paid", RefundID: "r-2", Reference: "ref-back2", Kind: "refund", State: Paid, Sum: 100, Started: started, Ended: ended,
	})
	for s, word := range []string{"processing", "succeeded"} {
		b.Notices = append(b.Notices, Notice{Shop: "shop", Order: "back2", Sequence: s + 2, Status: word, Genuine: true, Payload: word})
	}
	b.Requests = append(b.Requests, Request{Shop: second.Shop, Kind: "refund", Reference: second.Reference, Order: second.Parent, Amount: second.Amount})
	b.Before = &Reading{Effects: slices.Clone(b.Effects), Rows: slices.Clone(b.Rows)}
}

// loseRefund makes the refund's answer be lost, with nothing that could have taken it.
func (b *Snapshot) loseRefund() {
	r := b.row("back")
	r.Status, r.Steps, r.Sequence, r.FinalizedAt = "unknown", []Step{{1, "", "created", "request", at}, {2, "created", "unknown", "answer", at}}, 2, nil
	r.ProviderReference, r.Answered = "", false
	b.row("paid").Refunded = 0
	b.drop("back", 3)
	b.Notices[b.notice("back", 2)].Status = "unknown"
	b.Calls = slices.DeleteFunc(b.Calls, func(q Call) bool { return q.Endpoint == "refund" })
	b.Effects = slices.DeleteFunc(b.Effects, func(e Effect) bool { return e.Kind == "refund" })
	b.Before = &Reading{Effects: slices.Clone(b.Effects), Rows: slices.Clone(b.Rows)}
}

func TestWatchedSnapshotsHaveNoViolation(t *testing.T) {
	t.Parallel()
	require.Empty(t, Check(watched()).Violations)

	b := watched() // two captures were asked for, one after the other
	b.sendTwice(2)
	row := b.row("held")
	for _, s := range []Step{{6, "authorized", "processing", "request", at}, {7, "processing", "authorized", "answer", at}} {
		row.Steps, row.Sequence = append(row.Steps, s), s.Sequence
		b.Notices = append(b.Notices, Notice{Shop: "shop", Order: "held", Sequence: s.Sequence, Status: s.To, Genuine: true, Payload: fmt.Sprint("held", s.Sequence)})
	}
	require.Empty(t, Check(b).Violations)

	b = watched() // two refunds, one after the other
	b.secondRefund(at.Add(time.Minute+150*time.Millisecond), at.Add(2*time.Minute))
	b.Calls = append(b.Calls, Call{Provider: "smartcore", Endpoint: "refund", Order: "pr-paid", Reference: "ref-back2"})
	require.Empty(t, Check(b).Violations)

	b = watched() // what waited for its customer ended meanwhile
	b.Before.Effects[3].State, b.Before.Effects[0].State = Open, Open
	b.Before.Rows[0].Status = "processing"
	require.Empty(t, Check(b).Violations)

	for name, excuse := range map[string]func(*Snapshot){
		"spoiled": func(b *Snapshot) {
			b.Calls = append(b.Calls, Call{Provider: "smartcore", Endpoint: "refund", Order: "pr-paid", Reference: "ref-back", At: at.Add(time.Minute), Spoiled: true})
		},
		"killed": func(b *Snapshot) {
			b.Injections = append(b.Injections, Injection{Name: "kill", From: at.Add(time.Minute), To: at.Add(time.Minute), Process: true})
		},
		"cut": func(b *Snapshot) {
			b.Injections = append(b.Injections, Injection{Name: "provider_cut:smartcore", From: at.Add(59 * time.Second), To: at.Add(62 * time.Second), Calls: true})
		},
	} {
		b = watched()
		b.loseRefund()
		excuse(&b)
		require.Empty(t, Check(b).Violations, name)
		require.Equal(t, []string{"back"}, Check(b).Operator, name)
	}
}

func TestEveryViolationThatTheSimulatorsSawIsReported(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		harm func(*Snapshot)
		want Kind
		also []Kind
	}{
		"a payment sent twice":         {func(b *Snapshot) { b.sendTwice(0) }, SentTwice, nil},
		"a payout sent twice":          {func(b *Snapshot) { b.sendTwice(1) }, SentTwice, nil},
		"a capture sent twice":         {func(b *Snapshot) { b.sendTwice(2) }, SentTwice, nil},
		"a refund sent twice":          {func(b *Snapshot) { b.sendTwice(3) }, SentTwice, nil},
		"a capture that nobody gave":   {func(b *Snapshot) { b.Calls[2].Order = "pr-paid" }, SentTwice, nil},
		"more refunds than were asked": {func(b *Snapshot) { b.sendTwice(3); b.reverses() }, SentTwice, nil},
		"a callback without effect":    {func(b *Snapshot) { b.row("out").Applied = 1 }, HistoryBroken, nil},
		"a forged callback is taken":   {func(b *Snapshot) { b.Forgeries[0].Status = 200 }, ForgeryTaken, nil},
		"a refund that was never sent": {func(b *Snapshot) { b.loseRefund() }, NotSettled, nil},
		"an answer lost by another time": {func(b *Snapshot) {
			b.loseRefund()
			b.Injections = append(b.Injections, Injection{Name: "kill", From: at.Add(30 * time.Second), To: at.Add(31 * time.Second), Process: true})
		}, NotSettled, nil},
		"an answer lost by another fault": {func(b *Snapshot) {
			b.loseRefund()
			b.Injections = append(b.Injections, Injection{Name: "storm", From: at, To: at.Add(time.Hour)})
		}, NotSettled, nil},
		"another refund's answer was spoiled": {func(b *Snapshot) {
			b.loseRefund()
			b.Calls = append(b.Calls, Call{Provider: "smartcore", Endpoint: "refund", Order: "pr-paid", Reference: "ref-back2", At: at.Add(time.Minute), Spoiled: true})
		}, NotSettled, nil},
		"refunds under way for a moment at the provider": {func(b *Snapshot) { b.secondRefund(at.Add(time.Minute+149*time.Millisecond), at.Add(2*time.Minute)) }, DoubleEffect, nil},
		"a refund started while one was open there":      {func(b *Snapshot) { b.secondRefund(at.Add(time.Second), time.Time{}) }, DoubleEffect, nil},
		"a repeat made an order":                         {func(b *Snapshot) { b.Before.Rows = b.Before.Rows[1:] }, DoubleEffect, nil},
		"a repeat moved money":                           {func(b *Snapshot) { b.Before.Effects[5].State = Failed }, DoubleEffect, nil},
		"a repeat took what was held":                    {func(b *Snapshot) { b.Before.Effects[5].State = Held }, DoubleEffect, nil},
		"a repeat took an order away":                    {func(b *Snapshot) { b.Before.Rows = append(b.Before.Rows, Row{ID: "gone", Kind: "payment"}) }, Lost, nil},
		"a repeat changed a sum":                         {func(b *Snapshot) { b.Before.Rows[0].Refunded = 300 }, DoubleEffect, nil},
		"a repeat took money back":                       {func(b *Snapshot) { b.Before.Effects[2].State = Paid }, Lost, nil},
		"a process ended by itself":                      {func(b *Snapshot) { b.Exits[0].At = at.Add(time.Minute) }, Died, nil},
		"a process did not come back":                    {func(b *Snapshot) { b.Away = []string{"replica-1.log"} }, Died, nil},
		"next to no faults": {func(b *Snapshot) {
			b.Injections = b.Injections[2:]
			b.Injections = append(b.Injections, Injection{Name: "stall", Idle: true})
		}, TooQuiet, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := watched()
			c.harm(&b)
			kinds := kindsOf(b)
			require.Contains(t, kinds, c.want)
			for _, k := range kinds {
				require.Contains(t, append(c.also, c.want), k)
			}
		})
	}
}

// reverses makes refunds of UAPAY's out of the refunds that were sent.
func (b *Snapshot) reverses() {
	for i := range b.Calls {
		if b.Calls[i].Endpoint == "refund" {
			b.Calls[i].Provider, b.Calls[i].Endpoint, b.Calls[i].Reference = "uapay", "invoicer/payments/reverse", ""
		}
	}
}

// Each lost answer may have an excuse, and still they cannot be most of many.
func TestMostRefundsCannotStayOpen(t *testing.T) {
	t.Parallel()
	refunds := func(open, ended int) (kinds []Kind) {
		var b Snapshot
		for i := range open + ended {
			status := "unknown"
			if i >= open {
				status = "succeeded"
			}
			b.Rows = append(b.Rows, Row{ID: fmt.Sprint(i), Kind: "refund", Provider: "uapay", Status: status})
		}
		var r Result
		index(b).open(&r)
		for _, v := range r.Violations {
			kinds = append(kinds, v.Kind)
		}
		return kinds
	}
	require.Equal(t, []Kind{NotSettled}, refunds(11, 10))
	require.Empty(t, refunds(11, 11))
	require.Empty(t, refunds(10, 0))
}

// A tampered callback that claims what is true has a signature that holds.
func TestAForgeryIsWhatIsNotSigned(t *testing.T) {
	t.Parallel()
	pairs := []smartcore.Pair{{Key: "orderId", Value: "1"}, {Key: "status", Value: "2"}, {Key: "amount", Value: "100"}}
	form := func(sign string) string {
		v := url.Values{}
		for _, p := range pairs {
			v.Set(p.Key, p.Value)
		}
		if sign != "" {
			v.Set("sign", sign)
		}
		return v.Encode()
	}
	require.True(t, smartcoreSigned(form(smartcore.Sign("secret", pairs)), "secret"))
	require.False(t, smartcoreSigned(form(smartcore.Sign("other", pairs)), "secret"))
	require.False(t, smartcoreSigned(form(""), "secret"))

	token := func(text string) string {
		raw, err := json.Marshal(map[string]string{"token": text})
		require.NoError(t, err)
		return string(raw)
	}
	good := uapay.Sign("key", []byte(`{"amount":1}`))
	require.True(t, uapaySigned(token(good), "key"))
	require.False(t, uapaySigned(token(uapay.Sign("other", []byte(`{"amount":1}`))), "key"))
	require.False(t, uapaySigned(token(good[:len(good)-20]), "key"))
	require.False(t, uapaySigned(`{"amount":1}`, "key"))
}

// Only the instant that was planned counts as reached, and only what was ordered is no death.
func TestAProcessEndsByOrderOrDies(t *testing.T) {
	t.Parallel()
	kill := Fault{Kind: "kill_point", Point: "callback-kept", Nth: 1}
	ended := func(ordered bool, text string) *replica {
		r := &replica{log: "x/replica-0.log", injections: &injections{}, ordered: ordered}
		r.ended("signal: killed", text, &kill, at)
		return r
	}
	r := ended(false, "faultpoint: killed at callback-kept\n")
	require.Equal(t, []string{"kill_point:callback-kept"}, injectedFaults(r.injections.all()))
	require.Empty(t, r.exits)
	r = ended(true, "faultpoint: stopped at callback-kept\n")
	require.Empty(t, r.injections.all())
	require.Empty(t, r.exits)
	r = ended(false, "panic: oops\n")
	require.Empty(t, r.injections.all())
	require.Equal(t, []Exit{{"replica-0.log", "signal: killed", at}}, r.exits)
	r = ended(false, "listen tcp 127.0.0.1:1: bind: address already in use\n")
	require.True(t, r.taken)
	require.Empty(t, r.exits)
	require.False(t, (&replica{}).running())
}

// What a fault can take from us decides what it excuses.
func TestAInjectionSaysWhatItCanTake(t *testing.T) {
	t.Parallel()
	of := func(f Fault) Injection { return injectionOf(f, time.Time{}, time.Time{}) }
	for _, kind := range kinds {
		require.LessOrEqual(t, count([]bool{of(Fault{Kind: kind}).Calls, of(Fault{Kind: kind}).Database, of(Fault{Kind: kind}).Process}, func(b bool) bool { return b }), 1, kind)
	}
	require.True(t, of(Fault{Kind: "kill"}).Process)
	require.True(t, of(Fault{Kind: "db_silent"}).Database)
	require.True(t, of(Fault{Kind: "provider_torn", Simulator: "uapay"}).Calls)
	require.True(t, of(Fault{Kind: "simulator", Fault: fault.Fault{Kind: fault.CallbackBeforeAnswer}}).Calls)
	require.False(t, of(Fault{Kind: "simulator", Fault: fault.Fault{Kind: fault.DropAfter}}).Calls, "the simulator's own log tells which answers it lost")
}

// The snapshot is taken again after everything else: what comes right only then was not right in time.
func TestWhatComesRightTooLateIsReported(t *testing.T) {
	t.Parallel()
	kinds := func(settled, reported time.Duration) (kinds []Kind) {
		var r Result
		overdue(&r, settled, reported)
		for _, v := range r.Violations {
			kinds = append(kinds, v.Kind)
		}
		return kinds
	}
	require.Empty(t, kinds(30*time.Second, 80*time.Second))
	require.Equal(t, []Kind{NotSettled}, kinds(0, 0))
	require.Equal(t, []Kind{NotSettled}, kinds(32*time.Second, 32*time.Second))
	require.Equal(t, []Kind{NotificationGap}, kinds(time.Second, 0))
}
