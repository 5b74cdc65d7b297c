package store

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"payrelay/internal/payment"
	"payrelay/internal/store/internal/db"
)

// ExpireDirectory is for tests that change its tables by hand and cannot wait until it is compared again.
func (s *Store) ExpireDirectory() { s.directory.expire() }

// AgeDirectory makes the directory seem as if it was compared so long ago.
func (s *Store) AgeDirectory(by time.Duration) {
	aged := *s.directory.current.Load()
	aged.comparedAt = aged.comparedAt.Add(-by)
	s.directory.current.Store(&aged)
}

// Comparisons is how often the directory was compared with the database.
func (s *Store) Comparisons() int64 { return s.directory.comparisons.Load() }

// Batches is how many batches of writes were begun, Waiting how many writes wait for one.
func (s *Store) Batches() int {
	s.committer.mu.Lock()
	defer s.committer.mu.Unlock()
	return s.committer.batches
}

func (s *Store) Waiting() int {
	s.committer.mu.Lock()
	defer s.committer.mu.Unlock()
	return len(s.committer.waiting)
}

// Alone is how many batches failed, so that their writes went alone.
func (s *Store) Alone() int {
	s.committer.mu.Lock()
	defer s.committer.mu.Unlock()
	return s.committer.broken
}

// SearchSQL is the question that a filter is answered by.
func SearchSQL(f payment.Filter) (string, pgx.NamedArgs, error) { return search(f, pageSize(f.Limit)) }

// SealedPlaces lists the encrypted columns.
func SealedPlaces() []string {
	places := make([]string, len(sealedColumns))
	for i, c := range sealedColumns {
		places[i] = c.place()
	}
	return places
}

// DataPlaces lists the columns under the orders' data keys.
func DataPlaces() []string {
	places := make([]string, len(dataColumns))
	for i, c := range dataColumns {
		places[i] = c.place()
	}
	return places
}

// Lookup is a statement of daily work, with arguments.
type Lookup struct {
	SQL  string
	Args []any
}

// OneShopsLookups are what callbacks, polls, deliveries and reports look up and lock, as they are on a Citus cluster.
func OneShopsLookups(shop, order uuid.UUID, now time.Time) map[string]Lookup {
	narrow := func(sql string, args ...any) Lookup {
		sql, args = narrowed(sql, args, &shop)
		return Lookup{sql, args}
	}
	key := [][]byte{[]byte("key")}
	return map[string]Lookup{
		"find a callback's order":   {db.ShopOfProviderOrder, []any{"pr-x", shop, order}},
		"lock a callback's order":   narrow(lockOrders, []uuid.UUID{}, []uuid.UUID{}, []*uuid.UUID{&shop}, []string{"pr-x"}),
		"lock it and wait":          {db.OrderByProviderOrderIDForUpdate, []any{"pr-x", shop, order}},
		"lock its payment":          {db.LockParentByProviderOrderID, []any{"pr-x", shop}},
		"kept before":               narrow(keptCallbacks, key),
		"lock an order":             narrow(lockOrders, []uuid.UUID{shop}, []uuid.UUID{order}, []*uuid.UUID{}, []string{}),
		"update an order":           narrow(updateOrders, arrays([]db.UpdateOrderParams{{ShopID: shop, ID: order}})...),
		"lease polls":               {db.LeaseDuePolls, []any{now, shop, "fake", now, 1}},
		"lease deliveries":          {db.DueDeliveries, []any{shop, now, now, 1, now}},
		"lease transaction reports": {db.LeaseDueTransactionReports, []any{now, shop, now, []uuid.UUID{}, 1}},
	}
}

// Reseal seals an order's row as a test has made it.
func (s *Store) Reseal(ctx context.Context, key payment.Key) error {
	return s.write(ctx, "seal an order", func(ctx context.Context, tx pgx.Tx) error {
		q := db.New(tx)
		row, err := q.OrderForUpdate(ctx, db.OrderForUpdateParams{ShopID: key.Shop, ID: key.Order})
		if err != nil {
			return err
		}
		o, err := s.facts(ctx, &row)
		if err != nil {
			return err
		}
		sealer, err := s.sealer(ctx)
		if err != nil {
			return err
		}
		_, err = q.SealOrder(ctx, db.SealOrderParams{Seal: sealer.Seal(sealedOrder(o, row.Chain)), ShopID: key.Shop, ID: key.Order})
		return err
	})
}

// Violates and OutcomeKnown are what the store makes of errors.
var (
	Violates     = violates
	OutcomeKnown = outcomeKnown
)

// What is said of rows that were changed past the service.
const (
	RowChanged = rowChanged
	RowForeign = rowForeign
	RowMissing = rowMissing
)

// ConfigTables lists the tables whose rows are sealed.
func ConfigTables() []string {
	names := make([]string, len(configTables))
	for i, t := range configTables {
		names[i] = t.name
	}
	return names
}

// RequestQueue is how many entries of the request log wait at most.
const RequestQueue = requestQueue
