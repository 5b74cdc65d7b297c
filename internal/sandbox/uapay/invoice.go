package uapay

import (
	"strconv"
	"time"

	"payrelay/internal/sandbox/fault"
	"payrelay/internal/sandbox/record"
)

const payUntilTime = "2006-01-02 15:04:05"

// Endpoints run with the simulator's mutex held.

func (t *Simulator) createInvoice(c *call) answer {
	k := c.check().need("params", "systemType").need("data", "externalId", "type", "description").
		oneOf("params", "systemType", "ECOM", "P2P").oneOf("data", "type", "PAY", "HOLD", "SUBSCRIBE").
		text("data", "externalId", "description", "email", "payExpiresAt").amount("data", "amount").
		url("data", "redirectUrl", "callbackUrl")
	until, err := time.ParseInLocation(payUntilTime, c.data.text("payExpiresAt"), time.UTC)
	k.ok("data", "payExpiresAt", err == nil)
	_, reusable := c.data["reusability"].(bool)
	k.ok("data", "reusability", reusable)
	_, isText := c.data["extraInfo"].(string)
	_, isJSON := parse([]byte(c.data.text("extraInfo")))
	k.ok("data", "extraInfo", isText && isJSON)
	services, _ := c.data["services"].([]any) // another type is a complaint
	k.ok("data", "services", services != nil)
	o := &Order{
		ID: newID(), Kind: KindInvoice, ClientID: c.merchant.ClientID, SystemType: c.params.text("systemType"),
		ExternalID: c.data.text("externalId"), Type: c.data.text("type"), Reusable: c.data["reusability"] == true,
		RedirectURL: c.data.text("redirectUrl"), CallbackURL: c.data.text("callbackUrl"), Services: services,
		// A payer may have typed a card number into any text.
		Description: record.Text(c.data.text("description")), Email: record.Text(c.data.text("email")),
		ExtraInfo: record.Text(c.data.text("extraInfo")),
	}
	o.Amount, _ = c.data.integer("amount") // checked above
	if o.Type == "SUBSCRIBE" {
		interval, okInterval := c.data.integer("recurringInterval")
		expires, okExpires := c.data.integer("expiresAt")
		k.need("data", "amount", "recurringInterval", "expiresAt").
			ok("data", "recurringInterval", okInterval && interval > 0 && interval <= 366).
			ok("data", "expiresAt", okExpires && expires > 0)
		at := time.UnixMilli(expires).UTC()
		o.Interval, o.ExpiresAt = interval, &at
	}
	if o.SystemType == "P2P" && !c.data.object("cardTo").has("id") {
		k.found.add("data", "cardTo.id", FieldRequired)
	}
	if bad := k.bad(); bad != nil {
		return *bad
	}
	if id := c.data.object("cardTo").text("id"); id != "" {
		if o.CardTo = t.card(c, id); o.CardTo == nil {
			return reject(CodeNotFound, "cardTo is not known")
		}
	}
	if t.settings.UniqueExternalID && t.store.external[externalKey(o.ClientID, o.ExternalID, true)] != nil {
		return reject(CodeDuplicate, "externalId is in use")
	}
	if c.data.has("payExpiresAt") {
		o.PayUntil = &until
	}
	t.register(o)
	o.PageURL = c.base + "/payment/" + o.ID
	t.note(o, "invoice created")
	t.expireLater(o)
	return answer{made: o, data: map[string]any{
		"id": o.ID, "paymentPageUrl": o.PageURL, "paymentPageUrlQR": c.base + "/qr/" + o.ID,
	}}
}

// register numbers and stores a new order.
func (t *Simulator) register(o *Order) {
	o.Number, o.CreatedAt = t.nextNumber(), t.now().UTC()
	if o.Payments == nil {
		o.Payments = []*Payment{}
	}
	o.Callbacks = []*Callback{}
	t.store.add(o)
	t.openRecipe(o)
}

// findInvoice returns an invoice of the caller by a request's id, nil when there is none.
func (t *Simulator) findInvoice(c *call, id string) *Order {
	o := t.store.find(c.merchant.ClientID, id)
	if o == nil || o.Kind != KindInvoice || o.ID != id || t.hidden(c, o) {
		return nil
	}
	return o
}

// hidden reports whether a fault denies knowing an order.
func (t *Simulator) hidden(c *call, o *Order) bool {
	f, ok := c.checks.Find(fault.CheckNotFound)
	if !ok || f.ForMS > 0 && t.now().Sub(o.CreatedAt) >= ms(f.ForMS) {
		return false
	}
	t.note(o, "%s denied knowing the order", c.endpoint)
	return true
}

// seen returns the statuses that a read shows: the true ones, or what a fault makes it claim.
func (t *Simulator) seen(c *call, o *Order, p *Payment) (system, invoicer string) {
	f, ok := c.checks.Find(fault.CheckLie)
	if !ok {
		return p.System, p.Invoicer
	}
	system = f.Code
	if system == "" {
		system = SystemRejected
		if f.Status > 0 {
			system = SystemFinished
		}
	}
	t.note(o, "%s answered %s instead of %s", c.endpoint, system, p.System)
	return system, invoicerOf(system)
}

func invoicerOf(system string) string {
	switch system {
	case SystemPayed, SystemHolded:
		return InvoicerPaid
	case SystemFinished:
		return InvoicerFinished
	case SystemRejected, SystemCanceled, SystemClosed:
		return InvoicerCanceled
	case SystemReversed, "RETURNED":
		return InvoicerReversed
	default:
		return InvoicerNew
	}
}

func (t *Simulator) showInvoice(c *call) answer {
	if bad := c.check().need("params", "id").bad(); bad != nil {
		return *bad
	}
	o := t.findInvoice(c, c.params.text("id"))
	if o == nil {
		return reject(CodeNotFound, "invoice is not known")
	}
	o.Reads++
	out := invoiceHead(o)
	out["redirectUrl"], out["callbackUrl"], out["email"] = textOrNil(o.RedirectURL), textOrNil(o.CallbackURL), textOrNil(o.Email)
	out["createdAt"], out["type"] = iso(o.CreatedAt), o.Type
	out["extraInfo"], out["serviceData"] = nil, o.Services
	if extra, ok := parse([]byte(o.ExtraInfo)); ok {
		out["extraInfo"] = extra
	}
	if o.Services == nil {
		out["serviceData"] = []any{}
	}
	payments := []any{}
	for _, p := range o.Payments {
		system, invoicer := t.seen(c, o, p)
		one := map[string]any{
			"invoiceId": o.ID, "paymentId": p.ID, "number": p.Number, "receiptId": p.ReceiptID, "amount": p.Amount,
			"commission": p.Commission, "currency": 980, "status": invoicer, "paymentStatus": system,
		}
		if p.ReversedAt != nil {
			one["reversedAt"] = iso(*p.ReversedAt)
		}
		payments = append(payments, withCards(one, o, p))
	}
	out["payments"] = payments
	return answer{data: out}
}

func invoiceHead(o *Order) map[string]any {
	client, _ := strconv.ParseInt(o.ClientID, 10, 64) // checked when the simulator was made
	status := "ACTIVE"
	if o.Inactive {
		status = "INACTIVE"
	}
	out := map[string]any{
		"id": o.ID, "invoiceNumber": o.Number, "clientId": client, "systemType": o.SystemType, "amount": o.Amount,
		"reusability": o.Reusable, "description": o.Description, "invoiceStatus": status,
	}
	if o.Amount == 0 {
		out["amount"] = nil
	}
	return out
}

func withCards(out map[string]any, o *Order, p *Payment) map[string]any {
	out["cardFromId"], out["cardFromMasked"], out["cardToId"], out["cardToMasked"] = nil, nil, nil, nil
	if p.Card != nil {
		out["cardFromId"], out["cardFromMasked"] = p.Card.ID, p.Card.Masked
	}
	if o.CardTo != nil {
		out["cardToId"], out["cardToMasked"] = o.CardTo.ID, o.CardTo.Masked
	}
	return out
}

func textOrNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// byLists finds orders by params.ids or params.externalIds, at most 100.
func (t *Simulator) byLists(c *call, invoices bool) ([]*Order, *answer) {
	ids, okIDs := c.params.texts("ids")
	external, okExternal := c.params.texts("externalIds")
	k := c.check().ok("params", "ids", okIDs && len(ids) <= 100).ok("params", "externalIds", okExternal && len(external) <= 100)
	if !c.params.has("externalIds") {
		k.need("params", "ids")
	}
	if bad := k.bad(); bad != nil {
		return nil, bad
	}
	shown := func(o *Order) bool { return (o.Kind == KindInvoice) == invoices && !t.hidden(c, o) }
	var out []*Order
	for _, id := range ids {
		if o := t.store.find(c.merchant.ClientID, id); o != nil && o.ID == id && shown(o) {
			out = append(out, o)
		}
	}
	for _, o := range t.store.named(c.merchant.ClientID, external) {
		if shown(o) {
			out = append(out, o)
		}
	}
	return out, nil
}

func (t *Simulator) listInvoices(c *call) answer {
	found, bad := t.byLists(c, true)
	if bad != nil {
		return *bad
	}
	list := []any{}
	for _, o := range found {
		o.Reads++
		one := invoiceHead(o)
		one["externalId"] = o.ExternalID
		list = append(list, one)
	}
	return answer{data: map[string]any{"invoices": list}}
}

func (t *Simulator) updateInvoice(c *call) answer {
	_, isJSON := parse([]byte(c.data.text("extraInfo")))
	k := c.check().need("params", "id").url("data", "redirectUrl", "callbackUrl").text("data", "tag").ok("data", "extraInfo", isJSON)
	if bad := k.bad(); bad != nil {
		return *bad
	}
	o := t.findInvoice(c, c.params.text("id"))
	if o == nil {
		return reject(CodeNotFound, "invoice is not known")
	}
	cardID := c.data.object("cardTo").text("id")
	if cardID == "" {
		cardID = c.data.text("cardToId")
	}
	card, given := o.CardTo, c.data.object("cardTo").text("pan")
	switch {
	case cardID != "":
		card = t.card(c, cardID)
	case given != "":
		card = t.saveCard(c, given)
	}
	if card == nil && (cardID != "" || given != "") {
		return reject(CodeNotFound, "cardTo is not known")
	}
	o.CardTo = card
	for key, field := range map[string]*string{
		"tag": &o.Tag, "redirectUrl": &o.RedirectURL, "callbackUrl": &o.CallbackURL, "extraInfo": &o.ExtraInfo,
	} {
		if c.data.has(key) {
			*field = record.Text(c.data.text(key))
		}
	}
	t.note(o, "invoice updated")
	return answer{data: map[string]any{"id": o.ID}}
}

// cancelInvoice is assumed: the page of the documentation is not stored.
func (t *Simulator) cancelInvoice(c *call) answer {
	if bad := c.check().need("params", "id").bad(); bad != nil {
		return *bad
	}
	o := t.findInvoice(c, c.params.text("id"))
	if o == nil {
		return reject(CodeNotFound, "invoice is not known")
	}
	if p := o.Payment(); o.Inactive || p != nil && !o.Reusable && p.System != SystemRejected && p.System != SystemConfirm && p.System != SystemOpen {
		return reject(CodeState, "invoice cannot be cancelled any more")
	}
	t.closeInvoice(o, "invoice cancelled")
	return answer{data: map[string]any{"id": o.ID}}
}

// closeInvoice ends an invoice and what its payer had begun.
func (t *Simulator) closeInvoice(o *Order, reason string) {
	o.Inactive, o.PlannedAt = true, nil
	t.note(o, "%s", reason)
	if p := o.Payment(); p != nil && !p.Terminal() {
		t.end(o, p, SystemCanceled)
	}
}

func (t *Simulator) updateSubscription(c *call) answer {
	interval, okInterval := c.data.integer("interval")
	expires, okExpires := c.data.integer("expiresAt")
	k := c.check().ok("data", "interval", okInterval && interval > 0 && interval <= 366).ok("data", "expiresAt", okExpires && expires > 0)
	id := c.params.text("invoiceId")
	if id == "" {
		k.need("params", "id")
		id = c.params.text("id")
	}
	if bad := k.bad(); bad != nil {
		return *bad
	}
	o := t.findInvoice(c, id)
	if o == nil || o.Type != "SUBSCRIBE" {
		return reject(CodeNotFound, "subscription is not known")
	}
	if c.data.has("interval") {
		o.Interval = interval
	}
	if c.data.has("expiresAt") {
		at := time.UnixMilli(expires).UTC()
		o.ExpiresAt = &at
	}
	if p := o.Payment(); p != nil && p.PaidAt != nil {
		t.planCharge(o)
	}
	t.note(o, "subscription updated")
	status := "ACTIVE"
	if o.Inactive || o.ExpiresAt.Before(t.now()) {
		status = "INACTIVE"
	}
	return answer{data: map[string]any{
		"invoiceId": o.ID, "amount": o.Amount, "commission": t.commission(o.Amount), "interval": o.Interval,
		"expiresAt": iso(*o.ExpiresAt), "plannedPaidAt": isoOrNil(o.PlannedAt), "status": status,
	}}
}

// payable says why an invoice takes no payment now; empty text means that it does.
func (t *Simulator) payable(o *Order) string {
	p := o.Payment()
	switch {
	case o.Inactive:
		return "invoice is not active"
	case o.PayUntil != nil && !t.now().Before(*o.PayUntil):
		return "the time to pay is over"
	case p != nil && !p.Terminal():
		return "a payment is under way"
	case p != nil && !o.Reusable:
		return "invoice can be paid once only"
	}
	return ""
}

func (t *Simulator) commission(amount int64) int64 {
	return amount*t.settings.CommissionPercents/100 + t.settings.CommissionFixed
}

func (t *Simulator) showCommission(c *call) answer {
	if bad := c.check().need("params", "invoiceId").need("data", "amount").amount("data", "amount").bad(); bad != nil {
		return *bad
	}
	o := t.findInvoice(c, c.params.text("invoiceId"))
	if o == nil {
		return reject(CodeNotFound, "invoice is not known")
	}
	amount := o.Amount
	if amount == 0 {
		amount, _ = c.data.integer("amount") // checked above
	}
	return answer{data: map[string]any{
		"commissionAmount": t.commission(amount),
		"commission":       map[string]any{"percents": t.settings.CommissionPercents, "fixed": t.settings.CommissionFixed},
	}}
}

// card returns a stored card of the caller.
func (t *Simulator) card(c *call, id string) *Card {
	card, ok := t.store.cards.get(id)
	if !ok || card.client != c.merchant.ClientID {
		return nil
	}
	return card
}
