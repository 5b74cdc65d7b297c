package payment

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"payrelay/internal/gateway"
)

// docs/operations.md has a table of what an operator may decide. It says what the code does, in every cell.
func TestTheTableOfDecisionsIsTrue(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/operations.md")
	require.NoError(t, err)
	_, table, found := strings.Cut(string(page), "| an order that is | `succeeded` | `failed` | `canceled` | `authorized` |\n|---|---|---|---|---|\n")
	require.True(t, found)
	table, _, _ = strings.Cut(table, "\n\n")
	var want []string
	for name, order := range ordersToDecide(t) {
		row := "| " + name + " |"
		for _, d := range []Status{StatusSucceeded, StatusFailed, StatusCanceled, StatusAuthorized} {
			row += " " + allowed(t, order, d) + " |"
		}
		want = append(want, row)
	}
	require.ElementsMatch(t, want, strings.Split(table, "\n"))
	for _, s := range Statuses {
		require.Contains(t, table, "| `"+string(s)+"` |")
	}
}

// ordersToDecide are orders as the table names them.
func ordersToDecide(t *testing.T) map[string]func() *Order {
	in := func(s Status) func() *Order { return func() *Order { return orderIn(t, s) } }
	return map[string]func() *Order{
		"`created`":    in(StatusCreated),
		"`unknown`":    in(StatusUnknown),
		"`processing`": in(StatusProcessing),
		"`processing`, a capture or cancel of a hold": func() *Order {
			o := orderIn(t, StatusAuthorized)
			o.Manual, o.Authorized, o.Operation = true, o.Amount.Minor(), gateway.OpCapture
			o.step(StatusProcessing, SourceRequest, nil, epoch)
			return o
		},
		"`requires_action`": in(StatusRequiresAction),
		"`authorized`":      in(StatusAuthorized),
		"`succeeded`":       in(StatusSucceeded),
		"`failed`":          in(StatusFailed),
		"`canceled`":        in(StatusCanceled),
	}
}

// allowed is the word of the table for a decision about an order.
func allowed(t *testing.T, order func() *Order, as Status) string {
	can := func(conflicts int, force bool) bool {
		o := order()
		o.Conflicts = conflicts
		s := New(Config{Store: &oneOrder{o: o}, Now: func() time.Time { return epoch.Add(time.Hour) }})
		after, _, err := s.Resolve(t.Context(), o.Key(), Resolution{Status: as, Force: force, Reason: "ticket", Operator: "ann"})
		return err == nil && (after.Status == as || after.SupersededBy != nil) && after.Conflicts == 0
	}
	switch plain, contradicted, forced := can(0, false), can(1, false), can(0, true); {
	case plain && contradicted && forced:
		return "yes"
	case !plain && contradicted && forced:
		return "contradicted, or `--force`"
	case !plain && contradicted:
		return "contradicted"
	case !plain && !contradicted && !forced:
		return "no"
	}
	t.Fatalf("no word for %s", as)
	return ""
}
