package routing

import (
	"math/bits"
	"slices"
)

// fieldIndex says which rules accept a fact: so all rules are compared at once, and their number hardly matters.
type fieldIndex struct {
	field   int
	ids     map[string]int // of the values that rules name
	accepts []ruleBits     // by id
}

// The ids of facts that no rule names.
const (
	idNotKnown = iota
	idOther
	firstID
)

// ruleBits has a bit for each rule.
type ruleBits []uint64

const wordBits = 64

func newRuleBits(rules int) ruleBits { return make(ruleBits, (rules+wordBits-1)/wordBits) }

func (b ruleBits) set(rule int) { b[rule/wordBits] |= 1 << (rule % wordBits) }

func (b ruleBits) and(other ruleBits) {
	for i := range b {
		b[i] &= other[i]
	}
}

// each calls do for each rule in its order until one is accepted.
func (b ruleBits) each(do func(rule int) (stop bool)) {
	for i, word := range b {
		for ; word != 0; word &= word - 1 {
			if do(i*wordBits + bits.TrailingZeros64(word)) {
				return
			}
		}
	}
}

// indexOf indexes the rules by a field, and reports false if none has a condition on it.
func (s *Set) indexOf(field int) (fieldIndex, bool) {
	x := fieldIndex{field: field, ids: map[string]int{}}
	conditions := make([]*condition, len(s.Rules))
	for i := range s.Rules {
		at := slices.IndexFunc(s.Rules[i].conditions, func(c condition) bool { return c.field == field })
		if at < 0 {
			continue
		}
		conditions[i] = &s.Rules[i].conditions[at]
		for _, v := range conditions[i].values {
			if _, known := x.ids[v]; !known {
				x.ids[v] = firstID + len(x.ids)
			}
		}
	}
	if len(x.ids) == 0 {
		return x, false
	}
	x.accepts = make([]ruleBits, firstID+len(x.ids))
	for id := range x.accepts {
		x.accepts[id] = newRuleBits(len(s.Rules))
	}
	for rule, c := range conditions {
		if c == nil || c.not {
			x.accepts[idOther].set(rule)
		}
		if c == nil {
			x.accepts[idNotKnown].set(rule)
		}
		for v, id := range x.ids {
			if c == nil || slices.ContainsFunc(c.values, func(named string) bool { return covers(field, named, v) }) != c.not {
				x.accepts[id].set(rule)
			}
		}
	}
	return x, true
}

// of returns the rules that accept a fact. A BIN counts as the longest beginning of it that a rule names, which all shorter ones cover.
func (x *fieldIndex) of(fact string) ruleBits {
	if fact == "" {
		return x.accepts[idNotKnown]
	}
	shortest := len(fact)
	if x.field == fieldBIN {
		shortest = min(leastBIN, len(fact))
	}
	for n := len(fact); n >= shortest; n-- {
		if id, named := x.ids[fact[:n]]; named {
			return x.accepts[id]
		}
	}
	return x.accepts[idOther]
}

// matching are the rules whose conditions all hold, but for those on the amount.
func (s *Set) matching(facts []string) ruleBits {
	left := newRuleBits(len(s.Rules))
	for i := range s.Rules {
		left.set(i)
	}
	for i := range s.index {
		left.and(s.index[i].of(facts[s.index[i].field]))
	}
	return left
}
