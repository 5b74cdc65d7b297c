package smartcore

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"payrelay/internal/card"
	"payrelay/internal/gateway"
)

// CreatePayment implements gateway.Gateway: a hosted form (smartcore.md 4.1), a direct payment (smartcore.md 4.2) or a
// hold (smartcore.md 4.3).
func (g *Gateway) CreatePayment(ctx context.Context, req gateway.PaymentRequest) (gateway.Result, error) {
	if bad := g.checkPayment(req); len(bad) > 0 {
		return gateway.Result{}, gateway.Refuse("createPayment", bad)
	}
	o := g.order(req)
	if req.Flow != gateway.FlowDirect {
		form := formRequest{order: o}
		if req.Method.Mobile != nil {
			form.PrefilledPhone = digits(req.Method.Mobile.Phone)
		}
		return g.start(ctx, initPayment, req.Ref, form)
	}
	if req.Ref.Operation == gateway.OpAuthorize {
		c := cardOf(req.Method.Card)
		return g.start(ctx, authorize, req.Ref, authorizeRequest{order: o, cardFields: c}, c.Number, c.CVV)
	}
	direct := directRequest{order: o, browserFields: browserOf(req.Browser)}
	if req.Recurring.Enabled {
		direct.RecurFreq = int64(req.Recurring.FrequencyDays)
		if !req.Recurring.ExpiresAt.IsZero() {
			direct.RecurExp = req.Recurring.ExpiresAt.UTC().Format("2006-01-02T15:04:05.000Z")
		}
	}
	switch m := req.Method; {
	case m.ApplePay != nil:
		direct.PaymentMethod = "applePayDPan"
		direct.AppleToken, direct.AppleNetwork = m.ApplePay.Token.Reveal(), m.ApplePay.Network
	case m.GooglePay != nil:
		direct.PaymentMethod = "googlePayDPan"
		direct.GoogleToken, direct.GoogleNetwork = m.GooglePay.Token.Reveal(), m.GooglePay.Network
	default:
		direct.PaymentMethod, direct.cardFields = "card", cardOf(m.Card)
	}
	return g.start(ctx, initDirect, req.Ref, direct, direct.Number, direct.CVV, direct.AppleToken, direct.GoogleToken)
}

// unsupported lists what of a payment the documents have no call or no field for.
func unsupported(req gateway.PaymentRequest) (f fields) {
	hold, form, m := req.Ref.Operation == gateway.OpAuthorize, req.Flow != gateway.FlowDirect, req.Method
	switch {
	case hold && form:
		f.refuse("capture", "SmartCore cannot hold money from its form: use flow direct with a card, or capture automatic")
	case hold && (m.ApplePay != nil || m.GooglePay != nil):
		f.refuse("capture", "SmartCore holds money on cards only: use a card, or capture automatic")
	}
	if m.StoredCard != nil {
		f.refuse("payment_method.type", "SmartCore keeps no cards for payments: use a card, apple_pay or google_pay, or charge a recurring payment again")
	}
	return f
}

// checkPayment is Check for a payment. It lists everything that is missing or cannot be sent, at once.
func (g *Gateway) checkPayment(req gateway.PaymentRequest) []gateway.FieldError {
	f := unsupported(req)
	f.money(req.Ref.Amount)
	f.orderID(req.Ref.OrderID)
	c := req.Customer
	f.need("customer.first_name", c.FirstName)
	f.need("customer.last_name", c.LastName)
	f.need("customer.address.line", c.Address.Line)
	f.need("customer.address.city", c.Address.City)
	f.need("customer.address.postal_code", c.Address.PostalCode)
	f.need("customer.address.country", c.Address.Country)
	f.need("customer.phone", c.Phone)
	f.need("customer.email", c.Email)
	f.need("customer.ip", c.IP)
	f.echoed("customer.first_name", c.FirstName)
	f.echoed("customer.last_name", c.LastName)
	f.echoed("description", req.Description)
	m := req.Method
	if req.Flow != gateway.FlowDirect {
		if m.Card != nil || m.ApplePay != nil || m.GooglePay != nil {
			f.add("payment_method", "must be left out: the provider's form asks for it. Or use flow direct")
		}
		if m.Mobile != nil {
			f.need("payment_method.phone", digits(m.Mobile.Phone))
		}
		return f
	}
	f.need("site_url", req.SiteURL)
	switch {
	case m.Card != nil:
		f.card("payment_method.card", m.Card)
	case m.ApplePay != nil:
		f.wallet(m.ApplePay)
	case m.GooglePay != nil:
		f.wallet(m.GooglePay)
	case m.StoredCard == nil:
		f.add("payment_method", "is required for flow direct: a card, apple_pay or google_pay")
	}
	return f
}

// order writes the part that all payments have.
func (g *Gateway) order(req gateway.PaymentRequest) order {
	c := req.Customer
	return order{
		Account: g.account, Amount: req.Ref.Amount.Minor(), Currency: string(req.Ref.Amount.Currency()), OrderID: req.Ref.OrderID,
		Site: req.SiteURL, Recurrent: req.Recurring.Enabled, Purpose: req.Description,
		FirstName: c.FirstName, LastName: c.LastName,
		Address: c.Address.Line, City: c.Address.City, ZipCode: c.Address.PostalCode, Country: c.Address.Country,
		Phone: c.Phone, Email: c.Email, IP: c.IP,
		SuccessURL: req.ReturnURLs.Success, FailURL: req.ReturnURLs.Fail, StatusURL: req.ReturnURLs.Status, CallbackURL: req.CallbackURL,
	}
}

func cardOf(c *card.Card) cardFields {
	return cardFields{
		Holder: c.Holder, Number: c.Number.Reveal(), CVV: c.CVC.Reveal(),
		ExpMonth: fmt.Sprintf("%02d", c.Expiry.Month), ExpYear: fmt.Sprintf("%02d", c.Expiry.Year%100),
	}
}

func browserOf(b *gateway.Browser) browserFields {
	if b == nil {
		return browserFields{}
	}
	num := func(n *int) string {
		if n == nil {
			return ""
		}
		return strconv.Itoa(*n)
	}
	return browserFields{
		AcceptHeader: b.AcceptHeader, UserAgent: b.UserAgent, JavaEnabled: b.JavaEnabled, JSEnabled: b.JavaScriptEnabled,
		ColorDepth: num(b.ColorDepth), ScreenHeight: num(b.ScreenHeight), ScreenWidth: num(b.ScreenWidth),
		Language: b.Language, TimeZone: num(b.TimeZoneOffset),
	}
}

// start sends a request that carries an order id of its own and reads the answer by smartcore.md 14.1.
func (g *Gateway) start(ctx context.Context, e endpoint, ref gateway.Ref, body any, hide ...string) (gateway.Result, error) {
	r, err := g.post(ctx, e, body, hide...)
	if err != nil {
		return gateway.Result{}, err
	}
	if r.says(codeDuplicate) {
		return gateway.Result{}, r.err(gateway.KindDuplicate, e, codeDuplicate)
	}
	result := g.read(r, ref)
	result.ProviderReference = r.reference(ref.OrderID)
	result.Settled, result.State = nil, nil // only a check tells it
	switch {
	case r.Status.Is(statusSuccess), r.Status.Is(statusFail):
		confirmed, err := g.confirm(ctx, e, ref, r, result)
		confirmed.State = nil // an answer may be recorded late, when a capture or cancel has been sent already
		return confirmed, err
	case r.Status.Set:
		return result, nil
	case r.Err != "":
		return g.declineOf(ctx, e, ref, r)
	}
	return gateway.Result{}, r.err(gateway.KindUnknown, e, "no_status")
}

// says reports whether any of the fields that carry codes names code.
func (a answer) says(code string) bool {
	return string(a.Err) == code || string(a.ErrorCode) == code || string(a.Message) == code
}

// confirm asks once about an answer that claims an end (smartcore.md 14.1), and believes the check. Without one, a
// success waits for the next check. A failure stands without one if its code is a documented decline of an order; after
// any other code the call may be carried out yet, and of a capture nobody knows whether the money is still held
// (smartcore.md 14.4).
func (g *Gateway) confirm(ctx context.Context, e endpoint, ref gateway.Ref, r reply, claimed gateway.Result) (gateway.Result, error) {
	checked, err := g.Fetch(ctx, withReference(ref, claimed.ProviderReference))
	switch {
	case err == nil:
		return checked.After(claimed), nil
	case claimed.Status != gateway.StatusFailed:
		claimed.Status = gateway.StatusProcessing
		return claimed, nil
	case ref.Operation != gateway.OpCapture && declines(r.failureCode()):
		return claimed, nil
	}
	code := r.failureCode()
	if code == "" {
		code = "not_confirmed"
	}
	return gateway.Result{}, r.err(gateway.KindUnknown, e, code)
}

// failureCode is the code that an answer gives for a failure, "" if it gives none.
func (a answer) failureCode() string {
	if a.ErrorCode != "" {
		return string(a.ErrorCode)
	}
	return string(a.Err)
}

func withReference(ref gateway.Ref, reference string) gateway.Ref {
	if reference != "" {
		ref.ProviderReference = reference
	}
	return ref
}

// declineOf reads an answer of err without a status (smartcore.md 14.1): the order failed if a check says so, or if it
// does not know the order and err is a documented decline. After any other err the call may be carried out yet, and one
// check proves nothing.
func (g *Gateway) declineOf(ctx context.Context, e endpoint, ref gateway.Ref, r reply) (gateway.Result, error) {
	checked, err := g.Fetch(ctx, ref)
	switch {
	case err == nil:
		checked.State = nil // as in start
		return checked, nil
	case gateway.KindOf(err) == gateway.KindNotFound && declines(string(r.Err)):
		return gateway.Result{Status: gateway.StatusFailed, Failure: failureOf(string(r.Err), r.Cascade, r.hide), ProviderData: r.providerData}, nil
	}
	return gateway.Result{}, r.err(gateway.KindUnknown, e, string(r.Err))
}

// periods are the provider's words for how often a card is charged (smartcore.md 4.8).
var periods = map[string]string{"": "", "daily": "01", "weekly": "03", "monthly": "06", "quarterly": "09", "annually": "11"}

// checkCharge is Check for a charge.
func (*Gateway) checkCharge(req gateway.ChargeRequest) []gateway.FieldError {
	var f fields
	f.money(req.Ref.Amount)
	f.orderID(req.Ref.OrderID)
	f.needText("description", req.Description) // purpose is required here and nowhere else
	if _, ok := periods[req.Period]; !ok {
		f.add("period", "must be daily, weekly, monthly, quarterly or annually")
	}
	if parent := req.Parent.Amount.Currency(); parent != "" && parent != req.Ref.Amount.Currency() {
		f.add("currency", "must be that of the first payment")
	}
	return f
}

// Charge implements gateway.Charger (smartcore.md 4.8). success false is no decline (smartcore.md A12): the poller asks. Without an id of
// the charge nothing says that the provider has it, so the order is unknown, and polls may prove that it never was. Status -1 ends a
// charge as any order (smartcore.md 14.6).
func (g *Gateway) Charge(ctx context.Context, req gateway.ChargeRequest) (gateway.Result, error) {
	if bad := g.checkCharge(req); len(bad) > 0 {
		return gateway.Result{}, gateway.Refuse(recurrent.op, bad)
	}
	r, err := g.post(ctx, recurrent, recurrentRequest{
		OrderID: req.Ref.OrderID, ParentID: req.Parent.OrderID, Amount: req.Ref.Amount.Minor(),
		Purpose: req.Description, CallbackURL: req.CallbackURL, Period: periods[req.Period],
	})
	if err != nil {
		return gateway.Result{}, err
	}
	if r.says(codeDuplicate) {
		return gateway.Result{}, r.err(gateway.KindDuplicate, recurrent, codeDuplicate)
	}
	reference := r.reference(req.Ref.OrderID)
	switch {
	case r.Status.Is(statusFail):
		return g.confirm(ctx, recurrent, req.Ref, r, g.read(r, req.Ref))
	case r.Success != nil && (*r.Success || reference != ""):
		result := gateway.Result{Status: gateway.StatusProcessing, ProviderReference: reference, ProviderData: r.providerData}
		if next := g.nextAction(r.answer); next != nil {
			result.Status, result.NextAction = gateway.StatusRequiresAction, next
		}
		return result, nil
	case r.Success != nil:
		return gateway.Result{}, r.err(gateway.KindUnknown, recurrent, cmp.Or(r.failureCode(), "no_success"))
	case r.Err != "":
		return g.declineOf(ctx, recurrent, req.Ref, r)
	}
	return gateway.Result{}, r.err(gateway.KindUnknown, recurrent, "no_success")
}

// digits returns a phone number as the provider's forms want it, without a plus.
func digits(phone string) string { return strings.TrimPrefix(phone, "+") }

// birthDate is DD.MM.YYYY, empty for the zero time.
func birthDate(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format("02.01.2006")
}
