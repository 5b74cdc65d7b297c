package uapay

import (
	"strconv"

	"payrelay/internal/sandbox/fault"
	"payrelay/internal/sandbox/record"
)

// The statuses that only operations and the newer engine have (uapay.md 9.3).
const (
	statusNeedsComplete   = "NEEDS_COMPLETE"
	statusWaitingComplete = "WAITING_COMPLETE"

	opSend    = "SEND"
	opReceive = "RECEIVE"
	opReturn  = "RETURN"
)

// newTransfer stores a transfer, which has exactly one payment and its id.
func (t *Simulator) newTransfer(o *Order, card *Card, amount int64, op string) *Payment {
	o.SystemType, o.Type, o.Amount, o.History = "P2P", string(o.Kind), amount, []Event{}
	p := t.newPayment(o, card, amount)
	p.Commission = amount*t.settings.P2PCommissionPercents/100 + t.settings.P2PCommissionFixed
	o.ID = p.ID
	t.register(o)
	t.addOperation(o, p, Operation{ExternalID: o.ExternalID, Type: op, Status: SystemOpen, Amount: amount, Commission: p.Commission})
	return p
}

func (t *Simulator) addOperation(o *Order, p *Payment, op Operation) *Operation {
	op.ID, op.CreatedAt = newID(), t.now().UTC()
	p.Operations = append(p.Operations, op)
	t.store.index(o, p)
	return &p.Operations[len(p.Operations)-1]
}

// follow keeps the first operation of a transfer in step with its payment.
func (t *Simulator) follow(p *Payment) {
	if len(p.Operations) > 0 && p.System != SystemReversed {
		p.Operations[0].Status = p.System
	}
}

// engineStatus is the payment's status in p2p/payments/show. C2A and A2C stay
// OPEN while they wait for the payer and after a cancel: only the operation
// tells (uapay.md 15.2).
func engineStatus(o *Order, p *Payment) string {
	if r := p.operation(opReturn); p.Stage == StageInitiated || r != nil && r.Status == statusNeedsComplete {
		return statusWaitingComplete
	}
	switch p.System {
	case SystemFinished, SystemReversed:
		return SystemFinished
	case SystemRejected, SystemClosed:
		return SystemRejected
	case SystemConfirm, SystemCanceled:
		if o.Kind == KindDirect {
			return p.System
		}
	}
	return SystemOpen
}

// findTransfer returns a transfer of the caller by one of its ids in params.
func (t *Simulator) findTransfer(c *call, kinds ...Kind) (*Order, *Payment, *answer) {
	if !c.params.has("paymentId") && !c.params.has("operationId") && !c.params.has("externalId") {
		return nil, nil, c.check().need("params", "paymentId").bad()
	}
	client := c.merchant.ClientID
	o := t.store.find(client, c.params.text("paymentId"))
	if o == nil {
		o = t.store.find(client, c.params.text("operationId"))
	}
	if o == nil && c.params.has("externalId") {
		o = t.store.external[externalKey(client, c.params.text("externalId"), false)]
	}
	for _, k := range kinds {
		if o != nil && o.Kind == k {
			return o, o.Payment(), nil
		}
	}
	a := reject(CodeNotFound, "transfer is not known")
	return nil, nil, &a
}

func (t *Simulator) showTransfer(c *call) answer {
	o, bad := t.findShown(c)
	if bad != nil {
		return *bad
	}
	o.Reads++
	p := o.Payment()
	status := engineStatus(o, p)
	lie := c.checks.Has(fault.CheckLie)
	if lie {
		status, _ = t.seen(c, o, p)
	}
	operations := []any{}
	for i, op := range p.Operations {
		said := op.Status
		if lie && i == 0 {
			said = status
		}
		operations = append(operations, map[string]any{
			"id": op.ID, "externalId": textOrNil(op.ExternalID), "amount": op.Amount, "commissionAmount": op.Commission,
			"status": said, "type": op.Type, "createdAt": iso(op.CreatedAt),
		})
	}
	out := map[string]any{
		"id": p.ID, "receiptId": p.ReceiptID, "type": string(o.Kind), "status": status, "description": o.Description,
		"callbackUrl": textOrNil(o.CallbackURL), "amount": p.Amount, "pendingAmount": int64(0), "commissionAmount": p.Commission,
		"returnAmount": nil, "returnCommissionAmount": nil, "createdAt": iso(o.CreatedAt), "operations": operations,
	}
	if o.Kind == KindDirect && p.System != SystemFinished && p.System != SystemReversed {
		out["pendingAmount"] = p.Amount
	}
	if p.Refunded > 0 { // also without a RETURN operation
		out["returnAmount"], out["returnCommissionAmount"] = p.Refunded, p.Commission*p.Refunded/p.Amount
	}
	return answer{data: withCards(out, o, p)}
}

// findShown returns the transfer that params.id, params.receiptId or both name.
func (t *Simulator) findShown(c *call) (*Order, *answer) {
	id, receipt := c.params.text("id"), c.params.text("receiptId")
	if receipt == "" && !c.params.has("id") {
		return nil, c.check().need("params", "id").bad()
	}
	o := t.store.find(c.merchant.ClientID, id)
	if id == "" {
		o = t.store.receipts[receipt]
	}
	if o == nil || o.Kind == KindInvoice || o.ClientID != c.merchant.ClientID || t.hidden(c, o) ||
		receipt != "" && o.Payment().ReceiptID != receipt {
		return nil, rejectCall(CodeNotFound, "transfer is not known")
	}
	return o, nil
}

func (t *Simulator) initiateC2A(c *call) answer { return t.initiate(c, KindC2A, opSend) }
func (t *Simulator) initiateA2C(c *call) answer { return t.initiate(c, KindA2C, opReceive) }

func (t *Simulator) initiate(c *call, kind Kind, op string) answer {
	k := c.check().need("params", "externalId", "amount", "currency").text("params", "externalId", "description").
		amount("params", "amount").oneOf("params", "currency", "980").url("params", "callbackUrl")
	if bad := k.bad(); bad != nil {
		return *bad
	}
	external := c.params.text("externalId")
	if t.store.external[externalKey(c.merchant.ClientID, external, false)] != nil {
		return reject(CodeDuplicate, "externalId is in use")
	}
	amount, _ := c.params.integer("amount") // checked above
	o := &Order{
		Kind: kind, ClientID: c.merchant.ClientID, ExternalID: external, CallbackURL: c.params.text("callbackUrl"),
		Description: record.Text(c.params.text("description")),
	}
	p := t.newTransfer(o, nil, amount, op)
	p.Stage, p.Operations[0].Status = StageInitiated, statusNeedsComplete
	t.later(t.settings.scaled(t.settings.AutoCancelMS), o, p, func(o *Order, p *Payment) {
		t.note(o, "nobody completed the transfer")
		t.end(o, p, SystemCanceled)
	})
	return answer{made: o, data: transferIDs(o, p)}
}

func transferIDs(o *Order, p *Payment) map[string]any {
	return map[string]any{"paymentId": p.ID, "operationId": p.Operations[0].ID, "externalId": o.ExternalID}
}

func (t *Simulator) completeC2A(c *call) answer             { return t.finishC2A(c, false) }
func (t *Simulator) completeC2AUnchallenged(c *call) answer { return t.finishC2A(c, true) }

func (t *Simulator) finishC2A(c *call, unchallenged bool) answer {
	k := c.check().need("data", "cardFrom").url("params", "acsRedirectUrl").text("params", "acsRedirectUrl")
	if !unchallenged {
		k.need("params", "device")
	}
	if bad := k.bad(); bad != nil {
		return *bad
	}
	o, p, bad := t.findTransfer(c, KindC2A)
	switch {
	case bad != nil:
		return *bad
	case p.Stage != StageInitiated:
		return reject(CodeState, "transfer does not wait to be completed")
	}
	card, bad := t.cardOf(c, "cardFrom", true)
	if bad != nil {
		return *bad
	}
	p.Card, p.ReturnURL, p.unchallenged = card, c.params.text("acsRedirectUrl"), unchallenged
	t.set(o, p, StageOpen, SystemOpen, InvoicerNew)
	t.decideLater(o, p)
	return answer{made: o, data: transferIDs(o, p)}
}

func (t *Simulator) completeA2C(c *call) answer {
	if bad := c.check().need("data", "cardTo").bad(); bad != nil {
		return *bad
	}
	o, p, bad := t.findTransfer(c, KindA2C)
	switch {
	case bad != nil:
		return *bad
	case p.Stage != StageInitiated:
		return reject(CodeState, "transfer does not wait to be completed")
	}
	card, bad := t.cardOf(c, "cardTo", false)
	if bad != nil {
		return *bad
	}
	o.CardTo = card
	t.set(o, p, StageOpen, SystemOpen, InvoicerNew)
	t.decideLater(o, p)
	return answer{made: o, data: transferIDs(o, p)}
}

func (t *Simulator) cancelC2A(c *call) answer { return t.cancelTransfer(c, KindC2A) }
func (t *Simulator) cancelA2C(c *call) answer { return t.cancelTransfer(c, KindA2C) }

func (t *Simulator) cancelTransfer(c *call, kind Kind) answer {
	o, p, bad := t.findTransfer(c, kind)
	switch {
	case bad != nil:
		return *bad
	case p.Stage != StageInitiated:
		return reject(CodeState, "transfer does not wait to be completed")
	}
	t.end(o, p, SystemCanceled)
	return answer{data: transferIDs(o, p)}
}

func (t *Simulator) initiateReverse(c *call) answer {
	if bad := c.check().need("params", "reverseExternalId").text("params", "reverseExternalId").bad(); bad != nil {
		return *bad
	}
	o, p, bad := t.findTransfer(c, KindC2A)
	if bad != nil {
		return *bad
	}
	external := c.params.text("reverseExternalId")
	last := p.operation(opReturn)
	switch {
	case p.System != SystemFinished || last != nil && last.Status == statusNeedsComplete:
		return reject(CodeState, "transfer is not finished")
	case t.findReverse(c.merchant.ClientID, external) != nil:
		return reject(CodeDuplicate, "reverseExternalId is in use")
	}
	r := t.addOperation(o, p, Operation{ExternalID: external, Type: opReturn, Status: statusNeedsComplete, Amount: p.Amount, Commission: p.Commission})
	id := r.ID
	t.note(o, "reverse initiated")
	t.later(t.settings.scaled(t.settings.AutoCancelMS), o, p, func(o *Order, p *Payment) {
		if r := p.operation(opReturn); r.ID == id && r.Status == statusNeedsComplete {
			r.Status = SystemCanceled
			t.note(o, "nobody completed the reverse")
		}
	})
	return answer{data: reverseIDs(p, r)}
}

func reverseIDs(p *Payment, r *Operation) map[string]any {
	return map[string]any{"paymentId": p.ID, "reverseOperationId": r.ID, "reverseExternalId": r.ExternalID}
}

func (t *Simulator) findReverse(client, external string) *Order {
	for _, o := range t.store.sequence {
		if o.ClientID != client || o.Kind != KindC2A {
			continue
		}
		for _, op := range o.Payment().Operations {
			if op.Type == opReturn && op.ExternalID == external {
				return o
			}
		}
	}
	return nil
}

// openReverse finds a reverse that waits for complete or cancel.
func (t *Simulator) openReverse(c *call) (*Order, *Payment, *Operation, *answer) {
	client := c.merchant.ClientID
	o := t.store.find(client, c.params.text("paymentId"))
	if o == nil {
		o = t.store.find(client, c.params.text("reverseOperationId"))
	}
	if o == nil && c.params.has("reverseExternalId") {
		o = t.findReverse(client, c.params.text("reverseExternalId"))
	}
	if o == nil || o.Kind != KindC2A || o.Payment().operation(opReturn) == nil {
		a := reject(CodeNotFound, "reverse is not known")
		return nil, nil, nil, &a
	}
	p := o.Payment()
	r := p.operation(opReturn)
	if r.Status != statusNeedsComplete {
		a := reject(CodeState, "reverse does not wait to be completed")
		return nil, nil, nil, &a
	}
	return o, p, r, nil
}

// completeReverse has its path by analogy: its page is not stored.
func (t *Simulator) completeReverse(c *call) answer {
	o, p, r, bad := t.openReverse(c)
	if bad != nil {
		return *bad
	}
	r.Status, p.Refunded = SystemFinished, r.Amount
	out := reverseIDs(p, r)
	t.end(o, p, SystemReversed)
	return answer{data: out}
}

func (t *Simulator) cancelReverse(c *call) answer {
	o, p, r, bad := t.openReverse(c)
	if bad != nil {
		return *bad
	}
	r.Status = SystemCanceled
	t.note(o, "reverse cancelled")
	return answer{data: reverseIDs(p, r)}
}

func (t *Simulator) p2pCommission(c *call) answer {
	k := c.check().need("params", "amount").amount("params", "amount").oneOf("params", "paymentType", "DIRECT", "BUCKET", "C2A", "A2C")
	if bad := k.bad(); bad != nil {
		return *bad
	}
	amount, _ := c.params.integer("amount") // checked above
	percents, fixed := t.settings.P2PCommissionPercents, t.settings.P2PCommissionFixed
	none := map[string]any{"percents": 0, "fixed": 0}
	return answer{data: map[string]any{
		"commissionAmount": amount*percents/100 + fixed, "amount": amount,
		"inFeeCommission":        map[string]any{"percents": percents, "fixed": fixed, "minCommission": fixed},
		"clientCommission":       map[string]any{"percents": 0, "fixed": 0, "minCommission": 0},
		"paymentSystemSurcharge": map[string]any{"mastercard": none, "visa": none},
		"commissionTypes":        map[string]any{"mastercard": 0, "visa": 0},
	}}
}

func numberText(n int64) string { return strconv.FormatInt(n, 10) }
