package smartcore

import (
	"strings"
	"unicode"

	"payrelay/internal/card"
	"payrelay/internal/gateway"
	"payrelay/internal/money"
)

// fields collects what is wrong with a request.
type fields []gateway.FieldError

func (f *fields) add(name, message string) {
	*f = append(*f, gateway.FieldError{Field: name, Message: message})
}

// refuse says that the provider has no field for a value, or that it cannot be sent.
func (f *fields) refuse(name, message string) {
	*f = append(*f, gateway.FieldError{Field: name, Message: "cannot be sent: " + message, Unsupported: true})
}

func (f *fields) refuseIf(given bool, name, message string) {
	if given {
		f.refuse(name, message)
	}
}

func (f *fields) need(name, value string) {
	if strings.TrimSpace(value) == "" {
		f.add(name, "is required by the provider")
	}
}

// needText is need for a free text that comes back in callbacks.
func (f *fields) needText(name, text string) {
	if strings.TrimSpace(strings.Map(unlessSeparator, text)) == "" {
		f.add(name, "is required by the provider: must hold more than blanks, bars (|) and line separators")
		return
	}
	f.echoed(name, text)
}

// echoed checks a text that may come back in a callback. Its signature joins values with bars, so a bar that a customer
// typed could pass for the border of two values (smartcore.md 3, 11.5).
func (f *fields) echoed(name, text string) {
	f.refuseIf(strings.Map(unlessSeparator, text) != text, name, "SmartCore takes no bar (|), control character or line separator here")
}

// unlessSeparator removes what could take a callback's signature apart.
func unlessSeparator(r rune) rune {
	if r == '|' || unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
		return -1
	}
	return r
}

// money checks a sum. The provider documents only "cents": currencies with other minor units are rejected (smartcore.md 2).
func (f *fields) money(m money.Money) {
	if m.Minor() <= 0 {
		f.add("amount", "must be more than zero")
	}
	if exponent, ok := m.Currency().Exponent(); !ok || exponent != 2 {
		f.add("currency", "must have two decimals: SmartCore takes no other")
	}
}

// orderID checks an order's id (smartcore.md A35). It is payrelay's own, so a bad one is nobody's fault outside.
func (f *fields) orderID(id string) {
	if len(id) == 0 || len(id) > 64 || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' || r == '|' }) {
		f.add("provider_order_id", "must be 1 to 64 printable ASCII characters without a bar")
	}
}

func (f *fields) card(name string, c *card.Card) {
	f.need(name+".number", c.Number.Reveal())
	f.need(name+".cvc", c.CVC.Reveal())
	f.need(name+".holder", c.Holder)
	f.echoed(name+".holder", c.Holder)
	f.expiry(name, c.Expiry)
}

func (f *fields) expiry(name string, e card.Expiry) {
	switch {
	case e.Month == 0:
		f.add(name+".exp_month", "is required by the provider, 1 to 12")
	case e.Month < 1 || e.Month > 12:
		f.add(name+".exp_month", "must be 1 to 12")
	}
	switch {
	case e.Year == 0:
		f.add(name+".exp_year", "is required by the provider, four digits")
	case e.Year < 2000 || e.Year > 2099: // two digits travel
		f.add(name+".exp_year", "must be 2000 to 2099")
	}
}

func (f *fields) wallet(w *gateway.Wallet) {
	f.need("payment_method.token", w.Token.Reveal())
	f.need("payment_method.network", w.Network)
}
