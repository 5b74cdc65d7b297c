package uapay

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

var (
	clientShape  = regexp.MustCompile(`^[0-9]{1,20}$`)
	idShape      = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,64}$`)
	wordShape    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_]{0,39}$`)
	codeShape    = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)
	messageShape = regexp.MustCompile(`^[A-Za-z\p{Cyrillic} .,'_-]{1,100}$`)
	dateShape    = regexp.MustCompile(`^[0-9T:.Z+-]{10,35}$`)
	gluedShape   = regexp.MustCompile(`^([0-9]{6})[*xX]{0,9}([0-9]{4})$`)
	longDigits   = regexp.MustCompile(`[0-9]{11,}`)
)

// fit returns s if it has the shape, else "".
func fit(s string, shape *regexp.Regexp) string {
	if shape.MatchString(s) {
		return s
	}
	return ""
}

// masked is a card as the provider shows it, six digits and four glued together (uapay.md 5), nil if nothing may be shown.
func masked(number text) *gateway.MaskedMethod {
	parts := gluedShape.FindStringSubmatch(string(number))
	if parts == nil {
		return nil
	}
	return &gateway.MaskedMethod{Type: "card", Masked: parts[1] + "******" + parts[2], BIN: parts[1]}
}

// addProviderData adds what an answer said, as far as it may be kept: no keys, addresses, forms, names or free text.
func (a answer) addProviderData(e gateway.ProviderData, hide redactor) {
	word := func(name string, value text, shape *regexp.Regexp) {
		if s := fit(string(value), shape); s != "" && !longDigits.MatchString(s) {
			e[name] = hide.text(s)
		}
	}
	num := func(name string, n number) {
		if n.set {
			e[name] = strconv.FormatInt(n.value, 10)
		}
	}
	word("payment_id", a.PaymentID, idShape)
	word("invoice_id", a.InvoiceID, idShape)
	word("operation_id", a.OperationID, idShape)
	word("receipt_id", a.ReceiptID, idShape)
	word("type", a.Type, wordShape)
	word("system_type", a.SystemType, wordShape)
	word("invoice_status", a.InvoiceStatus, wordShape)
	word("data_status", a.Status, wordShape)
	word("payment_status", a.PaymentStatus, wordShape)
	word("reversed_at", a.ReversedAt, dateShape)
	num("amount", a.Amount)
	num("commission", a.commission())
	num("pending_amount", a.PendingAmount)
	num("return_amount", a.ReturnAmount)
	num("return_commission", a.ReturnCommissionAmount)
	if a.Confirmation != nil {
		word("confirmation", a.Confirmation.Type, wordShape)
		num("attempts_left", a.Confirmation.Left)
	}
	for name, m := range map[string]*gateway.MaskedMethod{"card_from": masked(a.CardFromMasked), "card_to": masked(a.CardToMasked)} {
		if m != nil {
			e[name] = m.Masked
		}
	}
	var operations []string
	for _, o := range a.Operations {
		if kind, status := fit(string(o.Type), wordShape), fit(string(o.Status), wordShape); len(operations) < 8 {
			operations = append(operations, hide.text(kind+" "+status))
		}
	}
	if len(operations) > 0 {
		e["operations"] = strings.Join(operations, ", ")
	}
	if a.Payments != nil {
		e["payments"] = strconv.Itoa(len(*a.Payments))
	}
	if a.Invoices != nil {
		e["invoices"] = strconv.Itoa(len(*a.Invoices))
	}
}
