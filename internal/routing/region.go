package routing

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// region is a part of all payments and payouts: those whose amount is in a range and whose facts are among some values each.
type region struct {
	amount span
	facts  []values
}

// values are what a fact may be in a region: one of in, or any if that is nil; none of out; and perhaps not known.
type values struct {
	in      []string
	out     []string
	unknown bool
	field   int
}

// everything is the region of all payments, of one shop if that is not "".
func (s *Set) everything(shop, currency string) region {
	all := region{anyAmount, make([]values, fixedFields+len(s.keys))}
	for i := range all.facts {
		v := values{field: i, unknown: i == fieldMethod || i >= fieldBIN}
		if i < fixedFields {
			v.in = fieldWords[i]
		}
		all.facts[i] = v
	}
	if shop != "" {
		all.facts[fieldShop].in = []string{shop}
	}
	if currency != "" {
		all.facts[fieldCurrency].in = []string{currency}
	}
	return all
}

// within is the part of a region for which a condition holds.
func (g region) within(c *condition) region {
	if c.not {
		return g.with(c.field, g.facts[c.field].without(c.values, false))
	}
	return g.with(c.field, g.facts[c.field].among(c.values, false))
}

// beyond is the part of a region for which a condition does not hold.
func (g region) beyond(c *condition) region {
	v := g.facts[c.field]
	if c.not {
		return g.with(c.field, v.among(c.values, v.unknown))
	}
	return g.with(c.field, v.without(c.values, v.unknown))
}

func (g region) with(field int, v values) region {
	g.facts = slices.Clone(g.facts)
	g.facts[field] = v
	return g
}

func (g region) withAmount(s span) region {
	g.amount = g.amount.meet(s)
	return g
}

// covers reports whether a value of a field is, or begins with, another one.
func covers(field int, general, special string) bool {
	return general == special || field == fieldBIN && strings.HasPrefix(special, general)
}

func (v values) among(list []string, unknown bool) values {
	v.unknown = unknown
	if v.in == nil {
		v.in = list
		return v
	}
	var both []string
	for _, a := range v.in {
		for _, b := range list {
			switch {
			case covers(v.field, b, a):
				both = append(both, a)
			case covers(v.field, a, b):
				both = append(both, b)
			}
		}
	}
	if both == nil {
		both = []string{}
	}
	v.in = both
	return v
}

func (v values) without(list []string, unknown bool) values {
	v.out, v.unknown = slices.Concat(v.out, list), unknown
	return v
}

// some returns one of the values: "" with ok for one that nobody named, and not ok if there is none.
func (v values) some() (value string, ok bool) {
	if v.in == nil {
		return "", true
	}
	for _, a := range v.in {
		if !v.excludes(a) {
			return a, true
		}
	}
	return "", false
}

// meets reports whether a condition holds for every one of the values.
func (v values) meets(c *condition) bool {
	if v.unknown || v.in == nil && !c.not {
		return false
	}
	if v.in == nil { // all but out must be none of the condition's
		return !slices.ContainsFunc(c.values, func(a string) bool { return !v.excludes(a) })
	}
	return !slices.ContainsFunc(v.in, func(a string) bool {
		listed := slices.ContainsFunc(c.values, func(b string) bool { return covers(v.field, b, a) || c.not && covers(v.field, a, b) })
		return listed == c.not && !v.excludes(a)
	})
}

// touches reports whether a condition holds for one of the values.
func (v values) touches(c *condition) bool {
	switch {
	case c.not && v.in == nil:
		return true
	case c.not:
		return slices.ContainsFunc(v.in, func(a string) bool {
			return !v.excludes(a) && !slices.ContainsFunc(c.values, func(b string) bool { return covers(v.field, b, a) })
		})
	}
	return slices.ContainsFunc(c.values, func(b string) bool {
		return !v.excludes(b) && (v.in == nil || slices.ContainsFunc(v.in, func(a string) bool { return covers(v.field, a, b) || covers(v.field, b, a) }))
	})
}

// allows reports whether the fact may have a value.
func (v values) allows(value string) bool {
	_, ok := v.among([]string{value}, false).some()
	return ok
}

func (v values) excludes(a string) bool {
	return slices.ContainsFunc(v.out, func(b string) bool { return covers(v.field, b, a) })
}

// empty reports whether no payment is in the region, whose facts are tightened.
func (g region) empty() bool {
	return g.amount.empty() || slices.ContainsFunc(g.facts, func(v values) bool {
		_, ok := v.some()
		return !ok && !v.unknown
	})
}

// tightened are the facts with what some of them say of others: a card is known of a card payment only, a hosted form is given no
// method but a phone, and a payout has methods of its own.
func (g region) tightened() []values {
	f := slices.Clone(g.facts)
	if !f[fieldBIN].unknown || !f[fieldCardCountry].unknown {
		f[fieldMethod] = f[fieldMethod].among([]string{methodCard}, false)
	}
	if !f[fieldBrand].unknown {
		f[fieldMethod] = f[fieldMethod].among([]string{methodCard, "apple_pay", "google_pay"}, false)
	}
	switch payment, payout := f[fieldKind].allows(kindPayment), f[fieldKind].allows(kindPayout); {
	case payment && !payout:
		f[fieldMethod] = f[fieldMethod].among(paymentMethods, f[fieldMethod].unknown)
	case payout && !payment:
		f[fieldMethod] = f[fieldMethod].among(payoutMethods, false)
		f[fieldFlow], f[fieldCapture] = f[fieldFlow].among([]string{direct}, false), f[fieldCapture].among([]string{automatic}, false)
		f[fieldRecurring] = f[fieldRecurring].among([]string{no}, false)
		return f
	}
	if !f[fieldMethod].unknown {
		if _, ok := f[fieldMethod].among([]string{mobile}, false).some(); !ok {
			f[fieldFlow] = f[fieldFlow].among([]string{direct}, false)
		} else if _, ok := f[fieldMethod].without([]string{mobile}, false).some(); !ok {
			f[fieldFlow] = f[fieldFlow].among([]string{hosted}, false)
		}
	}
	if _, ok := f[fieldFlow].without([]string{direct}, false).some(); !ok {
		f[fieldMethod] = f[fieldMethod].without([]string{mobile}, false)
	} else if _, ok := f[fieldFlow].without([]string{hosted}, false).some(); !ok {
		f[fieldMethod] = f[fieldMethod].among([]string{mobile}, f[fieldMethod].unknown)
	}
	return f
}

// describe names a payment of the region, as far as it differs from any other.
func (s *Set) describe(g region) string {
	var parts []string
	for i, v := range g.facts {
		if words := v.describe(); words != "" {
			parts = append(parts, s.fieldName(i)+" "+words)
		}
	}
	switch {
	case g.amount == anyAmount:
	case g.amount.to == math.MaxInt64:
		parts = append(parts, fmt.Sprintf("amount %d or more", g.amount.from))
	default:
		parts = append(parts, fmt.Sprintf("amount %d to %d", g.amount.from, g.amount.to))
	}
	if len(parts) == 0 {
		return "any payment"
	}
	return "a payment with " + strings.Join(parts, ", ")
}

func (s *Set) fieldName(field int) string {
	if field < fixedFields {
		return fieldNames[field]
	}
	return metadataPrefix + s.keys[field-fixedFields]
}

// describe names one of the values, "" if every one is among them.
func (v values) describe() string {
	value, ok := v.some()
	switch {
	case v.field == fieldKind, v.in == nil && len(v.out) == 0, v.field == fieldMethod && len(v.in) == len(paymentMethods) && len(v.out) == 0, v.field < fixedFields && len(v.in) == len(fieldWords[v.field]) && len(v.out) == 0:
		return ""
	case v.unknown:
		return "not known"
	case ok && value != "":
		return value
	}
	return "other than " + strings.Join(v.out[:min(3, len(v.out))], ", ")
}
