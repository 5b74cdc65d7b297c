package faults

import (
	"context"
	"fmt"
	"strings"
	"time"

	"payrelay/internal/sandbox/smartcore"
	"payrelay/internal/sandbox/uapay"
)

// uapayClient is the merchant of UAPAY that keeps the run's cards, pays out and moves money between cards.
const uapayClient = "90001"

// keptCard is a card that UAPAY keeps and that does what the order's outcome says. Half of the challenged payers get the
// bank's form, and the others a code; so do those who then give up.
func (p *player) keptCard(o Order) string {
	kept, err := p.simulators.UAPAY().SaveCard(uapayClient, uapayNumber(o))
	if err != nil {
		panic(err) // the simulator's own test card
	}
	return kept.ID
}

func uapayNumber(o Order) string {
	switch o.Outcome {
	case "fail":
		return uapay.CardReject
	case "challenge", "abandon":
		return []string{uapay.CardLookup, uapay.Card3DS}[o.Part%2]
	}
	return uapay.CardSuccess
}

// request is what the shop asks for first.
func (p *player) request(o Order) (path, body string) {
	switch o.Script {
	case "payout", "uapay_payout":
		return "/v1/payouts", payoutBody(o)
	case "payout_card":
		return "/v1/payout-cards", fmt.Sprintf(`{"reference":%q,"account":%q}`, o.Name, accountPayouts)
	case "transfer":
		return "/v1/transfers", p.transferBody(o)
	case "statement":
		now := time.Now().UTC()
		kind := []string{"payment", "payout", "refund"}[o.Part%3]
		return "/v1/statements", fmt.Sprintf(`{"account":%q,"type":%q,"status":"succeeded","from":%q,"to":%q}`,
			accountEUR, kind, now.Add(-time.Hour).Format(time.RFC3339), now.Add(time.Hour).Format(time.RFC3339))
	case "uapay_card", "uapay_card_hold":
		manual := ""
		if o.Script == "uapay_card_hold" {
			manual = `,"capture":"manual"`
		}
		return "/v1/payments", fmt.Sprintf(`{"reference":%q,"description":%q,"amount":%d,"currency":"UAH","account":%q,"flow":"direct"%s,"payment_method":{"type":"stored_card","card_id":%q,"cvc":"123"},`+
			`"browser":{"accept_header":"text/html","user_agent":"Mozilla/5.0","java_enabled":false,"javascript_enabled":true,"color_depth":24,"screen_height":900,"screen_width":1440,"language":"uk-UA","time_zone_offset":-120},%s}`,
			o.Name, o.Name, o.Minor, accountUAH, manual, p.keptCard(o), customer) // the card is kept for that merchant alone
	}
	return "/v1/payments", paymentBody(o)
}

// transferBody moves money between cards that the provider keeps, or between two numbers.
func (p *player) transferBody(o Order) string {
	from, to := fmt.Sprintf(`{"card_id":%q,"cvc":"123"}`, p.keptCard(o)), fmt.Sprintf(`{"card_id":%q}`, p.keptCard(Order{Outcome: "success"}))
	if o.Minor%4 == 0 {
		from = fmt.Sprintf(`{"card":{"number":%q,"exp_month":12,"exp_year":2030,"cvc":"123"}}`, uapayNumber(o))
		to = fmt.Sprintf(`{"card":{"number":%q}}`, uapay.CardSuccess)
	}
	return fmt.Sprintf(`{"reference":%q,"description":%q,"account":%q,"amount":%d,"currency":"UAH","from":%s,"to":%s,"customer":{"phone":"+380000000000"}}`,
		o.Name, o.Name, accountP2P, o.Minor, from, to)
}

// prove is the payer who is asked by the card's bank: on its form, or for a code, which some get wrong once and some until
// there is no further try.
func (p *player) prove(ctx, waiting context.Context, s *shopper, o Order, v view) {
	if o.Outcome == "abandon" {
		return
	}
	wrong := 0
	switch {
	case o.Then == "beyond":
		wrong = 3
	case o.Minor%3 == 0:
		wrong = 1
	}
	for try := range 8 {
		now, ok := s.until(waiting, v.ID, "requires_action", "authorized", "succeeded", "failed", "canceled")
		if !ok || now.Status != "requires_action" || now.NextAction == nil {
			return
		}
		if now.NextAction.Type != "confirm_code" {
			_ = p.simulators.UAPAY().Complete(v.ProviderOrderID, "success") // one that is finished stays so
			return
		}
		code := p.simulators.UAPAY().Settings().LookupCode
		var expected []string
		if try > 0 { // an earlier code may have arrived although its answer did not
			expected = []string{"wrong_code", "invalid_state"}
		}
		if wrong > 0 {
			code, expected = "000000", append(expected, "wrong_code")
			wrong--
			p.did("wrong code")
		} else {
			p.did("right code")
		}
		s.tell(ctx, "/v1/"+v.Kind+"s/"+v.ID+"/confirm", fmt.Sprintf("key-%s-code-%d", o.Name, try), fmt.Sprintf(`{"code":%q}`, code), expected...)
	}
}

// charges charges the card of a recurring payment again, once or twice, and gives some of that back.
func (p *player) charges(ctx, waiting context.Context, s *shopper, o Order, first view) {
	for i := range 1 + o.Part%2 {
		repeated := o
		repeated.Name, repeated.Then = fmt.Sprintf("%s-c%d", o.Name, i+1), []string{"", "refund", "race"}[o.Part%3]
		path, body := "/v1/payments/"+first.ID+"/charges", fmt.Sprintf(`{"reference":%q,"description":%q,"amount":%d,"period":"monthly"}`, repeated.Name, repeated.Name, 1+o.Part)
		v, status, ok := s.insist(ctx, path, repeated.Name, body)
		if i > 0 {
			s.excuse(repeated.Name, "mandate_charge_open") // the one before may have no sure outcome yet
		}
		if !ok || status >= 300 {
			return
		}
		if o.Then == "both" { // an impatient shop, which forgot its key
			s.hasty(ctx, path, repeated.Name, body)
		}
		if v, ok = s.until(waiting, v.ID, "requires_action", "succeeded", "failed", "canceled"); ok && v.Status == "requires_action" {
			_ = p.simulators.SmartCore().Complete(v.ProviderOrderID, "success")
			v, ok = s.until(waiting, v.ID, "succeeded", "failed", "canceled")
		}
		if ok && v.Status == "succeeded" && repeated.Then != "" {
			p.refund(ctx, waiting, s, repeated, v)
		}
	}
}

// payToCard lets the customer leave a card, and pays to it.
func (p *player) payToCard(ctx, waiting context.Context, s *shopper, o Order, v view) {
	outcome := o.Outcome
	switch outcome {
	case "abandon":
		return
	case "challenge":
		outcome = "success"
	}
	_ = p.simulators.SmartCore().Complete(v.ProviderOrderID, smartcore.Outcome(outcome)) // one that is finished stays so
	if v, ok := s.until(waiting, v.ID, "succeeded", "failed", "canceled"); ok && v.Status == "succeeded" {
		name := o.Name + "-out"
		p.did("paid to a left card")
		s.insist(ctx, "/v1/payouts", name, fmt.Sprintf(`{"reference":%q,"description":%q,"amount":%d,"account":%q,"method":{"type":"payout_card","payout_card_id":%q},%s}`,
			name, name, o.Minor, accountPayouts, v.ID, customer))
	}
}

// follow imports a transfer that was started here, which must give the order that there is, unless the provider denied
// knowing the transfer meanwhile.
func (p *player) follow(ctx context.Context, s *shopper, o Order, v view) {
	t, ok := p.simulators.UAPAY().Order(v.ProviderOrderID)
	if !ok {
		return
	}
	p.did("imported")
	name := o.Name + "-import"
	s.insist(ctx, "/v1/transfers/import", name, fmt.Sprintf(`{"account":%q,"provider_id":%q}`, accountP2P, t.ID))
	if now, _ := p.simulators.UAPAY().Order(v.ProviderOrderID); denials(now) > denials(t) {
		s.excuse(name, "not_found")
	}
}

// denials is how often UAPAY's simulator lied that it does not know an order.
func denials(o uapay.Order) int {
	return count(o.History, func(e uapay.Event) bool { return strings.Contains(e.Text, "denied knowing") })
}

// finish reads how the statements ended that the shops were promised, and waits until calm is statementLimit ago for
// those that are not done.
func (s *shopper) finish(ctx context.Context, calm time.Time, fails bool) {
	for i := range s.listings {
		l := &s.listings[i]
		l.Fails = fails
		for {
			status, v, err := s.once(ctx, "GET", "/v1/statements/"+l.ID, "", "")
			if err == nil && status == 200 {
				l.State = v.State
			}
			done := l.State == "ready" || l.State == "failed" || err == nil && status == 404
			if done || time.Since(calm) > transactionReportLimit || !wait(ctx, 300*time.Millisecond) {
				break
			}
		}
		l.File = l.State == "ready" && s.workbook(ctx, l.ID)
	}
}
