package routing

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"payrelay/internal/country"
	"payrelay/internal/money"
)

// What a set may hold.
const (
	mostBytes  = 256 << 10
	mostRules  = 500
	mostValues = 2000
	mostWeight = 1_000_000
	leastBIN   = 6
	mostBIN    = 8
	mostName   = 64
)

// Problem is something that is wrong with a set of rules.
type Problem struct {
	Rule    string // "" for the set itself
	Message string
}

func (p Problem) String() string {
	if p.Rule == "" {
		return p.Message
	}
	return fmt.Sprintf("rule %q: %s", p.Rule, p.Message)
}

// metadataPrefix begins the names of conditions on metadata.
const metadataPrefix = "metadata."

// The members of a set, of a rule and of what a rule does.
var (
	setMembers   = []string{"rules", "otherwise"}
	ruleMembers  = []string{"name", "when", "then"}
	thenMembers  = []string{"accounts", "split", "sticky", "fallback", "if_none", "failover", "skip_incomplete"}
	whenMembers  = append([]string{"amount", "metadata.KEY"}, fieldNames[:]...)
	spanMembers  = []string{"gte", "gt", "lte", "lt"}
	otherwise    = []string{"by_priority", "refuse"}
	stickyWords  = []string{StickyOrder, StickyCustomer}
	noneWords    = []string{"next", "refuse"}
	fieldPattern = map[int]*regexp.Regexp{
		fieldBIN: regexp.MustCompile(`^[0-9]{6,8}$`), fieldBrand: regexp.MustCompile(`^[A-Z][A-Z0-9]*$`),
	}
	patternHelp = map[int]string{
		fieldBIN: "must be the first 6 to 8 digits of card numbers", fieldBrand: "must be a brand in capital letters, such as VISA",
	}
)

// parser gathers what is wrong with a set.
type parser struct {
	rule     string
	problems []Problem
}

func (p *parser) add(format string, args ...any) {
	p.problems = append(p.problems, Problem{p.rule, fmt.Sprintf(format, args...)})
}

// Parse reads a set of rules. It is nil if anything is wrong with it.
func Parse(body []byte) (*Set, []Problem) {
	var p parser
	if len(body) > mostBytes {
		p.add("the rules are larger than %d KiB", mostBytes>>10)
		return nil, p.problems
	}
	o, err := readJSON(body)
	if err != nil {
		p.add("the file %s", err)
		return nil, p.problems
	}
	s := p.set(o)
	if len(p.problems) > 0 {
		return nil, p.problems
	}
	s.compile()
	return s, nil
}

func (p *parser) set(o object) *Set {
	s := &Set{}
	p.known("", o, setMembers)
	rules, ok := o.get("rules").([]any)
	if !ok || len(rules) == 0 || len(rules) > mostRules {
		p.add("rules must be a list of 1 to %d rules", mostRules)
	}
	names := map[string]bool{}
	for i, value := range rules {
		p.rule = fmt.Sprintf("#%d", i+1)
		rule, ok := value.(object)
		if !ok {
			p.add("must be an object with name, when and then")
			continue
		}
		r := p.readRule(rule)
		if names[r.Name] {
			p.add("another rule has this name")
		}
		names[r.Name] = true
		s.Rules = append(s.Rules, r)
	}
	p.rule = ""
	s.ByPriority = p.word(o, "otherwise", otherwise) == otherwise[0]
	return s
}

// readRule reads a rule, after whose name problems are called from then on.
func (p *parser) readRule(o object) Rule {
	var r Rule
	name, _ := o.get("name").(string)
	if name == "" || len(name) > mostName || strings.ContainsFunc(name, func(c rune) bool { return c < ' ' }) {
		p.add("name must be a text of 1 to %d bytes", mostName)
	} else {
		r.Name, p.rule = name, name
	}
	p.known("", o, ruleMembers)
	when, ok := o.get("when").(object)
	if !ok {
		p.add("when must be an object; {} is for every payment")
	}
	p.when(when, &r)
	if r.on(fieldKind) == nil {
		r.conditions = append(r.conditions, condition{field: fieldKind, values: []string{kindPayment}})
	}
	then, ok := o.get("then").(object)
	if !ok {
		p.add("then must be an object with accounts or split")
		return r
	}
	p.then(then, &r)
	return r
}

func (p *parser) when(o object, r *Rule) {
	r.amount = anyAmount
	for _, m := range o {
		field := slices.Index(fieldNames[:], m.name)
		switch {
		case m.name == "amount":
			r.amount = p.amount(m.value)
		case strings.HasPrefix(m.name, metadataPrefix) && m.name != metadataPrefix:
			p.condition(r, fixedFields, m)
		case field >= 0:
			p.condition(r, field, m)
		default:
			p.add("%s", unknown(m.name, whenMembers))
		}
	}
	if r.amount != anyAmount && !slices.ContainsFunc(r.conditions, func(c condition) bool { return c.field == fieldCurrency && !c.not && len(c.values) == 1 }) {
		p.add("amount needs currency with one currency beside it: an amount is in its minor units")
	}
}

// condition reads a condition on a text. One on metadata has its key as the first of the values until the set is compiled.
func (p *parser) condition(r *Rule, field int, m member) {
	c := condition{field: field}
	value := m.value
	if o, ok := value.(object); ok && len(o) == 1 && o[0].name == "not" {
		c.not, value = true, o[0].value
	}
	if field == fieldRecurring {
		b, ok := value.(bool)
		if !ok || c.not {
			p.add("recurring must be true or false")
			return
		}
		value = []any{map[bool]string{true: yes, false: no}[b]}
	}
	list, ok := value.([]any)
	if !ok || len(list) == 0 || len(list) > mostValues {
		p.add(`%s must be a list of 1 to %d texts, or {"not": [...]}`, m.name, mostValues)
		return
	}
	if field == fixedFields {
		c.values = []string{strings.TrimPrefix(m.name, metadataPrefix)}
	}
	c.values = append(c.values, p.values(field, m.name, list)...)
	r.conditions = append(r.conditions, c)
}

// values reads the values of a condition.
func (p *parser) values(field int, name string, list []any) (values []string) {
	for _, v := range list {
		text, ok := v.(string)
		switch problem := badValue(field, text); {
		case !ok || text == "":
			p.add("%s must hold texts that are not empty", name)
		case problem != "":
			p.add("%s: %s", name, problem)
		case slices.Contains(values, text):
			p.add("%s has %q twice", name, text)
		default:
			values = append(values, text)
		}
	}
	return values
}

// badValue says what is wrong with a value of a field, "" if nothing is.
func badValue(field int, text string) string {
	switch {
	case text == "" || field >= fixedFields:
		return ""
	case field == fieldKind && !slices.Contains(fieldWords[fieldKind], text):
		return fmt.Sprintf("%q is never routed: payments and payouts are, every other order names its account", text)
	case fieldWords[field] != nil && !slices.Contains(fieldWords[field], text):
		return unknown(text, fieldWords[field])
	case field == fieldCurrency && !money.Currency(text).Circulates():
		return fmt.Sprintf("%q is no currency in circulation: write three capital letters, such as EUR", text)
	case (field == fieldCardCountry || field == fieldCountry) && !country.Known(text):
		return country.Problem(text)
	case fieldPattern[field] != nil && !fieldPattern[field].MatchString(text):
		return fmt.Sprintf("%q %s", text, patternHelp[field])
	}
	return ""
}

func (p *parser) amount(value any) span {
	s := anyAmount
	o, ok := value.(object)
	if !ok || len(o) == 0 {
		p.add(`amount must be an object, such as {"gte": 50000, "lt": 100000}, in minor units`)
		return s
	}
	p.known("amount.", o, spanMembers)
	for _, m := range o {
		n, ok := m.value.(json.Number)
		minor, err := n.Int64()
		if !ok || err != nil || minor < 0 {
			p.add("amount.%s must be a whole number of minor units", m.name)
			continue
		}
		switch m.name {
		case "gte":
			s.from = max(s.from, minor)
		case "gt":
			s.from = max(s.from, minor+min(1, math.MaxInt64-minor))
		case "lte":
			s.to = min(s.to, minor)
		case "lt":
			s.to = min(s.to, minor-1)
		}
	}
	if s.empty() {
		p.add("no amount is in the range of amount, so the rule can never match")
	}
	return s
}

func (p *parser) then(o object, r *Rule) {
	p.known("then.", o, thenMembers)
	split, accounts := o.get("split"), o.get("accounts")
	switch {
	case (split == nil) == (accounts == nil):
		p.add("then must have accounts, in their order, or split, with a weight for each")
	case split != nil:
		p.split(split, r)
		if fallback := o.get("fallback"); fallback != nil {
			p.accounts("fallback", fallback, r)
		}
		r.Sticky = p.word(o, "sticky", stickyWords)
	default:
		p.accounts("accounts", accounts, r)
		for _, name := range []string{"sticky", "fallback"} {
			if o.get(name) != nil {
				p.add("%s belongs to split: leave it out", name)
			}
		}
	}
	r.Refuse = p.word(o, "if_none", noneWords) == "refuse"
	if value := o.get("skip_incomplete"); value != nil {
		if r.SkipIncomplete, _ = value.(bool); !r.SkipIncomplete {
			p.add("skip_incomplete must be true, or left out")
		}
	}
	if value := o.get("failover"); value != nil {
		r.Failover, _ = value.(bool)
		if kinds := r.on(fieldKind); !r.Failover || kinds == nil || slices.Contains(kinds.values, kindPayout) == kinds.not {
			p.add("failover must be true, and belongs to rules for payouts: payments go on to the next account without it")
		}
	}
}

// on is the rule's condition on a field, nil if it has none.
func (r *Rule) on(field int) *condition {
	for i := range r.conditions {
		if r.conditions[i].field == field {
			return &r.conditions[i]
		}
	}
	return nil
}

func (p *parser) accounts(name string, value any, r *Rule) {
	list, ok := value.([]any)
	if !ok || len(list) == 0 {
		p.add("%s must be a list of names of accounts, at least one", name)
		return
	}
	for _, v := range list {
		account, ok := v.(string)
		switch {
		case !ok || account == "":
			p.add("%s must hold names of accounts", name)
		case slices.Contains(r.accounts(), account):
			p.add("names account %q twice", account)
		default:
			r.Accounts = append(r.Accounts, account)
		}
	}
}

func (p *parser) split(value any, r *Rule) {
	o, ok := value.(object)
	if !ok || len(o) < 2 {
		p.add(`split must be an object with the weights of two accounts or more, such as {"EUR-main": 80, "EUR-second": 20}`)
		return
	}
	for _, m := range o {
		n, _ := m.value.(json.Number)
		weight, err := n.Int64()
		if err != nil || weight < 1 || weight > mostWeight || m.name == "" {
			p.add("the weight of account %q must be a whole number of 1 to %d; an account that is to get nothing is left out, or in fallback", m.name, mostWeight)
			continue
		}
		r.Split = append(r.Split, Share{m.name, int(weight)})
	}
}

// word reads a member that is one of a few words, the first by default.
func (p *parser) word(o object, name string, words []string) string {
	value := o.get(name)
	if value == nil {
		return words[0]
	}
	text, ok := value.(string)
	if !ok || !slices.Contains(words, text) {
		p.add("%s: %s", name, unknown(text, words))
	}
	return text
}

// known complains about members that are not known.
func (p *parser) known(prefix string, o object, names []string) {
	for _, m := range o {
		if !slices.Contains(names, m.name) {
			p.add("%s%s", prefix, unknown(m.name, names))
		}
	}
}

func (o object) get(name string) any {
	for _, m := range o {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// compile gives each key of metadata a field, and indexes the rules.
func (s *Set) compile() {
	s.binDigits = leastBIN
	for i := range s.Rules {
		r := &s.Rules[i]
		for j := range r.conditions {
			c := &r.conditions[j]
			if c.field == fixedFields {
				c.field, c.values = s.fieldOf(c.values[0]), c.values[1:]
			}
			s.asksCardCountry = s.asksCardCountry || c.field == fieldCardCountry
			if c.field == fieldBIN {
				for _, bin := range c.values {
					s.binDigits = max(s.binDigits, len(bin))
				}
			}
		}
	}
	for field := range fixedFields + len(s.keys) {
		if x, ok := s.indexOf(field); ok {
			s.index = append(s.index, x)
		}
	}
}

// fieldOf returns the field of a key of metadata.
func (s *Set) fieldOf(key string) int {
	i := slices.Index(s.keys, key)
	if i < 0 {
		i = len(s.keys)
		s.keys = append(s.keys, key)
	}
	return fixedFields + i
}
