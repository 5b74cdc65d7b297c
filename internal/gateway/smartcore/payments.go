package smartcore

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"payrelay/internal/card"
	"payrelay/internal/gateway"
	"payrelay/internal/money"
)

// CreatePayment implements gateway.Gateway: a hosted form (smartcore.md 4.1), a direct payment (smartcore.md 4.2) or a
// hold (smartcore.md 4.3).
func (g *Gateway) CreatePayment(ctx context.Context, req gateway.PaymentRequest) (gateway.Result, error) {
	if bad := g.MissingFields(req); len(bad) > 0 {
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
	if r := req.Recurring; hold || form { // only the direct call has fields for it (smartcore.md 3)
		const schedule = "SmartCore takes it with a direct payment that is captured at once only"
		f.refuseIf(r.FrequencyDays != 0, "recurring.frequency_days", schedule)
		f.refuseIf(!r.ExpiresAt.IsZero(), "recurring.expires_at", schedule)
	}
	return f
}

// MissingFields implements gateway.Gateway. It lists everything that is missing or cannot be sent, at once.
func (g *Gateway) MissingFields(req gateway.PaymentRequest) []gateway.FieldError {
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
			f.add("payment_method", "the provider's form asks for it: leave it out, or use flow direct")
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
		f.add("payment_method", "required for flow direct: a card, apple_pay or google_pay")
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
// success waits for the next check. A failure stands without one if its code is a documented refusal of an order; after
// any other code the call may be carried out yet, and of a capture nobody knows whether the money is still held
// (smartcore.md 14.4).
func (g *Gateway) confirm(ctx context.Context, e endpoint, ref gateway.Ref, r reply, claimed gateway.Result) (gateway.Result, error) {
	checked, err := g.Fetch(ctx, withReference(ref, claimed.ProviderReference))
	switch {
	case err == nil:
		checked.ProviderReference = claimed.ProviderReference
		if checked.Failure != nil && checked.Failure.Code == "" && claimed.Failure != nil {
			checked.Failure = claimed.Failure
		}
		return checked, nil
	case claimed.Status != gateway.StatusFailed:
		claimed.Status = gateway.StatusProcessing
		return claimed, nil
	case ref.Operation != gateway.OpCapture && refuses(r.failureCode()):
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
// does not know the order and err is a documented refusal. After any other err the call may be carried out yet, and one
// check proves nothing.
func (g *Gateway) declineOf(ctx context.Context, e endpoint, ref gateway.Ref, r reply) (gateway.Result, error) {
	checked, err := g.Fetch(ctx, ref)
	switch {
	case err == nil:
		checked.State = nil // as in start
		return checked, nil
	case gateway.KindOf(err) == gateway.KindNotFound && refuses(string(r.Err)):
		return gateway.Result{Status: gateway.StatusFailed, Failure: failureOf(string(r.Err), r.Cascade, r.hide), ProviderData: r.providerData}, nil
	}
	return gateway.Result{}, r.err(gateway.KindUnknown, e, string(r.Err))
}

// periods are the provider's words for how often a card is charged (smartcore.md 4.8).
var periods = map[string]string{"": "", "daily": "01", "weekly": "03", "monthly": "06", "quarterly": "09", "annually": "11"}

// MissingChargeFields implements gateway.ChargeChecker.
func (*Gateway) MissingChargeFields(req gateway.ChargeRequest) []gateway.FieldError {
	var f fields
	f.money(req.Ref.Amount)
	f.orderID(req.Ref.OrderID)
	f.needText("description", req.Description) // purpose is required here and nowhere else
	if _, ok := periods[req.Period]; !ok {
		f.add("period", "use daily, weekly, monthly, quarterly or annually")
	}
	if parent := req.Parent.Amount.Currency(); parent != "" && parent != req.Ref.Amount.Currency() {
		f.add("currency", "a charge is in the currency of its first payment")
	}
	return f
}

// Charge implements gateway.Charger (smartcore.md 4.8). success false is no refusal (smartcore.md A12): the poller asks.
func (g *Gateway) Charge(ctx context.Context, req gateway.ChargeRequest) (gateway.Result, error) {
	if bad := g.MissingChargeFields(req); len(bad) > 0 {
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
	switch {
	case r.Success != nil:
		result := gateway.Result{Status: gateway.StatusProcessing, ProviderReference: r.reference(req.Ref.OrderID), ProviderData: r.providerData}
		if next := g.nextAction(r.answer); next != nil {
			result.Status, result.NextAction = gateway.StatusRequiresAction, next
		}
		return result, nil
	case r.Status.Is(statusFail):
		return g.confirm(ctx, recurrent, req.Ref, r, g.read(r, req.Ref))
	case r.Err != "":
		return g.declineOf(ctx, recurrent, req.Ref, r)
	}
	return gateway.Result{}, r.err(gateway.KindUnknown, recurrent, "no_success")
}

// fields collects what is wrong with a request.
type fields []gateway.FieldError

func (f *fields) add(name, message string) {
	*f = append(*f, gateway.FieldError{Field: name, Message: message})
}

// refuse complains about what the provider has no field for, or cannot be sent.
func (f *fields) refuse(name, message string) {
	*f = append(*f, gateway.FieldError{Field: name, Message: "cannot be sent: " + message, Unsupported: true})
}

func (f *fields) refuseIf(given bool, name, message string) {
	if given {
		f.refuse(name, message)
	}
}

func (f *fields) need(name, value string) {
	if strings.TrimSpace(value) == "" {
		f.add(name, "required by the provider")
	}
}

// needText is need for a free text that comes back in callbacks.
func (f *fields) needText(name, text string) {
	if strings.TrimSpace(strings.Map(unlessSeparator, text)) == "" {
		f.add(name, "required by the provider: must hold more than blanks, bars (|) and line separators")
		return
	}
	f.echoed(name, text)
}

// echoed checks a text that may come back in a callback. Its signature joins values with bars, so a bar that a customer
// typed could pass for the border of two values (smartcore.md 3, 11.5).
func (f *fields) echoed(name, text string) {
	f.refuseIf(strings.Map(unlessSeparator, text) != text, name, "SmartCore takes no bar (|), control character or line separator here")
}

// unlessSeparator removes what could take a callback's signature apart.
func unlessSeparator(r rune) rune {
	if r == '|' || unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
		return -1
	}
	return r
}

// money checks a sum. The provider documents only "cents": currencies with other minor units are refused (smartcore.md 2).
func (f *fields) money(m money.Money) {
	if m.Minor() <= 0 {
		f.add("amount", "must be more than zero")
	}
	if exponent, ok := m.Currency().Exponent(); !ok || exponent != 2 {
		f.add("currency", "SmartCore takes currencies with two decimals only")
	}
}

// orderID checks an order's id (smartcore.md A35). It is payrelay's own, so a bad one is nobody's fault outside.
func (f *fields) orderID(id string) {
	if len(id) == 0 || len(id) > 64 || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' || r == '|' }) {
		f.add("provider_order_id", "must be 1 to 64 printable ASCII characters without a bar")
	}
}

func (f *fields) card(name string, c *card.Card) {
	f.need(name+".number", c.Number.Reveal())
	f.need(name+".cvc", c.CVC.Reveal())
	f.need(name+".holder", c.Holder)
	f.echoed(name+".holder", c.Holder)
	f.expiry(name, c.Expiry)
}

func (f *fields) expiry(name string, e card.Expiry) {
	switch {
	case e.Month == 0:
		f.add(name+".exp_month", "required by the provider, 1 to 12")
	case e.Month < 1 || e.Month > 12:
		f.add(name+".exp_month", "must be 1 to 12")
	}
	switch {
	case e.Year == 0:
		f.add(name+".exp_year", "required by the provider, four digits")
	case e.Year < 2000 || e.Year > 2099: // two digits travel
		f.add(name+".exp_year", "must be 2000 to 2099")
	}
}

func (f *fields) wallet(w *gateway.Wallet) {
	f.need("payment_method.token", w.Token.Reveal())
	f.need("payment_method.network", w.Network)
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
