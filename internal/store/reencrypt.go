package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"payrelay/internal/secrets"
	"payrelay/internal/store/internal/db"
)

// sealedColumn is a column that holds ciphertexts. A test compares the list with the schema.
type sealedColumn struct {
	table, column string
	key           []string // the primary key's columns
	// bound says to which owner and field a row's ciphertext is bound, by its primary key.
	bound func(key []string) (owner, field string)
}

func (c sealedColumn) place() string { return c.table + "." + c.column }

var sealedColumns = []sealedColumn{
	{"service_keys", "value", []string{"name"}, func(k []string) (string, string) { return "service", k[0] }},
	{"webhook_secrets", "secret", []string{"shop_id", "id"}, func(k []string) (string, string) { return "shop/" + k[0], fieldWebhookSecret }},
	{"accounts", "callback_token", []string{"id"}, func(k []string) (string, string) { return "account/" + k[0], fieldCallbackToken }},
	{"account_secrets", "value", []string{"account_id", "name", "stage"}, func(k []string) (string, string) { return "account/" + k[0] + "/secret", k[1] }},
	{"orders", fieldDataKey, []string{"shop_id", "id"}, func(k []string) (string, string) { return "order/" + k[1], fieldDataKey }},
}

// SealedRows is how many rows of a column are encrypted under a key.
type SealedRows struct {
	Place string // table.column
	Key   uint32
	Rows  int64
}

// sealedLimit bounds a count, which reads whole tables.
const sealedLimit = 30 * time.Minute

// SealedBy counts the rows of every encrypted column by the key that they need. It reads whole tables.
func (s *Store) SealedBy(ctx context.Context) ([]SealedRows, error) {
	var list []SealedRows
	err := s.retry(ctx, sealedLimit, "count encrypted rows", func(ctx context.Context, conn *pgxpool.Conn) error {
		list = nil
		for _, c := range sealedColumns {
			sql := fmt.Sprintf("SELECT substring(%[1]s from 1 for 5), count(*) FROM %[2]s WHERE %[1]s IS NOT NULL GROUP BY 1 ORDER BY 1", c.column, c.table)
			rows, err := conn.Query(ctx, sql)
			if err != nil {
				return err
			}
			var prefix []byte
			var n int64
			if _, err := pgx.ForEachRow(rows, []any{&prefix, &n}, func() error {
				list = append(list, SealedRows{c.place(), secrets.KeyOf(prefix), n})
				return nil
			}); err != nil {
				return err
			}
		}
		return nil
	})
	return list, err
}

// Reencryption is how far a column is rewritten under a key.
type Reencryption struct {
	Place     string
	Key       uint32
	Rewritten int64
	Finished  bool
	after     []string
}

// Reencryptions returns how far the last run has come.
func (s *Store) Reencryptions(ctx context.Context) ([]Reencryption, error) {
	var rows []db.ReencryptionProgressRow
	err := s.read(ctx, "load the progress of the re-encryption", func(ctx context.Context, q *db.Queries) (err error) {
		rows, err = q.ReencryptionProgress(ctx)
		return err
	})
	list := make([]Reencryption, len(rows))
	for i, r := range rows {
		list[i] = Reencryption{r.Place, uint32(r.KeyID), r.Rewritten, r.Finished, r.After} //nolint:gosec // ids of keys have 32 bits
	}
	return list, err
}

const (
	// reencryptPause is how far apart batches are, unless they would have more than reencryptBatchMost rows.
	reencryptPause = 200 * time.Millisecond
	// reencryptBatchMost is how many rows are locked at once. Whoever changes one of them waits, and the batch must end within the limit
	// of a transaction also where the database is slow or far.
	reencryptBatchMost = 100
)

// reencryptPace is how many rows of that many a second are a batch, and how far apart batches are then.
func reencryptPace(rate int) (rows int, pause time.Duration) {
	rows = max(1, rate/int(time.Second/reencryptPause))
	if rows <= reencryptBatchMost {
		return rows, reencryptPause
	}
	return reencryptBatchMost, reencryptBatchMost * time.Second / time.Duration(rate)
}

// Reencrypt rewrites everything that another key encrypted under the primary key of the keyring, at most rate rows a second. It may run
// beside the service and be stopped at any time: each row is exchanged only if nobody changed it meanwhile, and the next run goes on
// where this one was. report is told of the progress.
func (s *Store) Reencrypt(ctx context.Context, rate int, report func(Reencryption)) error {
	known, err := s.Reencryptions(ctx)
	if err != nil {
		return err
	}
	rows, pause := reencryptPace(rate)
	for _, c := range sealedColumns {
		p := Reencryption{Place: c.place(), Key: s.Keyring.Primary()}
		for _, k := range known {
			if k.Place == p.Place && k.Key == p.Key && !k.Finished {
				p = k
			}
		}
		for !p.Finished {
			started := time.Now()
			if err := s.reencryptBatch(ctx, c, &p, rows); err != nil {
				return err
			}
			report(p)
			if err := sleep(ctx, pause-time.Since(started)); err != nil {
				return err
			}
		}
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	pause := time.NewTimer(d)
	defer pause.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-pause.C:
		return nil
	}
}

// sealedRow is a row that needs another key.
type sealedRow struct {
	key    []string
	sealed []byte
}

// reencryptBatch rewrites up to limit rows of a column behind the last one, and writes down how far it came. With none left it begins
// once more at the front, for what a replica wrote under the old key meanwhile, and is finished when there is none either.
func (s *Store) reencryptBatch(ctx context.Context, c sealedColumn, p *Reencryption, limit int) error {
	return s.write(ctx, "re-encrypt "+p.Place, func(ctx context.Context, tx pgx.Tx) error {
		next := *p
		rows, err := s.needingAnotherKey(ctx, tx, c, next.after, limit)
		if err != nil {
			return err
		}
		for _, row := range rows {
			changed, err := s.reseal(ctx, tx, c, row)
			if err != nil {
				return err
			}
			if changed {
				next.Rewritten++
			}
			next.after = row.key
		}
		if len(rows) == 0 {
			next.Finished, next.after = len(next.after) == 0, nil
		}
		if err := db.New(tx).SetReencryptionProgress(ctx, db.SetReencryptionProgressParams{
			Place: next.Place, KeyID: int64(next.Key), After: orEmpty(next.after), Rewritten: next.Rewritten, Finished: next.Finished, UpdatedAt: s.Now(),
		}); err != nil {
			return err
		}
		*p = next
		return nil
	})
}

func (s *Store) needingAnotherKey(ctx context.Context, tx pgx.Tx, c sealedColumn, after []string, limit int) ([]sealedRow, error) {
	keys := strings.Join(c.key, ", ")
	args := []any{secrets.Prefix(s.Keyring.Primary()), limit}
	behind := ""
	if len(after) > 0 {
		places := make([]string, len(after))
		for i, k := range after {
			args = append(args, k)
			places[i] = fmt.Sprintf("$%d", len(args))
			if strings.HasSuffix(c.key[i], "id") {
				places[i] += "::text::uuid"
			}
		}
		behind = fmt.Sprintf(" AND (%s) > (%s)", keys, strings.Join(places, ", "))
	}
	rows, err := tx.Query(ctx, fmt.Sprintf("SELECT ARRAY[%s], %[2]s FROM %[3]s WHERE %[2]s IS NOT NULL AND substring(%[2]s from 1 for 5) <> $1%[4]s ORDER BY %[5]s LIMIT $2",
		strings.Join(c.key, "::text, ")+"::text", c.column, c.table, behind, keys), args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (r sealedRow, err error) {
		return r, row.Scan(&r.key, &r.sealed)
	})
}

// reseal exchanges a row's ciphertext, unless somebody changed it meanwhile.
func (s *Store) reseal(ctx context.Context, tx pgx.Tx, c sealedColumn, row sealedRow) (changed bool, err error) {
	owner, field := c.bound(row.key)
	plain, err := s.open(row.sealed, owner, field)
	if err != nil {
		return false, err
	}
	fresh, err := s.seal(plain, owner, field)
	if err != nil {
		return false, err
	}
	args := []any{fresh, row.sealed}
	where := make([]string, len(c.key))
	for i, k := range row.key {
		args = append(args, k)
		where[i] = fmt.Sprintf("%s = $%d", c.key[i], len(args))
		if strings.HasSuffix(c.key[i], "id") {
			where[i] += "::text::uuid"
		}
	}
	tag, err := tx.Exec(ctx, fmt.Sprintf("UPDATE %s SET %s = $1 WHERE %s AND %[2]s = $2", c.table, c.column, strings.Join(where, " AND ")), args...)
	return tag.RowsAffected() > 0, err
}

// AuditKeyset writes down what an operator did with a key of the keyset.
func (s *Store) AuditKeyset(ctx context.Context, action string, key uint32, before, after any) error {
	return s.write(ctx, action, func(ctx context.Context, tx pgx.Tx) error {
		return s.audit(ctx, db.New(tx), act{action: action, kind: "keyset", object: fmt.Sprint(key), before: before, after: after})
	})
}

// reencryptionCollector shows how far each column is rewritten.
type reencryptionCollector struct {
	store *Store
	rows  *prometheus.Desc
}

// ReencryptionCollector tells Prometheus how far the re-encryption has come. Without one there is nothing to tell.
func (s *Store) ReencryptionCollector() prometheus.Collector {
	return &reencryptionCollector{s, prometheus.NewDesc("payrelay_reencrypted_rows", "Rows that the last re-encryption has rewritten, by column and by whether the column is finished.", []string{"column", "finished"}, nil)}
}

// Describe implements prometheus.Collector.
func (c *reencryptionCollector) Describe(ch chan<- *prometheus.Desc) { ch <- c.rows }

// Collect implements prometheus.Collector. While the database does not answer, the metric is absent rather than wrong.
func (c *reencryptionCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	list, err := c.store.Reencryptions(ctx)
	if err != nil {
		return
	}
	for _, r := range list {
		ch <- prometheus.MustNewConstMetric(c.rows, prometheus.GaugeValue, float64(r.Rewritten), r.Place, strconv.FormatBool(r.Finished))
	}
}
