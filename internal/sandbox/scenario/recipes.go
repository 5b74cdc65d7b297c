package scenario

import (
	"fmt"
	"net/http"
	"time"

	"payrelay/internal/sandbox/recipe"
)

// byRecipe is a scenario for each amount that meets a fault, at each provider.
func byRecipe() (list []Scenario) {
	for i := range recipe.All {
		amount, does := recipe.All[i].Amount, recipes[recipe.All[i].Name]
		for _, s := range []side{eur, uah} {
			list = append(list, Scenario{Name: "recipe-" + recipe.All[i].Name + "-" + s.suffix, run: func(r *run) { does(r, s, amount) }})
		}
	}
	return list
}

// recipes are what a shop must see of each recipe.
var recipes = map[string]func(r *run, s side, amount int64){
	"timeout-paid":     func(r *run, s side, amount int64) { r.becomes(r.lost(s, amount).ID, "succeeded") },
	"timeout-declined": func(r *run, s side, amount int64) { r.becomes(r.lost(s, amount).ID, "failed") },
	"answer-lost":      func(r *run, s side, amount int64) { r.finishes(s, r.lost(s, amount)) },
	"never-arrived":    func(r *run, s side, amount int64) { r.becomes(r.lost(s, amount).ID, "failed") },
	"no-such-order":    func(r *run, s side, amount int64) { r.becomes(r.lost(s, amount).ID, "succeeded") },
	"server-error":     func(r *run, s side, amount int64) { r.finishes(s, r.lost(s, amount)) },
	"slow": func(r *run, s side, amount int64) {
		began := time.Now()
		o := s.hosted(r, amount)
		if took := time.Since(began); took < 5*time.Second {
			r.fail("the answer came after %s", took)
		}
		r.pays(o, s.good, "")
		r.becomes(o.ID, "succeeded")
	},
	"callback-never": func(r *run, s side, amount int64) {
		o := s.hosted(r, amount)
		r.pays(o, s.good, "")
		r.does("/orders/"+o.ID+"/refresh", object{})
		r.becomes(o.ID, "succeeded")
	},
	"callback-twice": func(r *run, s side, amount int64) { s.paid(r, amount) },
	"callback-late":  func(r *run, s side, amount int64) { s.paid(r, amount) },
	"3ds-fails": func(r *run, s side, amount int64) {
		o := s.hosted(r, amount)
		r.pays(o, s.good, "success")
		r.becomes(o.ID, "failed")
	},
	"refund-refused": func(r *run, s side, amount int64) {
		o := s.paid(r, amount)
		r.becomes(r.refunds(o, 0).ID, "failed")
		equal(r, "the refunded sum", r.order(o.ID).AmountRefunded, 0)
	},
	"refund-late": func(r *run, s side, amount int64) {
		o := s.paid(r, amount)
		r.becomes(r.refunds(o, 0).ID, "failed")
		r.givenBack(o)
	},
	"chargeback":     func(r *run, s side, amount int64) { r.givenBack(s.paid(r, amount)) },
	"cabinet-refund": func(r *run, s side, amount int64) { r.givenBack(s.paid(r, amount)) },
	"late-success": func(r *run, s side, amount int64) {
		o := s.hosted(r, amount)
		r.pays(o, s.good, "")
		r.becomes(o.ID, "failed")
		r.until("the order that came late", func() (bool, string) {
			o = r.order(o.ID)
			return o.SupersededBy != "", "superseded_by is empty"
		})
		r.hears(o.ID, "payment.late_success")
		r.orders = append(r.orders, o.SupersededBy)
	},
}

// lost makes a payment whose answer does not come.
func (r *run) lost(s side, amount int64) order {
	o := r.makes("/payments", s.payment(amount))
	equal(r, "the status of "+o.Reference, o.Status, "unknown")
	return o
}

// finishes pays at the provider, where the shop never learned of a form.
func (r *run) finishes(s side, o order) {
	r.control(http.MethodPost, s.provider, "/orders/"+o.ProviderOrderID+"/complete", object{"outcome": "success"}, nil)
	r.becomes(o.ID, "succeeded")
}

// givenBack waits until the whole sum went back, by a refund or a dispute.
func (r *run) givenBack(o order) {
	r.until("the sum that went back", func() (bool, string) {
		o = r.order(o.ID)
		return o.AmountRefunded+o.AmountDisputed == o.Amount, fmt.Sprintf("%d refunded, %d disputed of %d", o.AmountRefunded, o.AmountDisputed, o.Amount)
	})
}
