package money

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Errors of this package. Both are the caller's mistake and safe to show.
var (
	// ErrCurrencyMismatch is returned when two sums of different currencies meet.
	ErrCurrencyMismatch = errors.New("currencies differ")
	// ErrOverflow is returned when a sum does not fit 64 bits.
	ErrOverflow = errors.New("amount out of range")
)

// Money is a sum in minor units of one currency. The zero value is "no money at all": zero of no currency.
type Money struct {
	minor    int64
	currency Currency
}

// New returns minor units of currency. It panics on a currency that ISO 4217 never knew, because
// text from outside must go through ParseCurrency or KnownCurrency first.
func New(minor int64, currency Currency) Money {
	if !currency.Valid() {
		panic(fmt.Sprintf("money: unknown currency %q", string(currency)))
	}
	return Money{minor: minor, currency: currency}
}

// Minor returns the sum in minor units.
func (m Money) Minor() int64 { return m.minor }

// Currency returns the currency, empty for the zero value.
func (m Money) Currency() Currency { return m.currency }

// IsZero reports whether m is the zero value or zero of some currency.
func (m Money) IsZero() bool { return m.minor == 0 }

// Equal reports whether both the sum and the currency are the same.
func (m Money) Equal(o Money) bool { return m == o }

// Add returns m + o, ErrCurrencyMismatch or ErrOverflow.
func (m Money) Add(o Money) (Money, error) {
	if m.currency != o.currency {
		return Money{}, fmt.Errorf("add %s to %s: %w", o.currency, m.currency, ErrCurrencyMismatch)
	}
	sum := m.minor + o.minor
	if (sum > m.minor) != (o.minor > 0) {
		return Money{}, ErrOverflow
	}
	return Money{minor: sum, currency: m.currency}, nil
}

// String returns the sum as people write it, "10.00 EUR". It is for logs and pages, never for a protocol.
func (m Money) String() string {
	exp, ok := m.currency.Exponent()
	if !ok {
		return strconv.FormatInt(m.minor, 10)
	}
	text := strconv.FormatInt(m.minor, 10)
	sign := ""
	if strings.HasPrefix(text, "-") {
		sign, text = "-", text[1:]
	}
	if exp > 0 {
		for len(text) <= exp {
			text = "0" + text
		}
		text = text[:len(text)-exp] + "." + text[len(text)-exp:]
	}
	return sign + text + " " + string(m.currency)
}
