package httpapi

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestACountryIsOneOfISO3166(t *testing.T) {
	t.Parallel()
	for code, good := range map[string]bool{
		"GB": true, "UA": true, "ES": true, "SS": true, "CW": true, "BQ": true, "AX": true,
		"UK": false, "EU": false, "XK": false, "ZZ": false, "AA": false, "AN": false, "SU": false, "YU": false, "EL": false, "gb": false, "GBR": false, "826": false, "": false, "G": false, "ＧＢ": false,
	} {
		b := setup(t)
		w := b.send(t, "POST", "/v1/payments", with("customer", fmt.Sprintf(`{"address":{"country":%q}}`, code)))
		require.Equal(t, good, w.Code == 201, "%s: %s", code, w.Body)
		if !good {
			p := readProblem(t, w)
			require.Equal(t, []string{"customer.address.country"}, p.fields(), code)
			require.Contains(t, p.Detail, "such as GB")
			require.Zero(t, b.count())
		}
	}
}

func TestAnEmailIsOneAddress(t *testing.T) {
	t.Parallel()
	for text, good := range map[string]bool{
		"john@example.com": true, "john.o'neil+tag@sub.example.co.uk": true, "ivan@пример.укр": true, "іван@example.com": true, "a@b": true, `"john doe"@example.com`: true,
		"nonsense": false, "": false, "@": false, "john@": false, "@example.com": false, "john@example.com.": false, "john..doe@example.com": false, "john@@example.com": false, "john @example.com": false,
		"john@exa mple.com": false, " john@example.com": false, "john@example.com ": false, "John <john@example.com>": false, "<john@example.com>": false,
		"john@example.com (John)": false, "john@example.com, jane@example.com": false, "mailto:john@example.com": false, "john@example.com\\r\\nBcc: x@example.com": false,
	} {
		b := setup(t)
		w := b.send(t, "POST", "/v1/payments", with("customer", `{"email":"`+strings.ReplaceAll(text, `"`, `\"`)+`"}`))
		require.Equal(t, good, w.Code == 201, "%s: %s", text, w.Body)
		if good {
			require.Equal(t, text, b.payment.Customer.Email, "as it came")
			continue
		}
		require.Equal(t, []string{"customer.email"}, readProblem(t, w).fields(), text)
		require.Zero(t, b.count())
	}
}

// phoneBodies are every place that takes a phone number.
var phoneBodies = map[string]struct{ path, field, body string }{
	"a customer":        {"/v1/payments", "customer.phone", `{"reference":"r","amount":1,"currency":"EUR","customer":{"phone":%q}}`},
	"a form":            {"/v1/payments", "payment_method.phone", `{"reference":"r","amount":1,"currency":"EUR","payment_method":{"type":"mobile","phone":%q}}`},
	"who is paid":       {"/v1/payouts", "customer.phone", `{"reference":"r","amount":1,"account":"a","method":{"type":"phone","phone":"+79123456789"},"customer":{"phone":%q}}`},
	"a phone's balance": {"/v1/payouts", "method.phone", `{"reference":"r","amount":1,"account":"a","method":{"type":"phone","phone":%q}}`},
	"a recipient":       {"/v1/transfers", "customer.phone", `{"reference":"r","account":"a","amount":1,"currency":"UAH","from":{"card_id":"a"},"to":{"card_id":"b"},"customer":{"phone":%q}}`},
}

func TestAPhoneNumberIsE164(t *testing.T) {
	t.Parallel()
	for text, good := range map[string]bool{
		"+442079460612": true, "+380501234567": true, "+380000000000": true, "+79123456789": true, "+390612345678": true, "+18005551234": true, "+6834002": true,
		"442079460612": false, "00442079460612": false, "+4402079460612": false, "+44 20 7946 0612": false, "+44-2079460612": false, "+44(0)2079460612": false, "02079460612": false,
		"+99912345678": false, "+0442079460612": false, "++442079460612": false, "+44207": false, "+4420794606121": false, "+1234567890123456": false, "+7122321576": false,
		"+44207946O612": false, "+٤٤٢٠٧٩٤٦٠٦١٢": false, "＋442079460612": false, "+442079460612;ext=1": false, "tel:+442079460612": false, "": false, "+": false,
	} {
		for name, test := range phoneBodies {
			b := setup(t)
			w := b.send(t, "POST", test.path, fmt.Sprintf(test.body, text))
			require.Equal(t, good, w.Code == 201, "%s %s: %s", name, text, w.Body)
			if good {
				continue
			}
			p := readProblem(t, w)
			require.Equal(t, []string{test.field}, p.fields(), "%s %s", name, text)
			require.Contains(t, p.Detail, "such as +442079460612", "the form to send")
			require.Zero(t, b.count())
		}
	}
	for name, test := range phoneBodies {
		require.Equal(t, 1, strings.Count(test.body, "%q"), name)
	}
}
