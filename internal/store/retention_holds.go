package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// rulesNow are the rules of retention, of which each leaves out orders under a hold: also those whose hold was taken away in the database.
func (s *Store) rulesNow(ctx context.Context) ([]retentionRule, error) {
	taken, err := s.takenHolds(ctx)
	if err != nil || len(taken) == 0 {
		return retentionRules, err
	}
	rules := slices.Clone(retentionRules)
	for i := range rules {
		rules[i].old = strings.ReplaceAll(rules[i].old, unheld, unheld+fmt.Sprintf(" AND t.order_id <> ALL ('{%s}'::uuid[])", strings.Join(taken, ",")))
	}
	return rules, nil
}

// takenHolds are the orders that are under a hold by the audit log, and not by the table.
func (s *Store) takenHolds(ctx context.Context) (orders []string, err error) {
	if s.Keyring == nil {
		return nil, nil // nothing can be compared
	}
	findings, err := s.CheckConfiguration(ctx)
	for _, f := range findings {
		_, order, _ := strings.Cut(f.ID, "/")
		if id, bad := uuid.Parse(order); f.Table == tableHolds && f.What == rowMissing && bad == nil {
			orders = append(orders, id.String())
		}
	}
	return orders, err
}
