package shop

import (
	"cmp"
	"time"

	"payrelay/internal/limit"
)

// RateClass is a kind of requests that has a rate of its own.
type RateClass string

// The classes.
const (
	RateReads      RateClass = "reads"
	RateWrites     RateClass = "writes"
	RateStatements RateClass = "statements" // asking for a statement
)

// defaultRates are those of every key. What a shop does in its business has no rate that nobody has set.
var defaultRates = map[RateClass]limit.Rate{RateStatements: {Quota: 20, Window: 24 * time.Hour}}

// Rates are how often a key may ask.
type Rates map[RateClass]limit.Rate

// Of returns the rate of a class, or none.
func (r Rates) Of(class RateClass) (rate limit.Rate, limited bool) {
	rate, limited = r[class]
	if !limited {
		rate, limited = defaultRates[class]
	}
	return rate, limited
}

// Over returns the rates of r, and those of other for classes that r does not have.
func (r Rates) Over(other Rates) Rates {
	if len(r)+len(other) == 0 {
		return nil
	}
	both := Rates{}
	for _, class := range []RateClass{RateReads, RateWrites, RateStatements} {
		if rate := cmp.Or(r[class], other[class]); rate.Quota > 0 {
			both[class] = rate
		}
	}
	return both
}
