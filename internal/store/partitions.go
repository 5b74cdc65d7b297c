package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// partitionsAhead is how many months have their partitions made before they begin.
	partitionsAhead = 2
	// partitionLockLimit is how long the making of a partition waits for its table. Everybody who writes there waits behind it.
	partitionLockLimit = "2s"
)

// MakePartitions makes the partitions of this month and of the next ones, where they are missing, and returns their names.
func (s *Store) MakePartitions(ctx context.Context) (made []string, err error) {
	now := s.Now().UTC()
	for ahead := range partitionsAhead + 1 {
		month := time.Date(now.Year(), now.Month()+time.Month(ahead), 1, 0, 0, 0, 0, time.UTC)
		names, err := s.makePartitions(ctx, month)
		made = append(made, names...)
		if err != nil {
			return made, err
		}
	}
	return made, nil
}

func (s *Store) makePartitions(ctx context.Context, month time.Time) (made []string, err error) {
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '"+partitionLockLimit+"'"); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, "SELECT make_partitions($1::date)", month.Format(time.DateOnly))
		if err == nil {
			made, err = pgx.CollectRows(rows, pgx.RowTo[string])
		}
		return err
	})
	if err != nil {
		return nil, translate("make the partitions of "+month.Format("2006-01"), err)
	}
	return made, nil
}

// withPartition makes the partition that a row had no place without. The error stays: the row was not written, but may be now.
func (s *Store) withPartition(ctx context.Context, err error) error {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || !noPartition(pg) {
		return err
	}
	id, parseErr := uuid.Parse(anyID.FindString(pg.Detail))
	if parseErr != nil {
		return err
	}
	if _, makeErr := s.makePartitions(ctx, monthOf(id)); makeErr != nil {
		return fmt.Errorf("%w; run 'server migrate up', which makes it: %w", err, makeErr)
	}
	return err
}

// noPartition reports whether a row belongs to a month whose partition is missing. Postgres names no constraint then.
func noPartition(pg *pgconn.PgError) bool {
	return pg.Code == checkViolation && pg.ConstraintName == "" && anyID.MatchString(pg.Detail)
}

var anyID = regexp.MustCompile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

// monthOf is the time that a UUIDv7 says.
func monthOf(id uuid.UUID) time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(id[:8]) >> 16)).UTC() //nolint:gosec // 48 bits
}

// partition is a month of a table, or a day of the request log.
type partition struct {
	name string
	ends time.Time // the first moment after it
}

// partitions lists the partitions of a table, the oldest first.
func (s *Store) partitions(ctx context.Context, table string) (list []partition, err error) {
	var names []string
	err = s.retry(ctx, s.Limit, "list partitions", func(ctx context.Context, conn *pgxpool.Conn) error {
		rows, err := conn.Query(ctx, "SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = $1::text::regclass ORDER BY c.relname", table)
		if err == nil {
			names, err = pgx.CollectRows(rows, pgx.RowTo[string])
		}
		return err
	})
	for _, name := range names {
		named := strings.TrimPrefix(name, table)
		if day, parseErr := time.Parse("_2006_01_02", named); parseErr == nil {
			list = append(list, partition{name: name, ends: day.AddDate(0, 0, 1)})
			continue
		}
		month, parseErr := time.Parse("_2006_01", named)
		if parseErr != nil {
			return nil, fmt.Errorf("%s is a partition of %s that is not named by its month or day: rename it or detach it", name, table)
		}
		list = append(list, partition{name: name, ends: month.AddDate(0, 1, 0)})
	}
	return list, err
}
