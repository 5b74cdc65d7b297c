package faults

import (
	"slices"

	"payrelay/internal/sandbox/control"
)

// disputes holds the disputes on record to the money that moved by itself: each of which a callback told has one, and there is no
// other.
func (x indexed) disputes(r *Result) {
	moved := map[string]Movement{}
	for _, m := range x.Movements {
		moved[m.Order] = m
		row := x.byID[m.Order]
		if row == nil || !m.Acknowledged {
			continue
		}
		if !slices.ContainsFunc(row.Disputes, func(d Dispute) bool { return slices.Contains(m.kinds(), d.Kind) && d.Amount == m.Amount }) {
			r.add(MissedDispute, m.Order, "%s of %d, and the disputes on record are %v", m.What, m.Amount, row.Disputes)
		}
	}
	for _, row := range x.Rows {
		if m, ok := moved[row.ID]; len(row.Disputes) > 1 || len(row.Disputes) == 1 && (!ok || !slices.Contains(m.kinds(), row.Disputes[0].Kind)) {
			r.add(FalseDispute, row.ID, "its disputes are %v, and of its money moved by itself: %q", row.Disputes, m.What)
		}
	}
}

// kinds are those that a dispute about the money may be of.
func (m Movement) kinds() []string {
	if m.What == control.ChargedTwice {
		return []string{"duplicate_charge"}
	}
	return []string{"external_refund", "reversal"}
}
