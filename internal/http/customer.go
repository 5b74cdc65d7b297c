package httpapi

import (
	"net/mail"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/nyaruka/phonenumbers"

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
		if a.Country != nil && !slices.Contains(countries, *a.Country) {
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

// countries are the codes of ISO 3166-1 alpha-2 as of 2023-04-05, the last change to them. A test compares them with the
// dated copy in testdata.
var countries = strings.Fields(`
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ
BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM
DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS
GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN
KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ
MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM
PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV
SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI
VN VU WF WS YE YT ZA ZM ZW
`)
