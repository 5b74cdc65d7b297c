package scenario

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"payrelay/internal/plural"
	"payrelay/internal/sandbox/recipe"
)

// All are the scenarios, in the order in which they begin: what takes long comes first.
func All() []Scenario {
	list := byRecipe()
	for _, s := range []side{eur, uah} {
		for name, does := range atBoth {
			list = append(list, Scenario{Name: name + "-" + s.suffix, run: func(r *run) { does(r, s) }})
		}
	}
	for name, does := range atOne {
		list = append(list, Scenario{Name: name, run: does})
	}
	for name, does := range byClock {
		list = append(list, Scenario{Name: name, run: does, alone: true})
	}
	slices.SortStableFunc(list[2*len(recipe.All):], func(a, b Scenario) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// atBoth are scenarios that each provider knows.
var atBoth = map[string]func(*run, side){
	"hosted-paid": func(r *run, s side) { s.paid(r, 1000) },
	"hosted-3ds": func(r *run, s side) {
		o := s.hosted(r, 1000)
		r.pays(o, s.challenge, "success")
		r.becomes(o.ID, "succeeded")
	},
	"hosted-3ds-failed": func(r *run, s side) {
		o := s.hosted(r, 1000)
		r.pays(o, s.challenge, "fail")
		r.becomes(o.ID, "failed")
	},
	"hosted-declined": func(r *run, s side) {
		o := s.hosted(r, 1000)
		r.pays(o, s.declined, "")
		r.becomes(o.ID, "failed")
	},
	"own-form-paid":     func(r *run, s side) { r.becomes(r.makes("/payments", s.direct(r, 1000, s.good)).ID, "succeeded") },
	"own-form-declined": func(r *run, s side) { r.becomes(r.makes("/payments", s.direct(r, 1000, s.declined)).ID, "failed") },
	"hold-captured": func(r *run, s side) {
		o := s.held(r, 1000)
		r.does("/payments/"+o.ID+"/capture", object{})
		equal(r, "the captured sum", r.becomes(o.ID, "succeeded").AmountCaptured, 1000)
	},
	"hold-captured-in-part": func(r *run, s side) {
		o := s.held(r, 1000)
		r.refuses("/payments/"+o.ID+"/capture", object{"amount": 1001}, http.StatusUnprocessableEntity, "amount_exceeds_authorized")
		r.does("/payments/"+o.ID+"/capture", object{"amount": 400})
		equal(r, "the captured sum", r.becomes(o.ID, "succeeded").AmountCaptured, 400)
	},
	"hold-canceled": func(r *run, s side) {
		o := s.held(r, 1000)
		r.does("/payments/"+o.ID+"/cancel", object{})
		r.becomes(o.ID, "canceled")
		r.refuses("/payments/"+o.ID+"/capture", object{}, http.StatusConflict, "invalid_state")
	},
	"hold-expired": func(r *run, s side) {
		o := s.held(r, 1000)
		r.control(http.MethodPost, s.provider, "/orders/"+o.ProviderOrderID+"/complete", object{"outcome": "hold_expired"}, nil)
		r.becomes(o.ID, "canceled")
	},
	"refund-all": func(r *run, s side) {
		o := s.paid(r, 1000)
		r.becomes(r.refunds(o, 0).ID, "succeeded")
		equal(r, "the refunded sum", r.order(o.ID).AmountRefunded, 1000)
		r.refuses("/payments/"+o.ID+"/refunds", object{"reference": r.reference(), "amount": 1, "reason": "again"}, http.StatusConflict, "refund_exceeds_captured")
	},
	"refund-in-parts": func(r *run, s side) {
		o := s.paid(r, 1000)
		for _, part := range []int64{300, 200} {
			r.becomes(r.refunds(o, part).ID, "succeeded")
		}
		equal(r, "the refunded sum", r.order(o.ID).AmountRefunded, 500)
	},
	"payout":          func(r *run, s side) { r.becomes(r.makes("/payouts", s.payout(700, s.good)).ID, "succeeded") },
	"payout-declined": func(r *run, s side) { r.becomes(r.makes("/payouts", s.payout(700, s.declined)).ID, "failed") },
	"same-reference-at-once": func(r *run, s side) {
		body := s.payment(1000)
		body["reference"] = r.reference()
		ids := r.atOnce(6, func() string {
			_, o, _ := r.call(http.MethodPost, "/payments", body)
			return o.ID
		})
		r.orders = append(r.orders, ids[0])
		o := r.order(ids[0])
		for _, id := range ids {
			equal(r, "the order of a repeated request", id, o.ID)
		}
		body["amount"] = 1001
		r.refuses("/payments", body, http.StatusConflict, "reference_conflict")
		r.pays(o, s.good, "")
		r.becomes(o.ID, "succeeded")
	},
	"idempotency-key": func(r *run, s side) {
		body, key := s.payment(1000), "key-"+r.name
		body["reference"] = r.reference()
		status, first, text := r.call(http.MethodPost, "/payments", body, "Idempotency-Key", key)
		if status != http.StatusCreated {
			r.fail("the first request was answered %d: %s", status, text)
		}
		r.orders = append(r.orders, first.ID)
		_, repeated, _ := r.call(http.MethodPost, "/payments", body, "Idempotency-Key", key)
		equal(r, "the order of the same key", repeated.ID, first.ID)
		body["amount"] = 1001
		status, refused, _ := r.call(http.MethodPost, "/payments", body, "Idempotency-Key", key)
		equal(r, "the answer to another body under the key", fmt.Sprint(status, " ", refused.Problem), "422 idempotency_mismatch")
		r.pays(first, s.good, "")
		r.becomes(first.ID, "succeeded")
	},
	"forged-callback": func(r *run, s side) {
		o := s.hosted(r, 1000)
		for _, variant := range []string{"unsigned", "tampered"} {
			r.control(http.MethodPost, s.provider, "/orders/"+o.ProviderOrderID+"/callback", object{"variant": variant}, nil)
		}
		r.until("the answers to two forged callbacks", func() (bool, string) {
			var at struct {
				Callbacks []struct {
					Attempts []struct {
						Status int `json:"status"`
					} `json:"attempts"`
				} `json:"callbacks"`
			}
			r.knows(s.provider, o.ProviderOrderID, &at)
			answered := 0
			for _, c := range at.Callbacks {
				answered += min(1, len(c.Attempts))
			}
			return answered == 2, plural.Of(answered, "was answered", "were answered")
		})
		equal(r, "the status after forged callbacks", r.order(o.ID).Status, "requires_action")
		r.pays(o, s.good, "")
		r.becomes(o.ID, "succeeded")
	},
	"mandate": func(r *run, s side) {
		terms := object{"max_amount": 1000, "expires_at": "2035-01-01T00:00:00Z"}
		if s.provider == uapay { // which charges by itself, and wants to know when
			terms["min_days"] = 30
		}
		o := s.paid(r, 1000, "mandate", terms)
		if s.provider == smartcore { // the shop asks for the charge
			charge := r.makes("/mandates/"+o.ID+"/charges", object{"amount": 700, "description": "December", "period": "monthly"})
			r.becomes(charge.ID, "succeeded")
			r.refuses("/mandates/"+o.ID+"/charges", object{"reference": r.reference(), "amount": 1001, "description": "January"}, http.StatusConflict, "mandate_limit")
			return
		}
		r.control(http.MethodPost, uapay, "/orders/"+o.ProviderOrderID+"/later", object{"what": "subscription_charge"}, nil)
		r.until("the provider's charge", func() (bool, string) {
			found := r.find("kind=payment&parent_id=" + o.ID)
			return len(found) == 1 && found[0].Status == "succeeded", plural.Of(len(found), "charge", "charges")
		})
		r.orders = r.orders[:0] // the simulator keeps both charges in one invoice
	},
}

// atOne are scenarios of one provider, or of neither.
var atOne = map[string]func(*run){
	"own-form-3ds-eur": func(r *run) {
		o := r.becomes(r.makes("/payments", eur.direct(r, 1000, eur.challenge)).ID, "requires_action")
		browser := &http.Client{}
		page, at := r.opens(browser, o.NextAction.URL)
		r.answers(browser, page, at, "success")
		r.becomes(o.ID, "succeeded")
	},
	"own-form-code-uah": func(r *run) {
		o := r.becomes(r.makes("/payments", uah.direct(r, 1000, "4000000000000101")).ID, "requires_action")
		equal(r, "what the customer must do", o.NextAction.Type, "confirm_code")
		r.refuses("/payments/"+o.ID+"/confirm", object{"code": "000000"}, http.StatusUnprocessableEntity, "wrong_code")
		r.does("/payments/"+o.ID+"/confirm", object{"code": "123456"})
		r.becomes(o.ID, "succeeded")
	},
	"payout-to-kept-card-eur": func(r *run) {
		kept := r.makes("/payout-cards", object{"account": eur.payouts})
		r.pays(kept, eur.good, "")
		r.becomes(kept.ID, "succeeded")
		r.becomes(r.makes("/payouts", object{"amount": 700, "account": eur.payouts, "method": object{"type": "payout_card", "payout_card_id": kept.ID}}).ID, "succeeded")
	},
	"transfer-uah":          func(r *run) { r.becomes(r.transfers(uah.good).ID, "succeeded") },
	"transfer-declined-uah": func(r *run) { r.becomes(r.transfers(uah.declined).ID, "failed") },
	"transfer-code-uah": func(r *run) {
		o := r.becomes(r.transfers("4000000000000101").ID, "requires_action")
		r.does("/transfers/"+o.ID+"/confirm", object{"code": "123456"})
		r.becomes(o.ID, "succeeded")
	},
	"unknown-currency": func(r *run) {
		body := eur.payment(1000)
		body["reference"], body["currency"] = r.reference(), "USD"
		r.refuses("/payments", body, http.StatusUnprocessableEntity, "currency_not_supported")
		equal(r, "the number of orders", len(r.find("reference="+url.QueryEscape(body["reference"].(string)))), 0) //nolint:forcetypeassert // ours
	},
	"failover-eur": func(r *run) {
		host := func(state string) {
			r.control(http.MethodPost, smartcore, "/hosts", object{"merchant": "second", "state": state}, nil)
		}
		r.until("two accounts in PLN", func() (bool, string) { // a new account is known everywhere after 5 s
			_, _, text := r.call(http.MethodGet, "/accounts", nil)
			return strings.Contains(text, `"priority":2`), text
		})
		host("refused")
		o := r.makes("/payments", twoAccounts.payment(1000))
		host("open")
		equal(r, "the account that took the payment", o.Account, "PLN-sandbox")
		r.pays(o, eur.good, "")
		r.becomes(o.ID, "succeeded")
		// With both alive the first one takes it, and a decline of its own trouble goes on to the next.
		r.control(http.MethodPost, smartcore, "/settings", object{"rules": []object{{"merchant": "second", "code": "TECHNICAL_PROCESSING_ERROR"}}}, nil)
		cascaded := r.becomes(r.makes("/payments", twoAccounts.direct(r, 1000, eur.good, "attempts", object{"cascade": "provider"})).ID, "succeeded")
		equal(r, "the account of the cascade", cascaded.Account, "PLN-sandbox")
	},
}

// transfers moves money from one card to another.
func (r *run) transfers(from string) order {
	return r.makes("/transfers", object{
		"account": uah.payouts, "amount": 10000, "currency": "UAH", "customer": object{"phone": "+380000000000"},
		"from": object{"card": object{"number": from, "exp_month": 3, "exp_year": 2031, "cvc": "917"}}, "to": object{"card": object{"number": uah.good}},
	})
}

// atOnce does the same several times at the same moment.
func (r *run) atOnce(times int, do func() string) []string {
	got := make([]string, times)
	wrong := make([]any, times)
	var group sync.WaitGroup
	for i := range times {
		group.Go(func() {
			defer func() { wrong[i] = recover() }()
			got[i] = do()
		})
	}
	group.Wait()
	for _, w := range wrong {
		if w != nil {
			panic(w)
		}
	}
	return got
}
