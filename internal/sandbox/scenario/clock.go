package scenario

import (
	"fmt"
	"net/http"

	"payrelay/internal/plural"
)

// byClock are scenarios in which days pass. Each moves the clock of everybody.
var byClock = map[string]func(*run){
	"clock-form-expires-eur": func(r *run) {
		o := eur.hosted(r, 1000)
		r.passes("1h", "1h")
		r.becomes(o.ID, "failed")
	},
	"clock-hold-expires-uah": func(r *run) {
		o := uah.held(r, 1000)
		r.passes("8d", "8d")
		r.becomes(o.ID, "canceled")
	},
	"clock-schedule-eur": func(r *run) {
		o := eur.paid(r, 1000, "mandate", object{"schedule": object{"every": "week", "amount": 400, "retry_days": []int{1}}})
		r.passes("15d", "1d")
		r.charges(o, 2)
	},
	"clock-subscription-uah": func(r *run) {
		o := uah.paid(r, 1000, "mandate", object{"min_days": 10, "expires_at": "2035-01-01T00:00:00Z"})
		r.passes("25d", "5d")
		r.charges(o, 2)
		r.orders = nil // the simulator keeps all charges in one invoice
	},
}

// passes moves the clock of the simulators and the service.
func (r *run) passes(by, step string) {
	if status, raw := r.send(http.MethodPost, r.w.Simulators+"/clock", object{"advance": by, "step": step}); status != http.StatusOK {
		r.fail("the clock answered %d: %s", status, raw)
	}
}

// charges waits for the later charges of a payment, all of which must have succeeded.
func (r *run) charges(of order, number int) {
	r.until("the charges", func() (bool, string) {
		found := r.find("kind=payment&parent_id=" + of.ID)
		for _, o := range found {
			if o.Status != "succeeded" {
				return false, o.Reference + " is " + o.Status
			}
		}
		if len(found) > number {
			r.fail("there must be %s, not %d", plural.Of(number, "charge", "charges"), len(found))
		}
		if len(found) < number {
			return false, fmt.Sprintf("%d of %d came", len(found), number)
		}
		for _, o := range found {
			r.orders = append(r.orders, o.ID)
		}
		return true, ""
	})
}
