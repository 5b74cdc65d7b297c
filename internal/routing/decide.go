package routing

import "slices"

// Account is an account of the shop, as a decision sees it.
type Account struct {
	Name string
	// Priority is its place in the shop's routing, 0 for one that only names and rules reach.
	Priority int
	// Reason is why it does not take the payment, "" if it does. An Unhealthy one takes it after all others.
	Reason Reason
}

// Reason says in a word why an account does not take a payment.
type Reason string

// The reasons.
const (
	NotLinked   Reason = "not_linked"
	Disabled    Reason = "disabled"
	Draining    Reason = "draining"
	Frozen      Reason = "frozen"   // changed past payrelay
	Unusable    Reason = "unusable" // its settings or secrets cannot be read, or its provider does not take them
	Purpose     Reason = "purpose"
	Currency    Reason = "currency"
	CircuitOpen Reason = "circuit_open" // its host fails again and again
	Limit       Reason = "limit"        // an enforced limit of its own refuses the order
	Incomplete  Reason = "incomplete"   // its provider needs more than the request has, or cannot do what it asks
	Unhealthy   Reason = "unhealthy"    // too many of its calls fail, so it comes last
)

// mayTake reports whether an account with this reason takes a payment, if only after all others.
func (r Reason) mayTake() bool { return r == "" || r == Unhealthy }

// Candidate is an account that a decision considered.
type Candidate struct {
	Account string `json:"account"`
	Reason  Reason `json:"reason,omitempty"`
	// Weight is its share of a split.
	Weight int `json:"weight,omitempty"`
	// Trial says that it is unhealthy and keeps its place all the same, to find out whether it has recovered.
	Trial bool `json:"trial,omitempty"`
}

// Decision is where a payment may go and why. It is stored with the order, and the same set, facts and reasons give it once more.
type Decision struct {
	// Set is the id of the set of rules, "" for none: then the priorities decided.
	Set string `json:"set,omitempty"`
	// Rule is the rule that decided, "" if none did.
	Rule  string `json:"rule,omitempty"`
	Facts Facts  `json:"facts"`
	// Candidates are all accounts that were considered, in their order.
	Candidates []Candidate `json:"candidates"`
	// Failover says that a payout may go on to the next candidate.
	Failover bool `json:"failover,omitempty"`
	// SkipIncomplete passes over candidates that cannot take the request as it is.
	SkipIncomplete bool `json:"skip_incomplete,omitempty"`
	// Draw is by what a split was drawn: StickyCustomer, or StickyOrder also where the customer is not known.
	Draw string `json:"draw,omitempty"`
}

// Decide returns where a payment may go. accounts are the shop's, in the order of its routing.
func (s *Set) Decide(f Facts, accounts []Account) Decision {
	d := Decision{Facts: s.Kept(f), Candidates: make([]Candidate, 0, len(accounts))}
	s.matching(d.Facts.texts(s.keys)).each(func(i int) (stop bool) {
		r := &s.Rules[i]
		if f.Amount < r.amount.from || f.Amount > r.amount.to {
			return false
		}
		if taken := d.consider(r, accounts); taken || r.Refuse {
			d.Rule, d.Failover, d.SkipIncomplete = r.Name, r.Failover, r.SkipIncomplete
			return true
		}
		return false
	})
	if d.Rule == "" && s.ByPriority {
		d.byPriority(accounts)
	}
	return d
}

// ByPriority is the decision where no set of rules is active.
func ByPriority(f Facts, accounts []Account) Decision {
	d := Decision{Facts: f, Candidates: make([]Candidate, 0, len(accounts))}
	d.byPriority(accounts)
	return d
}

func (d *Decision) byPriority(accounts []Account) {
	d.Draw = ""
	for _, a := range accounts {
		if a.Priority > 0 {
			d.add(Candidate{Account: a.Name, Reason: a.Reason})
		}
	}
}

// consider adds a rule's accounts, and reports whether one takes the payment.
func (d *Decision) consider(r *Rule, accounts []Account) (taken bool) {
	d.Draw = ""
	if len(r.Split) > 0 {
		key := d.Facts.OrderKey
		d.Draw = StickyOrder
		if r.Sticky == StickyCustomer && d.Facts.CustomerKey != "" {
			d.Draw, key = StickyCustomer, d.Facts.CustomerKey
		}
		for _, share := range drawn(r.Split, r.Name, key) {
			taken = d.add(Candidate{Account: share.Account, Reason: reasonOf(accounts, share.Account), Weight: share.Weight}) || taken
		}
	}
	for _, name := range r.Accounts {
		taken = d.add(Candidate{Account: name, Reason: reasonOf(accounts, name)}) || taken
	}
	return taken
}

// add adds a candidate unless it was considered before, and reports whether it takes the payment.
func (d *Decision) add(c Candidate) bool {
	if c.Reason == Unhealthy && Trial(d.Facts.OrderKey, c.Account) {
		c.Reason, c.Trial = "", true
	}
	if !slices.ContainsFunc(d.Candidates, func(other Candidate) bool { return other.Account == c.Account }) {
		d.Candidates = append(d.Candidates, c)
	}
	return c.Reason.mayTake()
}

func reasonOf(accounts []Account, name string) Reason {
	for i := range accounts {
		if accounts[i].Name == name {
			return accounts[i].Reason
		}
	}
	return NotLinked
}

// Accounts are those that the payment may go to, in their order, unhealthy ones last.
func (d *Decision) Accounts() []string {
	var names []string
	for _, reason := range []Reason{"", Unhealthy} {
		for _, c := range d.Candidates {
			if c.Reason == reason {
				names = append(names, c.Account)
			}
		}
	}
	return names
}

// Tries reports whether the payment tries an unhealthy account out.
func (d *Decision) Tries(account string) bool {
	return slices.ContainsFunc(d.Candidates, func(c Candidate) bool { return c.Account == account && c.Trial })
}

// PassOver says why an account was passed over. A decision that there is not takes no notice.
func (d *Decision) PassOver(account string, reason Reason) {
	if d == nil {
		return
	}
	for i := range d.Candidates {
		if d.Candidates[i].Account == account {
			d.Candidates[i].Reason, d.Candidates[i].Trial = reason, false
		}
	}
}

// Considered are the accounts as they were when the decision was made, to make it once more.
func (d *Decision) Considered() []Account {
	list := make([]Account, len(d.Candidates))
	for i, c := range d.Candidates {
		list[i] = Account{Name: c.Account, Priority: i + 1, Reason: c.Was()}
	}
	return list
}

// Was is the reason that the account had when it was considered.
func (c *Candidate) Was() Reason {
	if c.Trial {
		return Unhealthy
	}
	return c.Reason
}
