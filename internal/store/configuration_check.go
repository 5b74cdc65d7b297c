package store

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"payrelay/internal/payment"
	"payrelay/internal/seal"
	"payrelay/internal/shop"
	"payrelay/internal/store/internal/db"
)

// report tells of what was found altered since the last time.
func (s *Store) report(old, fresh *entries) {
	if s.SealBroken == nil {
		return
	}
	for _, f := range fresh.findings {
		if old == nil || !slices.Contains(old.findings, f) {
			s.SealBroken(f)
		}
	}
}

// CheckConfiguration compares shops, keys and accounts with the audit log even if nobody counted a change of them, and uses what it
// finds from now on.
func (s *Store) CheckConfiguration(ctx context.Context) ([]Finding, error) {
	s.directory.recheck.Store(true)
	e, err := s.entriesSince(ctx, time.Now())
	if err != nil {
		return nil, err
	}
	return e.findings, nil
}

// AuditHead names the newest entry of the audit log that this process has read, as NUMBER:SEAL.
func (s *Store) AuditHead() string {
	e := s.directory.current.Load()
	if e == nil || e.trail == nil {
		return ""
	}
	return fmt.Sprintf("%d:%x", e.trail.seq, e.trail.seal)
}

// CheckAuditHead finds out whether the audit log still holds an entry that AuditHead named before.
func (s *Store) CheckAuditHead(ctx context.Context, head string) ([]Finding, error) {
	number, text, _ := strings.Cut(head, ":")
	seq, badNumber := strconv.ParseInt(number, 10, 64)
	wanted, badSeal := hex.DecodeString(text)
	if badNumber != nil || badSeal != nil || seq < 1 || len(wanted) != seal.Size {
		return nil, &payment.Error{Code: payment.CodeInvalid, Message: fmt.Sprintf("%q names no entry of the audit log: write NUMBER:SEAL, as an earlier verification printed it.", head)}
	}
	var there bool
	err := s.read(ctx, "look for an entry of the audit log", func(ctx context.Context, q *db.Queries) (err error) {
		there, err = holds(ctx, q, seq, wanted)
		return err
	})
	if err != nil || there {
		return nil, err
	}
	return []Finding{logCut(seq)}, nil
}

// AcceptShop seals a shop and its rows as they are, with what was altered past the service, and switches the shop off.
func (s *Store) AcceptShop(ctx context.Context, name string) error {
	return s.act(ctx, "accept a shop", shopNamed(name), func(ctx context.Context, tx pgx.Tx) (act, error) {
		q := db.New(tx)
		id, err := lockShop(ctx, q, name)
		if err != nil {
			return act{}, err
		}
		_, err = q.SetShopMode(ctx, db.SetShopModeParams{Mode: string(shop.ModeOff), ID: id})
		return act{action: "audit accept", kind: "shop", object: name, shop: name, after: modeFacts(shop.ModeOff), accepts: true}, err
	})
}

// AcceptAccount seals an account and its rows as they are, with what was altered past the service, and switches the account off.
// A closed one stays closed.
func (s *Store) AcceptAccount(ctx context.Context, name string) error {
	return s.act(ctx, "accept an account", accountNamed(name), func(ctx context.Context, tx pgx.Tx) (act, error) {
		q := db.New(tx)
		id, err := q.AccountIDByName(ctx, text(name))
		if err != nil {
			return act{}, &payment.Error{Code: payment.CodeNotFound, Message: "There is no account named " + name + "."}
		}
		mode, err := q.SwitchOffAccount(ctx, id)
		return act{action: "audit accept", kind: "account", object: name, after: modeFacts(shop.Mode(mode)), accepts: true}, err
	})
}

// AcceptGlobal seals what belongs to no shop or account as it is, and deactivates the routing rules of all shops.
func (s *Store) AcceptGlobal(ctx context.Context) error {
	return s.act(ctx, "accept what is global", nobody, func(ctx context.Context, tx pgx.Tx) (act, error) {
		_, err := db.New(tx).RetireRoutingSet(ctx, nil)
		return act{action: "audit accept", kind: "limits and routing", object: "of all shops", after: activeFacts(RoutingSet{}), accepts: true}, err
	})
}

// alteredCollector shows how many rows were found altered, by table.
type alteredCollector struct {
	store *Store
	rows  *prometheus.Desc
}

// AlteredCollector tells Prometheus of rows that were changed past the service.
func (s *Store) AlteredCollector() prometheus.Collector {
	return &alteredCollector{s, prometheus.NewDesc("payrelay_altered_rows", "Rows of the configuration and of the audit log that were changed past payrelay, by table. Any is an incident.", []string{"table"}, nil)}
}

// Describe implements prometheus.Collector.
func (c *alteredCollector) Describe(ch chan<- *prometheus.Desc) { ch <- c.rows }

// Collect implements prometheus.Collector.
func (c *alteredCollector) Collect(ch chan<- prometheus.Metric) {
	e := c.store.directory.current.Load()
	if e == nil {
		return
	}
	counts := map[string]int{"audit_log": 0}
	for _, t := range configTables {
		counts[t.name] = 0
	}
	for _, f := range e.findings {
		counts[f.Table]++
	}
	for table, n := range counts {
		ch <- prometheus.MustNewConstMetric(c.rows, prometheus.GaugeValue, float64(n), table)
	}
}
