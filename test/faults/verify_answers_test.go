package faults

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// ask adds to a snapshot what the shop asked for, and some of what it was shown.
func (b *Snapshot) ask() {
	for _, r := range b.Rows {
		b.Requests = append(b.Requests, Request{Shop: r.Shop, Kind: r.Kind, Reference: r.Reference, Order: r.Parent, Amount: r.Amount, Manual: r.ID == "held"})
		if r.ID != "paid" && r.ID != "held" {
			continue
		}
		for _, s := range r.Steps {
			said := View{Shop: r.Shop, Order: r.ID, Kind: r.Kind, Reference: r.Reference, Status: s.To, HTTP: 200, Sequence: s.Sequence, Amount: r.Amount}
			if s.Sequence == r.Sequence {
				said.Captured, said.Authorized = r.Captured, r.Authorized
			}
			b.Views = append(b.Views, said)
		}
	}
	b.Refusals = []Refusal{{Name: "ref-paid", Status: 409, Code: "refund_exceeds_captured", Expected: []string{"refund_exceeds_captured"}}}
	b.Probes = []Probe{{What: "payout"}}
}

func (b *Snapshot) request(reference string) *Request {
	return &b.Requests[slices.IndexFunc(b.Requests, func(q Request) bool { return q.Reference == reference })]
}

func (b *Snapshot) shown(order, status string) *View {
	return &b.Views[slices.IndexFunc(b.Views, func(s View) bool { return s.Order == order && s.Status == status })]
}

// capture makes of the held payment one of which a part was captured, as the shop had asked.
func (b *Snapshot) capture(part int64) {
	row := b.row("held")
	row.Steps = append(slices.Clone(row.Steps), Step{4, "authorized", "processing", "request", at}, Step{5, "processing", "succeeded", "answer", at})
	row.Sequence, row.Status, row.Captured, row.Asked = 5, "succeeded", part, part
	b.effect("ref-held").State, b.effect("ref-held").Sum = Paid, part
	b.Requests = append(b.Requests, Request{Shop: "shop", Kind: "capture", Order: "held", Amount: part})
	for _, s := range row.Steps[3:] {
		b.Notices = append(b.Notices, Notice{Shop: "shop", Order: "held", Sequence: s.Sequence, Status: s.To, Captured: part * int64(s.Sequence-4), Genuine: true, Payload: "held" + s.To})
	}
	b.Views = append(b.Views, View{Shop: "shop", Order: "held", Kind: "payment", Reference: "ref-held", Status: "succeeded", HTTP: 200, Sequence: 5, Amount: 700, Authorized: 700, Captured: part})
	b.Legal = map[[2]string]bool{{"authorized", "processing"}: true, {"authorized", "canceled"}: true}
	for step := range legal {
		b.Legal[step] = true
	}
}

// cancel makes of the held payment one that was canceled, as the shop had asked.
func (b *Snapshot) cancel() {
	b.capture(0)
	row := b.row("held")
	row.Steps[4].To, row.Status, row.Asked = "canceled", "canceled", 700
	b.Legal[[2]string{"processing", "canceled"}] = true
	b.effect("ref-held").State, b.effect("ref-held").Sum = Canceled, 700
	b.Requests[len(b.Requests)-1].Kind = "cancel"
	b.Notices[len(b.Notices)-1].Status = "canceled"
	b.shown("held", "succeeded").Status = "canceled"
}

func TestCommandsThatWereAskedForAreNoViolation(t *testing.T) {
	t.Parallel()
	b := good()
	b.capture(200)
	require.Empty(t, Check(b).Violations)
	b = good()
	b.capture(700)
	b.Requests[len(b.Requests)-1].Amount = 0 // all of it
	require.Empty(t, Check(b).Violations)
	b = good()
	b.cancel()
	require.Empty(t, Check(b).Violations)
}

// A provider that says "still working" of what it holds takes the hold back for a while.
func TestACommandAgainstWhatAProviderSaidSinceMayBeRefused(t *testing.T) {
	t.Parallel()
	b := good()
	b.capture(700)
	row := b.row("held")
	row.Steps[3].Cause = "check"
	b.Refusals = []Refusal{Refusal{Name: "ref-held", Status: 409, Code: "invalid_state"}.on("/v1/payments/held/capture", "authorized")}
	require.Empty(t, Check(b).Violations)
	b.Refusals[0].Code = "amount_exceeds_authorized"
	require.Equal(t, []Kind{WronglyRefused}, kindsOf(b))
}

// What the shops asked for and were shown is compared with what became of it.
func TestWhatWasAskedForAndShownIsHeldToTheSnapshots(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		harm func(*Snapshot)
		want Kind
		also []Kind
	}{
		"nobody asked for an order":           {func(b *Snapshot) { b.request("ref-out").Reference = "other" }, NotAsked, nil},
		"another shop asked for an order":     {func(b *Snapshot) { b.request("ref-out").Shop = "other" }, NotAsked, nil},
		"another sum was asked for":           {func(b *Snapshot) { b.request("ref-waits").Amount = 601 }, AmountMismatch, nil},
		"another sum was to be given back":    {func(b *Snapshot) { b.request("ref-back").Amount = 401 }, AmountMismatch, nil},
		"another currency was asked for":      {func(b *Snapshot) { b.request("ref-waits").Currency = "EUR" }, AmountMismatch, nil},
		"the provider moved another currency": {func(b *Snapshot) { b.row("out").Currency, b.effect("ref-out").Currency = "EUR", "USD" }, AmountMismatch, nil},
		"another payment's refund":            {func(b *Snapshot) { b.request("ref-back").Order = "held" }, NotAsked, nil},
		"another sum, here and at the provider": {func(b *Snapshot) {
			b.row("out").Amount, b.row("out").Asked, b.row("out").Captured, b.effect("ref-out").Sum = 301, 301, 301, 301
			b.Notices[b.notice("out", 3)].Captured = 301
		}, AmountMismatch, nil},
		"a part was asked for, and all was captured": {func(b *Snapshot) {
			b.capture(700)
			b.Requests[len(b.Requests)-1].Amount = 200
		}, AmountMismatch, nil},
		"a capture that nobody asked for": {func(b *Snapshot) {
			b.capture(700)
			b.Requests = b.Requests[:len(b.Requests)-1]
		}, NotAsked, nil},
		"a capture where a cancel was asked for": {func(b *Snapshot) {
			b.capture(700)
			b.Requests[len(b.Requests)-1].Kind = "cancel"
		}, NotAsked, nil},
		"a cancel that nobody asked for": {func(b *Snapshot) {
			b.cancel()
			b.Requests = b.Requests[:len(b.Requests)-1]
		}, NotAsked, nil},
		"shown as failed, and it never was":      {func(b *Snapshot) { b.shown("paid", "requires_action").Status = "failed" }, AnswerWrong, nil},
		"shown at a sequence that it has not":    {func(b *Snapshot) { b.shown("paid", "succeeded").Sequence = 4 }, AnswerWrong, nil},
		"shown as the answer to a first request": {func(b *Snapshot) { b.shown("paid", "succeeded").HTTP = 202 }, AnswerWrong, nil},
		"shown with another sum":                 {func(b *Snapshot) { b.shown("paid", "created").Amount = 1 }, AnswerWrong, nil},
		"shown in another currency":              {func(b *Snapshot) { b.shown("paid", "created").Currency = "USD" }, AnswerWrong, nil},
		"shown as captured before it was":        {func(b *Snapshot) { b.shown("paid", "requires_action").Captured = 1000 }, AnswerWrong, nil},
		"shown as captured with another sum":     {func(b *Snapshot) { b.shown("paid", "succeeded").Captured = 999 }, AnswerWrong, nil},
		"shown as held with another sum":         {func(b *Snapshot) { b.shown("held", "authorized").Authorized = 1 }, AnswerWrong, nil},
		"shown as given back, more than it was":  {func(b *Snapshot) { b.shown("paid", "succeeded").Refunded = 401 }, AnswerWrong, nil},
		"shown to another shop":                  {func(b *Snapshot) { b.shown("paid", "succeeded").Shop = "other" }, AnswerWrong, nil},
		"shown with another reference":           {func(b *Snapshot) { b.shown("paid", "succeeded").Reference = "other" }, AnswerWrong, nil},
		"shown, and it is not there":             {func(b *Snapshot) { b.shown("paid", "succeeded").Order = "other" }, Lost, nil},
		"shown as final, and it went on":         {func(b *Snapshot) { b.goOn() }, AnswerWrong, []Kind{HistoryBroken, NotificationGap}},
		"refused without a reason":               {func(b *Snapshot) { b.Refusals[0].Code = "reference_conflict" }, WronglyRefused, nil},
		"a capture refused of what was held": {func(b *Snapshot) {
			b.Refusals = []Refusal{Refusal{Name: "ref-held", Status: 409, Code: "invalid_state"}.on("/v1/payments/held/capture", "authorized")}
		}, WronglyRefused, nil},
		"accepted though too much was asked for": {func(b *Snapshot) { b.Refusals[0].Code = accepted }, DoubleEffect, nil},
		"an order does not get through any more": {func(b *Snapshot) { b.Probes[0].Trouble = "was answered as failed" }, NotRecovered, nil},
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

// goOn adds a step behind the end of the payment that was paid, back to what it was.
func (b *Snapshot) goOn() {
	row := b.row("paid")
	row.Steps[1].To, row.Steps[2].From = "failed", "failed"
	b.Notices[b.notice("paid", 2)].Status = "failed"
	b.shown("paid", "requires_action").Status = "failed"
}

func TestRequestsAreReadAsTheShopWroteThem(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		path, body string
		want       Request
	}{
		{"/v1/payments", `{"reference":"a","amount":5,"currency":"EUR","capture":"manual"}`, Request{Shop: "s", Kind: "payment", Reference: "a", Amount: 5, Currency: "EUR", Manual: true}},
		{"/v1/payments/id/refunds", `{"reference":"a","amount":5}`, Request{Shop: "s", Kind: "refund", Reference: "a", Order: "id", Amount: 5}},
		{"/v1/payments/id/charges", `{"reference":"a","amount":5}`, Request{Shop: "s", Kind: "payment", Reference: "a", Order: "id", Amount: 5}},
		{"/v1/payments/id/capture", `{"amount":5}`, Request{Shop: "s", Kind: "capture", Order: "id", Amount: 5}},
		{"/v1/payments/id/cancel", "", Request{Shop: "s", Kind: "cancel", Order: "id"}},
		{"/v1/payouts", `{"reference":"a","amount":5,"account":"UAH-sandbox-p2p"}`, Request{Shop: "s", Kind: "payout", Reference: "a", Amount: 5, Currency: "UAH"}},
		{"/v1/payout-cards", `{"reference":"a","account":"x"}`, Request{Shop: "s", Kind: "payout_card", Reference: "a"}},
		{"/v1/transfers", `{"reference":"a","amount":5,"currency":"UAH"}`, Request{Shop: "s", Kind: "transfer", Reference: "a", Amount: 5, Currency: "UAH"}},
	} {
		got, ok := requestOf("s", c.path, c.body)
		require.True(t, ok, c.path)
		require.Equal(t, c.want, got, c.path)
	}
	for _, path := range []string{"/v1/statements", "/v1/transfers/import", "/v1/payments/id/confirm"} {
		_, ok := requestOf("s", path, "{}")
		require.False(t, ok, path)
	}
}

func TestARunWithFewOrdersFails(t *testing.T) {
	t.Parallel()
	plan := NewPlan(7, 200, 1)
	var rows []Row
	for _, o := range plan.Orders {
		if o.Script != "statement" {
			rows = append(rows, Row{Kind: "payment", Reference: o.Name})
		}
	}
	require.Empty(t, tooFew(plan, rows))
	require.Empty(t, tooFew(plan, rows[:len(rows)-9]))
	require.NotEmpty(t, tooFew(plan, rows[:len(rows)-12]))
	for i := range 12 { // refunds come on top, and do not count
		rows[i].Kind = "refund"
	}
	require.NotEmpty(t, tooFew(plan, rows))
}
