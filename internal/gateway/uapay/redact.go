package uapay

import (
	"regexp"
	"strconv"
	"strings"

	"payrelay/internal/gateway"
	"payrelay/internal/gateway/kit"
)

var (
	clientShape  = regexp.MustCompile(`^[0-9]{1,20}$`)
	wordShape    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_]{0,39}$`)
	codeShape    = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)
	messageShape = regexp.MustCompile(`^[A-Za-z\p{Cyrillic} .,'_-]{1,100}$`)
	gluedShape   = regexp.MustCompile(`^([0-9]{6})[*xX]{0,9}([0-9]{4})$`)
	longDigits   = regexp.MustCompile(`[0-9]{11,}`)
)

// masked is a card as the provider shows it, six digits and four glued together (uapay.md 5), nil if nothing may be shown.
func masked(number text) *gateway.MaskedMethod {
	parts := gluedShape.FindStringSubmatch(string(number))
	if parts == nil {
		return nil
	}
	return &gateway.MaskedMethod{Type: "card", Masked: parts[1] + "******" + parts[2], BIN: parts[1]}
}

// addProviderData adds what an answer said, as far as it may be kept: no keys, addresses, forms, names or free text.
func (a answer) addProviderData(e gateway.ProviderData, hide kit.Redactor) {
	word := func(name string, value text, shape *regexp.Regexp) {
		if s := kit.Fit(value, shape); s != "" && !longDigits.MatchString(s) {
			e[name] = hide.Text(s)
		}
	}
	num := func(name string, n number) { n.Put(e, name) }
	word("payment_id", a.PaymentID, kit.IDShape)
	word("invoice_id", a.InvoiceID, kit.IDShape)
	word("operation_id", a.OperationID, kit.IDShape)
	word("receipt_id", a.ReceiptID, kit.IDShape)
	word("type", a.Type, wordShape)
	word("system_type", a.SystemType, wordShape)
	word("invoice_status", a.InvoiceStatus, wordShape)
	word("data_status", a.Status, wordShape)
	word("payment_status", a.PaymentStatus, wordShape)
	word("reversed_at", a.ReversedAt, kit.DateShape)
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
		if kind, status := kit.Fit(o.Type, wordShape), kit.Fit(o.Status, wordShape); len(operations) < 8 {
			operations = append(operations, hide.Text(kind+" "+status))
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
