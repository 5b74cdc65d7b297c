package uapay

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/kit"
)

// The codes of errors that are known (uapay.md 3.3).
const (
	codeTime   = "TIMELIMIT_ERROR"
	codeFormat = "FORMAT_ERROR"
)

var errClock = errors.New("the provider's clock and ours differ by more than 20 seconds: synchronise this machine's clock")

// failure makes an error of an error object. What it proves depends on the code, on whether the call itself moves money,
// and on whether the server was working at all.
func (r reply) failure(e endpoint, f fault, status int, broken bool) *gateway.Error {
	code, paths := r.explain(f)
	out := r.err(gateway.KindUnknown, e, code)
	if !broken {
		classify(out, e, code, paths, status)
	}
	for i, f := range out.Fields {
		if name, ok := transferNames[f.Field]; ok && e.op == p2pCreate.op {
			out.Fields[i].Field = name
		}
	}
	return out
}

// explain reads the code of an error object and the members that it names. What it says is kept in the provider data.
func (r reply) explain(f fault) (code string, paths []fieldFault) {
	code = kit.Fit(f.Code, codeShape)
	if code == "" || longDigits.MatchString(code) {
		code = "unreadable_code"
	}
	code = r.hide.Text(code)
	r.providerData["error_code"] = code
	if message := r.message(f.Message); message != "" {
		r.providerData["error_message"] = message
	}
	paths = f.paths()
	if len(paths) == 0 && absent(code) {
		paths = acknowledged(r.providerData["error_message"])
	}
	for _, p := range paths {
		r.providerData["error_field"] = r.hide.Text(p.path + " " + p.code) // the last one tells enough
	}
	return code, paths
}

// classify says what an error of a server that was working proves. It leaves out as unknown if the error proves nothing.
func classify(out *gateway.Error, e endpoint, code string, paths []fieldFault, status int) {
	switch {
	case code == codeTime:
		out.Kind, out.Code, out.Err = gateway.KindDeclined, gateway.CodeClock, errClock
	case e.op == sessionsCreate.op: // it holds nothing but the client's id, signed
		out.Kind, out.Err = gateway.KindCredentials, kit.ErrCredentials
	case sessionLost(code, paths):
		out.Kind, out.Err = gateway.KindCredentials, errSession
	case code == codeFormat:
		out.Kind, out.Fields = gateway.KindDeclined, fieldErrors(paths)
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		out.Kind, out.Err = gateway.KindCredentials, kit.ErrCredentials
	case e.harmless, e.declines != nil && e.declines(code):
		out.Kind, out.Fields = gateway.KindDeclined, fieldErrors(paths)
	}
}

// absent reports whether a code says that something that the call names, such as its card, is not there: a call that cannot
// find what it is about does nothing. The word is inferred.
func absent(code string) bool {
	return strings.Contains(strings.ToUpper(code), "NOT_FOUND") && declineOf(code)
}

// acknowledged is the card that an error's text begins with, if it names one in the provider's own words.
func acknowledged(message string) []fieldFault {
	switch word, _, _ := strings.Cut(message, " "); word {
	case "cardFrom", "cardTo":
		return []fieldFault{{"data." + word + ".id", "NOT_FOUND"}}
	}
	return nil
}

// declineOf reports whether a code says that what was asked for cannot be done as things stand. The list of codes is not
// published (uapay.md 1.1): the words are inferred. A code that may be about the provider's own trouble, or its bank's,
// is none: the money may have moved before that.
func declineOf(code string) bool {
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(strings.ToUpper(code), w) })
	}
	return has("STATE", "STATUS", "AMOUNT", "SUM", "NOT_FOUND", "NOT_ALLOWED", "NOT_ENOUGH", "INSUFFICIENT", "FORBIDDEN", "ALREADY", "INVALID") &&
		!has("UNKNOWN", "INTERNAL", "SERVER", "SYSTEM", "TIMEOUT", "TIME_OUT", "PROCESS", "PENDING", "BANK", "ACQUIR", "EXTERNAL", "GATEWAY")
}

// invalidCredentials is the error of rejected credentials without an error object.
func (r reply) invalidCredentials(e endpoint, code string) *gateway.Error {
	err := r.err(gateway.KindCredentials, e, code)
	err.Err = kit.ErrCredentials
	return err
}

// message returns the provider's free text if it is harmless: words without a digit, and nothing that the call held.
func (r reply) message(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	s = kit.Fit(s, messageShape)
	if s == "" || r.hide.Text(s) != s {
		return ""
	}
	return s
}

// fieldFault is one member that the provider did not accept, by its path in the request.
type fieldFault struct{ path, code string }

// paths lists the members that an error names, sorted.
func (f fault) paths() []fieldFault {
	var out []fieldFault
	var walk func(path string, raw json.RawMessage, depth int)
	walk = func(path string, raw json.RawMessage, depth int) {
		var code string
		if json.Unmarshal(raw, &code) == nil {
			if code = kit.Fit(code, codeShape); code == "" || longDigits.MatchString(code) {
				code = "INVALID"
			}
			out = append(out, fieldFault{strings.TrimPrefix(path, "."), code})
			return
		}
		var members map[string]json.RawMessage
		if depth > 4 || json.Unmarshal(raw, &members) != nil {
			return
		}
		for _, name := range slices.Sorted(maps.Keys(members)) {
			if kit.Fit(name, wordShape) != "" && !longDigits.MatchString(name) && len(out) < 32 {
				walk(path+"."+name, members[name], depth+1)
			}
		}
	}
	walk("", f.Fields, 0)
	return out
}

// sessionLost reports whether an error is about the session. Which code says so is not documented: the words are
// inferred. That nothing was done is not: no call can be carried out without a session.
func sessionLost(code string, paths []fieldFault) bool {
	return strings.Contains(strings.ToUpper(code), "SESSION") ||
		slices.ContainsFunc(paths, func(p fieldFault) bool { return p.path == "params.sessionId" })
}

// merchantNames are the merchant API's names of the provider's members.
var merchantNames = map[string]string{
	"data.amount":                  "amount",
	"params.amount":                "amount",
	"data.currency":                "currency",
	"params.currency":              "currency",
	"data.description":             "description",
	"params.description":           "description",
	"data.email":                   "customer.email",
	"data.notify.email":            "customer.email",
	"data.notify.phone":            "customer.phone",
	"data.redirectUrl":             "return_urls.status",
	"data.recurringInterval":       "recurring.frequency_days",
	"data.expiresAt":               "recurring.expires_at",
	"data.cardFrom.id":             "payment_method.card_id",
	"data.cardFrom.securityCode":   "payment_method.cvc",
	"data.cardFrom.pan":            "from.card.number",
	"data.cardFrom.expiresAt":      "from.card.exp_month",
	"data.cardTo.id":               "to.card_id",
	"data.cardTo.pan":              "to.card.number",
	"data.externalId":              "provider_order_id",
	"params.externalId":            "provider_order_id",
	"data.callbackUrl":             "callback_url",
	"params.callbackUrl":           "callback_url",
	"params.code":                  "code",
	"params.device":                "browser",
	"params.device.ip":             "customer.ip",
	"params.device.acceptHeader":   "browser.accept_header",
	"params.device.userAgent":      "browser.user_agent",
	"params.device.language":       "browser.language",
	"params.device.javaEnabled":    "browser.java_enabled",
	"params.device.colorDepth":     "browser.color_depth",
	"params.device.screenHeight":   "browser.screen_height",
	"params.device.screenWidth":    "browser.screen_width",
	"params.device.windowHeight":   "browser.screen_height",
	"params.device.windowWidth":    "browser.screen_width",
	"params.device.timezoneOffset": "browser.time_zone_offset",
}

// transferNames are the names of a transfer's members that are called otherwise than a payment's.
var transferNames = map[string]string{"payment_method.card_id": "from.card_id", "payment_method.cvc": "from.card.cvc"}

// fieldErrors says in the merchant API's words what the provider did not accept.
func fieldErrors(paths []fieldFault) []gateway.FieldError {
	var out []gateway.FieldError
	for _, p := range paths {
		name, ok := merchantNames[p.path]
		if !ok {
			name = "provider." + p.path
		}
		message := "is not accepted by the provider: " + p.code
		switch p.code {
		case "REQUIRED":
			message = "is required by the provider"
		case "NOT_FOUND":
			message = "is not known to the provider"
		}
		out = append(out, gateway.FieldError{Field: name, Message: message})
	}
	return out
}
