package uapay

import (
	"context"
	"strings"
	"time"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/kit"
)

// extraInfo is what an invoice carries for us, and for whoever looks at it in the merchant cabinet.
type extraInfo struct {
	OrderRef string `json:"orderRef"`
	// Payrelay is directMark if nobody was sent to the invoice's page, because the card came through us.
	Payrelay string `json:"payrelay,omitempty"`
}

const directMark = "direct"

// CreatePayment implements gateway.Gateway. It makes an invoice (uapay.md 7.1); the payer goes to its page, or for flow
// direct a payment with a stored card is started on it (uapay.md 8.1). If the answer to that second call is lost, Fetch
// finds the invoice by the order's id.
func (g *Gateway) CreatePayment(ctx context.Context, req gateway.PaymentRequest) (gateway.Result, error) {
	if bad := g.checkPayment(req); len(bad) > 0 {
		return gateway.Result{}, gateway.Refuse("createPayment", bad)
	}
	if req.Flow == gateway.FlowDirect && g.c2a {
		return g.payC2A(ctx, req)
	}
	r, id, err := g.createInvoice(ctx, invoice(req), req.Customer.Email, req.Customer.Phone)
	if err != nil {
		return gateway.Result{}, err
	}
	if req.Flow == gateway.FlowDirect {
		return g.payDirect(ctx, req, id)
	}
	result := gateway.Result{Status: gateway.StatusRequiresAction, ProviderReference: id, ProviderData: r.providerData, State: saved(stateInvoice, id)}
	if page := string(r.PageURL); kit.MayOpen(page, g.base) {
		result.NextAction = &gateway.NextAction{Type: gateway.ActionRedirect, URL: page}
	}
	return result, nil
}

// createInvoice makes an invoice of a merchant's sale (uapay.md 7.1) and returns its id.
func (g *Gateway) createInvoice(ctx context.Context, data invoiceData, hide ...string) (reply, string, error) {
	r, err := g.call(ctx, invoicesCreate, &invoiceParams{SystemType: "ECOM"}, data, hide...)
	if err != nil {
		return reply{}, "", err
	}
	id := kit.Fit(r.ID, kit.IDShape)
	if id == "" {
		return reply{}, "", r.err(gateway.KindUnknown, invoicesCreate, "no_invoice")
	}
	r.providerData["invoice_id"] = id
	return r, id, nil
}

// payDirect starts a payment on an invoice and asks what its payer must do.
func (g *Gateway) payDirect(ctx context.Context, req gateway.PaymentRequest, invoiceID string) (gateway.Result, error) {
	stored := req.Method.StoredCard
	r, err := g.call(ctx, paymentsCreate, &createParams{Locale: locale(req.Browser), Device: g.device(req)}, createData{
		InvoiceID: invoiceID, Amount: kopecks(req.Ref.Amount), Currency: currencyNumber, Email: req.Customer.Email,
		CardFrom: cardRef{ID: stored.ID, SecurityCode: stored.CVC.Reveal()},
	}, stored.CVC.Reveal(), req.Customer.Email, req.Customer.IP)
	if err != nil {
		return gateway.Result{}, err
	}
	id := kit.Fit(r.ID, kit.IDShape)
	if id == "" {
		return gateway.Result{}, r.err(gateway.KindUnknown, paymentsCreate, "no_payment")
	}
	r.providerData["payment_id"] = id
	ref := req.Ref
	ref.State = saved(stateInvoice, invoiceID, statePayment, id, stateKey, string(r.Key), stateReturn, returnURL(req.ReturnURLs), stateDirect, "1")
	result := gateway.Result{Status: gateway.StatusProcessing, ProviderReference: invoiceID, ProviderData: r.providerData, State: ref.State}
	return g.soon(ctx, ref, result), nil
}

// soon asks what became of a payment that has just been made: at once, and once more after a pause, since the provider may
// need a moment to know what the payer must do (uapay.md 8.2). What cannot be learned now is left to later checks.
func (g *Gateway) soon(ctx context.Context, ref gateway.Ref, made gateway.Result) gateway.Result {
	for attempt := range 2 {
		if attempt > 0 && !wait(ctx, g.pause) {
			break
		}
		checked, err := g.Fetch(ctx, ref)
		if err != nil {
			break
		}
		if checked.Status != "" && checked.Status != gateway.StatusProcessing {
			checked.ProviderReference = made.ProviderReference
			for k, v := range made.State {
				if _, ok := checked.State[k]; !ok {
					if checked.State == nil {
						checked.State = map[string]gateway.Secret{}
					}
					checked.State[k] = v
				}
			}
			return checked
		}
	}
	return made
}

// wait waits for d and reports whether ctx allowed it.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// unsupported names what the documents have no method for, and says what to do instead; two empty texts if there is one.
func (g *Gateway) unsupported(req gateway.PaymentRequest) (field, reason string) {
	m, direct, hold := req.Method, req.Flow == gateway.FlowDirect, req.Ref.Operation == gateway.OpAuthorize
	switch {
	case m.ApplePay != nil || m.GooglePay != nil:
		return "payment_method", "UAPAY takes wallets on its own page only: use flow hosted"
	case g.c2a && direct && hold:
		return "capture", "this account takes direct payments at once and cannot hold them: use flow hosted, or capture automatic"
	case m.Card != nil && !g.c2a:
		return "payment_method", "UAPAY takes cards on its own page, or cards kept by it: use flow hosted, or a stored_card"
	case req.Recurring.Enabled && direct:
		return "recurring", "UAPAY starts recurring payments on its own page only: use flow hosted"
	case req.Recurring.Enabled && hold:
		return "recurring", "UAPAY cannot hold money for a recurring payment: use capture automatic"
	}
	return "", ""
}

// checkPayment is Check for a payment. It lists everything that is missing or cannot be sent, at once.
func (g *Gateway) checkPayment(req gateway.PaymentRequest) []gateway.FieldError {
	var f fields
	f.money(req.Ref.Amount)
	f.orderID(req.Ref.OrderID)
	f.need("description", req.Description)
	f.oneReturn(req.ReturnURLs)
	if field, reason := g.unsupported(req); reason != "" {
		f.refuse(field, reason)
		return f
	}
	if r := req.Recurring; r.Enabled {
		if r.FrequencyDays < 1 || r.FrequencyDays > 366 {
			f.add("recurring.frequency_days", "is required by the provider, 1 to 366")
		}
		if r.ExpiresAt.IsZero() {
			f.add("recurring.expires_at", "is required by the provider")
		}
	}
	stored := req.Method.StoredCard
	if req.Flow != gateway.FlowDirect {
		if stored != nil || req.Method.Card != nil || req.Method.Mobile != nil {
			f.add("payment_method", "must be left out: the provider's page asks for it. Or use flow direct with a stored_card")
		}
		return f
	}
	switch c := req.Method.Card; {
	case c != nil:
		f.need("payment_method.card.number", c.Number.Reveal())
		f.need("payment_method.card.cvc", c.CVC.Reveal())
		f.refuseIf(c.Holder != "", "payment_method.card.holder", noHolder)
		f.expiry("payment_method.card.exp_month", c.Expiry)
	case stored == nil:
		f.add("payment_method", "is required for flow direct: a stored_card")
	default:
		f.need("payment_method.card_id", kit.Fit(stored.ID, kit.IDShape))
		f.need("payment_method.cvc", stored.CVC.Reveal())
	}
	if req.Browser == nil {
		f.add("browser", "is required by the provider for flow direct")
	}
	return f
}

// invoice writes what is to be paid.
func invoice(req gateway.PaymentRequest) invoiceData {
	data := invoiceData{
		ExternalID: req.Ref.OrderID, Type: "PAY", Description: req.Description, Amount: kopecks(req.Ref.Amount),
		RedirectURL: returnURL(req.ReturnURLs), CallbackURL: req.CallbackURL, Email: req.Customer.Email,
	}
	if req.Ref.Operation == gateway.OpAuthorize {
		data.Type = "HOLD"
	}
	if req.Recurring.Enabled {
		data.Type, data.Interval, data.ExpiresAt = "SUBSCRIBE", req.Recurring.FrequencyDays, req.Recurring.ExpiresAt.UnixMilli()
	}
	info := extraInfo{OrderRef: req.Ref.OrderID}
	if req.Flow == gateway.FlowDirect {
		info.Payrelay = directMark
	}
	text, _ := encode(info) // two texts
	data.ExtraInfo = string(text)
	return data
}

// oneReturn rejects addresses that a payer would never come to: the provider has one for all (uapay.md 7.1). The same
// address several times is one.
func (f *fields) oneReturn(u gateway.ReturnURLs) {
	sent := returnURL(u)
	for _, given := range []struct{ name, address string }{{"return_urls.success", u.Success}, {"return_urls.fail", u.Fail}} {
		f.refuseIf(given.address != "" && given.address != sent, given.name,
			"UAPAY sends a customer back to one address whatever happened: send return_urls.status alone")
	}
}

// noHolder and numberOnly are the reasons for which a part of a card is rejected.
const (
	noHolder   = "UAPAY takes no name of a card's holder"
	numberOnly = "UAPAY takes nothing but the number of a card that is paid to"
)

// returnURL is the one address that the provider can send a payer back to.
func returnURL(u gateway.ReturnURLs) string {
	for _, address := range []string{u.Status, u.Success, u.Fail} {
		if address != "" {
			return address
		}
	}
	return ""
}

// device tells 3-D Secure about the browser (uapay.md 8.1). We are not told the size of its window, and send the screen's.
func (g *Gateway) device(req gateway.PaymentRequest) device {
	b := req.Browser
	return device{
		AcceptHeader: b.AcceptHeader, IP: req.Customer.IP, ColorDepth: b.ColorDepth, JavaEnabled: b.JavaEnabled, Language: b.Language,
		ScreenHeight: b.ScreenHeight, ScreenWidth: b.ScreenWidth, WindowHeight: b.ScreenHeight, WindowWidth: b.ScreenWidth,
		Time: g.now().UTC().Format("2006-01-02T15:04:05.000Z"), TimeZoneOffset: b.TimeZoneOffset, UserAgent: b.UserAgent,
	}
}

// locale is the payer's language if the provider has it.
func locale(b *gateway.Browser) string {
	if b == nil {
		return ""
	}
	switch language, _, _ := strings.Cut(strings.ToLower(b.Language), "-"); language {
	case "uk", "ru", "en":
		return language
	}
	return ""
}

// orderID checks an order's id, which is payrelay's own, so a bad one is nobody's fault outside.
func (f *fields) orderID(id string) {
	if kit.Fit(id, kit.IDShape) == "" {
		f.add("provider_order_id", "must be 1 to 64 letters, digits, dots, colons, bars and underscores")
	}
}
