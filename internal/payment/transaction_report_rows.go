package payment

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/uuid"

	"payrelay/internal/card/detect"
)

// SheetReader turns a provider's spreadsheet into its columns, in order, and its rows by column name. It reads a bounded
// number of bytes. Cells may hold card numbers, the names of columns do not.
type SheetReader func(r io.Reader) (columns []string, rows []map[string]string, err error)

// TransactionReportRow is a row of a transaction report that is about an order of the transaction report's shop.
type TransactionReportRow struct {
	Order     uuid.UUID
	Reference string            // the shop's, of the order
	Fields    map[string]string // by the names of the provider's columns, card numbers masked
}

// NamedOrder is an order and the ids by which the provider knows it.
type NamedOrder struct {
	Key                                Key
	Account                            uuid.UUID
	Parent                             *uuid.UUID
	ProviderOrderID, ProviderReference string
	// Imported says that the ids are not ours: another merchant of the provider may have the same ones.
	Imported bool
}

// lookupBatch is how many rows of a list are looked up at once.
const lookupBatch = 1000

// ownRows returns those rows of a list that are the shop's, without card numbers. A row is the shop's
// if it names an order of the shop on the transaction report's account, and no other order of ours. An order is named by a cell that
// is our id of it or the provider's: the columns are not documented, and a shop's own reference may be used by others.
func (s *Service) ownRows(ctx context.Context, st *TransactionReport, columns []string, all []map[string]string) ([]TransactionReportRow, error) {
	if named, err := s.ordersNamed(ctx, columns); err != nil {
		return nil, err
	} else if len(named) > 0 {
		return nil, fmt.Errorf("%w: its first row is no header", errUnreadable)
	}
	var own []TransactionReportRow
	for batch := range slices.Chunk(all, lookupBatch) {
		var ids []string
		for _, row := range batch {
			for _, cell := range row {
				ids = append(ids, cell)
			}
		}
		named, err := s.ordersNamed(ctx, ids)
		if err != nil {
			return nil, err
		}
		for _, fields := range batch {
			if order, ok := ownerOf(st, columns, fields, named); ok {
				own = append(own, TransactionReportRow{Order: order, Fields: masked(fields, named)})
			}
		}
	}
	return own, nil
}

// ordersNamed returns the orders that ids name, by the id.
func (s *Service) ordersNamed(ctx context.Context, ids []string) (map[string][]NamedOrder, error) {
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !mayNameOrder(id) })
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if len(ids) == 0 {
		return nil, nil
	}
	orders, err := s.TransactionReports.OrdersNamed(ctx, ids)
	if err != nil {
		return nil, err
	}
	named := map[string][]NamedOrder{}
	for _, o := range orders {
		for _, id := range []string{o.ProviderOrderID, o.ProviderReference} {
			if mayNameOrder(id) {
				named[id] = append(named[id], o)
			}
		}
	}
	return named, nil
}

// mayNameOrder reports whether a cell can be an id. A number is none: it may as well be a sum or a day.
func mayNameOrder(cell string) bool {
	inID := func(c rune) bool { return c > ' ' && c <= '~' }
	return len(cell) >= 8 && len(cell) <= 128 && strings.ContainsFunc(cell, letter) && strings.TrimFunc(cell, inID) == ""
}

func letter(c rune) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// ownerOf returns the order that a row is about, if the row is the shop's. A refund's row may name its payment, too: it is
// about the refund.
func ownerOf(st *TransactionReport, columns []string, fields map[string]string, named map[string][]NamedOrder) (uuid.UUID, bool) {
	var found []NamedOrder
	for _, column := range columns {
		for _, o := range named[fields[column]] {
			if o.Imported && o.Account != st.AccountID { // another merchant's, which has an id of the same letters
				continue
			}
			if o.Key.Shop != st.Shop || o.Account != st.AccountID {
				return uuid.Nil, false
			}
			found = append(found, o)
		}
	}
	for _, o := range found {
		isParent := slices.ContainsFunc(found, func(child NamedOrder) bool { return child.Parent != nil && *child.Parent == o.Key.Order })
		if !isParent {
			return o.Key.Order, true
		}
	}
	return uuid.Nil, false
}

// masked returns fields without card numbers. The ids that we made stay as they are, regardless of their digits.
func masked(fields map[string]string, named map[string][]NamedOrder) map[string]string {
	out := make(map[string]string, len(fields))
	for column, cell := range fields {
		if !slices.ContainsFunc(named[cell], func(o NamedOrder) bool { return !o.Imported }) {
			cell = detect.Mask(cell)
		}
		out[column] = cell
	}
	return out
}
