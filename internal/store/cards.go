package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"payrelay/internal/card/detect"
	"payrelay/internal/store/internal/db"
)

// CardScan says what of the database is searched for card numbers, and what is done with those found.
type CardScan struct {
	Table     string // "" for all
	Rate      int    // rows a second
	Fix       bool   // mask what is found
	Ambiguous bool   // also what may be something else
}

// FoundCard is a text of the database that holds a card number, or may.
type FoundCard struct {
	Table, Column string
	ID            string // the row's primary key, masked
	Verdict       string
	Masked        string // the text, masked
	Fixed         bool
	Problem       string // why it could not be masked
}

// cardColumn is a column that may hold text.
type cardColumn struct{ name, kind string }

type cardTable struct {
	name    string // as SQL names it
	key     []string
	columns []cardColumn
}

// cardPage is how many rows are read at once.
const cardPage = 500

// ScanCards reads every text of the database and gives each that holds a card number. Rows that change meanwhile may be left
// out.
func (s *Store) ScanCards(ctx context.Context, scan CardScan, found func(FoundCard) error) (rows int, err error) {
	tables, err := s.cardTables(ctx, scan.Table)
	if err != nil {
		return 0, err
	}
	for _, t := range tables {
		n, err := s.scanTable(ctx, scan, t, found)
		if rows += n; err != nil {
			return rows, err
		}
	}
	return rows, nil
}

// cardTables lists the tables with their primary keys and the columns that may hold text. A partitioned table is scanned by
// its partitions.
func (s *Store) cardTables(ctx context.Context, only string) (tables []cardTable, err error) {
	err = s.retry(ctx, s.Limit, "list the tables", func(ctx context.Context, conn *pgxpool.Conn) error {
		tables = nil
		rows, err := conn.Query(ctx, `
			SELECT c.oid::regclass::text,
			       coalesce((SELECT array_agg(quote_ident(a.attname) ORDER BY array_position(i.indkey::int[], a.attnum::int))
			                 FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey) WHERE i.indrelid = c.oid AND i.indisprimary), '{}'),
			       array_agg(quote_ident(t.attname) ORDER BY t.attnum), array_agg(format_type(t.atttypid, t.atttypmod) ORDER BY t.attnum)
			FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid AND t.attnum > 0 AND NOT t.attisdropped
			WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
			  AND format_type(t.atttypid, NULL) IN ('text', 'jsonb', 'json', 'character varying', 'text[]', 'character')
			  AND ($1 = '' OR c.relname = $1 OR EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = c.oid AND h.inhparent::regclass::text = $1))
			GROUP BY c.oid ORDER BY 1`, only)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var t cardTable
			var names, kinds []string
			if err := rows.Scan(&t.name, &t.key, &names, &kinds); err != nil {
				return err
			}
			for i, name := range names {
				t.columns = append(t.columns, cardColumn{name, kinds[i]})
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

// cardRow is one row's texts.
type cardRow struct {
	at, id string
	texts  []*string
}

func (s *Store) scanTable(ctx context.Context, scan CardScan, t cardTable, found func(FoundCard) error) (read int, err error) {
	for after := "(0,0)"; ; {
		began := time.Now()
		page, err := s.cardRows(ctx, t, after)
		if err != nil {
			return read, err
		}
		last := ""
		for _, row := range page {
			last = row.at
			for i, column := range t.columns {
				if row.texts[i] == nil {
					continue
				}
				if err := s.scanText(ctx, scan, t, column, &row, *row.texts[i], found); err != nil {
					return read, err
				}
			}
		}
		read += len(page)
		if len(page) < cardPage {
			return read, nil
		}
		after = last
		pause := time.NewTimer(time.Duration(cardPage)*time.Second/time.Duration(max(1, scan.Rate)) - time.Since(began))
		select {
		case <-ctx.Done():
			pause.Stop()
			return read, ctx.Err()
		case <-pause.C:
		}
	}
}

func (s *Store) cardRows(ctx context.Context, t cardTable, after string) (page []cardRow, err error) {
	columns := make([]string, len(t.columns))
	for i, c := range t.columns {
		columns[i] = c.name + "::text"
	}
	id := "''"
	if len(t.key) > 0 {
		id = "concat_ws('/', " + strings.Join(t.key, ", ") + ")"
	}
	query := fmt.Sprintf("SELECT ctid::text, %s, ARRAY[%s] FROM %s WHERE ctid > $1::text::tid ORDER BY ctid LIMIT %d", id, strings.Join(columns, ", "), t.name, cardPage)
	err = s.retry(ctx, s.Limit, "read "+t.name, func(ctx context.Context, conn *pgxpool.Conn) error {
		rows, err := conn.Query(ctx, query, after)
		if err != nil {
			return err
		}
		page, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (row cardRow, err error) { return row, r.Scan(&row.at, &row.id, &row.texts) })
		return err
	})
	return page, err
}

func (s *Store) scanText(ctx context.Context, scan CardScan, t cardTable, c cardColumn, row *cardRow, text string, found func(FoundCard) error) error {
	verdict := detect.Judge(text)
	if verdict == detect.Clean || verdict == detect.Ambiguous && !scan.Ambiguous {
		return nil
	}
	f := FoundCard{Table: t.name, Column: c.name, ID: detect.Mask(row.id), Verdict: verdict.String(), Masked: detect.Mask(text)}
	if scan.Fix {
		err := s.maskCard(ctx, t, c, row, text, f)
		if f.Fixed = err == nil; err != nil {
			f.Problem = detect.Mask(err.Error())
		}
	}
	return found(f)
}

// maskCard puts a masked text in the place of one that holds a card number, and writes down that it did.
func (s *Store) maskCard(ctx context.Context, t cardTable, c cardColumn, row *cardRow, text string, f FoundCard) error {
	update := fmt.Sprintf("UPDATE %s SET %s = $1::text::%s WHERE ctid = $2::text::tid AND %s::text = $3 RETURNING ctid::text", t.name, c.name, c.kind, c.name)
	var at string
	err := s.write(ctx, "mask a card number", func(ctx context.Context, tx pgx.Tx) error {
		err := tx.QueryRow(ctx, update, f.Masked, row.at, text).Scan(&at)
		if errors.Is(err, pgx.ErrNoRows) {
			return errors.New("the row changed meanwhile: scan again")
		}
		if err != nil {
			return err
		}
		return s.audit(ctx, db.New(tx), act{action: "cards scan", kind: "table", object: t.name, after: map[string]any{"column": c.name, "id": f.ID, "text": "masked"}})
	})
	if err == nil {
		row.at = at // the row's other texts are found there now
	}
	return err
}
