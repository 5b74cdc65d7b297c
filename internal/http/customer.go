package httpapi

import (
	"net/mail"
	"net/netip"
	"time"

	"github.com/nyaruka/phonenumbers"

	"payrelay/internal/country"
	"payrelay/internal/gateway"
	"payrelay/internal/http/internal/oapi"
)

// customer reads who pays or is paid.
func customer(c *oapi.Customer, bad *problems) (out gateway.Customer) {
	if c == nil {
		return out
	}
	out = gateway.Customer{
		FirstName: valueOf(c.FirstName), LastName: valueOf(c.LastName), MiddleName: valueOf(c.MiddleName), Email: valueOf(c.Email),
		Phone: phone("customer.phone", c.Phone, bad), IP: valueOf(c.Ip),
	}
	if c.Email != nil && !isEmail(*c.Email) {
		bad.add("customer.email", "must be an e-mail address alone, such as john@example.com")
	}
	if a := c.Address; a != nil {
		out.Address = gateway.Address{Line: valueOf(a.Line), City: valueOf(a.City), PostalCode: valueOf(a.PostalCode), Country: valueOf(a.Country)}
		if a.Country != nil && !country.Known(*a.Country) {
			bad.add("customer.address.country", "must be the code of a country in ISO 3166-1 (alpha-2), such as GB, which is the United Kingdom's")
		}
	}
	if out.IP != "" {
		if ip, err := netip.ParseAddr(out.IP); err != nil || ip.Zone() != "" {
			bad.add("customer.ip", "is not an IP address")
		}
	}
	if c.BirthDate != nil {
		date, err := time.Parse(time.DateOnly, *c.BirthDate)
		if err != nil {
			bad.add("customer.birth_date", "is not a date such as 1997-06-06")
		}
		out.BirthDate = date
	}
	return out
}

// phone reads a phone number, which must be in E.164 as it comes: what is guessed may be somebody else's.
func phone(field string, text *string, bad *problems) string {
	if text == nil {
		return ""
	}
	number, err := phonenumbers.Parse(*text, "") // no country is assumed
	if err != nil || !phonenumbers.IsPossibleNumber(number) || phonenumbers.Format(number, phonenumbers.E164) != *text {
		bad.add(field, "must be "+forms[phoneForm]+": its country code or its length is wrong, or a 0 follows the country code")
	}
	return *text
}

// isEmail reports whether text is one address and nothing else: no name, no comment, no brackets.
func isEmail(text string) bool {
	address, err := mail.ParseAddress(text)
	return err == nil && address.String() == "<"+text+">"
}
