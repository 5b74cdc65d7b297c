package payment

import "slices"

// Status is the state of an order.
type Status string

// The statuses of an order. internal/store keeps the same steps in the table legal_transitions, where a trigger holds
// them; a test compares the two.
const (
	// StatusCreated: written down here, not known to have been sent. Leaves to any.
	StatusCreated Status = "created"
	// StatusUnknown: sent, and no believable answer came back. Only evidence or an operator ends it.
	StatusUnknown Status = "unknown"
	// StatusProcessing: the provider has it.
	StatusProcessing Status = "processing"
	// StatusRequiresAction: the customer must do what NextAction says.
	StatusRequiresAction Status = "requires_action"
	// StatusAuthorized: money is held and waits for a capture or a cancel.
	StatusAuthorized Status = "authorized"
	// StatusSucceeded: done. Final. A step to itself says that money came back of a transfer or payout, or is a
	// step of a payment's dispute.
	StatusSucceeded Status = "succeeded"
	// StatusFailed: the provider refused, see Failure. Final. A step to itself says that the money came after all, see SupersededBy.
	StatusFailed Status = "failed"
	// StatusCanceled: given up before any money moved. Final. A step to itself is as that of StatusFailed.
	StatusCanceled Status = "canceled"
)

// Statuses lists every status in the order of an order's life.
var Statuses = []Status{
	StatusCreated, StatusUnknown, StatusProcessing, StatusRequiresAction, StatusAuthorized,
	StatusSucceeded, StatusFailed, StatusCanceled,
}

// steps is the table of legal steps. The first transition of an order comes from "" to created.
var steps = map[Status][]Status{
	"":                   {StatusCreated},
	StatusCreated:        {StatusUnknown, StatusProcessing, StatusRequiresAction, StatusAuthorized, StatusSucceeded, StatusFailed, StatusCanceled},
	StatusUnknown:        {StatusProcessing, StatusRequiresAction, StatusAuthorized, StatusSucceeded, StatusFailed, StatusCanceled},
	StatusProcessing:     {StatusRequiresAction, StatusAuthorized, StatusSucceeded, StatusFailed, StatusCanceled},
	StatusRequiresAction: {StatusProcessing, StatusAuthorized, StatusSucceeded, StatusFailed, StatusCanceled},
	StatusAuthorized:     {StatusProcessing, StatusSucceeded, StatusFailed, StatusCanceled},
	StatusSucceeded:      {StatusSucceeded},
	StatusFailed:         {StatusFailed},
	StatusCanceled:       {StatusCanceled},
}

// Steps returns every legal step as pairs from, to. The first member of the first pair is "".
func Steps() [][2]Status {
	var all [][2]Status
	for _, from := range append([]Status{""}, Statuses...) {
		for _, to := range steps[from] {
			all = append(all, [2]Status{from, to})
		}
	}
	return all
}

// Legal reports whether the table has the step.
func Legal(from, to Status) bool { return slices.Contains(steps[from], to) }

// Valid reports whether s is a status at all.
func (s Status) Valid() bool { return slices.Contains(Statuses, s) }

// Final reports whether no step leads to another status.
func (s Status) Final() bool {
	return s == StatusSucceeded || s == StatusFailed || s == StatusCanceled
}

// rank orders statuses for observations of unknown age. Such a one may only lead upwards, so whatever order observations
// arrive in, and however often, the order ends in the highest. An observation that is known to be newer than what is stored
// may also lead sideways: a customer who comes back to the form, a capture that did not happen.
var rank = map[Status]int{
	StatusCreated: 0, StatusUnknown: 1, StatusRequiresAction: 2, StatusProcessing: 3, StatusAuthorized: 4,
	StatusSucceeded: 5, StatusFailed: 5, StatusCanceled: 5,
}
