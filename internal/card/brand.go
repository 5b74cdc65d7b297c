package card

import (
	"strconv"
	"strings"
)

// BrandOf names the scheme of a masked number or BIN by its six leading digits, "" if it has none or is of none known.
func BrandOf(leading string) string {
	if len(leading) < 6 || !allDigits(leading[:6]) {
		return ""
	}
	return brand(leading[:6])
}

// brand names the scheme of a number by its leading digits.
func brand(digits string) string {
	if len(digits) < 6 {
		return ""
	}
	six, err := strconv.Atoi(digits[:6])
	if err != nil {
		return ""
	}
	in := func(lo, hi int) bool { return six >= lo && six <= hi }
	switch {
	case in(220000, 220499):
		return "MIR"
	case strings.HasPrefix(digits, "9704"), in(620000, 629999):
		return "UNIONPAY"
	case strings.HasPrefix(digits, "9"):
		return "PROSTIR"
	case in(400000, 499999):
		return "VISA"
	case in(510000, 559999), in(222100, 272099):
		return "MASTERCARD"
	case in(340000, 349999), in(370000, 379999):
		return "AMEX"
	case in(352800, 358999):
		return "JCB"
	case in(601100, 601199), in(644000, 659999):
		return "DISCOVER"
	case in(500000, 509999), in(560000, 589999), in(630000, 639999), in(670000, 679999):
		return "MAESTRO"
	}
	return ""
}
