package uapay

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"payrelay/internal/gateway"
	"payrelay/internal/money"
)

// directMark is an invoice's extraInfo that says that nobody was sent to its page: the card came through us.
const directMark = `{"payrelay":"direct"}`

// CreatePayment implements gateway.Gateway. It makes an invoice (7.1); the payer goes to its page, or for flow direct a
// payment with a stored card is started on it (8.1). If the answer to that second call is lost, Fetch finds the invoice
// by the order's id.
func (g *Gateway) CreatePayment(ctx context.Context, req gateway.PaymentRequest) (gateway.Result, error) {
	if why := unsupported(req); why != "" {
		return gateway.Result{}, gateway.Errorf(gateway.KindUnsupported, "createPayment", "%s", why)
	}
	if missing := g.MissingFields(req); len(missing) > 0 {
		return gateway.Result{}, fields(missing).invalid("createPayment")
	}
	data := invoice(req)
	r, err := g.call(ctx, invoicesCreate, &invoiceParams{SystemType: "ECOM"}, data, req.Customer.Email, req.Customer.Phone)
	if err != nil {
		return gateway.Result{}, err
	}
	id := fit(string(r.ID), idShape)
	if id == "" {
		return gateway.Result{}, r.err(gateway.KindUnknown, invoicesCreate, "no_invoice")
	}
	r.evidence["invoice_id"] = id
	if req.Flow == gateway.FlowDirect {
		return g.payDirect(ctx, req, id)
	}
	result := gateway.Result{Status: gateway.StatusRequiresAction, ProviderReference: id, Evidence: r.evidence, State: remember(stateInvoice, id)}
	if page := string(r.PageURL); g.mayOpen(page) {
		result.NextAction = &gateway.NextAction{Type: gateway.ActionRedirect, URL: page}
	}
	return result, nil
}

// payDirect starts a payment on an invoice and asks what its payer must do.
func (g *Gateway) payDirect(ctx context.Context, req gateway.PaymentRequest, invoiceID string) (gateway.Result, error) {
	stored := req.Method.StoredCard
	r, err := g.call(ctx, paymentsCreate, &createParams{Locale: locale(req.Browser), Device: g.device(req)}, createData{
		InvoiceID: invoiceID, Amount: req.Ref.Amount.Minor(), Currency: currencyNumber, Email: clean(req.Customer.Email),
		CardFrom: cardRef{ID: stored.ID, SecurityCode: stored.CVC.Reveal()},
	}, stored.CVC.Reveal(), req.Customer.Email, req.Customer.IP)
	if err != nil {
		return gateway.Result{}, err
	}
	id := fit(string(r.ID), idShape)
	if id == "" {
		return gateway.Result{}, r.err(gateway.KindUnknown, paymentsCreate, "no_payment")
	}
	r.evidence["payment_id"] = id
	ref := req.Ref
	ref.State = remember(stateInvoice, invoiceID, statePayment, id, stateKey, string(r.Key), stateReturn, returnURL(req.ReturnURLs), stateDirect, "1")
	result := gateway.Result{Status: gateway.StatusProcessing, ProviderReference: invoiceID, Evidence: r.evidence, State: ref.State}
	return g.soon(ctx, ref, result), nil
}

// soon asks what became of a payment that has just been made: at once, and once more after a pause, since the provider may
// need a moment to know what the payer must do (8.2). What cannot be learned now is left to later checks.
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

// unsupported says what the reference has no method for, or "".
func unsupported(req gateway.PaymentRequest) string {
	m := req.Method
	switch {
	case m.ApplePay != nil || m.GooglePay != nil:
		return "UAPAY takes wallets on its own page only: use flow hosted"
	case m.Card != nil:
		return "UAPAY takes cards on its own page, or cards kept by it: use flow hosted, or a stored_card"
	case req.Recurring.Enabled && req.Flow == gateway.FlowDirect:
		return "UAPAY starts recurring payments on its own page only: use flow hosted"
	case req.Recurring.Enabled && req.Ref.Operation == gateway.OpAuthorize:
		return "UAPAY cannot hold money for a recurring payment: use capture automatic"
	}
	return ""
}

// MissingFields implements gateway.Gateway. It lists everything that is missing or cannot be sent, at once.
func (g *Gateway) MissingFields(req gateway.PaymentRequest) []gateway.FieldError {
	var f fields
	f.money(req.Ref.Amount)
	f.orderID(req.Ref.OrderID)
	f.need("description", clean(req.Description))
	if why := unsupported(req); why != "" {
		f.add("payment_method", why)
		return f
	}
	if r := req.Recurring; r.Enabled {
		if r.FrequencyDays < 1 || r.FrequencyDays > 366 {
			f.add("recurring.frequency_days", "required by the provider, 1 to 366")
		}
		if r.ExpiresAt.IsZero() {
			f.add("recurring.expires_at", "required by the provider")
		}
	}
	stored := req.Method.StoredCard
	if req.Flow != gateway.FlowDirect {
		if stored != nil || req.Method.Mobile != nil {
			f.add("payment_method", "the provider's page asks for it: leave it out, or use flow direct with a stored_card")
		}
		return f
	}
	if stored == nil {
		f.add("payment_method", "required for flow direct: a stored_card")
	} else {
		f.need("payment_method.card_id", fit(stored.ID, idShape))
		f.need("payment_method.cvc", stored.CVC.Reveal())
	}
	if req.Browser == nil {
		f.add("browser", "required by the provider for flow direct")
	}
	return f
}

// invoice writes what is to be paid.
func invoice(req gateway.PaymentRequest) invoiceData {
	data := invoiceData{
		ExternalID: req.Ref.OrderID, Type: "PAY", Description: clean(req.Description), Amount: req.Ref.Amount.Minor(),
		RedirectURL: returnURL(req.ReturnURLs), CallbackURL: req.CallbackURL, Email: clean(req.Customer.Email),
	}
	if req.Ref.Operation == gateway.OpAuthorize {
		data.Type = "HOLD"
	}
	if req.Recurring.Enabled {
		data.Type, data.Interval, data.ExpiresAt = "SUBSCRIBE", req.Recurring.FrequencyDays, req.Recurring.ExpiresAt.UnixMilli()
	}
	if req.Flow == gateway.FlowDirect {
		data.ExtraInfo = directMark
	}
	return data
}

// returnURL is the one address that the provider can send a payer back to.
func returnURL(u gateway.ReturnURLs) string {
	for _, address := range []string{u.Status, u.Success, u.Fail} {
		if address != "" {
			return address
		}
	}
	return ""
}

// device tells 3-D Secure about the browser (8.1). We are not told the size of its window, and send the screen's.
func (g *Gateway) device(req gateway.PaymentRequest) device {
	b := req.Browser
	return device{
		AcceptHeader: b.AcceptHeader, IP: clean(req.Customer.IP), ColorDepth: b.ColorDepth, JavaEnabled: b.JavaEnabled, Language: b.Language,
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

// Fetch implements gateway.Gateway.
func (g *Gateway) Fetch(ctx context.Context, ref gateway.Ref) (gateway.Result, error) {
	switch ref.Kind {
	case gateway.KindRefund:
		return g.fetchRefund(ctx, ref)
	case gateway.KindTransfer:
		return g.fetchTransfer(ctx, ref)
	case gateway.KindPayout:
		return g.fetchPayout(ctx, ref)
	case gateway.KindPayoutCard:
		return gateway.Result{}, gateway.Errorf(gateway.KindUnsupported, "fetch", "UAPAY keeps no cards for payouts")
	case gateway.KindPayment:
	}
	if invoiceID, paymentID := recall(ref, stateInvoice), recall(ref, statePayment); invoiceID != "" && paymentID != "" && ref.State[stateDirect] != "" {
		return g.checkStatus(ctx, ref, invoiceID, paymentID)
	}
	found, err := g.readInvoice(ctx, ref)
	if err != nil {
		return gateway.Result{}, err
	}
	return g.readPayment(ctx, ref, found)
}

// checkStatus asks about a payment that we lead the payer through (8.2). The answer's own id may differ from the payment's.
func (g *Gateway) checkStatus(ctx context.Context, ref gateway.Ref, invoiceID, paymentID string) (gateway.Result, error) {
	r, err := g.call(ctx, paymentsCheck, &paymentParams{PaymentID: paymentID, InvoiceID: invoiceID}, nil)
	if err != nil {
		return gateway.Result{}, err
	}
	if r.Status == "" && r.PaymentStatus == "" {
		return gateway.Result{}, r.err(gateway.KindUnknown, paymentsCheck, "no_status")
	}
	result := g.result(r, r.answer, checkState(r.answer).meaning(ref.Operation), ref)
	result.ProviderReference = invoiceID
	left := ""
	if next := result.NextAction; next != nil && next.AttemptsLeft != nil {
		left = itoa(int64(*next.AttemptsLeft))
	}
	result.State = remember(stateInvoice, invoiceID, statePayment, paymentID, stateDirect, "1", stateKey, string(r.Key), stateLeft, left)
	return result, nil
}

// found is an invoice as the provider shows it.
type found struct {
	reply
	id string
	// payment is the payment that decides, nil if there is none.
	payment *answer
}

// readInvoice reads an order's invoice, looking it up by the order's id if its own is not known (7.2, 7.3). An order
// that the provider has no invoice of is an error of KindNotFound.
func (g *Gateway) readInvoice(ctx context.Context, ref gateway.Ref) (found, error) {
	id := recall(ref, stateInvoice)
	if id == "" {
		id = fit(ref.ProviderReference, idShape)
	}
	if id == "" {
		var err error
		if id, err = g.findInvoice(ctx, ref.OrderID); err != nil {
			return found{}, err
		}
	}
	r, err := g.call(ctx, invoicesShow, &idParams{ID: id}, nil)
	switch {
	case err != nil:
		return found{}, err
	case string(r.ID) != id:
		return found{}, r.err(gateway.KindUnknown, invoicesShow, "other_order")
	}
	f := found{reply: r, id: id}
	if r.Payments == nil {
		return f, nil
	}
	f.payment = decisive(*r.Payments, ref)
	if p := f.payment; p != nil {
		if (p.InvoiceID != "" && string(p.InvoiceID) != id) || fit(string(p.PaymentID), idShape) == "" {
			return found{}, r.err(gateway.KindUnknown, invoicesShow, "other_order")
		}
		if p.Currency != "" && string(p.Currency) != itoa(currencyNumber) && string(p.Currency) != string(currency) {
			return found{}, r.err(gateway.KindUnknown, invoicesShow, "other_currency")
		}
	}
	return f, nil
}

// findInvoice finds an invoice by the order's id (7.3).
func (g *Gateway) findInvoice(ctx context.Context, orderID string) (string, error) {
	r, err := g.call(ctx, invoicesList, &idParams{ExternalIDs: []string{orderID}}, nil)
	if err != nil {
		return "", err
	}
	return r.only(invoicesList, r.Invoices, orderID)
}

// only returns the id of the one entry of a list that was asked for by an order's id. An empty list says that the
// provider does not know the order.
func (r reply) only(e endpoint, list *[]answer, orderID string) (string, error) {
	switch {
	case list == nil:
		return "", r.err(gateway.KindUnknown, e, "no_list")
	case len(*list) == 0:
		return "", r.err(gateway.KindNotFound, e, "empty_list")
	case len(*list) > 1:
		return "", r.err(gateway.KindUnknown, e, "several_orders")
	}
	entry := (*list)[0]
	id := fit(string(entry.ID), idShape)
	if id == "" || string(entry.ExternalID) != orderID {
		return "", r.err(gateway.KindUnknown, e, "other_order")
	}
	return id, nil
}

// decisive is the payment of an invoice that tells about the order: the one that is remembered, else one that has or had
// money, else one under way, else a failed one; the newest of equals.
func decisive(payments []answer, ref gateway.Ref) *answer {
	known := recall(ref, statePayment)
	rank := func(a answer) int {
		m := shownState(a).meaning(ref.Operation)
		switch {
		case known != "" && string(a.PaymentID) == known && m.status != gateway.StatusFailed && m.status != gateway.StatusCanceled:
			return 5
		case m.status == gateway.StatusSucceeded && !m.reversed, m.status == gateway.StatusAuthorized:
			return 4
		case m.reversed:
			return 3
		case m.status == gateway.StatusProcessing, m.status == "":
			return 2
		}
		return 1
	}
	var best *answer
	for i := range payments {
		p := &payments[i]
		if best == nil || rank(*p) > rank(*best) || rank(*p) == rank(*best) && !older(*p, *best) {
			best = p
		}
	}
	return best
}

// older reports whether a has a lower number than b.
func older(a, b answer) bool {
	if len(a.Number) != len(b.Number) {
		return len(a.Number) < len(b.Number)
	}
	return a.Number < b.Number
}

// readPayment reads what an invoice says of its order.
func (g *Gateway) readPayment(ctx context.Context, ref gateway.Ref, f found) (gateway.Result, error) {
	direct := isDirect(f.ExtraInfo)
	state := remember(stateInvoice, f.id)
	p := f.payment
	switch {
	case p == nil && f.Payments == nil:
		return gateway.Result{}, f.err(gateway.KindUnknown, invoicesShow, "no_payments")
	case p == nil && f.InvoiceStatus == "INACTIVE": // 15.4: nobody can pay it any more
		return gateway.Result{Status: gateway.StatusCanceled, ProviderReference: f.id, Amount: f.Amount.pointer(), State: state, Evidence: f.evidence}, nil
	case p == nil && direct: // the invoice is an envelope; the payment that was to be in it never arrived
		return gateway.Result{}, f.err(gateway.KindNotFound, invoicesShow, "no_payment")
	case p == nil:
		return gateway.Result{Status: gateway.StatusRequiresAction, ProviderReference: f.id, Amount: f.Amount.pointer(), State: state, Evidence: f.evidence}, nil
	}
	m := shownState(*p).meaning(ref.Operation)
	if m.waiting && direct {
		return g.checkStatus(ctx, ref, f.id, string(p.PaymentID))
	}
	p.addEvidence(f.evidence, f.hide)
	result := g.result(f.reply, *p, m, ref)
	if m.waiting {
		result.Status = gateway.StatusRequiresAction // on the provider's page
	}
	result.ProviderReference = f.id
	result.State = remember(stateInvoice, f.id, statePayment, string(p.PaymentID))
	return result, nil
}

// isDirect reports whether an invoice's extraInfo, an object or its text, is directMark.
func isDirect(raw json.RawMessage) bool {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		raw = json.RawMessage(s)
	}
	var info struct {
		Payrelay string `json:"payrelay"`
	}
	return json.Unmarshal(raw, &info) == nil && info.Payrelay == "direct"
}

// money checks a sum.
func (f *fields) money(m money.Money) {
	if m.Currency() != currency {
		f.add("currency", "UAPAY takes UAH only")
	}
	if m.Minor() <= 0 {
		f.add("amount", "must be more than zero")
	}
}

// orderID checks an order's id, which is payrelay's own, so a bad one is nobody's fault outside.
func (f *fields) orderID(id string) {
	if fit(id, idShape) == "" {
		f.add("provider_order_id", "must be 1 to 64 letters, digits, dots, colons, bars and underscores")
	}
}

// clean removes control characters. Only valid UTF-8 is left.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	return strings.TrimSpace(s)
}
