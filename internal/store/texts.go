package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"payrelay/internal/secrets"
)

// textColumn is a column that may hold text. place is set if it is encrypted under an order's data key.
type textColumn struct{ name, kind, place string }

type textTable struct {
	name      string // as SQL names it
	of        string // the partitioned table that it is a part of, or its name
	key       []string
	columns   []textColumn
	encrypted bool // a column is
}

// textRow is a row's texts, in the order of the table's columns. What is encrypted stands in sealed instead.
type textRow struct {
	at, id string
	texts  []*string
	sealed [][]byte
	key    *secrets.DataKey
	closed error // why there is no key
}

// textPlace is where a text stands.
type textPlace struct {
	table  textTable
	column textColumn
	row    *textRow
	text   string
	sealed []byte // the text as it rests, nil if it is not encrypted
	closed error  // why it cannot be decrypted
}

// textPage is how many rows are read at once.
const textPage = 500

// Texts gives every text of the database with its table and column, also what is encrypted under an order's data key.
func (s *Store) Texts(ctx context.Context, found func(table, column, text string) error) error {
	const rate = 1_000_000 // as fast as it goes
	_, err := s.eachText(ctx, "", rate, func(at textPlace) error {
		if at.closed != nil {
			return at.closed
		}
		return found(at.table.of, at.column.name, at.text)
	})
	return err
}

// eachText reads the texts of a table, or of all if it is "", at most rate rows a second, and returns the number of rows.
func (s *Store) eachText(ctx context.Context, only string, rate int, found func(textPlace) error) (rows int, err error) {
	tables, err := s.textTables(ctx, only)
	if err != nil {
		return 0, err
	}
	for _, t := range tables {
		n, err := s.tableTexts(ctx, t, rate, found)
		if rows += n; err != nil {
			return rows, err
		}
	}
	return rows, nil
}

// textTables lists the tables with their primary keys and the columns that may hold text. A partitioned table is read by its
// partitions.
func (s *Store) textTables(ctx context.Context, only string) (tables []textTable, err error) {
	places := make([]string, len(dataColumns))
	for i, c := range dataColumns {
		places[i] = c.place()
	}
	err = s.retry(ctx, s.Limit, "list the tables", func(ctx context.Context, conn *pgxpool.Conn) error {
		tables = nil
		rows, err := conn.Query(ctx, `
			SELECT c.oid::regclass::text, c.of,
			       coalesce((SELECT array_agg(quote_ident(a.attname) ORDER BY array_position(i.indkey::int[], a.attnum::int))
			                 FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey) WHERE i.indrelid = c.oid AND i.indisprimary), '{}'),
			       array_agg(quote_ident(t.attname) ORDER BY t.attnum), array_agg(format_type(t.atttypid, t.atttypmod) ORDER BY t.attnum)
			FROM (SELECT oid, relname, coalesce((SELECT h.inhparent::regclass::text FROM pg_inherits h WHERE h.inhrelid = pg_class.oid), relname) AS of
			      FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace) c
			JOIN pg_attribute t ON t.attrelid = c.oid AND t.attnum > 0 AND NOT t.attisdropped
			WHERE (format_type(t.atttypid, NULL) IN ('text', 'jsonb', 'json', 'character varying', 'text[]', 'character') OR c.of || '.' || t.attname = ANY ($2::text[]))
			  AND ($1 = '' OR c.relname = $1 OR c.of = $1)
			GROUP BY c.oid, c.of ORDER BY 1`, only, places)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var t textTable
			var names, kinds []string
			if err := rows.Scan(&t.name, &t.of, &t.key, &names, &kinds); err != nil {
				return err
			}
			for i, name := range names {
				c := textColumn{name: name, kind: kinds[i]}
				if c.kind == "bytea" {
					c.place, t.encrypted = t.of+"."+name, true
				}
				t.columns = append(t.columns, c)
			}
			tables = append(tables, t)
		}
		return rows.Err()
	})
	if err == nil && only != "" && len(tables) == 0 {
		err = fmt.Errorf("there is no table %q with texts", only)
	}
	return tables, err
}

func (s *Store) tableTexts(ctx context.Context, t textTable, rate int, found func(textPlace) error) (read int, err error) {
	for after := "(0,0)"; ; {
		began := time.Now()
		page, err := s.textRows(ctx, t, after)
		if err != nil {
			return read, err
		}
		last := ""
		for _, row := range page {
			last = row.at
			if err := rowTexts(t, row, found); err != nil {
				return read, err
			}
		}
		read += len(page)
		if len(page) < textPage {
			return read, nil
		}
		after = last
		if err := sleep(ctx, textPage*time.Second/time.Duration(max(1, rate))-time.Since(began)); err != nil {
			return read, err
		}
	}
}

func rowTexts(t textTable, row *textRow, found func(textPlace) error) error {
	for i, column := range t.columns {
		at := textPlace{table: t, column: column, row: row, sealed: row.sealed[i]}
		switch {
		case at.sealed != nil:
			plain, err := row.key.Open(at.sealed, column.place)
			at.text, at.closed = string(plain), cmp.Or(row.closed, err)
		case row.texts[i] != nil:
			at.text = *row.texts[i]
		}
		if at.text == "" && at.closed == nil {
			continue
		}
		if err := found(at); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) textRows(ctx context.Context, t textTable, after string) (page []*textRow, err error) {
	texts, sealed := make([]string, len(t.columns)), make([]string, len(t.columns))
	for i, c := range t.columns {
		texts[i], sealed[i] = "t."+c.name+"::text", "NULL::bytea"
		if c.place != "" {
			texts[i], sealed[i] = "NULL", "t."+c.name
		}
	}
	id, order, from := "''", "NULL::uuid, NULL::bytea", t.name+" t"
	if len(t.key) > 0 {
		id = "concat_ws('/', t." + strings.Join(t.key, ", t.") + ")"
	}
	if t.encrypted {
		order = "o.id, o.data_key"
		from += " LEFT JOIN orders o ON o.shop_id = t.shop_id AND o.id = t." + orderColumn(t.of)
	}
	query := fmt.Sprintf("SELECT t.ctid::text, %s, ARRAY[%s]::text[], ARRAY[%s], %s FROM %s WHERE t.ctid > $1::text::tid ORDER BY t.ctid LIMIT %d",
		id, strings.Join(texts, ", "), strings.Join(sealed, ", "), order, from, textPage)
	err = s.retry(ctx, s.Limit, "read "+t.name, func(ctx context.Context, conn *pgxpool.Conn) error {
		rows, err := conn.Query(ctx, query, after)
		if err != nil {
			return err
		}
		page, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (*textRow, error) {
			var row textRow
			var order *uuid.UUID
			var wrapped []byte
			if err := r.Scan(&row.at, &row.id, &row.texts, &row.sealed, &order, &wrapped); err != nil || order == nil {
				return &row, err
			}
			if row.key, row.closed = s.dataKey(*order, wrapped); errors.Is(row.closed, errNoKeyset) {
				return nil, row.closed
			}
			return &row, nil
		})
		return err
	})
	return page, err
}

// orderColumn is the column of a table that names the order whose data key it is under.
func orderColumn(table string) string {
	for _, c := range dataColumns {
		if c.table == table {
			return c.order
		}
	}
	return ""
}
