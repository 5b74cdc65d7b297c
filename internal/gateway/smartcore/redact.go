package smartcore

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"payrelay/internal/card"
	"payrelay/internal/gateway"
	"payrelay/internal/gateway/kit"
)

// keptRRN returns a retrieval reference number fit to be stored. Banks ask for it, so one of the proper length (ISO 8583,
// 12 characters) stays as it is, whatever its digits resemble.
func keptRRN(s string, hide kit.Redactor) string {
	if rrnShape.MatchString(s) {
		return s
	}
	return hide.Text(s)
}

// keptID returns an order's id fit to be kept. Operators search by it, so one that we or the provider gave is left as it is,
// whatever its digits look like.
func keptID(s string, hide kit.Redactor) string {
	if givenIDShape.MatchString(s) && !slices.Contains(hide, s) {
		return s
	}
	return hide.Text(kit.Fit(s, kit.IDShape))
}

var (
	givenIDShape = regexp.MustCompile(`^(?:pr-[0-9a-v]{32}|[0-9a-f]{24}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$`) // smartcore.md 6
	maskedShape  = regexp.MustCompile(`^[0-9]{4,8}[*xX]{2,12}[0-9]{0,4}$`)
	binShape     = regexp.MustCompile(`^[0-9]{6,8}$`)
	countryShape = regexp.MustCompile(`^[A-Z]{3}$`)
	brandShape   = regexp.MustCompile(`^[A-Za-z][A-Za-z _-]{0,29}$`)
	wordShape    = regexp.MustCompile(`^[A-Za-z][A-Za-z_]{0,39}$`)
	rrnField     = regexp.MustCompile(`^[A-Za-z0-9]{1,40}$`) // as a callback may have it (smartcore.md 11.4)
	rrnShape     = regexp.MustCompile(`^[A-Za-z0-9]{1,12}$`)
	eciShape     = regexp.MustCompile(`^[0-9]{1,2}$`)
)

// masked returns a card as it may be shown, nil if nothing of it may. A number that is not masked is masked here.
func (c *cardAnswer) masked() *gateway.MaskedMethod {
	if c == nil {
		return nil
	}
	m := &gateway.MaskedMethod{Type: "card", BIN: kit.Fit(c.BIN, binShape), Brand: brandName(string(c.Type)), Country: kit.Fit(c.ISO, countryShape)}
	if pan, err := card.ParsePAN(string(c.Number)); err == nil {
		m.Masked = pan.Masked()
	} else {
		m.Masked = kit.Fit(c.Number, maskedShape)
	}
	if m.BIN == "" && len(m.Masked) >= 6 { // callbacks name neither (smartcore.md 11.1)
		m.BIN = kit.Fit(m.Masked[:6], binShape)
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
	switch name := kit.Fit(word, brandShape); strings.ToUpper(name) {
	case "UNKNOWN", "UNDEFINED", "UNDEF", "OTHER", "NONE", "NULL", "NIL", "NA", "NOT AVAILABLE", "NOT_AVAILABLE":
		return ""
	default:
		return name
	}
}

// providerData is what an answer said, as far as it may be stored: no names, addresses, form addresses or free text.
func (a answer) providerData(hide kit.Redactor) gateway.ProviderData {
	e := gateway.ProviderData{}
	put := func(name, value string) {
		if value != "" {
			e[name] = value
		}
	}
	num := func(name string, n number) { n.Put(e, name) }
	num("status", a.Status)
	if a.Success != nil {
		e["success"] = strconv.FormatBool(*a.Success)
	}
	put("err", hide.Text(string(a.Err)))
	put("errorMessage", hide.Text(string(a.ErrorCode)))
	var routes []string
	for _, route := range a.Cascade {
		routes = append(routes, strconv.FormatInt(route.Priority.Value, 10)+" "+hide.Text(string(route.Code)))
	}
	put("cascadeErrors", strings.Join(routes, ", "))
	for name, id := range map[string]text{
		"order_id": a.OrderID, "refund_id": a.RefundID, "payment_id": a.PaymentID,
		"processing_order_id": a.ProcessingOrderID, "parentTransaction": a.Parent,
	} {
		put(name, keptID(string(id), hide))
	}
	put("responseType", kit.Fit(a.ResponseType, wordShape))
	num("amount", a.Amount)
	num("finalAmount", a.FinalAmount)
	put("currency", kit.Fit(a.Currency, countryShape))
	put("type", kit.Fit(a.Type, wordShape))
	put("authorize_status", hide.Text(string(a.AuthorizeStatus)))
	put("endDate", kit.Fit(a.EndDate, kit.DateShape))
	put("rrn", keptRRN(kit.Fit(a.RRN, kit.IDShape), hide))
	put("eci", kit.Fit(a.ECI, eciShape))
	if m := a.Card.masked(); m != nil {
		put("card_number", m.Masked)
		put("card_bin", m.BIN)
		put("card_type", m.Brand)
		put("card_iso", m.Country)
	}
	return e
}
