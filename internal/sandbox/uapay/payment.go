package uapay

import (
	"crypto/subtle"
	"encoding/json"
	"strconv"
	"strings"

	"payrelay/internal/sandbox/record"
)

func (t *Simulator) createPayment(c *call) answer {
	if bad := checkPayment(c); bad != nil {
		return *bad
	}
	amount, _ := c.data.integer("amount")
	o := t.findInvoice(c, c.data.text("invoiceId"))
	if o == nil {
		return reject(CodeNotFound, "invoice is not known")
	}
	card := t.card(c, c.data.object("cardFrom").text("id"))
	if card == nil {
		return reject(CodeNotFound, "cardFrom is not known")
	}
	if reason := t.payable(o); reason != "" {
		return reject(CodeState, reason)
	}
	if o.Amount != 0 && o.Amount != amount {
		return reject(CodeAmount, "amount is not the invoice's")
	}
	p := t.newPayment(o, card, amount)
	p.Locale = c.params.text("locale")
	if c.data.has("email") {
		p.Email = record.Text(c.data.text("email"))
	}
	t.decideLater(o, p)
	return answer{made: o, data: map[string]any{"id": p.ID, "key": p.key}}
}

// checkPayment complains about what is wrong with the request for a payment.
func checkPayment(c *call) *answer {
	currency, isNumber := c.data.integer("currency")
	k := c.check().need("params", "device").need("data", "invoiceId", "cardFrom", "amount", "currency").
		amount("data", "amount").ok("data", "currency", isNumber && currency == 980).
		ok("params", "device", len(c.params.object("device")) > 0)
	from := c.data.object("cardFrom")
	if from == nil {
		return k.bad()
	}
	if !from.has("id") {
		k.found.add("data", "cardFrom.id", FieldRequired)
	}
	code, isText := from["securityCode"].(string)
	switch {
	case !from.has("securityCode"):
		k.found.add("data", "cardFrom.securityCode", FieldRequired)
	case !isText || !cvcRE.MatchString(code):
		k.found.add("data", "cardFrom.securityCode", FieldFormat)
	}
	return k.bad()
}

// findPayment returns the payment that params.paymentId and, where required, params.invoiceId name.
func (t *Simulator) findPayment(c *call, needInvoice bool, also ...string) (*Order, *Payment, *answer) {
	k := c.check().need("params", "paymentId").need("params", also...)
	if needInvoice {
		k.need("params", "invoiceId")
	}
	if bad := k.bad(); bad != nil {
		return nil, nil, bad
	}
	id := c.params.text("paymentId")
	o := t.store.find(c.merchant.ClientID, id)
	if o == nil || o.Kind != KindInvoice || o.payment(id) == nil || needInvoice && o.ID != c.params.text("invoiceId") || t.hidden(c, o) {
		a := reject(CodeNotFound, "payment is not known")
		return nil, nil, &a
	}
	return o, o.payment(id), nil
}

// checkStatus shows the payment-system value as status and the invoicer's as
// paymentStatus, the opposite of payments/show (uapay.md 8.9).
func (t *Simulator) checkStatus(c *call) answer {
	o, p, bad := t.findPayment(c, true)
	if bad != nil {
		return *bad
	}
	o.Reads++
	system, invoicer := t.seen(c, o, p)
	out := map[string]any{"id": p.ID, "pluginId": 2, "amount": p.Amount, "status": system, "paymentStatus": invoicer}
	if system == SystemConfirm {
		t.challenge(c, o, p, out, "/api/payments/ecom/confirm")
		if p.Stage == Stage3DS {
			out["externalId"], out["receiptId"] = o.ExternalID+"."+strconv.FormatInt(p.CreatedAt.UnixMilli(), 10), p.ReceiptID
			out["key"] = p.key
		}
	}
	return answer{data: out}
}

// challenge adds what the payer has to do (uapay.md 8.2 and 8.3).
func (t *Simulator) challenge(c *call, o *Order, p *Payment, out map[string]any, term string) {
	switch p.Stage {
	case StageLookup:
		out["confirmation"] = map[string]any{"type": "LOOKUP", "confirmationsLeft": p.AttemptsLeft}
	case Stage3DS:
		confirmation := map[string]any{"type": "3DS", "url": c.base + "/api/acs/virtual/form"}
		form := map[string]any{"PaReq": t.paReq(o, p)}
		switch t.settings.ThreeDSForm {
		case "full":
			form["MD"] = p.md
			confirmation["form"] = form
		case "pareq":
			confirmation["form"] = form
		default: // without a form the address has to say which payment it is
			confirmation["url"] = c.base + "/api/acs/virtual/form?payment=" + p.ID
		}
		redirect := map[string]any{"url": c.base + term, "params": map[string]any{"id": p.ID}}
		if t.settings.RedirectNested {
			confirmation["redirect"] = redirect
		} else {
			out["redirect"] = redirect
		}
		out["confirmation"] = confirmation
	default: // a fault pretends a challenge
	}
}

// paReq is opaque to everybody but the virtual ACS, which made it.
func (t *Simulator) paReq(o *Order, p *Payment) string {
	raw, _ := json.Marshal(map[string]any{"id": p.ID, "amount": p.Amount + p.Commission, "order": o.Number}) // plain values cannot fail
	return Sign("virtual acs", raw)
}

// confirmPayment takes the code of a LOOKUP challenge (uapay.md 8.4).
func (t *Simulator) confirmPayment(c *call) answer {
	also := []string{"code"}
	if t.settings.ConfirmNeedsKey {
		also = append(also, "key")
	}
	o, p, bad := t.findPayment(c, true, also...)
	if bad != nil {
		return *bad
	}
	if a := t.tryCode(c, o, p); a != nil {
		return *a
	}
	return answer{}
}

// tryCode judges a code sent by the API; nil means that it was right.
func (t *Simulator) tryCode(c *call, o *Order, p *Payment) *answer {
	no := func(code, msg string) *answer {
		a := reject(code, msg)
		return &a
	}
	if p.Stage != StageLookup {
		return no(CodeState, "payment does not wait for a code")
	}
	if key := c.params.text("key"); key != "" && subtle.ConstantTimeCompare([]byte(key), []byte(p.key)) != 1 {
		return no(CodeKey, "key is not the payment's")
	}
	if !t.lookup(o, p, c.params.text("code")) {
		return no(CodeConfirm, "code is wrong")
	}
	return nil
}

// followUp carries out what an endpoint acknowledged, at once or later.
func (t *Simulator) followUp(o *Order, p *Payment, do func()) answer {
	if t.settings.FollowUpMS == 0 {
		do()
	} else {
		p.busy = true
		t.later(ms(t.settings.FollowUpMS), o, p, func(*Order, *Payment) {
			p.busy = false
			do()
		})
	}
	return answer{data: map[string]any{"paymentId": p.ID}}
}

func (t *Simulator) completePayment(c *call) answer {
	amount, given := c.params.integer("amount")
	if bad := c.check().amount("params", "amount").bad(); bad != nil {
		return *bad
	}
	o, p, bad := t.findPayment(c, true)
	switch {
	case bad != nil:
		return *bad
	case p.Stage != StageHeld || p.busy:
		return reject(CodeState, "payment is not held")
	case given && amount > p.Held:
		return reject(CodeAmount, "amount is above the held sum")
	}
	if !given {
		amount = p.Held
	}
	return t.followUp(o, p, func() {
		t.note(o, "%d captured of %d", amount, p.Held)
		p.Held = amount
		if t.settings.CaptureChangesAmount {
			p.Amount = amount
		}
		t.end(o, p, SystemFinished)
	})
}

func (t *Simulator) cancelPayment(c *call) answer {
	o, p, bad := t.findPayment(c, true)
	switch {
	case bad != nil:
		return *bad
	case p.Stage != StageHeld || p.busy:
		return reject(CodeState, "payment is not held")
	}
	return t.followUp(o, p, func() { t.end(o, p, SystemCanceled) })
}

func (t *Simulator) reversePayment(c *call) answer {
	amount, given := c.data.integer("amount")
	if bad := c.check().amount("data", "amount").bad(); bad != nil {
		return *bad
	}
	o, p, bad := t.findPayment(c, true)
	if bad != nil {
		return *bad
	}
	left := p.paid() - p.Refunded
	if !given {
		amount = left
	}
	p.notRefunded = amount
	switch {
	case p.System != SystemFinished && (p.System != SystemReversed || left <= 0) || p.busy:
		return reject(CodeState, "payment is not finished")
	case amount > left:
		return reject(CodeAmount, "amount is above what is left")
	case o.recipe != nil && o.recipe.RefundFails:
		t.note(o, "reverse of %d refused", amount)
		t.afterRecipe(o, true)
		return reject(CodeState, "the refund was declined")
	case t.settings.PartialReverseOnce && p.Refunded > 0:
		return reject(CodeState, "payment was partly reversed already")
	}
	if t.settings.ReverseIgnored {
		t.note(o, "reverse of %d acknowledged and ignored", amount)
		return answer{data: map[string]any{"paymentId": p.ID}}
	}
	p.notRefunded = 0
	return t.followUp(o, p, func() { t.reverse(o, p, amount) })
}

// paid is what the payer was charged for the merchant, before refunds.
func (p *Payment) paid() int64 {
	if p.Held > 0 {
		return p.Held
	}
	return p.Amount
}

func (t *Simulator) showPayment(c *call) answer {
	o, p, bad := t.findPayment(c, false)
	if bad != nil {
		return *bad
	}
	o.Reads++
	system, invoicer := t.seen(c, o, p)
	client, _ := strconv.ParseInt(o.ClientID, 10, 64) // checked when the simulator was made
	return answer{data: withCards(map[string]any{
		"invoiceId": o.ID, "paymentId": p.ID, "number": p.Number, "receiptId": p.ReceiptID, "clientId": client,
		"systemType": o.SystemType, "amount": p.Amount, "commission": p.Commission, "email": textOrNil(p.Email),
		"status": invoicer, "paymentStatus": system, "chequeLink": withoutScheme(c.base) + "/api/receipts/" + p.ID,
		"createdAt": iso(p.CreatedAt), "updatedAt": iso(p.UpdatedAt), "paidAt": isoOrNil(p.PaidAt), "reversedAt": isoOrNil(p.ReversedAt),
	}, o, p)}
}

func withoutScheme(u string) string {
	_, rest, found := strings.Cut(u, "://")
	if !found {
		return u
	}
	return rest
}
