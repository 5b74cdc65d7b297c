package smartcore

import (
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/kit"
	"payrelay/internal/money"
)

// largestCallback is how long a callback's body may be, in bytes (smartcore.md R1).
const largestCallback = 64 << 10

// ReadCallback implements gateway.Gateway by the rules of smartcore.md 11.4. A body that breaks one of smartcore.md R1
// to R6 is KindRejected, and one that breaks smartcore.md R7, the signature, is KindInvalidSignature; the code is the rule's name.
// A callback that is signed but fails one of smartcore.md C1 to C5 or C7 has its VerifyReason set, and of what it says nothing but
// the order and kind.
func (g *Gateway) ReadCallback(raw gateway.RawCallback) (gateway.Notification, error) {
	pairs, sign, rule := parseCallback(raw)
	if rule != "" {
		return gateway.Notification{}, &gateway.Error{Kind: gateway.KindRejected, Op: "callback", Code: rule}
	}
	signature, ok := genuine(g.callbackSecret, pairs, sign)
	if !ok {
		return gateway.Notification{}, &gateway.Error{Kind: gateway.KindInvalidSignature, Op: "callback", Code: "R7"}
	}
	values := make(callback, len(pairs))
	for _, p := range pairs {
		values[p.key] = p.value
	}
	// The signature itself stands for the content: it knows no order of the pairs, no escapes, and no names
	// (smartcore.md 11.5). What differs from a genuine callback in these alone is that callback again.
	n := gateway.Notification{Fingerprint: signature, VerifyReason: verifyReason(pairs, values)}
	if id := values["orderId"]; !absent(id) && callbackFields["orderId"].ok(id) {
		n.OrderID = id
	}
	n.Rule, _, _ = strings.Cut(n.VerifyReason, " ")
	n.Result = values.result(g.secrets, n.VerifyReason == "")
	if n.VerifyReason == "" {
		n.Statuses = values.statuses()
	}
	if absent(values["finalAmount"]) && n.Result.Status == gateway.StatusSucceeded {
		// The signature covers values and not their names (smartcore.md 11.5). The one known second reading that passes every
		// rule, smartcore.md F09, moves the values by one place and is left without the sum that was settled.
		n.Weak, n.Rule = "success without finalAmount", "no_final_amount"
	}
	return n, nil
}

// parseCallback reads a body by smartcore.md R1 to R6, and nothing of what it means. rule is the one that failed: a rule is
// held against the whole body before the next.
func parseCallback(raw gateway.RawCallback) (pairs []pair, sign, rule string) {
	if !isForm(raw) {
		return nil, "", "R1"
	}
	if pairs, rule = decodePairs(string(raw.Body)); rule != "" {
		return nil, "", rule
	}
	if slices.ContainsFunc(pairs, func(p pair) bool { return !callbackKey(p.key) }) {
		return nil, "", "R4"
	}
	seen := make(map[string]bool, len(pairs))
	for _, p := range pairs {
		if seen[p.key] {
			return nil, "", "R5"
		}
		seen[p.key] = true
	}
	i := slices.IndexFunc(pairs, func(p pair) bool { return p.key == "sign" })
	if i < 0 || !hex64.MatchString(pairs[i].value) {
		return nil, "", "R6"
	}
	sign = pairs[i].value
	return slices.Delete(pairs, i, i+1), sign, ""
}

// isForm reports whether a request is a form of an acceptable size (smartcore.md R1).
func isForm(raw gateway.RawCallback) bool {
	media, params, err := mime.ParseMediaType(raw.ContentType)
	charset := params["charset"]
	return err == nil && raw.Method == http.MethodPost && media == "application/x-www-form-urlencoded" &&
		(charset == "" || strings.EqualFold(charset, "utf-8")) && len(raw.Body) <= largestCallback
}

// decodePairs splits a form and decodes it exactly once (smartcore.md R2, R3). The query string is not read.
func decodePairs(body string) (pairs []pair, rule string) {
	parts := strings.Split(body, "&")
	if slices.ContainsFunc(parts, func(part string) bool { return strings.IndexByte(part, '=') <= 0 }) {
		return nil, "R2"
	}
	for _, part := range parts {
		name, text, _ := strings.Cut(part, "=")
		key, err1 := url.QueryUnescape(name)
		value, err2 := url.QueryUnescape(text)
		if err1 != nil || err2 != nil || !utf8.ValidString(key) || !utf8.ValidString(value) {
			return nil, "R3"
		}
		pairs = append(pairs, pair{key, value})
	}
	return pairs, ""
}

var (
	// plainKey is the key of everything but a member of cascadeErrors.
	plainKey = regexp.MustCompile(`\A[A-Za-z_][A-Za-z0-9_]{0,63}\z`)
	// cascadeMember is the key of a member of cascadeErrors, as a form encoder that knows of structures writes it.
	cascadeMember = regexp.MustCompile(`\AcascadeErrors(?:\[[A-Za-z0-9_]{0,64}\]){1,8}\z`)
	// hex64 is the form of a signature.
	hex64 = regexp.MustCompile(`\A[0-9a-fA-F]{64}\z`)
)

// callbackKey reports whether a key is an ASCII word, or a member of cascadeErrors (smartcore.md 11.4, R4).
func callbackKey(key string) bool { return plainKey.MatchString(key) || cascadeMember.MatchString(key) }

// field is the form of a documented key's value (smartcore.md C3, C4).
type field struct {
	core  bool // always sent
	empty bool // may say that there is no value
	shape *regexp.Regexp
}

func (f field) ok(value string) bool {
	if f.empty && absent(value) {
		return true
	}
	return f.shape == nil || f.shape.MatchString(value)
}

func shape(expr string) *regexp.Regexp { return regexp.MustCompile(`^(?:` + expr + `)$`) }

// callbackFields are the 21 documented keys (smartcore.md 11.1).
var callbackFields = map[string]field{
	"amount":               {core: true, shape: shape(`0|[1-9][0-9]{0,17}`)},
	"authorize_status":     {core: true},
	"card_exp_month":       {empty: true, shape: shape(`[0-9]{2}`)},
	"card_exp_year":        {empty: true, shape: shape(`[0-9]{2}`)},
	"card_holder":          {},
	"card_number":          {empty: true, shape: maskedShape},
	"cascadeErrors":        {core: true, empty: true, shape: shape(`(?s)\[.*`)},
	"currency":             {core: true, shape: shape(`[A-Z]{3}`)},
	"eci":                  {core: true, empty: true, shape: eciShape},
	"errorCategory":        {empty: true, shape: shape(`[A-Z0-9_]{1,80}|3DS Redirect Timeout`)},
	"finalAmount":          {core: true, empty: true, shape: shape(`0|[1-9][0-9]{0,17}`)},
	"firstName":            {core: true},
	"isTrustedTransaction": {core: true, empty: true, shape: shape(`true|false`)},
	"lastName":             {core: true},
	"message":              {core: true},
	"orderId":              {core: true, shape: shape(`[!-~]{1,128}`)},
	"paymentPhoneNumber":   {empty: true, shape: shape(`\+?[0-9]{1,20}`)},
	"paymentPhoneOperator": {},
	"rrn":                  {core: true, empty: true, shape: rrnField},
	"status":               {core: true, shape: shape(`-1|0|1|2`)},
	"type":                 {core: true, shape: shape(`[A-Z][A-Za-z]{0,39}`)},
}

var coreKeys = func() []string {
	var keys []string
	for key, f := range callbackFields {
		if f.core {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}()

// verifyReason says which of smartcore.md C1 to C5 and C7 keeps a signed callback from being believed as it reads, or "". The
// signature covers values and not their names (smartcore.md 11.5), so a reading must fit exactly. pairs are in the
// order of their keys.
func verifyReason(pairs []pair, values callback) string {
	for _, p := range pairs {
		if strings.Contains(p.value, "|") {
			return "C1 a value contains the separator"
		}
	}
	for _, p := range pairs {
		if _, ok := callbackFields[p.key]; !ok {
			return "C2 an undocumented key"
		}
	}
	for _, key := range coreKeys {
		if _, ok := values[key]; !ok {
			return "C3 without " + key
		}
	}
	for _, p := range pairs {
		if !callbackFields[p.key].ok(p.value) || p.key == "orderId" && absent(p.value) {
			return "C4 " + p.key + " does not fit"
		}
	}
	return values.contradiction()
}

// callback is a verified callback's fields.
type callback map[string]string

// contradiction says which of smartcore.md C5 and C7 a success breaks, or "".
func (c callback) contradiction() string {
	switch {
	case c["status"] != "2":
		return ""
	case !absent(c["errorCategory"]):
		return "C5 a success with an error"
	case c["finalAmount"] == "0" && c["amount"] != "0": // a kept card has no sum (smartcore.md 14.7)
		return "C7 a success of nothing"
	}
	return ""
}

// number returns a field that holds an integer.
func (c callback) number(key string) number {
	v, err := strconv.ParseInt(c[key], 10, 64)
	return number{kit.Number{Value: v, Set: err == nil}}
}

// providerDataKeys are the fields that may be stored. Names, holders, phones and free text may not.
var providerDataKeys = []string{"status", "type", "amount", "finalAmount", "currency", "eci", "rrn", "isTrustedTransaction", "errorCategory", "card_number"}

// result translates the callback. One that needs verification keeps its kind, which tells a refund's callback from its payment's, and
// provider data of fields that have the documented shape.
func (c callback) result(hide kit.Redactor, believed bool) gateway.Result {
	r := gateway.Result{Kind: kindOf(c["type"]), ProviderData: gateway.ProviderData{}}
	for _, key := range providerDataKeys {
		if value := c[key]; !absent(value) && callbackFields[key].ok(value) {
			r.ProviderData[key] = hide.Text(value)
			if key == "rrn" {
				r.ProviderData[key] = keptRRN(value, hide)
			}
		}
	}
	if !believed {
		return r
	}
	status, amount := c.number("status"), c.number("amount")
	r.Status = statusOf(status.Value, gateway.OpSale, false)
	if status.Is(statusWaiting) {
		r.Status = "" // the form is known or lost already; the check tells
	}
	r.Amount = amount.Pointer()
	r.Settled = settled(status, c.number("finalAmount"))
	r.BankReferences = bankReferences(c["rrn"], hide)
	if currency := money.Currency(c["currency"]); currency.Valid() {
		r.Currency = currency
	}
	if r.Status == gateway.StatusFailed {
		code := c["errorCategory"]
		if absent(code) {
			code = ""
		}
		routes := parseCascade(c["cascadeErrors"])
		r.Failure = failureOf(code, routes, hide)
	}
	number := cardAnswer{Number: text(c["card_number"])}
	if r.PaymentMethod = number.masked(); r.PaymentMethod == nil && !absent(c["paymentPhoneNumber"]) {
		phone := c["paymentPhoneNumber"]
		r.PaymentMethod = &gateway.MaskedMethod{Type: "mobile", Masked: "***" + phone[max(0, len(phone)-4):]}
	}
	return r
}

// statuses are the meanings of the status for orders that are not plain sales (smartcore.md 14.4).
func (c callback) statuses() map[gateway.Operation]gateway.Status {
	if kindOf(c["type"]) == gateway.KindRefund || kindOf(c["type"]) == gateway.KindPayout {
		return nil
	}
	status := c.number("status")
	if status.Is(statusWaiting) {
		return nil
	}
	held := !absent(c["authorize_status"])
	out := map[gateway.Operation]gateway.Status{}
	for _, op := range []gateway.Operation{gateway.OpAuthorize, gateway.OpCapture, gateway.OpCancel} {
		out[op] = statusOf(status.Value, op, held)
	}
	if status.Is(statusSuccess) {
		// A check shows how the order stands, and then this word proves nothing. A callback tells that there was money: the hold,
		// whose own callback may come late, or more than it. By its RRN and sum payment tells them apart.
		out[gateway.OpCancel] = gateway.StatusAuthorized
	}
	return out
}
