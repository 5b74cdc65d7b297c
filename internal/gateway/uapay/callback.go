package uapay

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/kit"
)

// largestCallback is how long a callback's body may be, in bytes. The documented sample has under 1,000.
const largestCallback = 64 << 10

// Ages of a callback by its iat, if it has one, beyond which it needs verification. The provider tries for 27 hours and five
// minutes in all (uapay.md 10), and allows clocks to differ by 20 seconds (uapay.md 4.3). That a retry keeps its first
// iat is inferred, and so is that iat means the same as in requests.
const (
	oldestCallback = 48 * time.Hour
	newestCallback = 20 * time.Second
)

// ReadCallback implements gateway.Gateway (uapay.md 10). The body must be an object with a token and nothing else, or it
// is KindRejected; the token must be signed by HS256 with our key, or it is KindInvalidSignature. A callback that is signed but
// incomplete, or that says what a callback cannot settle, has its VerifyReason set and says nothing about money.
func (g *Gateway) ReadCallback(raw gateway.RawCallback) (gateway.Notification, error) {
	reject := func(kind gateway.ErrorKind, code string) (gateway.Notification, error) {
		return gateway.Notification{}, &gateway.Error{Kind: kind, Op: "callback", Code: code}
	}
	token, ok := callbackToken(raw)
	if !ok {
		return reject(gateway.KindRejected, "malformed_body")
	}
	data, err := openToken(g.key, token)
	switch {
	case errors.Is(err, errMalformed):
		return reject(gateway.KindRejected, "malformed_token")
	case errors.Is(err, errAlgorithm):
		return reject(gateway.KindInvalidSignature, "bad_algorithm")
	case err != nil:
		return reject(gateway.KindInvalidSignature, "bad_signature")
	}
	var c claims
	if !bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) || json.Unmarshal(data, &c) != nil {
		return reject(gateway.KindRejected, "malformed_claims")
	}
	received := raw.ReceivedAt
	if received.IsZero() {
		received = g.now()
	}
	n := c.notification(received, g.secrets)
	// Decoded, a signature that holds can be written in one way only; around it, and in it, a body may have blanks and escapes.
	n.Fingerprint, _ = encoding.DecodeString(token[strings.LastIndexByte(token, '.')+1:])
	return n, nil
}

// callbackToken reads a body strictly: one object, one member, called token, a string.
func callbackToken(raw gateway.RawCallback) (string, bool) {
	if raw.Method != http.MethodPost || len(raw.Body) > largestCallback {
		return "", false
	}
	d := json.NewDecoder(bytes.NewReader(raw.Body))
	next := func() json.Token {
		t, err := d.Token()
		if err != nil {
			return nil
		}
		return t
	}
	if next() != json.Delim('{') || next() != "token" {
		return "", false
	}
	token, ok := next().(string)
	if !ok || next() != json.Delim('}') {
		return "", false
	}
	_, err := d.Token()
	return token, errors.Is(err, io.EOF)
}

// claims is what a callback says, and how the orders API of 2017 said it.
type claims struct {
	answer
	OrderID  text            `json:"orderId"`
	IssuedAt json.RawMessage `json:"iat"`
}

// notification translates verified claims.
func (c claims) notification(received time.Time, hide kit.Redactor) gateway.Notification {
	if c.PaymentID == "" {
		c.PaymentID = c.ID
	}
	if c.InvoiceID == "" {
		c.InvoiceID = c.OrderID
	}
	n := gateway.Notification{OrderID: kit.Fit(c.ExternalID, kit.IDShape), Result: gateway.Result{ProviderData: gateway.ProviderData{}}}
	c.addProviderData(n.Result.ProviderData, hide)
	if c.SystemType == "ECOM" {
		n.Result.Kind = gateway.KindPayment
	}
	invoiceID, paymentID := kit.Fit(c.InvoiceID, kit.IDShape), kit.Fit(c.PaymentID, kit.IDShape)
	m := shownState(c.answer).meaning(gateway.OpSale)
	if n.VerifyReason = c.verifyReason(m, invoiceID, paymentID, received); n.VerifyReason != "" {
		n.Rule = ruleOf(n.VerifyReason)
		return n
	}
	n.Result.Status, n.Result.Amount, n.Result.PaymentMethod = m.status, c.Amount.Pointer(), masked(c.CardFromMasked)
	n.Result.ProviderReference, n.Result.BankReferences = invoiceID, []string{paymentID}
	n.Result.State = saved(stateInvoice, invoiceID)
	if m.reported() || shownState(c.answer).meaning(gateway.OpAuthorize).reported() {
		n.Result.State = saved(stateInvoice, invoiceID, statePayment, paymentID)
	}
	if m.status == gateway.StatusFailed {
		n.Result.Failure = rejected()
	}
	n.Statuses = map[gateway.Operation]gateway.Status{}
	for _, op := range []gateway.Operation{gateway.OpAuthorize, gateway.OpCapture, gateway.OpCancel} {
		n.Statuses[op] = shownState(c.answer).meaning(op).status
	}
	return n
}

// verifyReason says why a genuine callback must be settled by asking the provider, or "".
func (c claims) verifyReason(m meaning, invoiceID, paymentID string, received time.Time) string {
	switch {
	case kit.Fit(c.ExternalID, kit.IDShape) == "":
		return "without an order"
	case invoiceID == "" || paymentID == "":
		return "without an invoice or payment"
	case !c.Amount.Set || c.Amount.Value <= 0:
		return "without an amount"
	case c.PaymentStatus == "":
		return "without the payment system's status"
	case otherCurrency(c.Currency):
		return "in another currency"
	case m.status == "":
		return "an unlisted status"
	case c.age(received) != "":
		return c.age(received)
	case c.SystemType != "" && c.SystemType != "ECOM":
		return "not about an invoice's payment" // a transfer's callbacks are not documented
	case c.Type == "SUBSCRIBE":
		return subscription
	case m.reversed:
		return wentBack
	case m.waiting:
		return payersTurn
	}
	return ""
}

// askedAnyway are the reasons that say nothing against a callback: what it tells is for the provider to settle by its nature.
var askedAnyway = []string{subscription, wentBack, payersTurn}

// The reasons of askedAnyway.
const (
	subscription = "later charges of a subscription carry the same order"
	wentBack     = "the money went back"
	payersTurn   = "it is the payer's turn"
)

// ruleOf names a reason for counting. What payrelay asks as a matter of course begins with asked.
func ruleOf(verifyReason string) string {
	rule := strings.ReplaceAll(strings.ReplaceAll(verifyReason, " ", "_"), "'", "")
	if slices.Contains(askedAnyway, verifyReason) {
		return "asked_" + rule
	}
	return rule
}

// age says what is wrong with the time of a callback, or "". None is documented.
func (c claims) age(received time.Time) string {
	if len(c.IssuedAt) == 0 || string(c.IssuedAt) == "null" {
		return ""
	}
	var seconds json.Number
	if json.Unmarshal([]byte(strings.Trim(string(c.IssuedAt), `"`)), &seconds) != nil {
		return "an unreadable time"
	}
	f, err := seconds.Float64() // one client of the provider is known to send fractions
	if err != nil || f < 0 || f > 1e11 {
		return "an unreadable time"
	}
	switch issued := time.Unix(int64(f), 0); {
	case issued.After(received.Add(newestCallback)):
		return "from the future"
	case issued.Before(received.Add(-oldestCallback)):
		return "older than any retry"
	}
	return ""
}
