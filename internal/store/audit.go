package store

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
	"payrelay/internal/seal"
	"payrelay/internal/store/internal/db"
)

// Operator is who uses the store through a command, as far as it is known.
type Operator struct {
	// User and Host are of the operating system.
	User, Host string
	// Claimed is a name that was given with the command. Nobody has checked it.
	Claimed string
	// Reason is why, empty where none was given.
	Reason string
}

// serviceActor is who acts where no operator does.
const serviceActor = "payrelay"

// act is something that an operator changed, as the audit log keeps it.
type act struct {
	action string // "key revoke"
	kind   string // of the object: shop, key, account, order, keyset, feeds
	object string // its name or id
	shop   string // the name of the shop whose object it is, "" for none
	// before and after are what changed, as objects of JSON; nil for none. Secrets stand in them as fingerprints.
	before, after any
	// owner is the shop or account whose rows were changed, nil for none. seals are those of all its rows from now on.
	owner *uuid.UUID
	seals rowSeals
	// closes says that a row may be changed although it was altered past the service: nothing works by it any more.
	closes bool
	// accepts says that all rows are sealed as they are. Those that were altered past the service are named in the entry.
	accepts bool
}

// audit writes an entry of the audit log.
func (s *Store) audit(ctx context.Context, q *db.Queries, a act) error {
	sealer, err := s.sealer(ctx)
	if err != nil {
		return err
	}
	p := db.AuditLog{
		ID: s.NewID(), At: s.Now(), Actor: serviceActor, ActorKind: "service",
		Action: a.action, ObjectKind: a.kind, ObjectID: text(a.object), Shop: text(a.shop), OwnerID: a.owner,
	}
	if o := s.Operator; o != nil {
		p.Actor, p.ActorKind, p.Host, p.ClaimedBy, p.Reason = text(o.User), "os_user", text(o.Host), text(o.Claimed), text(o.Reason)
	}
	if p.Before, err = auditJSON(a.before); err != nil {
		return err
	}
	if p.After, err = auditJSON(a.after); err != nil {
		return err
	}
	if a.owner != nil {
		if p.Seals, err = auditJSON(a.seals); err != nil {
			return err
		}
	}
	return addAudit(ctx, q, sealer, p)
}

// addAudit writes an entry behind the newest one.
func addAudit(ctx context.Context, q *db.Queries, sealer *seal.Sealer, e db.AuditLog) error {
	if err := q.LockAudit(ctx); err != nil {
		return err
	}
	head, err := q.AuditHead(ctx)
	if err != nil {
		return err
	}
	var before []byte
	e.Seq = 1
	if len(head) > 0 {
		before, e.Seq = head[0].Seal, head[0].Seq+1
	}
	e.Seal = sealer.Seal(auditRow(before, e))
	return q.InsertAudit(ctx, db.InsertAuditParams(e))
}

func auditJSON(v any) ([]byte, error) {
	if v == nil {
		return nil, nil
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("write an audit entry: %w", err)
	}
	return raw, nil
}

// fingerprinter returns a function by which secrets can be told apart and not be read.
func (s *Store) fingerprinter(ctx context.Context) (func(gateway.Secret) string, error) {
	key, err := s.ServiceKey(ctx, secretsKey)
	if err != nil {
		return nil, err
	}
	return func(secret gateway.Secret) string {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(secret.Reveal()))
		return "hmac:" + hex.EncodeToString(mac.Sum(nil)[:8])
	}, nil
}

// fingerprints are those of named secrets.
func fingerprints(of func(gateway.Secret) string, secrets map[string]gateway.Secret) map[string]string {
	list := make(map[string]string, len(secrets))
	for name, secret := range secrets {
		list[name] = of(secret)
	}
	return list
}

// AuditEntry is one entry of the audit log.
type AuditEntry struct {
	ID         uuid.UUID       `json:"id"`
	Seq        int64           `json:"seq"`
	Seal       string          `json:"seal"`
	At         time.Time       `json:"at"`
	Actor      string          `json:"actor"`
	ActorKind  string          `json:"actor_kind"`
	Host       string          `json:"host"`
	ClaimedBy  string          `json:"claimed_by"`
	Action     string          `json:"action"`
	ObjectKind string          `json:"object_kind"`
	ObjectID   string          `json:"object_id"`
	Shop       string          `json:"shop"`
	Before     json.RawMessage `json:"before"`
	After      json.RawMessage `json:"after"`
	Reason     string          `json:"reason"`
}

// AuditFilter selects entries of the audit log. Zero members select everything.
type AuditFilter struct {
	Since, Until time.Time
	// Actor is a user of the operating system, or a name that was given.
	Actor string
	// Action is how the action begins: "key" selects all that was done to keys.
	Action       string
	Object, Shop string
}

// farFuture is after every entry.
var farFuture = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

func (f AuditFilter) until() time.Time {
	if f.Until.IsZero() {
		return farFuture
	}
	return f.Until
}

// LatestAudit returns up to limit entries, the newest last.
func (s *Store) LatestAudit(ctx context.Context, f AuditFilter, limit int) ([]AuditEntry, error) {
	var rows []db.AuditLog
	err := s.read(ctx, "load the audit log", func(ctx context.Context, q *db.Queries) (err error) {
		rows, err = q.LatestAuditEntries(ctx, db.LatestAuditEntriesParams{
			Since: f.Since, Until: f.until(), Shop: text(f.Shop), Actor: text(f.Actor), Action: text(f.Action), ObjectID: text(f.Object),
			MaxRows: int32(limit), //nolint:gosec // a page
		})
		return err
	})
	slices.Reverse(rows)
	return auditEntries(rows), err
}

// auditPage is how many entries are read at once.
const auditPage = 500

// EachAudit hands out all entries, the oldest first.
func (s *Store) EachAudit(ctx context.Context, f AuditFilter, each func(AuditEntry) error) error {
	var after uuid.UUID
	for {
		var rows []db.AuditLog
		err := s.read(ctx, "load the audit log", func(ctx context.Context, q *db.Queries) (err error) {
			rows, err = q.AuditEntries(ctx, db.AuditEntriesParams{
				AfterID: after, Since: f.Since, Until: f.until(), Shop: text(f.Shop), Actor: text(f.Actor), Action: text(f.Action), ObjectID: text(f.Object),
				MaxRows: auditPage,
			})
			return err
		})
		if err != nil {
			return err
		}
		for _, e := range auditEntries(rows) {
			if err := each(e); err != nil {
				return err
			}
			after = e.ID
		}
		if len(rows) < auditPage {
			return nil
		}
	}
}

func auditEntries(rows []db.AuditLog) []AuditEntry {
	entries := make([]AuditEntry, len(rows))
	for i, r := range rows {
		entries[i] = AuditEntry{
			ID: r.ID, Seq: r.Seq, Seal: hex.EncodeToString(r.Seal), At: r.At.UTC(), Actor: r.Actor, ActorKind: r.ActorKind, Host: r.Host, ClaimedBy: r.ClaimedBy, Action: r.Action,
			ObjectKind: r.ObjectKind, ObjectID: r.ObjectID, Shop: r.Shop, Before: r.Before, After: r.After, Reason: r.Reason,
		}
	}
	return entries
}

// orderFacts are what the audit log keeps of an order.
func orderFacts(o *payment.Order) map[string]any {
	return map[string]any{"status": o.Status, "captured": o.Captured, "refunded": o.Refunded, "conflicts": o.Conflicts}
}
