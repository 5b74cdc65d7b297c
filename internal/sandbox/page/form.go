package page

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"payrelay/internal/sandbox/testcard"
)

// Form is what a page shows of a form that a browser sent: values, errors by field, and the field to begin with.
type Form struct {
	Value  map[string]string
	Errors map[string]string
	Focus  string
}

// NewForm returns a form that nothing was typed into.
func NewForm() Form { return Form{Value: map[string]string{}, Errors: map[string]string{}} }

// TypedCard is a card as it was typed. Year has two digits.
type TypedCard struct {
	Digits, Holder string
	Month, Year    int
}

var cvcShape = regexp.MustCompile(`^[0-9]{3,4}$`)

// ReadCard checks a typed card as far as the page asks for number, expiry, cvc and holder. A wrong field gets an error.
// Neither the number nor the code is put back into the page.
func (f *Form) ReadCard(r *http.Request, now time.Time, asked ...string) (TypedCard, bool) {
	typed := func(field string) string { return strings.TrimSpace(r.PostForm.Get("card_" + field)) }
	wrong := func(field, message string) {
		if slices.Contains(asked, field) {
			f.Errors[field] = message
		}
	}
	var c TypedCard
	var ok bool
	if c.Digits, ok = testcard.Digits(typed("number")); !ok || !testcard.Luhn(c.Digits) {
		wrong("number", "Check the card number: a digit is missing or wrong.")
	}
	expiry := strings.ReplaceAll(typed("expiry"), " ", "")
	if c.Month, c.Year, ok = readExpiry(expiry); !ok {
		wrong("expiry", "Enter month and year, such as 08/29.")
	} else if !testcard.ExpiryValid(c.Month, c.Year, now) {
		wrong("expiry", "This card has expired or the date is too far away.")
	}
	if !cvcShape.MatchString(typed("cvc")) {
		wrong("cvc", "Enter the 3 or 4 digits from the back.")
	}
	if c.Holder = typed("holder"); c.Holder == "" || len(c.Holder) > 100 {
		wrong("holder", "Enter the name on the card.")
	}
	if slices.Contains(asked, "holder") {
		f.Value["holder"] = c.Holder
	}
	if f.Errors["expiry"] == "" {
		f.Value["expiry"] = expiry
	}
	for _, field := range asked {
		if f.Errors[field] != "" {
			f.Focus = field
			return c, false
		}
	}
	return c, true
}

// readExpiry reads MM/YY, MM/YYYY or MMYY.
func readExpiry(expiry string) (month, year int, ok bool) {
	m, y, cut := strings.Cut(expiry, "/")
	if !cut && len(expiry) == 4 {
		m, y = expiry[:2], expiry[2:]
	}
	if len(y) == 4 {
		y = strings.TrimPrefix(y, "20")
	}
	month, errM := strconv.Atoi(m)
	year, errY := strconv.Atoi(y)
	return month, year, errM == nil && errY == nil && month >= 1 && month <= 12
}
