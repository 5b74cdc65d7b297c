package faults

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

const (
	// coverageRuns is how many runs a campaign needs before something that never happened in it is no chance.
	coverageRuns = 50
	// coveragePlanned is how often a fault must have been planned for the same: a point can be too late to be reached.
	coveragePlanned = 20
)

// Actions are what shops, customers and providers do beside asking for orders.
var Actions = []string{
	"sent twice at once", "sent again without its key", "captured", "captured in part", "canceled", "captured while canceled", "canceled while captured",
	"refunded", "refunded by halves", "refunded many at once", "refunded after too much was asked for", "right code", "wrong code", "paid to a left card",
	"imported", "contradiction",
	"money moved by itself: refund", "money moved by itself: chargeback", "money moved by itself: charged_twice", "money moved by itself: late_success",
}

// Campaign is what many runs together have tried. The zero value is ready for use.
type Campaign struct {
	runs                               int
	scripts, actions, faults, families map[string]int
	planned                            map[string]int
}

// Add counts a run.
func (c *Campaign) Add(r Report) {
	if c.runs++; c.runs == 1 {
		c.scripts, c.actions, c.faults, c.families, c.planned = map[string]int{}, map[string]int{}, map[string]int{}, map[string]int{}, map[string]int{}
	}
	for name, n := range r.Scripts {
		c.scripts[name] += n
	}
	for name, n := range r.Actions {
		c.actions[name] += n
	}
	for _, name := range r.Faults {
		c.faults[name]++
		c.families[family(name)]++
	}
	for _, name := range r.Planned {
		c.planned[name]++
	}
}

// ActionCounts returns how often each action happened.
func (c *Campaign) ActionCounts() map[string]int { return maps.Clone(c.actions) }

// Never lists what did not happen once in a campaign of so many runs that it should have: kinds of orders that never moved
// money, actions, and faults, alone or by family. A campaign that is too small for that lists nothing.
func (c *Campaign) Never() (missing []string) {
	if c.runs < coverageRuns {
		return nil
	}
	orders := []string{"refund", "charge"}
	for _, s := range scripts {
		if s.name != "statement" { // which is no order
			orders = append(orders, s.name)
		}
	}
	for _, name := range orders {
		if c.scripts[name+" done"] == 0 {
			missing = append(missing, "order: "+name)
		}
	}
	for _, name := range Actions {
		if c.actions[name] == 0 {
			missing = append(missing, "action: "+name)
		}
	}
	families := slices.Clone(kinds)
	for _, kind := range simulatorFaults {
		families = append(families, "simulator:"+string(kind))
	}
	slices.Sort(families)
	for _, name := range slices.Compact(families) {
		if c.families[name] == 0 {
			missing = append(missing, "fault: "+name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.planned)) {
		if n := c.planned[name]; n >= coveragePlanned && c.faults[name] == 0 && c.families[family(name)] > 0 {
			missing = append(missing, fmt.Sprintf("fault: %s, planned %d times", name, n))
		}
	}
	return missing
}

// family is what a fault is counted with: the same at another point, or of another provider.
func family(name string) string {
	kind, _, _ := strings.Cut(name, ":")
	if kind == "simulator" {
		return name
	}
	return kind
}
