package app

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	httpapi "payrelay/internal/http"
	"payrelay/internal/payment"
)

// orderName is how a command line says which order it means.
type orderName struct {
	Order string `arg:"" help:"The order: its id, the shop's reference, our id at the provider (pr-…), the provider's own id, or a bank's reference (RRN)."`
	Shop  string `placeholder:"NAME" help:"The shop whose order it is, where several shops use the same reference."`
}

// mostCandidates is how many orders of one name are listed.
const mostCandidates = 10

// find returns the one order of that name.
func (n orderName) find(ctx context.Context, db *database) (*payment.Order, *shopNames, error) {
	shops, err := namesOf(ctx, db)
	if err != nil {
		return nil, nil, err
	}
	shop, err := shops.id(n.Shop)
	if err != nil {
		return nil, nil, err
	}
	orders, err := db.store.OrdersCalled(ctx, n.Order, shop, mostCandidates+1)
	switch {
	case err != nil:
		return nil, nil, err
	case len(orders) == 1:
		return orders[0], shops, nil
	case len(orders) == 0:
		return nil, nil, noOrder(n.Order, n.Shop)
	}
	candidates, more := cut(orders, mostCandidates)
	var list strings.Builder
	for _, o := range candidates {
		fmt.Fprintf(&list, "\n  %s  %s of %s, %s, %s", o.ID, o.Kind, shops.name(o.ShopID), o.Amount, o.Status)
	}
	if more {
		list.WriteString("\n  … and more")
	}
	return nil, nil, fmt.Errorf("several orders are called %q; give the id of one:%s", n.Order, list.String())
}

func noOrder(name, shop string) error {
	whose := ""
	if shop != "" {
		whose = " of shop " + shop
	}
	return fmt.Errorf("no order%s is called %q: give an order's id, the shop's reference, our id at the provider (pr-…), the provider's own id, or a bank's reference (RRN)", whose, name)
}

// shopNames are the names of all shops.
type shopNames struct {
	byID   map[uuid.UUID]string
	byName map[string]uuid.UUID
}

func namesOf(ctx context.Context, db *database) (*shopNames, error) {
	shops, err := db.store.Shops(ctx)
	if err != nil {
		return nil, err
	}
	n := &shopNames{map[uuid.UUID]string{}, map[string]uuid.UUID{}}
	for _, s := range shops {
		n.byID[s.ID], n.byName[s.Name] = s.Name, s.ID
	}
	return n, nil
}

// namesAnd is namesOf, and returns the shop of a name, nil for no name.
func namesAnd(ctx context.Context, db *database, name string) (*shopNames, *uuid.UUID, error) {
	n, err := namesOf(ctx, db)
	if err != nil {
		return nil, nil, err
	}
	id, err := n.id(name)
	return n, id, err
}

func (n *shopNames) name(id uuid.UUID) string { return n.byID[id] }

// id returns the shop of a name, nil for no name.
func (n *shopNames) id(name string) (*uuid.UUID, error) {
	if name == "" {
		return nil, nil //nolint:nilnil // every shop
	}
	id, ok := n.byName[name]
	if !ok {
		return nil, fmt.Errorf("there is no shop named %q: 'server shop list' names them", name)
	}
	return &id, nil
}

// orderJSON is an order as the API shows it, and what operators need beside it.
func orderJSON(o *payment.Order, shops *shopNames) (map[string]json.RawMessage, error) {
	row, err := withMore(httpapi.RenderOrder(o), map[string]any{
		"shop": shops.name(o.ShopID), "waits_for": waitsFor(o), "conflicts": o.Conflicts,
		"bank_references": append([]string{}, bankReferences(o)...),
	})
	if err != nil {
		return nil, fmt.Errorf("write order %s as JSON: %w", o.ID, err)
	}
	return row, nil
}

// withMore is what the API shows of something, as members of JSON, and what operators need beside it.
func withMore(shown any, more map[string]any) (map[string]json.RawMessage, error) {
	text, err := json.Marshal(shown)
	if err != nil {
		return nil, err
	}
	row := map[string]json.RawMessage{}
	if err := json.Unmarshal(text, &row); err != nil {
		return nil, err
	}
	for name, value := range more {
		if row[name], err = json.Marshal(value); err != nil {
			return nil, err
		}
	}
	return row, nil
}

func ordersJSON(orders []*payment.Order, shops *shopNames) ([]map[string]json.RawMessage, error) {
	out := []map[string]json.RawMessage{}
	for _, o := range orders {
		row, err := orderJSON(o, shops)
		if err != nil {
			return nil, err
		}
		out = append(out, row)
	}
	return out, nil
}

func bankReferences(o *payment.Order) []string { return slices.Sorted(maps.Keys(o.BankReferences)) }
