package smartcore

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// body is a decoded request.
type body map[string]any

// text returns a field as text; numbers count as text because the documented
// examples send the zip code as a number.
func (b body) text(key string) string {
	switch v := b[key].(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	default:
		return ""
	}
}

// amount returns a positive whole number of minor units, sent as a number or as text.
func (b body) amount(key string) (int64, bool) {
	n, err := strconv.ParseInt(b.text(key), 10, 64)
	return n, err == nil && n > 0
}

func (b body) truth(key string) bool {
	return b[key] == true || b[key] == "true"
}

func (b body) has(key string) bool {
	v, ok := b[key]
	return ok && v != nil && v != ""
}

// Required fields by column of smartcore.md 3 and 4.
var (
	customerFields = []string{
		"customer_first_name", "customer_last_name", "customer_address", "customer_city", "customer_zip_code",
		"customer_country", "customer_phone", "customer_email",
	}
	formFields      = append([]string{"account", "amount", "currency", "order_id", "customer_ip_address"}, customerFields...)
	directFields    = append([]string{"merchant_site"}, formFields...)
	cardFields      = append([]string{"card_holder", "card_number", "card_exp_month", "card_exp_year", "card_cvv"}, directFields...)
	applePayFields  = append([]string{"payment_method", "apple_pay_dpan", "apple_pay_payment_method_network"}, directFields...)
	googlePayFields = append([]string{"payment_method", "google_pay_dpan", "google_pay_payment_method_network"}, directFields...)
	// authorizeFields leaves the IP address out: the newer text does not list it.
	authorizeFields  = slices.DeleteFunc(slices.Clone(cardFields), func(s string) bool { return s == "customer_ip_address" })
	refundFields     = []string{"order_id", "amount", "reason"}
	recurrentFields  = []string{"order_id", "parent_order_id", "amount", "purpose"}
	tokenizeFields   = []string{"account", "order_id"}
	withdrawalFields = []string{"account", "order_id", "amount"}
	exportFields     = []string{"type", "status", "dateFrom", "dateTo"}
)

// cardKeys are the fields that may appear on the pci host only.
var cardKeys = []string{
	"card_number", "card_cvv", "card_exp_month", "card_exp_year", "customer_card_number", "customer_card_exp_month",
	"customer_card_exp_year", "apple_pay_dpan", "google_pay_dpan",
}

var (
	currencyRE = regexp.MustCompile(`^[A-Z]{3}$`)
	monthRE    = regexp.MustCompile(`^(0[1-9]|1[0-2])$`)
	yearRE     = regexp.MustCompile(`^[0-9]{2}$`)
	cvcRE      = regexp.MustCompile(`^[0-9]{3,4}$`)
	phoneRE    = regexp.MustCompile(`^\+?[0-9]{7,15}$`)
)

// complaints lists what is missing or malformed, without repeating any value.
func (b body) complaints(required []string) []string {
	var out []string
	for _, key := range required {
		if !b.has(key) {
			out = append(out, key+" is required")
		}
	}
	check := func(key string, ok bool, what string) {
		if b.has(key) && !ok {
			out = append(out, key+" "+what)
		}
	}
	_, amountOK := b.amount("amount")
	check("amount", amountOK, "must be a positive whole number")
	check("currency", currencyRE.MatchString(b.text("currency")), "must be three capitals")
	check("order_id", len(b.text("order_id")) <= 256, "is too long")
	for _, key := range []string{"callback_url", "success_url", "fail_url", "status_url", "merchant_site"} {
		u, err := url.Parse(b.text(key))
		check(key, err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "", "must be an absolute http address")
	}
	for _, key := range []string{"card_exp_month", "customer_card_exp_month"} {
		check(key, monthRE.MatchString(b.text(key)), "must be 01 to 12")
	}
	for _, key := range []string{"card_exp_year", "customer_card_exp_year"} {
		check(key, yearRE.MatchString(b.text(key)), "must be two digits")
	}
	check("card_cvv", cvcRE.MatchString(b.text("card_cvv")), "must be three or four digits")
	for _, key := range []string{"phone_withdrawal", "form_prefilled_phone"} {
		check(key, phoneRE.MatchString(b.text(key)), "must be digits")
	}
	out = append(out, b.wrongTypes()...)
	slices.Sort(out)
	return slices.Compact(out)
}

// The fields that may come as something else than text.
var (
	numberKeys = []string{"amount", "customer_zip_code", "recur_freq", "recur_exp", "status", "dateFrom", "dateTo"}
	boolKeys   = []string{"recurrent", "browser_java_enabled", "browser_js_enabled"}
)

// wrongTypes lists the fields whose value is of a JSON type that they cannot have.
func (b body) wrongTypes() (out []string) {
	for key, v := range b {
		text := true
		switch v.(type) {
		case string, nil:
		case json.Number:
			text = slices.Contains(numberKeys, key)
		case bool:
			text = slices.Contains(boolKeys, key)
		default:
			out = append(out, key+" must be a plain value")
		}
		if !text {
			out = append(out, key+" must be text")
		}
	}
	return out
}

func digitsOnly(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}
