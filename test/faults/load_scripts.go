package faults

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"payrelay/internal/sandbox"
	"payrelay/internal/sandbox/smartcore"
	"payrelay/internal/sandbox/uapay"
)

// The shops' customer and the simulators' test cards.
const (
	customer = `"customer":{"first_name":"John","last_name":"Doe","email":"john@example.com","phone":"+442079460612","ip":"127.0.0.1",` +
		`"address":{"line":"10 Downing Street","city":"London","postal_code":"SW1A 2AA","country":"GB"}}`
	cardRefused = "4111111111111111" // at SmartCore, which knows two others
)

// player plays orders' scripts.
type player struct {
	shops      []*shopper
	simulators *sandbox.Sandbox

	mu          sync.Mutex
	contradicts []contradiction
	movements   []movement
	actions     map[string]int
}

// did counts what a shop, a customer or a provider has done beside asking for an order.
func (p *player) did(action string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.actions == nil {
		p.actions = map[string]int{}
	}
	p.actions[action]++
}

// play plays one order from the shop's first request to the last thing that shop or customer do. Nobody waits for an
// order's next state after waiting has ended, and nobody asks for an answer after ctx has: what was started then is the
// service's to finish.
func (p *player) play(ctx, waiting context.Context, o Order) {
	if !wait(ctx, o.At) {
		return
	}
	s := p.shops[o.Shop]
	path, body := p.request(o)
	var twice sync.WaitGroup
	defer twice.Wait()
	if o.Double {
		p.did("sent twice at once")
		twice.Go(func() { s.insist(ctx, path, o.Name, body) })
	}
	v, status, ok := s.insist(ctx, path, o.Name, body)
	if !ok || status >= 300 || v.ID == "" || slices.Contains([]string{"payout", "uapay_payout", "statement"}, o.Script) {
		return
	}
	if o.Then == "beyond" { // an impatient shop, which forgot its key
		p.did("sent again without its key")
		twice.Go(func() { s.hasty(ctx, path, o.Name, body) })
	}
	if !wait(ctx, o.Pause) {
		return
	}
	switch o.Script {
	case "payout_card":
		p.payToCard(ctx, waiting, s, o, v)
	case "transfer":
		if o.Then == "both" {
			twice.Go(func() { p.follow(ctx, s, o, v) })
		}
		p.prove(ctx, waiting, s, o, v)
	default:
		p.playPayment(ctx, waiting, s, o, v)
	}
}

// playPayment plays what follows on the request for a payment.
func (p *player) playPayment(ctx, waiting context.Context, s *shopper, o Order, v view) {
	if !p.checkout(ctx, waiting, s, o, v) {
		return
	}
	v, ok := p.takeMoney(ctx, waiting, s, o, v)
	if !ok {
		return
	}
	if o.Then == "" {
		if p.payLate(waiting, s, o, v) || p.moveMoney(waiting, s, o, v) {
			return
		}
		if o.Script != "uapay_recurring" { // a subscription's callbacks prove nothing: later charges carry the same order
			p.contradict(waiting, s, v)
		}
		return
	}
	if v, ok = s.until(waiting, v.ID, "succeeded", "failed", "canceled"); ok && v.Status == "succeeded" {
		p.refund(ctx, waiting, s, o, v)
	}
}

// checkout does what the payer does, by the shop's own form or the provider's. It reports whether the payment can go on.
func (p *player) checkout(ctx, waiting context.Context, s *shopper, o Order, v view) bool {
	if o.Script == "uapay_card" || o.Script == "uapay_card_hold" {
		p.prove(ctx, waiting, s, o, v)
		return o.Outcome != "abandon"
	}
	return p.customer(o, v)
}

// takeMoney takes the money of a hold and of a recurring payment's charges, and reports whether the order can go on.
func (p *player) takeMoney(ctx, waiting context.Context, s *shopper, o Order, v view) (view, bool) {
	switch o.Script {
	case "recurring":
		v, ok := s.until(waiting, v.ID, "succeeded", "failed", "canceled")
		if ok = ok && v.Status == "succeeded"; ok {
			p.charges(ctx, waiting, s, o, v)
		}
		return v, ok
	case "hold", "uapay_hold", "uapay_card_hold":
		v, ok := s.until(waiting, v.ID, "authorized", "failed", "canceled")
		if !ok || v.Status != "authorized" {
			return v, false
		}
		v, ok = p.command(ctx, waiting, s, o, v)
		return v, ok && v.Status == "succeeded"
	}
	return v, true
}

// customer does what the payer does, and reports whether the payment can go on.
func (p *player) customer(o Order, v view) bool {
	outcome := o.Outcome
	switch outcome {
	case "abandon":
		return o.Script == "direct" || o.Script == "hold" || o.Script == "recurring" && onCard(o) // nobody is needed there
	case "challenge":
		outcome = "success"
	}
	hosted, atUAPAY := o.Script == "hosted" || o.Script == "recurring" && !onCard(o), slices.Contains([]string{"uapay_hosted", "uapay_hold", "uapay_recurring"}, o.Script)
	if v.Status == "unknown" && (hosted || atUAPAY) && o.Part%2 == 0 {
		return false // the form's address was lost with the provider's answer
	}
	if atUAPAY {
		return p.simulators.UAPAY().Complete(v.ProviderOrderID, uapay.Outcome(outcome)) == nil
	}
	if hosted || o.Outcome == "challenge" {
		_ = p.simulators.SmartCore().Complete(v.ProviderOrderID, smartcore.Outcome(outcome)) // one that is finished stays so
	}
	return true
}

// command captures or cancels a hold, or does both at once.
func (p *player) command(ctx, waiting context.Context, s *shopper, o Order, v view) (view, bool) {
	path := "/v1/payments/" + v.ID
	do := func(name, verb, body string, expected ...string) {
		if s.command(ctx, path+"/"+verb, body, expected...) {
			p.did(name)
		}
	}
	switch o.Then {
	case "part":
		do("captured in part", "capture", fmt.Sprintf(`{"amount":%d}`, o.Part))
	case "cancel":
		do("canceled", "cancel", "")
	case "both":
		var wg sync.WaitGroup
		wg.Go(func() { do("captured while canceled", "capture", "{}", "invalid_state") })
		wg.Go(func() { do("canceled while captured", "cancel", "", "invalid_state") })
		wg.Wait()
	case "": // the money stays held
		return v, false
	default:
		do("captured", "capture", "{}")
	}
	return s.until(waiting, v.ID, "succeeded", "failed", "canceled")
}

// refund gives money back in the way that the order's Then says.
func (p *player) refund(ctx, waiting context.Context, s *shopper, o Order, v view) {
	give := func(name string, minor int64, expected ...string) (view, bool) {
		return p.giveBack(ctx, waiting, s, o, v, name, minor, expected...)
	}
	switch half := v.Captured / 2; o.Then {
	case "refund":
		give("r", v.Captured)
	case "halves": // the same sum twice, one after the other
		if r, ok := give("r1", max(half, 1)); ok {
			if _, ok = s.until(waiting, r.ID, "succeeded", "failed"); ok && half > 0 {
				give("r2", half)
			}
		}
	case "race": // three at once, of which two fit
		var wg sync.WaitGroup
		for i := range 3 {
			wg.Go(func() { give(fmt.Sprintf("r%d", i), max(half, 1), "refund_in_progress", "refund_exceeds_captured") })
		}
		wg.Wait()
	case "beyond":
		give("r", v.Captured+1, "refund_exceeds_captured")
		if _, ok := give("part", max(half, 1)); ok {
			p.did("refunded after too much was asked for")
		}
	}
}

// giveBack asks for one refund, for as long as another is under way. It reports whether the refund was taken.
func (p *player) giveBack(ctx, waiting context.Context, s *shopper, o Order, v view, name string, minor int64, expected ...string) (view, bool) {
	path := "/v1/payments/" + v.ID + "/refunds"
	name = o.Name + "-" + name
	body := fmt.Sprintf(`{"reference":%q,"amount":%d,"reason":%q}`, name, minor, name)
	for { // another refund under way is answered with 409
		r, status, ok := s.insist(ctx, path, fmt.Sprintf("%s-%d", name, time.Now().UnixNano()), body, expected...)
		if !ok || status != 409 || r.Code != "refund_in_progress" {
			taken := ok && status < 300
			if taken && o.Then != "beyond" {
				p.did(map[string]string{"refund": "refunded", "halves": "refunded by halves", "race": "refunded many at once"}[o.Then])
			}
			if taken && minor > v.Captured {
				s.judge(Refusal{Name: name, Status: status, Code: accepted, Expected: expected})
			}
			return r, taken
		}
		if !wait(waiting, 300*time.Millisecond) {
			return r, false
		}
	}
}

func paymentBody(o Order) string {
	currency, more := "EUR", ""
	switch o.Script {
	case "uapay_hosted":
		currency = "UAH"
	case "uapay_hold":
		currency, more = "UAH", `,"capture":"manual"`
	case "hold":
		more = `,"flow":"direct","capture":"manual"` + card(o)
	case "direct":
		more = `,"flow":"direct"` + card(o)
		if o.Cascade != "" {
			more += fmt.Sprintf(`,"attempts":{"cascade":%q}`, o.Cascade)
		}
	case "recurring":
		more = `,"recurring":{"enabled":true}`
		if onCard(o) {
			more = `,"recurring":{"enabled":true,"frequency_days":1,"expires_at":"2031-01-01T00:00:00Z"},"flow":"direct"` + card(o)
		}
	case "uapay_recurring": // the provider charges the card again after a day, and after two
		currency = "UAH"
		more = fmt.Sprintf(`,"recurring":{"enabled":true,"frequency_days":1,"expires_at":%q}`, time.Now().UTC().Add(60*time.Hour).Format(time.RFC3339))
	}
	return fmt.Sprintf(`{"reference":%q,"description":%q,"amount":%d,"currency":%q%s,%s}`, o.Name, o.Name, o.Minor, currency, more, customer)
}

// onCard reports whether a recurring payment begins with a card that the shop took, and not on the provider's form.
func onCard(o Order) bool { return o.Minor%4 == 0 }

func card(o Order) string {
	number := map[string]string{"fail": cardRefused, "challenge": smartcore.CardChallenge}[o.Outcome]
	if number == "" {
		number = smartcore.CardFrictionless
	}
	return fmt.Sprintf(`,"site_url":"https://shop.example.com","payment_method":{"type":"card","card":{"number":%q,"exp_month":12,"exp_year":2030,"cvc":"123","holder":"JOHN DOE"}}`, number)
}

func payoutBody(o Order) string {
	account, number := accountPayouts, smartcore.CardFrictionless
	if o.Outcome == "fail" {
		number = cardRefused
	}
	if o.Script == "uapay_payout" {
		if account, number = accountP2P, uapay.CardSuccess; o.Outcome == "fail" {
			number = uapay.CardReject
		}
	}
	return fmt.Sprintf(`{"reference":%q,"description":%q,"amount":%d,"account":%q,"method":{"type":"card","card":{"number":%q}},%s}`, o.Name, o.Name, o.Minor, account, number, customer)
}
