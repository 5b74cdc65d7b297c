package recipe

import (
	"time"

	"payrelay/internal/sandbox/control"
	"payrelay/internal/sandbox/fault"
)

// Outcome is how an order with a recipe ends, whatever its card and its customer do.
type Outcome int

const (
	// AsUsual lets card and customer decide.
	AsUsual Outcome = iota
	// Paid and Declined end the order by themselves, too: at once with a card, without one Soon after it was made.
	Paid
	Declined
	// FailsAuthentication asks for 3-D Secure, and fails what the customer confirms there.
	FailsAuthentication
)

const (
	// Soon is when an order ends by itself, and when what follows its end happens.
	Soon = 2 * time.Second
	// late is by how much a callback or an answer is late.
	late = 5000
	// hidden is for how long an order is denied: less than the delay that `dev` allows a provider.
	hidden = 3000
)

// Recipe is what happens to one order.
type Recipe struct {
	Name string
	// Amount is of the order, in minor units.
	Amount int64
	// Does says what happens, for people.
	Does string
	// Create are faults of the call that makes the order, Always those of everything about it.
	Create, Always []fault.Fault
	Outcome        Outcome
	// RefundFails declines the refunds of a payment.
	RefundFails bool
	// After is what happens by itself Soon after the payment was paid or, if that is a late success, had failed.
	// A late refund follows a refund that failed.
	After string
}

// All is the table.
var All = []Recipe{
	{
		Name: "timeout-paid", Amount: 777701, Does: "the answer to the first call is lost; the simulator pays the order within 2 s",
		Create: []fault.Fault{{Kind: fault.DropAfter}}, Outcome: Paid,
	},
	{
		Name: "timeout-declined", Amount: 777702, Does: "the answer to the first call is lost; the simulator declines the order within 2 s",
		Create: []fault.Fault{{Kind: fault.DropAfter}}, Outcome: Declined,
	},
	{
		Name: "answer-lost", Amount: 777703, Does: "the answer to the first call is lost; card and customer decide",
		Create: []fault.Fault{{Kind: fault.DropAfter}},
	},
	{
		Name: "never-arrived", Amount: 777704, Does: "the first call is cut off before the provider acts: it knows no such order",
		Create: []fault.Fault{{Kind: fault.DropBefore}},
	},
	{
		Name: "no-such-order", Amount: 777705, Does: "the answer is lost, and for 3 s the provider denies the order; then the simulator pays it",
		Create: []fault.Fault{{Kind: fault.DropAfter}}, Always: []fault.Fault{{Kind: fault.CheckNotFound, ForMS: hidden}}, Outcome: Paid,
	},
	{
		Name: "server-error", Amount: 777706, Does: "the first call is answered with a 500 and a page of HTML, though the provider acts",
		Create: []fault.Fault{{Kind: fault.ServerErrorHTML}},
	},
	{
		Name: "slow", Amount: 777707, Does: "the first call is answered after 5 s",
		Create: []fault.Fault{{Kind: fault.DelayAfter, DelayMS: late}},
	},
	{
		Name: "callback-never", Amount: 777708, Does: "no callback is sent: status polls alone tell",
		Always: []fault.Fault{{Kind: fault.CallbackOff}},
	},
	{
		Name: "callback-twice", Amount: 777709, Does: "every callback comes twice, at the same moment",
		Always: []fault.Fault{{Kind: fault.CallbackDuplicate, Times: 2}},
	},
	{
		Name: "callback-late", Amount: 777710, Does: "every callback is 5 s late",
		Always: []fault.Fault{{Kind: fault.CallbackLate, DelayMS: late}},
	},
	{Name: "3ds-fails", Amount: 777711, Does: "any card asks for 3-D Secure, and the payment fails though the customer confirms", Outcome: FailsAuthentication},
	{
		Name: "refund-refused", Amount: 777712, Does: "the payment works; its refunds fail",
		RefundFails: true,
	},
	{
		Name: "refund-late", Amount: 777713, Does: "the payment works; its refund fails, and is carried out after all 2 s later",
		RefundFails: true, After: control.LateRefund,
	},
	{Name: "chargeback", Amount: 777714, Does: "2 s after the payment was paid, the card's bank takes all of it back", After: control.Chargeback},
	{Name: "cabinet-refund", Amount: 777715, Does: "2 s after the payment was paid, all of it is refunded in the provider's cabinet", After: control.Refund},
	{Name: "late-success", Amount: 777716, Does: "the order is declined, and paid after all 2 s later", Outcome: Declined, After: control.LateSuccess},
}

// Of returns the recipe of an amount, nil if it has none.
func Of(amount int64) *Recipe {
	for i := range All {
		if All[i].Amount == amount {
			return &All[i]
		}
	}
	return nil
}

// Faults are those of an order that is about to be made at an endpoint.
func (r *Recipe) Faults(orderID, endpoint string) []fault.Fault {
	var list []fault.Fault
	for _, f := range r.Create {
		f.Endpoint, f.Count = endpoint, 1
		list = append(list, f)
	}
	list = append(list, r.Always...)
	for i := range list {
		list[i].OrderID, list[i].Recipe = orderID, r.Name
	}
	return list
}

// Listed is the table for a developer's page, nothing if recipes are off.
func Listed(on bool) []Recipe {
	if !on {
		return nil
	}
	return All
}
