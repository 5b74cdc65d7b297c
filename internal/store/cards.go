package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

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

// Unreadable is the verdict about a text that was altered, so that it cannot be decrypted.
const Unreadable = "unreadable"

// FoundCard is a text of the database that holds a card number, or may.
type FoundCard struct {
	Table, Column string
	ID            string // the row's primary key, masked
	Verdict       string
	Masked        string // the text, masked
	Fixed         bool
	Problem       string // why it could not be masked
}

// ScanCards reads every text of the database, also what is encrypted under an order's data key, and gives each that holds a card
// number. Rows that change meanwhile may be left out.
func (s *Store) ScanCards(ctx context.Context, scan CardScan, found func(FoundCard) error) (rows int, err error) {
	return s.eachText(ctx, scan.Table, scan.Rate, func(at textPlace) error { return s.scanText(ctx, scan, at, found) })
}

func (s *Store) scanText(ctx context.Context, scan CardScan, at textPlace, found func(FoundCard) error) error {
	if at.closed != nil {
		return found(FoundCard{Table: at.table.name, Column: at.column.name, ID: detect.Mask(at.row.id), Verdict: Unreadable, Problem: "it was altered, so it cannot be decrypted"})
	}
	verdict := detect.Judge(at.text)
	if verdict == detect.Clean || verdict == detect.Ambiguous && !scan.Ambiguous {
		return nil
	}
	f := FoundCard{Table: at.table.name, Column: at.column.name, ID: detect.Mask(at.row.id), Verdict: verdict.String(), Masked: detect.Mask(at.text)}
	if scan.Fix {
		err := s.maskCard(ctx, at, f)
		if f.Fixed = err == nil; err != nil {
			f.Problem = detect.Mask(err.Error())
		}
	}
	return found(f)
}

// maskCard puts a masked text in the place of one that holds a card number, and writes down that it did.
func (s *Store) maskCard(ctx context.Context, at textPlace, f FoundCard) error {
	t, c := at.table, at.column
	update := fmt.Sprintf("UPDATE %s SET %s = $1::text::%s WHERE ctid = $2::text::tid AND %s::text = $3 RETURNING ctid::text", t.name, c.name, c.kind, c.name)
	var masked, was any = f.Masked, at.text
	if at.sealed != nil {
		update = fmt.Sprintf("UPDATE %s SET %s = $1 WHERE ctid = $2::text::tid AND %s = $3 RETURNING ctid::text", t.name, c.name, c.name)
		masked, was = at.row.key.Seal([]byte(f.Masked), c.place), at.sealed
	}
	var moved string
	err := s.write(ctx, "mask a card number", func(ctx context.Context, tx pgx.Tx) error {
		err := tx.QueryRow(ctx, update, masked, at.row.at, was).Scan(&moved)
		if errors.Is(err, pgx.ErrNoRows) {
			return errors.New("the row changed meanwhile: scan again")
		}
		if err != nil {
			return err
		}
		return s.audit(ctx, db.New(tx), act{action: "cards scan", kind: "table", object: t.name, after: map[string]any{"column": c.name, "id": f.ID, "text": "masked"}})
	})
	if err == nil {
		at.row.at = moved // the row's other texts are found there now
	}
	return err
}
