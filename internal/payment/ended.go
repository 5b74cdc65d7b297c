package payment

import "slices"

// Ended is an order that came to its end, for counting.
type Ended struct {
	// Kind is the order's, or KindCharge.
	Kind   string
	Status Status
	// Method is one of countedMethods, methodOther, or "" where none is known.
	Method string
	// Category is that of the failure, "" without one.
	Category string
	// Declined says that only an attempt ended: an account declined it, and the order went to another one.
	Declined bool
	// Unauthorized says that it is a charge which a provider made against the terms of its mandate.
	Unauthorized bool
}

// KindCharge stands in Ended.Kind for a charge of a mandate.
const KindCharge = "charge"

const methodOther = "other"

// countedMethods are the methods that are counted apart: providers' words are many.
var countedMethods = []string{"card", "mobile", "apple_pay", "google_pay", "stored_card"}

// endedNow says how the order came to its end since it was loaded, nil if it did not.
func (o *Order) endedNow() *Ended {
	if !slices.ContainsFunc(o.transitions, func(t Transition) bool { return t.To.Final() && !t.From.Final() }) || !o.Status.Final() {
		return nil
	}
	return o.asEnded()
}

// declinedAttempt is how an attempt of the order is counted that was declined before the order went to another account, nil for any
// other.
func (o *Order) declinedAttempt(end ending) *Ended {
	if !end.declined() {
		return nil
	}
	e := o.asEnded()
	e.Declined, e.Category = true, string(end.category)
	return e
}

// asEnded is how an order that has ended is counted.
func (o *Order) asEnded() *Ended {
	e := &Ended{Kind: string(o.Kind), Status: o.Status}
	if o.charges() {
		e.Kind = KindCharge
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
