package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"payrelay/internal/bintable"
	"payrelay/internal/payment"
	"payrelay/internal/store/internal/db"
)

// BINTable is the table that says in which countries cards were issued.
type BINTable struct {
	Version    int
	Digest     string // SHA-256 of what is stored, in hexadecimal
	Author     string
	Reason     string
	ImportedAt time.Time
	Table      *bintable.Table
	// Unusable is why nothing is routed by it, nil if it is.
	Unusable error
}

// BINTable returns the table, of version 0 if none was imported.
func (s *Store) BINTable(ctx context.Context) (found BINTable, err error) {
	e, err := s.entriesSince(ctx, time.Now())
	if err != nil {
		return found, err
	}
	err = s.read(ctx, "read the BIN table", func(ctx context.Context, q *db.Queries) (err error) {
		found, err = storedBINs(ctx, q)
		return err
	})
	found.Table, found.Unusable = e.bins.table, e.bins.err
	if errors.Is(found.Unusable, errBINsFrozen) {
		found.Unusable = errBINsAltered
	}
	return found, err
}

func storedBINs(ctx context.Context, q *db.Queries) (BINTable, error) {
	rows, err := q.BINTable(ctx)
	if err != nil || len(rows) == 0 {
		return BINTable{}, err
	}
	r := rows[0]
	return BINTable{Version: int(r.Version), Digest: r.Digest, Author: r.Author, Reason: r.Reason, ImportedAt: r.ImportedAt.UTC()}, nil
}

// ImportBINs replaces the table. One that was changed past the service is gone with it.
func (s *Store) ImportBINs(ctx context.Context, table *bintable.Table) (imported BINTable, err error) {
	err = s.act(ctx, "import BINs", nobody, func(ctx context.Context, tx pgx.Tx) (act, error) {
		q := db.New(tx)
		before, err := q.BINTable(ctx)
		if err != nil {
			return act{}, err
		}
		done := act{action: "bin import", kind: "BIN table", object: "of all shops", before: map[string]any{"version": nil}, closes: true}
		version := int32(1)
		for _, b := range before {
			version = b.Version%math.MaxInt32 + 1
			done.before = map[string]any{"version": b.Version, "digest": b.Digest}
		}
		author, reason := s.author()
		if err := q.ReplaceBINTable(ctx, db.ReplaceBINTableParams{Version: version, Content: table.Encode(), Author: author, Reason: reason, ImportedAt: s.Now()}); err != nil {
			return act{}, err
		}
		if imported, err = storedBINs(ctx, q); err != nil {
			return act{}, err
		}
		imported.Table = table
		size := table.Size()
		done.after = map[string]any{"version": version, "digest": imported.Digest, "ranges": size.Ranges, "bins": size.BINs, "countries": size.Countries}
		return done, nil
	})
	return imported, err
}

// author is who makes a version of something, and why.
func (s *Store) author() (name, reason string) {
	o := s.Operator
	switch {
	case o == nil:
		return serviceActor, ""
	case o.Claimed == "":
		return text(o.User), text(o.Reason)
	}
	return text(o.Claimed + " (" + o.User + ")"), text(o.Reason)
}

// binsEntry is the BIN table in the directory.
type binsEntry struct {
	version    int32
	importedAt time.Time
	table      *bintable.Table // nil for none
	err        error           // why it cannot be used
}

// errBINsFrozen refuses payments whose rules ask for a country, because nobody knows which one was meant.
var errBINsFrozen = &payment.Error{
	Code: payment.CodeAccountFrozen, Message: "The table of BINs was changed past payrelay, so no account is chosen by rules that ask for the country of a card. Nothing was stored or sent. Name an account, or ask the operators.",
}

// errBINsAltered says the same to operators.
var errBINsAltered = errors.New("the BIN table was changed past payrelay")

// errBINsNotAccepted refuses to seal a table that nobody can look through.
var errBINsNotAccepted = &payment.Error{
	Code: payment.CodeInvalidState, Message: "The BIN table was changed past payrelay, and is too long to look through. 'server bin import FILE' replaces it; accept what is left after that. Nothing was changed.",
}

// fillBINs reads the BIN table, unless it is the one that is known.
func fillBINs(ctx context.Context, q *db.Queries, old, fresh *entries) error {
	for f := range fresh.altered {
		if f.Table == tableBINs {
			fresh.bins.err = errBINsFrozen
			return nil
		}
	}
	versions, err := q.BINTableVersion(ctx)
	if err != nil || len(versions) == 0 {
		return err
	}
	v := versions[0]
	if old != nil && old.bins.table != nil && old.bins.version == v.Version && old.bins.importedAt.Equal(v.ImportedAt) {
		fresh.bins = old.bins
		return nil
	}
	contents, err := q.BINTableContent(ctx)
	if err != nil {
		return err
	}
	for _, content := range contents {
		fresh.bins = binsEntry{version: v.Version, importedAt: v.ImportedAt}
		if fresh.bins.table, err = bintable.Decode(content); err != nil {
			fresh.bins.err = fmt.Errorf("read the BIN table: %w", err)
		}
	}
	return nil
}

// binsCollector shows when the BIN table was imported.
type binsCollector struct {
	store    *Store
	imported *prometheus.Desc
}

// BINTableCollector tells Prometheus how old the BIN table is. It says nothing while there is none.
func (s *Store) BINTableCollector() prometheus.Collector {
	return &binsCollector{s, prometheus.NewDesc("payrelay_bin_table_imported_timestamp_seconds", "When the BIN table was imported that this replica routes by.", nil, nil)}
}

// Describe implements prometheus.Collector.
func (c *binsCollector) Describe(ch chan<- *prometheus.Desc) { ch <- c.imported }

// Collect implements prometheus.Collector.
func (c *binsCollector) Collect(ch chan<- prometheus.Metric) {
	if e := c.store.directory.current.Load(); e != nil && e.bins.table != nil {
		ch <- prometheus.MustNewConstMetric(c.imported, prometheus.GaugeValue, float64(e.bins.importedAt.Unix()))
	}
}
