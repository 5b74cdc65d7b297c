package routing

import (
	"fmt"
	"slices"
)

// KnownAccount is an account that rules may name.
type KnownAccount struct {
	Name, Currency string
	// Payments and Payouts say what it is for, Begins that it begins orders now, and Closed that it never will again.
	Payments, Payouts, Begins, Closed bool
	// Shops are those that may use it, Prioritized those where it has a priority.
	Shops, Prioritized []string
}

// A search is bounded: a set that needs more steps is too complicated to be judged. A rule is then taken for one that can match.
const (
	stepsForGap    = 5_000
	stepsForShadow = 500
)

// Check says what is wrong with a set for a shop, or for all of them for "": a rule that can never match or that earlier ones leave
// nothing, and accounts that are not there, not the shop's, or of a currency that the rule never has.
func (s *Set) Check(shop string, accounts []KnownAccount) []Problem {
	var problems []Problem
	for i := range s.Rules {
		r := &s.Rules[i]
		own := s.regionOf(r, shop)
		if own.empty() {
			problems = append(problems, Problem{r.Name, "no payment meets all conditions, so the rule can never match" + impossible(r, shop)})
			continue
		}
		if by := s.shadow(i, own); by != "" {
			problems = append(problems, Problem{r.Name, by})
		}
		for _, name := range r.accounts() {
			if message := s.unfit(name, r, own, shop, accounts); message != "" {
				problems = append(problems, Problem{r.Name, message})
			}
		}
	}
	return problems
}

// UnknownShops says which rules ask for a shop that is none of those that there are.
func (s *Set) UnknownShops(shops []string) (problems []Problem) {
	for i := range s.Rules {
		c := s.Rules[i].on(fieldShop)
		if c == nil {
			continue
		}
		for _, name := range c.values {
			if !slices.Contains(shops, name) {
				problems = append(problems, Problem{s.Rules[i].Name, fmt.Sprintf("there is no shop %q%s", name, orNearest(name, shops, "shop list"))})
			}
		}
	}
	return problems
}

// Closed says which rules name an account that takes nothing any more.
func (s *Set) Closed(accounts []KnownAccount) (problems []Problem) {
	for i := range s.Rules {
		for _, name := range s.Rules[i].accounts() {
			if slices.ContainsFunc(accounts, func(a KnownAccount) bool { return a.Name == name && a.Closed }) {
				problems = append(problems, Problem{s.Rules[i].Name, fmt.Sprintf("account %s is closed for good, and takes nothing: leave it out", name)})
			}
		}
	}
	return problems
}

// orNearest says which of some names was meant, or which command lists them.
func orNearest(name string, names []string, list string) string {
	if near := Nearest(name, names); near != "" {
		return fmt.Sprintf(": did you mean %q?", near)
	}
	return fmt.Sprintf("; 'server %s' names them all", list)
}

// WithoutBINs says which rules can never match while no BIN table is there.
func (s *Set) WithoutBINs() (problems []Problem) {
	for i := range s.Rules {
		if r := &s.Rules[i]; r.on(fieldCardCountry) != nil {
			problems = append(problems, Problem{r.Name, "asks for card.country, and no BIN table is there, so the rule can never match: import one with 'server bin import FILE'"})
		}
	}
	return problems
}

// impossible says more about a rule that can never match, where that is plain.
func impossible(r *Rule, shop string) string {
	has := func(field int) bool {
		return slices.ContainsFunc(r.conditions, func(c condition) bool { return c.field == field })
	}
	switch {
	case shop != "" && has(fieldShop):
		return ": the set is for shop " + shop + " alone"
	case has(fieldBIN) || has(fieldBrand) || has(fieldCardCountry):
		return ": a card is known only with flow direct, and its BIN and country only with method card"
	}
	return ""
}

// regionOf are the payments that meet a rule's conditions.
func (s *Set) regionOf(r *Rule, shop string) region {
	g := s.everything(shop, "").withAmount(r.amount)
	for i := range r.conditions {
		g = g.within(&r.conditions[i])
	}
	g.facts = g.tightened()
	return g
}

// shadow says which rules leave nothing to a later one, "" if it has something left.
func (s *Set) shadow(i int, own region) string {
	for j := range i {
		if s.Rules[j].contains(own) {
			return fmt.Sprintf("rule %q before it takes all of its payments. Put this rule first, or add its accounts to the other one's", s.Rules[j].Name)
		}
	}
	search := search{most: stepsForShadow}
	for j := range i {
		if s.Rules[j].touches(own) {
			search.rules = append(search.rules, s.Rules[j])
		}
	}
	if hole := search.hole(own, 0); hole == nil && !search.tooMuch() {
		return "the rules before it take all of its payments together. Put this rule before them, or remove it"
	}
	return ""
}

// unfit says why a rule cannot use an account.
func (s *Set) unfit(name string, r *Rule, own region, shop string, accounts []KnownAccount) string {
	i := slices.IndexFunc(accounts, func(a KnownAccount) bool { return a.Name == name })
	if i < 0 {
		names := make([]string, len(accounts))
		for i, a := range accounts {
			names[i] = a.Name
		}
		return fmt.Sprintf("there is no account %q%s", name, orNearest(name, names, "account list"))
	}
	a := accounts[i]
	switch {
	case !a.Payments && !own.facts[fieldKind].allows(kindPayout):
		return fmt.Sprintf("account %s is for payouts only", name)
	case !a.Payouts && !own.facts[fieldKind].allows(kindPayment):
		return fmt.Sprintf("account %s is for payments only", name)
	case shop != "" && !slices.Contains(a.Shops, shop):
		return fmt.Sprintf("shop %s may not use account %s. 'server account link %s --shop %s --by-name' lets it", shop, name, name, shop)
	case !own.facts[fieldCurrency].allows(a.Currency):
		return fmt.Sprintf("account %s holds %s, which no payment of this rule has", name, a.Currency)
	case !slices.ContainsFunc(a.Shops, func(shop string) bool { return own.facts[fieldShop].allows(shop) }):
		return fmt.Sprintf("no shop of this rule may use account %s: link it with 'server account link %s --shop NAME --by-name'", name, name)
	}
	return ""
}

// Gap describes a payment of a shop and currency that the set leaves without an account, "" if there is none. An account counts if it
// begins orders now.
func (s *Set) Gap(shop, currency string, accounts []KnownAccount) string {
	usable := func(linked func(KnownAccount) []string) func(string) bool {
		return func(name string) bool {
			return slices.ContainsFunc(accounts, func(a KnownAccount) bool {
				return a.Name == name && a.Currency == currency && a.Payments && a.Begins && slices.Contains(linked(a), shop)
			})
		}
	}
	byRule := usable(func(a KnownAccount) []string { return a.Shops })
	byPriority := usable(func(a KnownAccount) []string { return a.Prioritized })
	find := search{
		most: stepsForGap, rules: s.Rules, usable: byRule,
		otherwise: s.ByPriority && slices.ContainsFunc(accounts, func(a KnownAccount) bool { return byPriority(a.Name) }),
	}
	payments := s.everything(shop, currency)
	hole := find.hole(payments.with(fieldKind, payments.facts[fieldKind].among([]string{kindPayment}, false)), 0)
	switch {
	case find.tooMuch():
		return "the rules are too many to tell whether each payment has an account: end them with a rule whose when is {}"
	case hole == nil:
		return ""
	}
	return s.describe(*hole) + " has no account that begins orders"
}

// search looks for payments that no rule takes.
type search struct {
	rules []Rule
	// usable says whether an account takes payments; nil is for all of them.
	usable func(account string) bool
	// otherwise says that a payment that no rule takes has an account.
	otherwise   bool
	steps, most int
}

func (s *search) tooMuch() bool { return s.steps > s.most }

// takes reports whether an account of the rule takes payments.
func (s *search) takes(r *Rule) bool {
	return s.usable == nil || slices.ContainsFunc(r.accounts(), s.usable)
}

// hole returns a part of the region that the rules from the i-th on do not take, nil if they take all of it.
func (s *search) hole(g region, i int) *region {
	g.facts = g.tightened()
	if s.steps++; s.tooMuch() || g.empty() || s.covered(g, i) {
		return nil
	}
	if i == len(s.rules) {
		return &g
	}
	r := &s.rules[i]
	takes := s.takes(r)
	if !takes && !r.Refuse {
		return s.hole(g, i+1)
	}
	// Each part fails one condition and meets those before it, so no two have a payment in common.
	for j := range r.conditions {
		c := &r.conditions[j]
		if hole := s.hole(g.beyond(c), i+1); hole != nil {
			return hole
		}
		g = g.within(c)
	}
	for _, side := range r.amount.beyond() {
		if hole := s.hole(g.withAmount(side), i+1); hole != nil {
			return hole
		}
	}
	g = g.withAmount(r.amount)
	g.facts = g.tightened()
	if takes || g.empty() {
		return nil
	}
	return &g // the rule refuses it
}

// covered reports whether one of the rules from the i-th on takes the whole region.
func (s *search) covered(g region, i int) bool {
	for k := i; k < len(s.rules); k++ {
		r := &s.rules[k]
		if s.takes(r) {
			if r.contains(g) {
				return true
			}
		} else if r.Refuse {
			return false
		}
	}
	return s.otherwise
}

// touches reports whether a payment of a region may meet the rule's conditions.
func (r *Rule) touches(g region) bool {
	for i := range r.conditions {
		if c := &r.conditions[i]; !g.facts[c.field].touches(c) {
			return false
		}
	}
	return !g.amount.meet(r.amount).empty()
}

// contains reports whether every payment of a region meets the rule's conditions.
func (r *Rule) contains(g region) bool {
	for i := range r.conditions {
		if c := &r.conditions[i]; !g.facts[c.field].meets(c) {
			return false
		}
	}
	return g.amount.from >= r.amount.from && g.amount.to <= r.amount.to
}
