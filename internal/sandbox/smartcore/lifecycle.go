package smartcore

import (
	"context"
	"net/http"

	"payrelay/internal/sandbox/fault"
	"payrelay/internal/sandbox/record"
)

// checkTime is the format of endDate.
const checkTime = "2006-01-02T15:04:05.000Z"

func (t *Simulator) check(c *call) answer {
	if bad := c.body.complaints([]string{"order_id"}); bad != nil {
		return t.invalid(c, bad...)
	}
	id := c.body.text("order_id")
	plan := t.faults.Take(c.endpoint, id, fault.Check...)
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.find(c.merchant.Key, id)
	if f, ok := plan.Find(fault.CheckNotFound); ok && o != nil && (f.ForMS == 0 || t.now().Sub(o.CreatedAt) < ms(f.ForMS)) {
		t.note(o, "check denied knowing the order")
		o = nil
	}
	if o == nil {
		return t.unknownOrder(id)
	}
	o.Checks++
	out := t.checkBody(o, id)
	if f, ok := plan.Find(fault.CheckLie); ok {
		t.lie(o, f, out)
	}
	return answer{body: out}
}

// lie puts what a fault says into the answer of check.
func (t *Simulator) lie(o *Order, f fault.Fault, out map[string]any) {
	if f.FinalAmount != nil {
		t.note(o, "check named %d as settled", *f.FinalAmount)
		out["finalAmount"] = *f.FinalAmount
		if f.Status == 0 && f.Code == "" {
			return
		}
	}
	t.note(o, "check answered status %d instead of %d", f.Status, o.Status)
	out["status"], out["errorMessage"] = f.Status, nil
	if f.Code != "" {
		out["errorMessage"] = f.Code
	}
}

// find looks an order up by any id that check may accept.
func (t *Simulator) find(merchant, id string) *Order {
	if o := t.orders.order(merchant, id); o != nil {
		return o
	}
	if o := t.orders.byUUID[id]; o != nil && o.Merchant == merchant &&
		(!o.Back() || t.settings.CheckRefundKnown) {
		return o
	}
	if o := t.orders.byProcessing[id]; o != nil && o.Merchant == merchant && t.settings.CheckProcessingIDKnown {
		return o
	}
	return nil
}

// unknownOrder is inferred: there is no documented answer for this case.
func (t *Simulator) unknownOrder(id string) answer {
	a := answer{body: map[string]any{"order_id": id, "err": "ORDER_NOT_FOUND"}}
	switch t.settings.UnknownOrder {
	case "404":
		a.status = http.StatusNotFound
	case "status":
		a.body["status"] = StatusFailed
	}
	return a
}

// checkBody is the documented answer of check. asked is the id that a refund,
// which has no merchant id of its own, is named by.
func (t *Simulator) checkBody(o *Order, asked string) map[string]any {
	out := map[string]any{
		"order_id": o.OrderID, "status": o.Status, "amount": o.Amount, "card": nil, "errorMessage": nil, "cascadeErrors": nil,
		"endDate": nil, "authorize_status": nil, "type": o.Type, "firstName": o.FirstName, "lastName": o.LastName,
	}
	if o.Back() {
		out["order_id"], out["parentTransaction"] = asked, o.Parent
	}
	if t.settings.CheckFinalAmount {
		final := o.FinalAmount
		if t.settings.RefundReducesFinal {
			final = max(0, final-t.finishedRefunds(o))
		}
		out["finalAmount"] = final
	}
	if o.Card != nil {
		card := cardBody(o.Card)
		if t.settings.CheckTableFields {
			card["card_holder"], card["card_exp_month"], card["card_exp_year"] = o.Card.Holder, o.Card.Month, o.Card.Year
		}
		out["card"] = card
	}
	if o.Error != "" && o.Status == StatusFailed {
		out["errorMessage"] = o.Error
	}
	if len(o.Cascade) > 0 {
		out["cascadeErrors"] = o.Cascade
	}
	if o.EndedAt != nil {
		out["endDate"] = o.EndedAt.Format(checkTime)
	}
	if o.AuthorizeStatus != "" {
		out["authorize_status"] = o.AuthorizeStatus
	}
	if t.settings.CheckTableFields {
		out["rrn"], out["eci"] = o.RRN, o.ECI
	}
	return out
}

func cardBody(c *Card) map[string]any {
	return map[string]any{"number": c.Number, "bin": c.BIN, "country": c.Country, "iso": c.ISO, "type": c.Type}
}

func (t *Simulator) finishedRefunds(payment *Order) int64 {
	if payment.Refunded == 0 {
		return 0
	}
	var sum int64
	for _, r := range t.orders.refundsOf(payment) {
		if r.Status == StatusSuccess {
			sum += r.Amount
		}
	}
	return sum
}

func (t *Simulator) capture(c *call) answer {
	if bad := c.body.complaints([]string{"order_id"}); bad != nil {
		return t.invalid(c, bad...)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.orders.order(c.merchant.Key, c.body.text("order_id"))
	if bad := t.notAuthorized(c, o); bad != nil {
		return *bad
	}
	amount := o.Amount
	if c.body.has("amount") {
		amount, _ = c.body.amount("amount") // checked with the other fields
	}
	if amount > o.Amount {
		return t.invalidLocked(c, "amount is above the authorized amount")
	}
	if t.settings.CaptureIgnoresAmount {
		amount = o.Amount
	}
	return t.afterwards(o, "capture", func() {
		o.FinalAmount = amount
		if t.settings.CaptureNewRRN {
			o.RRN = t.nextRRN()
		}
		t.note(o, "captured %d", amount)
		t.end(o, StageDone, StatusSuccess)
	})
}

func (t *Simulator) cancel(c *call) answer {
	if bad := c.body.complaints([]string{"order_id"}); bad != nil {
		return t.invalid(c, bad...)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.orders.order(c.merchant.Key, c.body.text("order_id"))
	if bad := t.notAuthorized(c, o); bad != nil {
		return *bad
	}
	return t.afterwards(o, "cancel", func() {
		o.Canceled = true
		t.end(o, StageDone, StatusFailed)
	})
}

func (t *Simulator) notAuthorized(c *call, o *Order) *answer {
	var a answer
	switch {
	case o == nil:
		a = t.invalidLocked(c, "order_id is not known")
	case o.Stage != StageAuthorized:
		a = t.invalidLocked(c, "the order is not authorized")
	case o.pendingOp != "":
		a = t.invalidLocked(c, "a "+o.pendingOp+" is in progress")
	default:
		return nil
	}
	return &a
}

// afterwards finishes a capture or cancel at once or, when so set, later, and
// makes its answer.
func (t *Simulator) afterwards(o *Order, op string, finish func()) answer {
	if wait := t.settings.CapturePendingMS; wait > 0 {
		o.pendingOp, o.Status = op, StatusProcessing
		t.note(o, "%s accepted", op)
		t.queue.After(ms(wait), func(context.Context) {
			t.mu.Lock()
			defer t.mu.Unlock()
			o.pendingOp = ""
			finish()
		})
	} else {
		finish()
	}
	if t.settings.CaptureAnswer == "full" {
		return answer{body: t.checkBody(o, o.OrderID)}
	}
	return answer{body: map[string]any{"order_id": t.answeredID(o, "processing"), "status": o.Status}}
}

func (t *Simulator) refund(c *call) answer {
	if bad := c.body.complaints(refundFields); bad != nil {
		return t.invalid(c, bad...)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.orders.order(c.merchant.Key, c.body.text("order_id"))
	amount, _ := c.body.amount("amount") // checked with the other fields
	switch {
	case p == nil:
		return t.invalidLocked(c, "order_id is not known")
	case p.Type != "Payment" || p.Status != StatusSuccess || p.Stage != StageDone:
		return t.invalidLocked(c, "only a successful payment can be refunded")
	case amount > p.FinalAmount-p.Refunded:
		return t.invalidLocked(c, "amount is above what is left of the payment")
	}
	callbackURL := c.body.text("callback_url")
	if callbackURL == "" && t.settings.RefundCallbackFallback {
		callbackURL = p.CallbackURL
	}
	r := t.giveBack(p, OpRefund, amount, callbackURL)
	r.Purpose = record.Text(c.body.text("reason"))
	t.enter(r, StageProcessing, StatusProcessing)
	t.settleLater(r, t.settings.ProcessingMS)
	return answer{made: r, body: map[string]any{
		"success": t.settings.RefundSuccess, "message": "", "refund_id": r.UUID, "parentTransaction": p.ProcessingID,
	}}
}

// giveBack makes what returns a sum of a payment.
func (t *Simulator) giveBack(p *Order, op Operation, amount int64, callbackURL string) *Order {
	p.Refunded = min(p.Refunded+amount, p.FinalAmount)
	r := &Order{
		OrderID: p.OrderID, Merchant: p.Merchant, ProcessingID: newProcessingID(), UUID: newUUID(), Operation: op, Type: typeRefund,
		Account: p.Account, Currency: p.Currency, Amount: amount, FinalAmount: amount, Parent: p.ProcessingID, parent: p,
		Card: p.Card, FirstName: p.FirstName, LastName: p.LastName, Site: p.Site,
		CallbackURL: callbackURL, CreatedAt: t.now().UTC(), History: []Event{}, Callbacks: []*Callback{},
	}
	t.orders.add(r)
	t.note(p, "%s of %d accepted", op, amount)
	return r
}

func (t *Simulator) recurrent(c *call) answer {
	if bad := c.body.complaints(recurrentFields); bad != nil {
		return t.invalid(c, bad...)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.orders.order(c.merchant.Key, c.body.text("parent_order_id"))
	switch {
	case p == nil:
		return t.invalidLocked(c, "parent_order_id is not known")
	case p.Type != "Payment" || p.Status != StatusSuccess:
		return t.invalidLocked(c, "the parent is not a successful payment")
	case !p.Recurrent && !t.settings.RecurrentAnyParent:
		return t.invalidLocked(c, "the parent is not marked recurrent")
	case t.settings.RecurrentErr != "":
		return t.rejected(c, t.settings.RecurrentErr, "the charge was refused")
	}
	amount, _ := c.body.amount("amount") // checked with the other fields
	o := &Order{
		Operation: OpRecurrent, Type: "Payment", UUID: newUUID(), Account: p.Account, Currency: p.Currency, Amount: amount,
		Parent: p.ProcessingID, parent: p, FirstName: p.FirstName, LastName: p.LastName,
	}
	if p.Card != nil {
		card := *p.Card
		card.behaviour = behaviourSuccess // the customer proved the card with the parent
		o.Card = &card
	}
	if bad := t.open(c, o); bad != nil {
		return *bad
	}
	out := map[string]any{"success": t.settings.RecurrentSuccess, "message": "", "payment_id": o.UUID, "err": nil}
	if t.settings.RecurrentForm {
		t.enter(o, StageRedirect, StatusWaiting)
		out["form_url"] = o.FormURL
	} else {
		t.enter(o, StageProcessing, StatusProcessing)
		t.settleLater(o, t.settings.ProcessingMS)
	}
	return answer{body: out, made: o}
}
