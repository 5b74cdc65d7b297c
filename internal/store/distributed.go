package store

import (
	"context"
	"fmt"
	"regexp"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"payrelay/internal/store/internal/db"
)

// On a Citus cluster the rows of a shop are on one node. A statement that locks or updates rows must name the shop there, so that it
// goes to that node alone: a batch is of one shop then, and leases are taken shop by shop. See docs/scaling.md.

// distributed reports whether the tables are distributed over a Citus cluster. It asks the database once.
func (s *Store) distributed(ctx context.Context) (bool, error) {
	if known := s.onCitus.Load(); known != nil {
		return *known, nil
	}
	var is bool
	err := s.retry(ctx, s.Limit, "ask whether the tables are distributed", func(ctx context.Context, conn *pgxpool.Conn) error {
		return conn.QueryRow(ctx, "SELECT to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL").Scan(&is)
	})
	if err == nil {
		s.onCitus.Store(&is)
	}
	return is, err
}

// oneShop returns the shop that a batch is of, nil if one may be of several. Whoever asks has asked distributed before.
func (s *Store) oneShop(shop uuid.UUID) *uuid.UUID {
	if known := s.onCitus.Load(); known == nil || !*known {
		return nil
	}
	return &shop
}

// ofOneShop is where a statement names the shop of its rows, if it must.
var ofOneShop = regexp.MustCompile(`/\* (\w+) of one shop \*/`)

// narrowed is a statement as a batch of one shop needs it, and with any other as it stands.
func narrowed(sql string, args []any, shop *uuid.UUID) (string, []any) {
	if shop == nil || !ofOneShop.MatchString(sql) {
		return sql, args
	}
	return ofOneShop.ReplaceAllString(sql, fmt.Sprintf("AND $1.shop_id = $$%d", len(args)+1)), append(args, *shop)
}

// due is work of all shops that processes lease.
type due struct {
	doing string
	// shops lists those that have any, the longest due first.
	shops func(ctx context.Context, q *db.Queries, limit int32) ([]uuid.UUID, error)
	// take leases some of one shop, or of all for nil, in one statement, and returns how many.
	take func(ctx context.Context, q *db.Queries, shop *uuid.UUID, limit int32) (int, error)
}

// leaseDue takes up to limit leases: in one statement, or in one for each shop. What was taken before an error counts.
func (s *Store) leaseDue(ctx context.Context, d due, limit int) error {
	distributed, err := s.distributed(ctx)
	if err != nil {
		return err
	}
	shops := []*uuid.UUID{nil}
	if distributed {
		if shops, err = s.shopsOf(ctx, d, limit); err != nil {
			return err
		}
	}
	taken := 0
	for _, shop := range shops {
		if taken >= limit {
			break
		}
		err := s.read(ctx, d.doing, func(ctx context.Context, q *db.Queries) error { // one statement is a transaction of its own
			n, err := d.take(ctx, q, shop, int32(limit-taken)) //nolint:gosec // a batch
			taken += n
			return err
		})
		if err != nil && taken > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) shopsOf(ctx context.Context, d due, limit int) (shops []*uuid.UUID, err error) {
	err = s.read(ctx, d.doing, func(ctx context.Context, q *db.Queries) error {
		ids, err := d.shops(ctx, q, int32(limit)) //nolint:gosec // a batch
		shops = make([]*uuid.UUID, len(ids))
		for i := range ids {
			shops[i] = &ids[i]
		}
		return err
	})
	return shops, err
}
