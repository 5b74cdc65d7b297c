package uapay

import (
	"context"
	"slices"

	"payrelay/internal/sandbox/control"
	"payrelay/internal/sandbox/recipe"
)

// opens are the calls that make an order, each with the one whose answer a recipe spoils: that which moves the money, if a second does.
var opens = map[string]string{
	"invoicer/invoices/create":   "invoicer/invoices/create",
	"payments/p2p/direct/create": "payments/p2p/direct/create",
	"p2p/payments/c2a/initiate":  "p2p/payments/c2a/complete",
	"p2p/payments/a2c/initiate":  "p2p/payments/a2c/complete",
}

// startRecipe switches the faults on that an order is about to meet by its amount.
func (t *Simulator) startRecipe(c *call) {
	spoiled, makes := opens[c.endpoint]
	if !t.cfg.Recipes || !makes {
		return
	}
	amount, inData := c.data.integer("amount")
	external := c.data.text("externalId")
	if !inData {
		amount, _ = c.params.integer("amount")
		external = c.params.text("externalId")
	}
	if r := recipe.Of(amount); r != nil {
		for _, f := range r.Faults(external, spoiled) {
			_, _ = t.faults.Add(f) // the table's faults make sense
		}
	}
}

// is reports whether the order's recipe has an outcome.
func (o *Order) is(outcome recipe.Outcome) bool {
	return o.recipe != nil && o.recipe.Outcome == outcome
}

// openRecipe gives a new order its recipe, and ends it by itself if that says so. The mutex is held.
func (t *Simulator) openRecipe(o *Order) {
	if !t.cfg.Recipes {
		return
	}
	if o.recipe = recipe.Of(o.Amount); o.recipe == nil {
		return
	}
	t.note(o, "recipe %s: %s", o.recipe.Name, o.recipe.Does)
	outcome := Outcome("success")
	switch o.recipe.Outcome {
	case recipe.Paid:
	case recipe.Declined:
		outcome = "fail"
	default:
		return
	}
	t.queue.After(recipe.Soon, func(context.Context) {
		t.mu.Lock()
		defer t.mu.Unlock()
		if p := o.Payment(); p == nil || !p.Terminal() && p.Stage != StageInitiated {
			_ = t.complete(o, outcome) // an invoice that was canceled stays so
		}
	})
}

// afterRecipe lets happen what follows the end of a payment, or a refund that was refused. The mutex is held.
func (t *Simulator) afterRecipe(o *Order, refused bool) {
	if o.recipe == nil {
		return
	}
	what, p := o.recipe.After, o.Payment()
	switch { // each once
	case what == control.LateRefund && refused:
	case what == control.LateSuccess && p.System == SystemRejected:
	case (what == control.Chargeback || what == control.Refund) && p.System == SystemFinished && !slices.ContainsFunc(o.Payments, func(p *Payment) bool { return p.Refunded > 0 }):
	default:
		return
	}
	id := o.ID
	t.queue.After(recipe.Soon, func(context.Context) {
		if err := t.Later(id, control.Later{What: what}); err != nil {
			t.log.Warn().Err(err).Msg("the recipe could not go on")
		}
	})
}
