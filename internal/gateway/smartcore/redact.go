package smartcore

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"payrelay/internal/card"
	"payrelay/internal/gateway"
)

// redactor hides what a call was made with, should the provider repeat it in a text.
type redactor []string

// longest is how much of a provider's text is kept.
const longest = 100

// text returns s fit to be kept: without the call's own secrets, without anything that could be a card number, without
// control characters, and short.
func (r redactor) text(s string) string {
	for _, secret := range r {
		if secret != "" {
			s = strings.ReplaceAll(s, secret, "***")
		}
	}
	s = card.MaskText(s)
	s = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) || c == unicode.ReplacementChar {
			return -1
		}
		return c
	}, s)
	if runes := []rune(s); len(runes) > longest {
		s = string(runes[:longest])
	}
	return s
}

// rrn returns a retrieval reference number fit to be kept. It is what banks ask for, so one of its proper length (ISO 8583,
// 12 characters) is left as it is, whatever its digits look like.
func (r redactor) rrn(s string) string {
	if rrnShape.MatchString(s) {
		return s
	}
	return r.text(s)
}

var (
	maskedShape  = regexp.MustCompile(`^[0-9]{4,8}[*xX]{2,12}[0-9]{0,4}$`)
	binShape     = regexp.MustCompile(`^[0-9]{6,8}$`)
	countryShape = regexp.MustCompile(`^[A-Z]{3}$`)
	brandShape   = regexp.MustCompile(`^[A-Za-z][A-Za-z _-]{0,29}$`)
	wordShape    = regexp.MustCompile(`^[A-Za-z][A-Za-z_]{0,39}$`)
	idShape      = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,64}$`)
	dateShape    = regexp.MustCompile(`^[0-9T:.Z+-]{10,35}$`)
	rrnField     = regexp.MustCompile(`^[A-Za-z0-9]{1,40}$`) // as a callback may have it (smartcore.md 11.4)
	rrnShape     = regexp.MustCompile(`^[A-Za-z0-9]{1,12}$`)
	eciShape     = regexp.MustCompile(`^[0-9]{1,2}$`)
)

// masked returns a card as it may be shown, nil if nothing of it may. A number that is not masked is masked here.
func (c *cardAnswer) masked() *gateway.MaskedMethod {
	if c == nil {
		return nil
	}
	m := &gateway.MaskedMethod{Type: "card", BIN: fit(string(c.BIN), binShape), Brand: brandName(string(c.Type)), Country: fit(string(c.ISO), countryShape)}
	if pan, err := card.ParsePAN(string(c.Number)); err == nil {
		m.Masked = pan.Masked()
	} else {
		m.Masked = fit(string(c.Number), maskedShape)
	}
	if m.BIN == "" && len(m.Masked) >= 6 { // callbacks name neither (smartcore.md 11.1)
		m.BIN = fit(m.Masked[:6], binShape)
	}
	if m.Brand == "" {
		m.Brand = card.BrandOf(m.BIN)
	}
	if *m == (gateway.MaskedMethod{Type: "card"}) {
		return nil
	}
	return m
}

// brandName is the scheme that the provider names, "" for a word that says that it knows none.
func brandName(word string) string {
	switch name := fit(word, brandShape); strings.ToUpper(name) {
	case "UNKNOWN", "UNDEFINED", "UNDEF", "OTHER", "NONE", "NULL", "NIL", "NA", "NOT AVAILABLE", "NOT_AVAILABLE":
		return ""
	default:
		return name
	}
}

// fit returns s if it has the shape, else "".
func fit(s string, shape *regexp.Regexp) string {
	if shape.MatchString(s) {
		return s
	}
	return ""
}

// providerData is what an answer said, as far as it may be kept: no names, addresses, form addresses or free text.
func (a answer) providerData(hide redactor) gateway.ProviderData {
	e := gateway.ProviderData{}
	put := func(name, value string) {
		if value != "" {
			e[name] = value
		}
	}
	num := func(name string, n number) {
		if n.set {
			e[name] = strconv.FormatInt(n.value, 10)
		}
	}
	num("status", a.Status)
	if a.Success != nil {
		e["success"] = strconv.FormatBool(*a.Success)
	}
	put("err", hide.text(string(a.Err)))
	put("errorMessage", hide.text(string(a.ErrorCode)))
	var routes []string
	for _, route := range a.Cascade {
		routes = append(routes, strconv.FormatInt(route.Priority.value, 10)+" "+hide.text(string(route.Code)))
	}
	put("cascadeErrors", strings.Join(routes, ", "))
	for name, id := range map[string]text{
		"order_id": a.OrderID, "refund_id": a.RefundID, "payment_id": a.PaymentID,
		"processing_order_id": a.ProcessingOrderID, "parentTransaction": a.Parent,
	} {
		put(name, hide.text(fit(string(id), idShape)))
	}
	put("responseType", fit(string(a.ResponseType), wordShape))
	num("amount", a.Amount)
	num("finalAmount", a.FinalAmount)
	put("currency", fit(string(a.Currency), countryShape))
	put("type", fit(string(a.Type), wordShape))
	put("authorize_status", hide.text(string(a.AuthorizeStatus)))
	put("endDate", fit(string(a.EndDate), dateShape))
	put("rrn", hide.rrn(fit(string(a.RRN), idShape)))
	put("eci", fit(string(a.ECI), eciShape))
	if m := a.Card.masked(); m != nil {
		put("card_number", m.Masked)
		put("card_bin", m.BIN)
		put("card_type", m.Brand)
		put("card_iso", m.Country)
	}
	return e
}
