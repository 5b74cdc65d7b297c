package store

import (
	"encoding/base64"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"payrelay/internal/payment"
)

// search puts the question for a filter together, so that an index leads to every answer, an empty one too. Every value is a
// parameter.
//
// Names lead to a few ids, which an array hands to the primary key. A status leads to ids in their order: of open orders by
// open_orders, of ended ones by order_transitions, because no index of orders may hold what changes. Days are ranges of ids.
func search(f payment.Filter, limit int) (string, pgx.NamedArgs, error) {
	q := &question{args: pgx.NamedArgs{"shop": f.Shop, "max": limit + 1}}
	if err := q.ids(f); err != nil {
		return "", nil, err
	}
	named := q.names(f)
	q.where(f.Kind != "", "orders.kind = @kind", "kind", string(f.Kind))
	q.where(f.Account != "", "orders.account_name = @account", "account", f.Account)
	q.where(!f.CreatedFrom.IsZero(), "orders.created_at >= @from", "from", f.CreatedFrom)
	q.where(!f.CreatedTo.IsZero(), "orders.created_at < @to", "to", f.CreatedTo)
	of := ""
	switch {
	case f.Status == "":
	case named:
		q.where(true, "orders.status = @status", "status", string(f.Status))
	default:
		of = q.ofStatus(f.Status)
	}
	conditions := append([]string{"orders.shop_id = @shop"}, q.conditions...)
	for _, condition := range q.span {
		conditions = append(conditions, "orders.id "+condition)
	}
	return orderQuery + of + " WHERE " + strings.Join(conditions, " AND ") + " ORDER BY orders.id DESC LIMIT @max", q.args, nil
}

// question is a search under construction.
type question struct {
	args       pgx.NamedArgs
	conditions []string
	span       []string // of the ids, without their column
}

func (q *question) where(wanted bool, condition, name string, value any) {
	if wanted {
		q.conditions = append(q.conditions, condition)
		q.args[name] = value
	}
}

// ids narrows the range of ids.
func (q *question) ids(f payment.Filter) error {
	within := func(comparison, name string, id uuid.UUID) {
		q.span = append(q.span, comparison+" @"+name)
		q.args[name] = id
	}
	if f.Cursor != "" {
		raw, err := base64.RawURLEncoding.DecodeString(f.Cursor)
		id, idErr := uuid.FromBytes(raw)
		if err != nil || idErr != nil {
			return payment.ErrCursor
		}
		within("<", "cursor", id)
	}
	if !f.CreatedFrom.IsZero() {
		within(">=", "first_id", payment.IDsFrom(f.CreatedFrom))
	}
	if !f.CreatedTo.IsZero() {
		within("<", "end_id", payment.IDsTo(f.CreatedTo))
	}
	return nil
}

// names adds what few orders have in common, and reports whether there is anything.
func (q *question) names(f payment.Filter) bool {
	before := len(q.conditions)
	q.where(f.Reference != "", "orders.id = ANY (ARRAY(SELECT r.order_id FROM order_references r WHERE r.reference = @reference AND r.shop_id = @shop))", "reference", f.Reference)
	q.where(f.ProviderReference != "", "orders.provider_reference = @provider_reference AND orders.id = ANY (ARRAY(SELECT n.order_id FROM order_names n "+
		"WHERE n.name_hash = md5(@provider_reference)::uuid AND n.shop_id = @shop))", "provider_reference", f.ProviderReference)
	q.where(f.ProviderOrderID != "", "orders.provider_order_id = @provider_order", "provider_order", f.ProviderOrderID)
	q.where(f.ParentID != nil, "orders.parent_id = @parent", "parent", f.ParentID)
	return len(q.conditions) > before
}

// ofStatus joins the rows that a status leads to. Nothing is asked of orders.status beside: the planner would take the two for
// independent, and expect few rows. An end is named in the statement's text, not by a parameter, because the index
// of ends is partial. The second success, which says that money came back, is no end of its own.
func (q *question) ofStatus(status payment.Status) string {
	from, where := "open_orders", "status = @status"
	q.args["status"] = string(status)
	if status.Final() {
		end := "'" + string(status) + "'"
		from, where = "order_transitions", "to_status = "+end+" AND from_status <> "+end
	}
	for _, condition := range q.span {
		where += " AND order_id " + condition
	}
	return " JOIN (SELECT order_id FROM " + from + " WHERE shop_id = @shop AND " + where + ") s ON s.order_id = orders.id"
}
