package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"payrelay/internal/seal"
	"payrelay/internal/store/internal/db"
)

// auditRow is an entry of the audit log as it is sealed, behind the seal of the entry before it.
func auditRow(before []byte, e db.AuditLog) *seal.Row {
	row := seal.Of("audit_log").Bytes(before).Int(e.Seq).UUID(e.ID).Time(e.At).Text(e.Actor).Text(e.ActorKind).Text(e.Host).Text(e.ClaimedBy).
		Text(e.Action).Text(e.ObjectKind).Text(e.ObjectID).Text(e.Shop).Bytes(e.Before).Bytes(e.After).Text(e.Reason)
	return seal.Nullable(row, e.OwnerID, func(r *seal.Row, id uuid.UUID) *seal.Row { return r.UUID(id) }).Bytes(e.Seals)
}

// trail is what the audit log says, as far as it was read. It is never changed.
type trail struct {
	// seq and seal are of the newest entry with a right seal. What is behind it is read again each time.
	seq      int64
	seal     []byte
	seals    map[uuid.UUID]rowSeals
	findings []Finding
	// last is where the reader is. behind are the findings of entries behind the newest one with a right seal.
	last   logPlace
	behind []Finding
}

// logPlace is an entry of the audit log, right or not.
type logPlace struct {
	seq  int64
	seal []byte
}

// errLogCut says that the audit log does not hold an entry any more that this process has seen.
var errLogCut = errors.New("the audit log was cut or set back")

// logCut is the finding for that.
func logCut(seq int64) Finding {
	return Finding{"audit_log", strconv.FormatInt(seq, 10), "the log does not hold this entry any more: it was cut or set back, and rows may have been set back with it"}
}

// holds reports whether the audit log has an entry with that number and seal.
func holds(ctx context.Context, q *db.Queries, seq int64, seal []byte) (bool, error) {
	found, err := q.AuditSeal(ctx, seq)
	return len(found) == 1 && slices.Equal(found[0], seal), err
}

// follow reads the entries behind those that are known. It returns errLogCut if the log does not hold those.
func (s *Store) follow(ctx context.Context, q *db.Queries, sealer *seal.Sealer, known *trail) (*trail, error) {
	t := trailFrom(logPlace{})
	if known != nil && known.seq > 0 {
		there, err := holds(ctx, q, known.seq, known.seal)
		if err != nil {
			return nil, err
		}
		if !there {
			return nil, errLogCut
		}
		t = trailFrom(logPlace{known.seq, known.seal})
		t.seals, t.findings = maps.Clone(known.seals), slices.Clone(known.findings)
	}
	for {
		entries, err := q.AuditAfter(ctx, db.AuditAfterParams{AfterSeq: t.last.seq, MaxRows: auditPage})
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			t.add(sealer, e)
		}
		if len(entries) < auditPage {
			return t, nil
		}
	}
}

// trailFrom is a trail that begins behind an entry.
func trailFrom(p logPlace) *trail {
	return &trail{seq: p.seq, seal: p.seal, last: p, seals: map[uuid.UUID]rowSeals{}}
}

// add takes in the next entry. One that does not have its seal is believed in nothing.
func (t *trail) add(sealer *seal.Sealer, e db.AuditLog) {
	switch {
	case e.Seq != t.last.seq+1:
		t.behind = append(t.behind, Finding{"audit_log", e.ID.String(), fmt.Sprintf("the entries %d to %d before it are missing", t.last.seq+1, e.Seq-1)})
	case !sealer.Matches(auditRow(t.last.seal, e), e.Seal):
		t.behind = append(t.behind, Finding{"audit_log", e.ID.String(), fmt.Sprintf("the entry %d, or the one before it, was changed", e.Seq)})
	default:
		t.seq, t.seal = e.Seq, e.Seal
		t.findings, t.behind = append(t.findings, t.behind...), nil
		seals := rowSeals{}
		if e.OwnerID != nil && json.Unmarshal(e.Seals, &seals) == nil {
			t.seals[*e.OwnerID] = seals
		}
	}
	t.last = logPlace{e.Seq, e.Seal}
}

// The ways in which a row differs from the audit log.
const (
	rowChanged = "the row is not as the audit log says: it was changed, or an old one was put back"
	rowForeign = "the row is in no entry of the audit log"
	rowMissing = "the row is missing"
	rowClosed  = "the row cannot be decrypted"
)

func findingOf(owner uuid.UUID, row, what string) Finding {
	table, key, below := strings.Cut(row, "/")
	id := owner.String()
	if below {
		id += "/" + key
	}
	return Finding{table, id, what}
}

// compare finds the rows that are not as the newest entries of their owners say.
func (t *trail) compare(rows map[uuid.UUID]rowSeals) (findings []Finding) {
	for owner, there := range rows {
		findings = append(findings, differences(owner, there, t.seals[owner])...)
	}
	for owner, said := range t.seals {
		if rows[owner] == nil {
			findings = append(findings, differences(owner, nil, said)...)
		}
	}
	slices.SortFunc(findings, func(a, b Finding) int { return slices.Compare([]string{a.Table, a.ID}, []string{b.Table, b.ID}) })
	return findings
}

// differences compares the rows of an owner with what the audit log says of them.
func differences(owner uuid.UUID, there, said rowSeals) (findings []Finding) {
	for row, made := range there {
		switch kept, known := said[row]; {
		case made == "":
			findings = append(findings, findingOf(owner, row, rowClosed))
		case !known:
			findings = append(findings, findingOf(owner, row, rowForeign))
		case kept != made:
			findings = append(findings, findingOf(owner, row, rowChanged))
		}
	}
	for row := range said {
		if _, is := there[row]; !is {
			findings = append(findings, findingOf(owner, row, rowMissing))
		}
	}
	return findings
}

// checkedSeals returns what the newest entry of an owner with a right seal says of its rows, as the service believes it; nothing if there
// is none.
func checkedSeals(ctx context.Context, q *db.Queries, sealer *seal.Sealer, owner uuid.UUID) (rowSeals, error) {
	for before := int64(math.MaxInt64); ; {
		entries, err := q.AuditOfOwner(ctx, db.AuditOfOwnerParams{OwnerID: owner, BeforeSeq: before, MaxRows: ownerPage})
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			before = e.AuditLog.Seq
			seals := rowSeals{}
			if sealedBehind(sealer, e.BeforeSeal, e.AuditLog) && json.Unmarshal(e.AuditLog.Seals, &seals) == nil {
				return seals, nil
			}
		}
		if len(entries) < ownerPage {
			return nil, nil
		}
	}
}

// sealedBehind reports whether an entry has a right seal behind the entry with that seal, empty for none.
func sealedBehind(sealer *seal.Sealer, before []byte, e db.AuditLog) bool {
	if len(before) == 0 {
		before = nil
	}
	return sealer.Matches(auditRow(before, e), e.Seal)
}

// ownerPage is how many entries of an owner are read at once. The first is right, unless somebody forged others.
const ownerPage = 20
