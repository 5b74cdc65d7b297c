package smartcore

import (
	"context"

	"payrelay/internal/sandbox/control"
	"payrelay/internal/sandbox/recipe"
)

// recipeOf is that of a call which makes an order, nil if it has none. The mutex is held.
func (t *Simulator) recipeOf(c *call) *recipe.Recipe {
	amount, ok := c.body.amount("amount")
	if !t.cfg.Recipes || !ok || c.endpoint == "refund" || c.endpoint == "capture" || t.orders.order(c.merchant.Key, c.body.text("order_id")) != nil {
		return nil
	}
	return recipe.Of(amount)
}

// startRecipe switches the faults on that an order is about to meet by its amount.
func (t *Simulator) startRecipe(c *call) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r := t.recipeOf(c); r != nil {
		for _, f := range r.Faults(c.body.text("order_id"), c.endpoint) {
			_, _ = t.faults.Add(f) // the table's faults make sense
		}
	}
}

// openRecipe gives a new order its recipe, and ends it by itself if that says so. The mutex is held.
func (t *Simulator) openRecipe(c *call, o *Order) {
	if o.recipe = t.recipeOf(c); o.recipe == nil {
		return
	}
	t.note(o, "recipe %s: %s", o.recipe.Name, o.recipe.Does)
	outcome := Outcome("success")
	switch o.recipe.Outcome {
	case recipe.Paid:
	case recipe.Declined:
		outcome = Outcome(t.settings.DeclineCode)
	default:
		return
	}
	t.queue.After(recipe.Soon, func(context.Context) {
		t.mu.Lock()
		defer t.mu.Unlock()
		if !o.Terminal() {
			_ = t.complete(o, outcome) // not terminal, outcome known
		}
	})
}

// afterRecipe lets happen what follows the end of an order, or of a refund. The mutex is held.
func (t *Simulator) afterRecipe(o *Order) {
	payment := o
	if o.Back() {
		payment = o.parent
	}
	if payment.recipe == nil {
		return
	}
	what := payment.recipe.After
	switch { // each once
	case what == control.LateRefund && o.Operation == OpRefund && o.Status == StatusFailed:
	case what == control.LateSuccess && !o.Back() && o.Status == StatusFailed:
	case (what == control.Chargeback || what == control.Refund) && !o.Back() && o.Status == StatusSuccess && o.Stage == StageDone:
	default:
		return
	}
	id := payment.OrderID
	t.queue.After(recipe.Soon, func(context.Context) {
		if err := t.Later(id, control.Later{What: what}); err != nil {
			t.log.Warn().Err(err).Msg("the recipe could not go on")
		}
	})
}
