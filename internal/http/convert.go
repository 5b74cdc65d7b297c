package httpapi

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"payrelay/internal/card"
	"payrelay/internal/gateway"
	"payrelay/internal/http/internal/oapi"
	"payrelay/internal/http/internal/typed"
	"payrelay/internal/money"
	"payrelay/internal/payment"
)

// RenderOrder returns an order as the API shows it. Every member is always there, null where it is empty.
func RenderOrder(o *payment.Order) oapi.Order {
	out := oapi.Order{
		Id: o.ID, Object: "order", Kind: oapi.Kind(o.Kind), Reference: o.Reference,
		Status: oapi.Status(o.Status), StatusReason: nullable(o.StatusReason),
		AmountAuthorized: o.Authorized, AmountCaptured: o.Captured, AmountRefunded: o.Refunded, AmountDisputed: o.Disputed,
		Capture: "automatic", Flow: nullable(string(o.Flow)),
		Provider: o.Provider, Account: o.AccountName, ProviderOrderId: o.ProviderOrderID, ProviderReference: nullable(o.ProviderReference),
		ParentId: o.ParentID, SupersededBy: o.SupersededBy, Origin: origin(o), Recurring: o.Recurring, Description: nullable(o.Description), Metadata: o.Metadata,
		Sequence: o.Sequence, CreatedAt: o.CreatedAt.UTC(), UpdatedAt: o.UpdatedAt.UTC(), FinalizedAt: utc(o.FinalizedAt), NextCheckAt: utc(o.NextPollAt), Erased: o.Erased,
	}
	if c := o.Amount.Currency(); c != "" {
		minor := o.Amount.Minor()
		out.Amount, out.Currency = &minor, nullable(string(c))
	}
	if o.Manual {
		out.Capture = "manual"
	}
	if out.Metadata == nil {
		out.Metadata = map[string]string{}
	}
	if a := o.NextAction; a != nil {
		out.NextAction = &oapi.NextAction{Type: string(a.Type), Url: nullable(a.URL), AttemptsLeft: a.AttemptsLeft}
		if a.Fields != nil {
			out.NextAction.Fields = &a.Fields
		}
	}
	if m := o.PaymentMethod; m != nil {
		out.PaymentMethod = &oapi.PaymentMethod{Type: m.Type, Masked: nullable(m.Masked), Bin: nullable(m.BIN), Brand: nullable(m.Brand), Country: nullable(m.Country)}
	}
	if f := o.Failure; f != nil {
		out.Failure = renderFailure(f)
	}
	return out
}

// origin is how an order came into being.
func origin(o *payment.Order) string {
	switch {
	case o.Late():
		return "late_success"
	case o.ProviderCharged():
		return "provider_schedule"
	case o.Imported():
		return "imported"
	}
	if _, due := o.Due(); due {
		return "schedule"
	}
	return "request"
}

func renderFailure(f *gateway.Failure) *oapi.Failure {
	out := &oapi.Failure{Category: string(f.Category), Code: f.Code, Message: f.Message, Advice: string(f.Advice)}
	out.Cascade = make([]oapi.CascadeStep, len(f.Cascade))
	for i, c := range f.Cascade {
		out.Cascade[i].Code, out.Cascade[i].Priority = c.Code, c.Priority
	}
	return out
}

// RenderNotification returns the type and the exact bytes of the notification about a transition, whose order is as it
// was at that transition. The type begins with the order's kind: a shop that ships on payment.succeeded must not ship on its own
// refund. The fields of a form are left out: notifications rest as they are sent, and a bank's form holds
// the card number, compressed (3-D Secure's PaReq). The order itself has them, and rests encrypted.
func RenderNotification(o *payment.Order, t payment.Transition, id uuid.UUID) (string, []byte, error) {
	n := notificationOf(o, t, id)
	payload, err := encodeNotification(n)
	return n.Type, payload, err
}

// renderRemoved makes a notification of the feed whose payload was removed, with the order as it stands now.
func renderRemoved(item payment.FeedItem) ([]byte, error) {
	n := notificationOf(item.Order, item.Transition, item.ID)
	isCopy := true
	n.RenderedAgain = &isCopy
	return encodeNotification(n)
}

func notificationOf(o *payment.Order, t payment.Transition, id uuid.UUID) oapi.Notification {
	typ := string(o.Kind) + "." + string(t.To)
	switch {
	case o.Kind == gateway.KindPayment && o.Imported() && t.From == payment.StatusCreated: // it was paid long ago: whoever acts on succeeded must not
		typ = string(o.Kind) + ".imported"
	case t.From == t.To && t.To == payment.StatusSucceeded: // money came back: whoever acts on succeeded must not act twice
		typ = string(o.Kind) + ".returned"
	case t.From == t.To:
		typ = string(o.Kind) + ".late_success"
	}
	order := RenderOrder(o)
	if order.NextAction != nil {
		order.NextAction.Fields = nil
	}
	n := oapi.Notification{Id: id, Type: typ, CreatedAt: t.At.UTC(), Sequence: t.Sequence, Order: order}
	if t.Dispute != nil {
		d := RenderDispute(t.Dispute.After)
		n.Type, n.Dispute = disputeEvent(t.Dispute), &d
	}
	return n
}

func encodeNotification(n oapi.Notification) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	err := e.Encode(n)
	return bytes.TrimRight(out.Bytes(), "\n"), err
}

func renderTransition(t payment.Transition, notified []payment.Notified) oapi.Transition {
	providerData := map[string]string(t.ProviderData)
	if providerData == nil {
		providerData = map[string]string{}
	}
	return oapi.Transition{
		Sequence: t.Sequence, From: nullable(string(t.From)), To: oapi.Status(t.To), Cause: string(t.Source), Evidence: providerData, At: t.At.UTC(),
		Notification: renderNotified(notified, t.Sequence),
	}
}

// renderNotified returns where the notification about a transition stands, nil if there is none.
func renderNotified(all []payment.Notified, sequence int) *oapi.TransitionNotification {
	i := slices.IndexFunc(all, func(n payment.Notified) bool { return n.Sequence == sequence })
	if i < 0 {
		return nil
	}
	n := all[i]
	out := &oapi.TransitionNotification{
		Id: n.ID, State: string(n.State), Url: nullable(n.URL), Attempts: n.Attempts,
		NextAttemptAt: utc(n.NextAttemptAt), DeliveredAt: utc(n.DeliveredAt),
	}
	if n.Last != nil {
		out.LastAttempt = &oapi.DeliveryAttempt{At: n.Last.At.UTC(), Result: cmp.Or(n.Last.Error, "delivered")}
		if n.Last.HTTPStatus != 0 {
			out.LastAttempt.HttpStatus = &n.Last.HTTPStatus
		}
	}
	return out
}

func renderTransactionReport(st *payment.TransactionReport) oapi.TransactionReport {
	return oapi.TransactionReport{
		Id: st.ID, Object: "statement", Account: st.AccountName, Type: string(st.Type), Status: string(st.Status), From: st.From.UTC(), To: st.To.UTC(),
		State: string(st.State), Failure: nullable(st.Failure), Rows: st.Rows, CreatedAt: st.CreatedAt.UTC(), UpdatedAt: st.UpdatedAt.UTC(),
	}
}

// newTransactionReport reads a request for a transaction report. With an error comes what could be read.
func newTransactionReport(ctx context.Context, b *oapi.TransactionReportRequest) (payment.NewTransactionReport, error) {
	var bad problems
	if !b.From.IsZero() && !b.To.IsZero() && !b.From.Before(b.To) {
		bad.add("to", "must be later than from")
	}
	return payment.NewTransactionReport{
		Shop: shopID(ctx), Account: b.Account, Type: gateway.Kind(b.Type), Status: gateway.Status(b.Status), From: b.From, To: b.To,
	}, bad.err()
}

// problems gathers everything that is wrong with a request beyond the contract's own rules.
type problems []gateway.FieldError

func (p *problems) add(field, message string) {
	*p = append(*p, gateway.FieldError{Field: field, Message: message})
}

// require complains about a member that the type of a method needs and that was not given.
func (p *problems) require(field string, given bool) {
	if !given {
		p.add(field, "is required for this type")
	}
}

// Error implements error.
func (problems) Error() string { return "the request is not valid" }

func (p problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return &payment.Error{Code: payment.CodeInvalid, Message: notValid, Fields: p}
}

// newPayment reads a payment request. With an error comes what could be read.
func newPayment(ctx context.Context, b *oapi.PaymentRequest) (payment.NewPayment, error) {
	var bad problems
	urls, fields := returnsOf(ctx, b.ReturnUrls)
	fields["notification_url"], fields["site_url"] = b.NotificationUrl, b.SiteUrl
	bad = append(bad, badURLs(ctx, fields)...)
	standard := principal(ctx).Shop.Defaults
	b.SiteUrl, b.Flow = orDefault(b.SiteUrl, standard.SiteURL), orDefault(b.Flow, standard.Flow)
	badMetadata(b.Metadata, &bad)
	badReference(b.Reference, &bad)
	in := payment.NewPayment{
		Shop: shopID(ctx), Reference: b.Reference, Amount: amount(b.Amount, b.Currency, &bad), Account: valueOf(b.Account),
		Flow: gateway.Flow(valueOf(b.Flow)), Manual: valueOf(b.Capture) == oapi.PaymentRequestCaptureManual,
		Customer: customer(b.Customer, &bad), Browser: browser(b.Browser), Description: valueOf(b.Description), SiteURL: valueOf(b.SiteUrl),
		Details: details(b.Customer, b.Browser, b.SiteUrl), Metadata: valueOf(b.Metadata), ReturnURLs: urls, NotificationURL: valueOf(b.NotificationUrl), RequestHash: requestHash(ctx),
	}
	if in.Flow == "" {
		in.Flow = gateway.FlowHosted
	}
	in.Method = paymentMethod(in.Flow, b.PaymentMethod, &bad)
	attempts(&in, b, standard.Cascade, &bad)
	if r := b.Recurring; r != nil {
		if !r.Enabled && r.FrequencyDays != nil {
			bad.add("recurring.frequency_days", "belongs to enabled true: leave it out")
		}
		if !r.Enabled && r.ExpiresAt != nil {
			bad.add("recurring.expires_at", "belongs to enabled true: leave it out")
		}
		in.Recurring = gateway.Recurring{Enabled: r.Enabled, FrequencyDays: valueOf(r.FrequencyDays), ExpiresAt: valueOf(r.ExpiresAt)}
	}
	if m := b.Mandate; m != nil {
		if b.Recurring != nil {
			bad.add("recurring", "is the earlier way to say mandate: send one of the two")
		}
		in.MandateNamed, in.Mandate = true, payment.MandateTerms{MaxAmount: valueOf(m.MaxAmount), MaxCharges: valueOf(m.MaxCharges), Schedule: mandateSchedule(m.Schedule)}
		in.Recurring = gateway.Recurring{Enabled: true, FrequencyDays: valueOf(m.MinDays), ExpiresAt: valueOf(m.ExpiresAt)}
	}
	return in, bad.err()
}

// attempts reads whether a payment may go to another account. What could have no effect is refused.
func attempts(in *payment.NewPayment, b *oapi.PaymentRequest, standard string, bad *problems) {
	in.Cascade = payment.Cascade(standard)
	a := b.Attempts
	if a == nil {
		return
	}
	in.NoFailover = a.Failover != nil && !*a.Failover
	if in.Account != "" && valueOf(a.Failover) {
		bad.add("attempts.failover", "cannot be true for an order that names its account: leave one of the two out")
	}
	if a.Cascade == nil {
		return
	}
	in.Cascade = payment.CascadeNone
	if *a.Cascade == oapi.AttemptsCascadeNone {
		return
	}
	in.Cascade = payment.Cascade(*a.Cascade)
	switch {
	case in.Account != "":
		bad.add("attempts.cascade", "cannot be done for an order that names its account: leave one of the two out")
	case in.Flow != gateway.FlowDirect || in.Method.Card == nil || in.Manual:
		bad.add("attempts.cascade", "is for flow direct with a card and capture automatic only: use none, or leave it out")
	}
}

// mandateSchedule is when a mandate is charged unasked, nil for never.
func mandateSchedule(s *oapi.MandateScheduleRequest) *payment.MandateSchedule {
	if s == nil {
		return nil
	}
	return &payment.MandateSchedule{
		Every: payment.ScheduleUnit(s.Every), Interval: max(valueOf(s.Interval), 1), Amount: valueOf(s.Amount), RetryDays: valueOf(s.RetryDays),
	}
}

// details are the facts that a request tells of its customer and site, as they came. Nil if it tells none.
func details(customer *oapi.Customer, browser *oapi.Browser, site *string) []byte {
	if customer == nil && browser == nil && site == nil {
		return nil
	}
	text, _ := json.Marshal(struct { // texts, numbers and truth values
		Customer *oapi.Customer `json:"customer,omitempty"`
		Browser  *oapi.Browser  `json:"browser,omitempty"`
		SiteURL  *string        `json:"site_url,omitempty"`
	}{customer, browser, site})
	return text
}

func amount(minor int64, currency string, bad *problems) money.Money {
	c, err := money.ParseCurrency(currency)
	if err != nil {
		bad.add("currency", err.Error())
		return money.Money{}
	}
	return money.New(minor, c)
}

// paymentMethod reads how the customer pays; what fits depends on the flow.
func paymentMethod(flow gateway.Flow, m *oapi.PaymentMethodInput, bad *problems) (out gateway.PaymentMethod) {
	if !methodFits(flow, m, bad) || m == nil || m.Type == "" { // a missing type breaks the contract, which complains
		return out
	}
	misplaced("payment_method", string(m.Type), map[string]bool{
		"card": m.Card != nil, "token": m.Token != nil, "network": m.Network != nil, "card_id": m.CardId != nil, "cvc": m.Cvc != nil, "phone": m.Phone != nil,
	}, paymentMembers[m.Type], bad)
	switch m.Type {
	case oapi.PaymentMethodInputTypeCard:
		if bad.require("payment_method.card", m.Card != nil); m.Card == nil {
			m.Card = &oapi.Card{}
		}
		out.Card = cardOf("payment_method.card", m.Card, bad)
	case oapi.PaymentMethodInputTypeApplePay:
		out.ApplePay = wallet(m, bad)
	case oapi.PaymentMethodInputTypeGooglePay:
		out.GooglePay = wallet(m, bad)
	case oapi.PaymentMethodInputTypeStoredCard:
		bad.require("payment_method.card_id", m.CardId != nil)
		out.StoredCard = &gateway.StoredCard{ID: valueOf(m.CardId), CVC: cvcOf("payment_method.cvc", m.Cvc, bad)}
	case oapi.PaymentMethodInputTypeMobile:
		bad.require("payment_method.phone", m.Phone != nil)
		out.Mobile = &gateway.Mobile{Phone: phone("payment_method.phone", m.Phone, bad)}
	}
	return out
}

// methodFits complains about a payment method that the flow cannot use, or needs and does not have.
func methodFits(flow gateway.Flow, m *oapi.PaymentMethodInput, bad *problems) bool {
	switch {
	case m == nil && flow == gateway.FlowDirect:
		bad.add("payment_method", "is required with flow direct: type card with a card (number, exp_month, exp_year, cvc, holder), apple_pay or google_pay with a token and network, or stored_card with a card_id")
	case m == nil:
		return true
	case flow == gateway.FlowHosted && m.Type != oapi.PaymentMethodInputTypeMobile:
		bad.add("payment_method", "must be left out, or be of type mobile, with flow hosted: the customer types the card into the provider's form. A card from a form of your own needs flow direct")
	case flow == gateway.FlowDirect && m.Type == oapi.PaymentMethodInputTypeMobile:
		bad.add("payment_method.type", "mobile goes with flow hosted")
	default:
		return true
	}
	return false
}

func wallet(m *oapi.PaymentMethodInput, bad *problems) *gateway.Wallet {
	bad.require("payment_method.token", m.Token != nil)
	return &gateway.Wallet{Token: valueOf(m.Token), Network: valueOf(m.Network)}
}

// badReference complains about a reference that belongs to payrelay.
func badReference(reference string, bad *problems) {
	if payment.ReservedReference(reference) {
		bad.add("reference", "must not end with "+payment.LateSuffix+", nor with that and a digit, nor with "+payment.ProviderChargeMark+" and 16 hexadecimal digits, nor with "+payment.DueMark+" and two numbers: so do those of orders that payrelay makes for money that came late, or by a schedule")
	}
}

// badMetadata judges what the contract's language has no words for.
func badMetadata(m *oapi.Metadata, bad *problems) {
	for name := range valueOf(m) {
		if name == "" || utf8.RuneCountInString(name) > 64 {
			bad.add("metadata", "must have keys of 1 to 64 characters")
			return
		}
	}
}

// misplaced complains about members that were given and do not belong to the type: they would be ignored.
func misplaced(at, kind string, given map[string]bool, belong []string, bad *problems) {
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if given[name] && !slices.Contains(belong, name) {
			bad.add(at+"."+name, "does not belong to type "+kind)
		}
	}
}

// paymentMembers are the members of each type of payment method.
var paymentMembers = map[oapi.PaymentMethodInputType][]string{
	oapi.PaymentMethodInputTypeCard:       {"card"},
	oapi.PaymentMethodInputTypeApplePay:   {"token", "network"},
	oapi.PaymentMethodInputTypeGooglePay:  {"token", "network"},
	oapi.PaymentMethodInputTypeStoredCard: {"card_id", "cvc"},
	oapi.PaymentMethodInputTypeMobile:     {"phone"},
}

func cardOf(at string, c *oapi.Card, bad *problems) *card.Card {
	if err := c.Number.Err; err != nil {
		bad.add(at+".number", "is "+err.Error())
	}
	out := &card.Card{Number: c.Number.PAN, Expiry: card.Expiry{Month: valueOf(c.ExpMonth), Year: valueOf(c.ExpYear)}, CVC: cvcOf(at+".cvc", c.Cvc, bad), Holder: valueOf(c.Holder)}
	if c.ExpMonth == nil && c.ExpYear != nil {
		bad.add(at+".exp_month", "is required beside exp_year")
	}
	if c.ExpYear == nil && c.ExpMonth != nil {
		bad.add(at+".exp_year", "is required beside exp_month")
	}
	return out
}

func cvcOf(at string, c *typed.CVC, bad *problems) card.CVC {
	if c == nil {
		return card.CVC{}
	}
	if c.Err != nil {
		bad.add(at, "is "+c.Err.Error())
	}
	return c.CVC
}

func browser(b *oapi.Browser) *gateway.Browser {
	if b == nil {
		return nil
	}
	return &gateway.Browser{
		AcceptHeader: valueOf(b.AcceptHeader), UserAgent: valueOf(b.UserAgent), Language: valueOf(b.Language), JavaEnabled: b.JavaEnabled, JavaScriptEnabled: b.JavascriptEnabled,
		ColorDepth: b.ColorDepth, ScreenHeight: b.ScreenHeight, ScreenWidth: b.ScreenWidth, TimeZoneOffset: b.TimeZoneOffset,
	}
}

func returnURLs(u *oapi.ReturnURLs) (gateway.ReturnURLs, map[string]*string) {
	if u == nil {
		return gateway.ReturnURLs{}, map[string]*string{}
	}
	return gateway.ReturnURLs{Success: valueOf(u.Success), Fail: valueOf(u.Fail), Status: valueOf(u.Status)},
		map[string]*string{"return_urls.success": u.Success, "return_urls.fail": u.Fail, "return_urls.status": u.Status}
}

func nullable(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func valueOf[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}
