package routing

import (
	"math"
	"slices"
)

// Set is a list of rules, the first that fits counts. It is made by Parse, and never changed.
type Set struct {
	Rules []Rule
	// ByPriority says that a payment no rule takes goes by the priorities of the shop's accounts. Else it is refused.
	ByPriority bool

	keys            []string // of metadata that the rules ask for
	binDigits       int      // how many digits of a card number they ask for
	asksCardCountry bool
	index           []fieldIndex
}

// AsksCardCountry reports whether a rule asks for the country of the card, which the BIN table says.
func (s *Set) AsksCardCountry() bool { return s.asksCardCountry }

// Rule says where payments go for which all of its conditions hold.
type Rule struct {
	Name string
	// Accounts are the candidates in their order, unless Split divides the payments; then they are the fallback.
	Accounts []string
	Split    []Share
	// Sticky is what a split keeps together: StickyOrder or StickyCustomer.
	Sticky string
	// SkipIncomplete passes over an account whose provider needs more than the request has, or cannot do what it asks.
	SkipIncomplete bool
	// Failover says that a payout goes on to the next account where nothing was sent. Payments always do.
	Failover bool
	// Refuse says that no later rule is asked if none of the accounts takes the payment.
	Refuse bool

	conditions []condition
	amount     span
}

// Share is an account's part of a split.
type Share struct {
	Account string
	Weight  int
}

// What a split keeps together.
const (
	StickyOrder    = "order"
	StickyCustomer = "customer"
)

// condition is about a fact: it is one of values, or with not none of them. One that is not known meets neither.
type condition struct {
	field  int
	values []string
	not    bool
}

// span is a range of amounts with both its ends.
type span struct{ from, to int64 }

var anyAmount = span{0, math.MaxInt64}

func (s span) empty() bool { return s.from > s.to }

func (s span) meet(other span) span { return span{max(s.from, other.from), min(s.to, other.to)} }

// beyond are the ranges below and above.
func (s span) beyond() []span {
	var sides []span
	if s.from > anyAmount.from {
		sides = append(sides, span{anyAmount.from, s.from - 1})
	}
	if s.to < anyAmount.to {
		sides = append(sides, span{s.to + 1, anyAmount.to})
	}
	return sides
}

// accounts are all that the rule names, those of the split first.
func (r *Rule) accounts() []string {
	names := make([]string, 0, len(r.Split)+len(r.Accounts))
	for _, s := range r.Split {
		names = append(names, s.Account)
	}
	return append(names, r.Accounts...)
}

// Accounts are the names of all accounts that the rules name.
func (s *Set) Accounts() []string {
	var names []string
	for i := range s.Rules {
		names = append(names, s.Rules[i].accounts()...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
