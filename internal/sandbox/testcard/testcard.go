package testcard

import (
	"strings"
	"time"
)

// Digits drops spaces and dashes from a typed card number and reports whether
// what is left consists of 12 to 19 digits.
func Digits(s string) (string, bool) {
	s = strings.NewReplacer(" ", "", "-", "", "\u00a0", "").Replace(strings.TrimSpace(s))
	if len(s) < 12 || len(s) > 19 {
		return s, false
	}
	for _, c := range s {
		if c < '0' || c > '9' {
			return s, false
		}
	}
	return s, true
}

// Luhn reports whether the check digit of a string of digits fits.
func Luhn(digits string) bool {
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return len(digits) > 0 && sum%10 == 0
}

// Mask shows the first six and the last four digits: 401200******3010.
func Mask(digits string) string {
	if len(digits) < 12 {
		return strings.Repeat("*", len(digits))
	}
	return digits[:6] + strings.Repeat("*", len(digits)-10) + digits[len(digits)-4:]
}

// Spaced is a number as people write it: 4012 0000 0000 3010.
func Spaced(digits string) string {
	var groups []string
	for len(digits) > 4 {
		groups, digits = append(groups, digits[:4]), digits[4:]
	}
	return strings.Join(append(groups, digits), " ")
}

// Brand names the scheme by the leading digits, in capitals.
func Brand(digits string) string {
	within := func(from, to string) bool {
		return len(digits) >= len(from) && from <= digits[:len(from)] && digits[:len(to)] <= to
	}
	switch {
	case within("4", "4"):
		return "VISA"
	case within("34", "34"), within("37", "37"):
		return "AMEX"
	case within("62", "62"):
		return "UNIONPAY"
	case within("51", "55"), within("2221", "2720"):
		return "MASTERCARD"
	default:
		return "UNKNOWN"
	}
}

// ExpiryValid reports whether a two-digit month and year name a month that is
// not over at now.
func ExpiryValid(month, year int, now time.Time) bool {
	if month < 1 || month > 12 || year < 0 || year > 99 {
		return false
	}
	end := time.Date(2000+year, time.Month(month)+1, 1, 0, 0, 0, 0, time.UTC)
	return now.UTC().Before(end) && end.Before(now.AddDate(20, 1, 0))
}
