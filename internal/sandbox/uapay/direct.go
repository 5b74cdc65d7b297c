package uapay

import "payrelay/internal/sandbox/record"

// The classic P2P calls (uapay.md 9.1). They read C2A and A2C as well.

func (t *Simulator) createDirect(c *call) answer {
	currency, isNumber := c.data.integer("currency")
	k := c.check().need("data", "externalId", "cardFrom", "cardTo", "notify", "amount", "currency").
		text("data", "externalId", "description").amount("data", "amount").
		ok("data", "currency", isNumber && currency == 980).url("data", "callbackUrl")
	if notify := c.data.object("notify"); notify != nil && !notify.has("phone") {
		k.found.add("data", "notify.phone", FieldRequired)
	}
	if bad := k.bad(); bad != nil {
		return *bad
	}
	external := c.data.text("externalId")
	if t.store.external[externalKey(c.merchant.ClientID, external, false)] != nil && t.settings.UniqueExternalID {
		return reject(CodeDuplicate, "externalId is in use")
	}
	from, bad := t.cardOf(c, "cardFrom", false)
	if bad != nil {
		return *bad
	}
	to, bad := t.cardOf(c, "cardTo", false)
	if bad != nil {
		return *bad
	}
	amount, _ := c.data.integer("amount") // checked above
	o := &Order{
		Kind: KindDirect, ClientID: c.merchant.ClientID, ExternalID: external, CallbackURL: c.data.text("callbackUrl"), CardTo: to,
		Description: record.Text(c.data.text("description")), Phone: record.Text(c.data.object("notify").text("phone")),
		Email: record.Text(c.data.object("notify").text("email")),
	}
	p := t.newTransfer(o, from, amount, opSend)
	t.decideLater(o, p)
	return answer{made: o, data: map[string]any{"id": p.ID, "key": p.key}}
}

func (t *Simulator) showDirect(c *call) answer {
	k := c.check()
	if !c.params.has("externalId") {
		k.need("params", "id")
	}
	if bad := k.bad(); bad != nil {
		return *bad
	}
	o := t.store.find(c.merchant.ClientID, c.params.text("id"))
	if !c.params.has("id") {
		o = t.store.external[externalKey(c.merchant.ClientID, c.params.text("externalId"), false)]
	}
	if o == nil || o.Kind == KindInvoice || t.hidden(c, o) {
		return reject(CodeNotFound, "transfer is not known")
	}
	o.Reads++
	p := o.Payment()
	out := t.directHead(c, o, p)
	if out["status"] == SystemConfirm {
		t.challenge(c, o, p, out, "/api/payments/p2p/confirm")
	}
	return answer{data: out}
}

func (t *Simulator) directHead(c *call, o *Order, p *Payment) map[string]any {
	status, _ := t.seen(c, o, p)
	return map[string]any{
		"id": p.ID, "externalId": o.ExternalID, "number": numberText(p.Number), "status": status, "amount": p.Amount,
		"recipient": map[string]any{"phone": textOrNil(o.Phone), "email": textOrNil(o.Email)},
	}
}

func (t *Simulator) listDirect(c *call) answer {
	found, bad := t.byLists(c, false)
	if bad != nil {
		return *bad
	}
	list := []any{}
	for _, o := range found {
		o.Reads++
		list = append(list, t.directHead(c, o, o.Payment()))
	}
	return answer{data: map[string]any{"payments": list}}
}

func (t *Simulator) confirmDirect(c *call) answer {
	if bad := c.check().need("params", "id", "code").bad(); bad != nil {
		return *bad
	}
	o := t.store.find(c.merchant.ClientID, c.params.text("id"))
	if o == nil || o.Kind == KindInvoice {
		return reject(CodeNotFound, "transfer is not known")
	}
	if a := t.tryCode(c, o, o.Payment()); a != nil {
		return *a
	}
	return answer{data: map[string]any{}}
}
