package uapay

import (
	"strings"

	"payrelay/internal/card"
	"payrelay/internal/gateway"
)

// fields collects what is wrong with a request.
type fields []gateway.FieldError

func (f *fields) add(name, message string) {
	*f = append(*f, gateway.FieldError{Field: name, Message: message})
}

func (f *fields) need(name, value string) {
	if strings.TrimSpace(value) == "" {
		f.add(name, "is required by the provider")
	}
}

// refuse says that the provider has no field for a value.
func (f *fields) refuse(name, message string) {
	*f = append(*f, gateway.FieldError{Field: name, Message: "cannot be sent: " + message, Unsupported: true})
}

func (f *fields) refuseIf(given bool, name, message string) {
	if given {
		f.refuse(name, message)
	}
}

// paidTo rejects the details that nobody needs of a card that is paid to.
func (f *fields) paidTo(at string, c *card.Card) {
	f.refuseIf(c.Expiry.Month != 0, at+".exp_month", numberOnly)
	f.refuseIf(c.Expiry.Year != 0, at+".exp_year", numberOnly)
	f.refuseIf(c.CVC.Reveal() != "", at+".cvc", numberOnly)
	f.refuseIf(c.Holder != "", at+".holder", numberOnly)
}
