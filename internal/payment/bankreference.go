package payment

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// secondMovement says why an observation of a success or hold may be about a second charge, or "": it names a movement of money
// besides the one that is known for it. A hold and what is captured from it may have different names.
func (o *Order) secondMovement(r Observation) string {
	if r.Status != StatusSucceeded && r.Status != StatusAuthorized {
		return ""
	}
	known := o.referencesOf(r.Status)
	for _, reference := range r.BankReferences {
		if o.movementKnown(reference) {
			continue
		}
		if known = append(known, reference); len(known) > 1 {
			return fmt.Sprintf("reported %s as %s: it may be a second charge", r.Status, strings.Join(known, " and "))
		}
	}
	return ""
}

// referencesOf lists the names that were reported for a status.
func (o *Order) referencesOf(status Status) []string {
	var of []string
	for _, reference := range slices.Sorted(maps.Keys(o.BankReferences)) {
		if o.BankReferences[reference] == status {
			of = append(of, reference)
		}
	}
	return of
}

// movementKnown reports whether a movement of money is on record, also as one that contradicts. A refused attempt moved
// nothing.
func (o *Order) movementKnown(reference string) bool {
	status, known := o.BankReferences[reference]
	return known && (status == StatusSucceeded || status == StatusAuthorized || status == "")
}

// contradictionsKnown reports whether names of movements of money are all on record as ones that contradict.
func (o *Order) contradictionsKnown(references []string) bool {
	for _, reference := range references {
		if status, known := o.BankReferences[reference]; !known || status != "" {
			return false
		}
	}
	return len(references) > 0
}

// noteReferences keeps the names of movements of money that were reported for a status. A second one for the same status
// keeps none: it contradicts the first, and is told of once.
func (o *Order) noteReferences(references []string, status Status) {
	if len(references) == 0 {
		return
	}
	noted := map[string]Status{}
	maps.Copy(noted, o.BankReferences) // snapshots share the map
	o.BankReferences = noted
	for _, reference := range references {
		before, known := noted[reference]
		taken := len(o.referencesOf(status)) > 0
		money := status == StatusSucceeded || status == StatusAuthorized
		switch {
		case known && (before == "" || before == StatusSucceeded), known && !money:
		case known && before == StatusAuthorized && taken: // the hold's own name
		case money && taken:
			noted[reference] = ""
		default:
			noted[reference] = status
		}
	}
}
