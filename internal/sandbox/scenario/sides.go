package scenario

import "net/http"

// provider is a simulator, by its path.
type provider string

const (
	smartcore provider = "smartcore"
	uapay     provider = "uapay"
)

// side is what differs between the two providers.
type side struct {
	provider
	suffix, currency, payouts string
	// The simulator's cards.
	good, challenge, declined string
}

var (
	eur = side{smartcore, "eur", "EUR", "EUR-sandbox-payout", "4012000000003010", "4003830171874018", "4111111111111111"}
	uah = side{uapay, "uah", "UAH", "UAH-sandbox-p2p", "4111111111111111", "5454545454545454", "4000000000000002"}
)

// twoAccounts is a currency for which the demo shop has an account at each of SmartCore's merchants, the second merchant's first.
var twoAccounts = side{provider: smartcore, currency: "PLN", good: eur.good}

func providerOf(o order) provider {
	if o.Currency == uah.currency {
		return uapay
	}
	return smartcore
}

// payment is the body of a payment on the provider's form. More members come in pairs.
func (s side) payment(amount int64, more ...any) object {
	body := object{"amount": amount, "currency": s.currency, "description": "Blue socks", "customer": customer}
	for i := 0; i+1 < len(more); i += 2 {
		body[more[i].(string)] = more[i+1] //nolint:forcetypeassert // names stand first
	}
	return body
}

// direct is the body of a payment on the shop's own form: by card at SmartCore, by a kept card at UAPAY.
func (s side) direct(r *run, amount int64, number string, more ...any) object {
	body := s.payment(amount, append([]any{"flow", "direct"}, more...)...)
	if s.provider == smartcore {
		body["site_url"] = "https://shop.example"
		body["payment_method"] = object{"type": "card", "card": object{"number": number, "exp_month": 12, "exp_year": 2030, "cvc": "739", "holder": "John Doe"}}
		return body
	}
	var kept struct {
		ID string `json:"id"`
	}
	r.control(http.MethodPost, uapay, "/cards", object{"number": number}, &kept)
	body["payment_method"] = object{"type": "stored_card", "card_id": kept.ID, "cvc": "739"}
	body["return_urls"] = object{"status": "https://shop.example/back"}
	body["browser"] = object{
		"accept_header": "text/html", "user_agent": "scenario", "language": "uk-UA", "java_enabled": false, "javascript_enabled": true,
		"color_depth": 24, "screen_height": 844, "screen_width": 390, "time_zone_offset": -120,
	}
	return body
}

// hosted opens a payment on the provider's form.
func (s side) hosted(r *run, amount int64, more ...any) order {
	o := r.makes("/payments", s.payment(amount, more...))
	equal(r, "the status of "+o.Reference, o.Status, "requires_action")
	return o
}

// paid makes a payment that succeeds.
func (s side) paid(r *run, amount int64, more ...any) order {
	o := s.hosted(r, amount, more...)
	r.pays(o, s.good, "")
	return r.becomes(o.ID, "succeeded")
}

// held makes a payment whose money is held.
func (s side) held(r *run, amount int64) order {
	if s.provider == uapay {
		o := s.hosted(r, amount, "capture", "manual")
		r.pays(o, s.good, "")
		return r.becomes(o.ID, "authorized")
	}
	return r.becomes(r.makes("/payments", s.direct(r, amount, s.good, "capture", "manual")).ID, "authorized")
}

// payout is the body of a payout to a card.
func (s side) payout(amount int64, number string) object {
	return object{"amount": amount, "account": s.payouts, "description": "Winnings", "method": object{"type": "card", "card": object{"number": number}}}
}

// refunds gives money of a payment back, all that is left if the amount is 0.
func (r *run) refunds(payment order, amount int64) order {
	body := object{"reason": "returned"}
	if amount > 0 {
		body["amount"] = amount
	}
	return r.makes("/payments/"+payment.ID+"/refunds", body)
}
