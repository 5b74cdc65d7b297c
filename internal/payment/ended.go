package payment

import "slices"

// Ended is an order that came to its end, for counting.
type Ended struct {
	// Kind is the order's, or kindCharge.
	Kind   string
	Status Status
	// Method is one of countedMethods, methodOther, or "" where none is known.
	Method string
	// Category is that of the failure, "" without one.
	Category string
}

const (
	methodOther = "other"
	kindCharge  = "charge" // of a mandate
)

// countedMethods are the methods that are counted apart: providers' words are many.
var countedMethods = []string{"card", "mobile", "apple_pay", "google_pay", "stored_card"}

// endedNow says how the order came to its end since it was loaded, nil if it did not.
func (o *Order) endedNow() *Ended {
	if !slices.ContainsFunc(o.transitions, func(t Transition) bool { return t.To.Final() && !t.From.Final() }) || !o.Status.Final() {
		return nil
	}
	e := &Ended{Kind: string(o.Kind), Status: o.Status}
	if o.charges() {
		e.Kind = kindCharge
	}
	if o.PaymentMethod != nil {
		if e.Method = o.PaymentMethod.Type; !slices.Contains(countedMethods, e.Method) {
			e.Method = methodOther
		}
	}
	if o.Failure != nil {
		e.Category = string(o.Failure.Category)
	}
	return e
}
