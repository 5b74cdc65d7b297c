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
		row := x.byID[m.Order]
		if m.What == control.LateSuccess { // an order of its own carries the money
			if row = x.byProvider[m.Provider]; row == nil && m.Acknowledged {
				r.add(MissedDispute, m.Order, "attempt %s of it was paid after all, and no order carries the money", m.Provider)
			}
		}
		if row != nil {
			moved[row.ID] = m
		}
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
	switch m.What {
	case control.ChargedTwice:
		return []string{"duplicate_charge"}
	case control.LateSuccess:
		return []string{"late_success"}
	}
	return []string{"external_refund", "reversal"}
}

// paidLate reports whether money of an attempt moved after its provider had declined it.
func (x indexed) paidLate(providerOrderID string) bool {
	return slices.ContainsFunc(x.Movements, func(m Movement) bool { return m.What == control.LateSuccess && m.Provider == providerOrderID })
}

// takenOver reports whether an order carries the money of an attempt that had ended, or was made to ask about it.
func (x indexed) takenOver(row Row) bool {
	return row.Parent != "" && (x.paidLate(row.ProviderOrderID) || x.deniedLate(row))
}

// deniedLate reports whether an order was made because a callback claimed that an attempt was paid that had ended, and took no money.
func (x indexed) deniedLate(row Row) bool {
	parent := x.byID[row.Parent]
	return parent != nil && row.Status == "failed" && !decisive(x.orders[row.ProviderOrderID]).moved() &&
		slices.ContainsFunc(parent.Ended, func(e Ended) bool { return e.ProviderOrderID == row.ProviderOrderID })
}
