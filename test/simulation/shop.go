package simulation

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"payrelay/internal/card"
	"payrelay/internal/gateway"
	"payrelay/internal/money"
	"payrelay/internal/payment"
)

// shop is who asks for the orders of a scenario. It sends a request once more with the same reference until it is answered, and
// reacts to what it is notified of.
type shop struct {
	w      *world
	id     uuid.UUID
	manner *manner
	hold   bool
	// requests counts the references that the shop made.
	references int
	commands   int
	refunds    int
	charged    bool
}

func newShop(w *world) *shop { return &shop{w: w, id: uuid.UUID{0: 2, 15: 1}} }

// begin draws the scenario's order and asks for it.
func (s *shop) begin() {
	w := s.w
	s.manner = &manners[w.rng.IntN(len(manners))]
	s.hold, s.references, s.commands, s.refunds, s.charged = false, 0, 0, 0, false
	w.store.route(s.manner)
	account := w.store.accounts[0].Name
	amount := 100 + w.rng.Int64N(100000)
	reference := s.reference()
	switch n := w.rng.IntN(100); {
	case n < 3:
		s.importTransfer(account, amount)
	case n < 72:
		in := payment.NewPayment{
			Shop: s.id, Reference: reference, Amount: money.New(amount, currency), Account: account,
			Manual: w.chance(0.45), RequestHash: []byte(reference), Recurring: gateway.Recurring{Enabled: w.chance(0.15)},
		}
		if in.Flow = gateway.FlowDirect; w.chance(0.6) {
			in.Flow = gateway.FlowHosted
		}
		if w.chance(0.6) {
			s.letRoute(&in)
		}
		s.ask("create payment", func() error { return err(w.service.CreatePayment(background, in)) })
	case n < 86:
		in := payment.NewPayout{
			Shop: s.id, Reference: reference, Minor: amount, Currency: currency, Account: account, RequestHash: []byte(reference),
		}
		s.ask("create payout", func() error { return err(w.service.Payout(background, in)) })
	case n < 95:
		in := payment.NewTransfer{
			Shop: s.id, Reference: reference, Amount: money.New(amount, currency), Account: account, RequestHash: []byte(reference),
		}
		s.ask("create transfer", func() error { return err(w.service.Transfer(background, in)) })
	default:
		in := payment.NewPayoutCard{Shop: s.id, Reference: reference, Account: account, RequestHash: []byte(reference)}
		s.ask("open payout card", func() error { return err(w.service.OpenPayoutCard(background, in)) })
	}
}

// letRoute leaves it to the routing where a payment goes, and whether a decline leads it elsewhere.
func (s *shop) letRoute(in *payment.NewPayment) {
	w := s.w
	in.Account, in.NoFailover = "", w.chance(0.1)
	in.Cascade = []payment.Cascade{payment.CascadeNone, payment.CascadeProvider, payment.CascadeIssuer}[w.rng.IntN(3)]
	if w.chance(0.3) { // by card in the shop's own form, where payments are declined often
		in.Flow, in.Manual, w.faults.declined = gateway.FlowDirect, false, 0.6
		if w.chance(0.3) {
			w.faults.reverses = 0.5
		}
	}
	if in.Flow == gateway.FlowDirect {
		in.Method.Card = &payCard
	}
}

// payCard is what direct payments are made with.
var payCard = card.Card{Expiry: card.Expiry{Month: 12, Year: 2099}}

// importTransfer asks to follow a transfer that was started elsewhere, some time after that.
func (s *shop) importTransfer(account string, amount int64) {
	w := s.w
	d := w.provider.add(deal{manner: s.manner, account: account, kind: gateway.KindTransfer, id: "elsewhere", amount: amount, elsewhere: true})
	w.provider.proceed(d)
	in := payment.TransferImport{Shop: s.id, Account: account, Query: gateway.TransferQuery{ProviderID: d.reference}}
	w.plan(w.between(time.Second, time.Hour), true, func() {
		s.ask("import transfer", func() error { return err(w.service.ImportTransfer(background, in)) })
	})
}

func err(_ *payment.Order, _ bool, e error) error { return e }

func (s *shop) reference() string {
	s.references++
	return fmt.Sprintf("r-%d", s.references)
}

// ask sends a request, and sends it once more while it is not answered. Some send it twice in any case.
func (s *shop) ask(name string, do func() error) { s.try(name, do, 0) }

func (s *shop) try(name string, do func() error, attempt int) {
	w := s.w
	answered := false
	if w.at >= w.downUntil {
		w.say("shop: %s", name)
		w.start(name, func() {
			if e := do(); e != nil {
				w.say("shop: %s is answered: %v", name, e)
				s.judge(name, e)
			}
			answered = true
		})
	}
	if attempt >= 6 {
		return
	}
	if !answered || w.chance(0.03) {
		w.plan(w.between(time.Second, 2*time.Minute), true, func() {
			if !answered || w.chance(0.1) {
				s.try(name, do, attempt+1)
			}
		})
	}
}

// judge finds answers that nothing explains.
func (s *shop) judge(name string, e error) {
	if payment.CodeOf(e) == "" {
		s.w.violate("%s is answered with an internal error: %v", name, e)
	}
}

// hear is the shop's reaction to a transition.
func (s *shop) hear(r *record, t payment.Transition) {
	w := s.w
	o := &r.order
	if o.NextAction != nil {
		if d := w.provider.find(o.ProviderOrderID); d != nil {
			d.form = true
		}
	}
	if w.chance(0.03) {
		w.plan(w.between(time.Millisecond, time.Hour), true, func() { s.refresh(r) })
	}
	if o.Kind != gateway.KindPayment {
		return
	}
	switch t.To { //nolint:exhaustive // it waits at the others
	case payment.StatusRequiresAction:
		if w.chance(0.1) {
			w.plan(w.between(time.Second, 30*time.Minute), true, func() { s.cancel(r) })
		}
	case payment.StatusAuthorized:
		if s.commands < 4 {
			s.commands++
			w.plan(w.between(time.Second, 2*time.Hour), true, func() { s.settle(r) })
		}
	case payment.StatusSucceeded:
		s.afterSuccess(r)
	}
}

func (s *shop) refresh(r *record) {
	w := s.w
	w.say("shop: refresh")
	w.start("refresh", func() {
		if _, e := w.service.Refresh(background, r.order.Key()); e != nil {
			s.judge("refresh", e)
		}
	})
}

// settle captures or cancels a hold, or leaves it.
func (s *shop) settle(r *record) {
	w := s.w
	switch n := w.rng.IntN(10); {
	case n < 4:
		s.capture(r, 0)
	case n < 7:
		s.capture(r, 1+w.rng.Int64N(r.order.Amount.Minor()))
	case n < 9:
		s.cancel(r)
	}
	if w.chance(0.1) { // a capture and a cancel at once
		s.cancel(r)
	}
}

func (s *shop) capture(r *record, minor int64) {
	s.command("capture", func() error { return err2(s.w.service.Capture(background, r.order.Key(), minor)) }, r)
}

func (s *shop) cancel(r *record) {
	s.command("cancel", func() error { return err2(s.w.service.Cancel(background, r.order.Key())) }, r)
}

func err2(_ *payment.Order, e error) error { return e }

// command sends a capture or cancel. One that the provider could not do is tried later.
func (s *shop) command(name string, do func() error, r *record) {
	w := s.w
	if w.at < w.downUntil {
		return
	}
	w.say("shop: %s", name)
	w.start(name, func() {
		e := do()
		if e == nil {
			return
		}
		w.say("shop: %s is answered: %v", name, e)
		s.judge(name, e)
		if payment.CodeOf(e) == payment.CodeProviderFailed && s.commands < 6 {
			s.commands++
			w.plan(w.between(time.Second, time.Hour), true, func() {
				if r.order.Status == payment.StatusAuthorized {
					s.command(name, do, r)
				}
			})
		}
	})
}

// afterSuccess gives money back, or charges the card once more.
func (s *shop) afterSuccess(r *record) {
	w := s.w
	if r.order.Recurring && !s.charged {
		s.charged = true
		in := payment.NewCharge{Shop: s.id, Payment: r.order.ID, Reference: s.reference(), Minor: min(100+w.rng.Int64N(10000), r.order.Amount.Minor())}
		in.RequestHash = []byte(in.Reference)
		w.plan(w.between(time.Second, 3*time.Hour), true, func() {
			s.ask("charge", func() error { return err(w.service.Charge(background, in)) })
		})
	}
	if !w.chance(0.45) {
		return
	}
	for range 1 + w.rng.IntN(3) {
		w.plan(w.between(time.Second, 3*time.Hour), true, func() { s.refund(r) })
	}
}

// refund gives back everything, a part, or more than there is. Equal parts are likely, since their callbacks look alike.
func (s *shop) refund(r *record) {
	w := s.w
	captured := r.order.Captured
	in := payment.NewRefund{Shop: s.id, Payment: r.order.ID, Reference: s.reference(), Reason: "returned"}
	switch n := w.rng.IntN(10); {
	case n < 5:
		in.Minor = max(captured/3, 1)
	case n < 7:
		in.Minor = 1 + w.rng.Int64N(captured)
	case n < 8:
		in.Minor = captured + 1
	}
	in.RequestHash = []byte(in.Reference)
	s.giveBack(in, 0)
}

func (s *shop) giveBack(in payment.NewRefund, attempt int) {
	w := s.w
	s.ask("refund", func() error {
		_, _, e := w.service.Refund(background, in)
		if payment.CodeOf(e) == payment.CodeRefundInProgress && attempt < 3 {
			w.plan(w.between(10*time.Second, time.Hour), true, func() { s.giveBack(in, attempt+1) })
		}
		return e
	})
}
