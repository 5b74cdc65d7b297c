package store

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"payrelay/internal/payment"
	"payrelay/internal/seal"
	"payrelay/internal/store/internal/db"
)

// mandateFinding is what is found of a mandate that something else than payrelay changed.
const mandateFinding = "the terms of this mandate, or what was decided about it, were not written by payrelay"

// sealedMandate is what the seal of a mandate covers: all of it.
func sealedMandate(m *db.Mandate) *seal.Row {
	r := seal.Of("mandates").UUID(m.ShopID).UUID(m.ID).Int(m.MaxAmount).Int(int64(m.MinDays))
	seal.Nullable(r, m.ExpiresAt, (*seal.Row).Time)
	seal.Nullable(r, m.MaxCharges, func(r *seal.Row, n int32) *seal.Row { return r.Int(int64(n)) })
	seal.Nullable(r.Text(m.Decision), m.DecidedAt, (*seal.Row).Time)
	seal.Nullable(r, m.ScheduleEndsAt, (*seal.Row).Time).Text(m.Schedule)
	return seal.Nullable(r, m.CountsFrom, (*seal.Row).Time)
}

// scheduleText is a schedule as it is stored, "" for none.
func scheduleText(s *payment.MandateSchedule) string {
	if s == nil {
		return ""
	}
	text, _ := json.Marshal(s) // texts and numbers
	return string(text)
}

// mandateRow is a mandate with the newest decision about it. Decisions is that one's number, 0 if there is none.
type mandateRow db.MandateByIDRow

// sealedDecision is what the seal of the newest decision covers: the mandate as it is since.
func (r *mandateRow) sealedDecision() *seal.Row {
	return seal.Of("mandate_decisions").UUID(r.Mandate.ShopID).UUID(r.Mandate.ID).Int(int64(r.Decisions)).Time(r.DecisionAt).Bytes(r.Mandate.Seal)
}

// asWritten reports whether payrelay has written the mandate, and nothing was decided since: its row from before a decision has a seal, too.
func (r *mandateRow) asWritten(sealer *seal.Sealer) bool {
	m := &r.Mandate
	switch {
	case !sealer.Matches(sealedMandate(m), m.Seal):
		return false
	case r.Decisions == 0:
		return m.Decision == "" && m.DecidedAt == nil && m.ScheduleEndsAt == nil
	}
	return sealer.Matches(r.sealedDecision(), r.DecisionSeal)
}

// insertMandate writes the mandate that a recurring payment makes, if it makes one.
func (s *Store) insertMandate(ctx context.Context, q *db.Queries, o *payment.Order) error {
	if o.Terms == nil {
		return nil
	}
	sealer, err := s.sealer(ctx)
	if err != nil {
		return err
	}
	m := db.Mandate{
		ShopID: o.ShopID, ID: o.ID, MaxAmount: o.Terms.MaxAmount, MinDays: int32(o.Terms.MinDays), ExpiresAt: micros(o.Terms.ExpiresAt), //nolint:gosec // the contract bounds it
		Schedule: scheduleText(o.Terms.Schedule), CountsFrom: micros(o.Terms.CountsFrom),
	}
	if n := int32(o.Terms.MaxCharges); n > 0 { //nolint:gosec // the contract bounds it
		m.MaxCharges = &n
	}
	_, err = q.InsertMandate(ctx, db.InsertMandateParams{
		ShopID: m.ShopID, ID: m.ID, MaxAmount: m.MaxAmount, MinDays: m.MinDays, ExpiresAt: m.ExpiresAt, MaxCharges: m.MaxCharges, Schedule: m.Schedule, CountsFrom: m.CountsFrom,
		Seal: sealer.Seal(sealedMandate(&m)),
	})
	if err != nil {
		return err
	}
	return q.PlanMandate(ctx, db.PlanMandateParams{ShopID: o.ShopID, ID: o.ID, DueAt: o.Terms.FirstRun(o.CreatedAt)})
}

// micros is a time as Postgres keeps it.
func micros(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	at := t.UTC().Truncate(time.Microsecond)
	return &at
}

// CreateCharge implements payment.Store. It locks the mandate first, so that its charges come one after the other.
func (s *Store) CreateCharge(ctx context.Context, o *payment.Order, check func(*payment.Mandate) error) (*payment.Order, bool, error) {
	if o.ParentID == nil {
		return nil, false, errors.New("create charge: it has no mandate")
	}
	counting, err := s.countingOf(ctx, o)
	if err != nil {
		return nil, false, err
	}
	defer counting.tell(ctx)
	var refused error
	created, isNew, err := s.create(ctx, o, func(p db.InsertOrderParams) error {
		return s.write(ctx, "create charge", func(ctx context.Context, tx pgx.Tx) error {
			m, taken, err := s.lockMandate(ctx, tx, payment.Key{Shop: o.ShopID, Order: *o.ParentID}, o)
			switch {
			case err != nil:
				return err
			case taken:
				return payment.ErrReferenceTaken
			}
			if refused = check(m); refused != nil {
				return refused
			}
			if err := insert(ctx, db.New(tx), p); err != nil {
				return err
			}
			return counting.admit(ctx, tx, o)
		})
	})
	if refused != nil {
		return nil, false, refused
	}
	return created, isNew, err
}

// lockMandate locks a mandate and returns it as it is then. taken says that an order of the new charge's reference is there.
func (s *Store) lockMandate(ctx context.Context, tx pgx.Tx, key payment.Key, charge *payment.Order) (m *payment.Mandate, taken bool, err error) {
	type named struct {
		ID uuid.UUID `db:"id"`
	}
	var row *db.Mandate
	var last *db.LastMandateDecisionRow
	var first *db.Order
	var facts *db.ChargesOfRow
	var same, lost *named
	var charges []*db.Order
	var batch queue
	ask(&batch, &row, db.MandateForUpdate, key.Shop, key.Order)
	ask(&batch, &last, db.LastMandateDecision, key.Shop, key.Order)
	ask(&batch, &first, db.OrderByID, key.Shop, key.Order)
	ask(&batch, &facts, db.ChargesOf, key.Shop, []uuid.UUID{key.Order})
	if charge != nil {
		ask(&batch, &same, db.ReferenceTaken, charge.ShopID, string(charge.Kind), charge.Reference)
		askAll(&batch, func(rows []*db.Order) { charges = rows }, db.ChargeRows, key.Shop, key.Order)
		ask(&batch, &lost, db.LostCharge, key.Shop, key.Order)
	}
	switch err := batch.send(ctx, tx); {
	case err != nil:
		return nil, false, err
	case row == nil || first == nil:
		return nil, false, payment.ErrNoMandate
	case lost != nil:
		s.sealBroken(Finding{"orders", lost.ID.String(), "the order is missing, and its reference says that it is a charge of " + key.Order.String()})
		return nil, false, payment.ErrFrozen
	}
	if err := s.chargesUsable(ctx, charges); err != nil {
		return nil, false, err
	}
	found := mandateRow{Mandate: *row}
	if last != nil {
		found.Decisions, found.DecisionAt, found.DecisionSeal = last.Number, last.At, last.Seal
	}
	m, err = s.mandate(ctx, &found, first, facts)
	return m, same != nil, err
}

// chargesUsable returns an error if a charge is not as payrelay wrote it: the terms of its mandate are counted by it.
func (s *Store) chargesUsable(ctx context.Context, charges []*db.Order) error {
	for _, row := range charges {
		o, err := s.facts(ctx, row)
		if err == nil {
			err = s.usable(o)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// mandate puts a mandate together. One that something else than payrelay has changed is frozen, and so is one of such a payment.
func (s *Store) mandate(ctx context.Context, found *mandateRow, first *db.Order, facts *db.ChargesOfRow) (*payment.Mandate, error) {
	row := &found.Mandate
	sealer, err := s.sealer(ctx)
	if err != nil {
		return nil, err
	}
	if first == nil || !found.asWritten(sealer) {
		s.sealBroken(Finding{"mandates", row.ID.String(), mandateFinding})
		return nil, payment.ErrFrozen
	}
	o, err := s.order(ctx, first)
	if err == nil {
		err = s.usable(o)
	}
	if err != nil {
		return nil, err
	}
	m := &payment.Mandate{
		MandateTerms: payment.MandateTerms{MaxAmount: row.MaxAmount, MinDays: int(row.MinDays), ExpiresAt: utc(row.ExpiresAt), CountsFrom: utc(row.CountsFrom)},
		Decision:     payment.MandateDecision(row.Decision), DecidedAt: utc(row.DecidedAt), ScheduleEndsAt: utc(row.ScheduleEndsAt), First: o,
	}
	if row.MaxCharges != nil {
		m.MaxCharges = int(*row.MaxCharges)
	}
	if row.Schedule != "" {
		m.Schedule = &payment.MandateSchedule{}
		if err := json.Unmarshal([]byte(row.Schedule), m.Schedule); err != nil {
			return nil, fmt.Errorf("read the schedule of mandate %s: %w", row.ID, err)
		}
	}
	if facts == nil {
		return m, nil
	}
	m.Succeeded = int(facts.Succeeded)
	if facts.Succeeded > 0 {
		m.LastAt = utc(&facts.LastAt)
	}
	if facts.Open != uuid.Nil {
		m.Open = &facts.Open
	}
	return m, nil
}

// Mandate implements payment.Store.
func (s *Store) Mandate(ctx context.Context, key payment.Key) (*payment.Mandate, error) {
	var row mandateRow
	err := s.read(ctx, "load a mandate", func(ctx context.Context, q *db.Queries) error {
		found, err := q.MandateByID(ctx, db.MandateByIDParams{ShopID: key.Shop, ID: key.Order})
		row = mandateRow(found)
		if errors.Is(err, pgx.ErrNoRows) {
			return payment.ErrNoMandate
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	all, err := s.mandates(ctx, key.Shop, []mandateRow{row}, false)
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// Mandates implements payment.Store: newest first, which is the order of ids. What is frozen is left out.
func (s *Store) Mandates(ctx context.Context, shop uuid.UUID, cursor string, limit int) (page payment.Page[*payment.Mandate], err error) {
	limit = pageSize(limit)
	p := db.MandatesOfParams{ShopID: shop, MaxRows: int32(limit + 1)} //nolint:gosec // a few hundred
	if cursor != "" {
		raw, err := base64.RawURLEncoding.DecodeString(cursor)
		id, idErr := uuid.FromBytes(raw)
		if err != nil || idErr != nil {
			return page, payment.ErrCursor
		}
		p.Cursor = &id
	}
	var rows []mandateRow
	err = s.read(ctx, "list mandates", func(ctx context.Context, q *db.Queries) error {
		found, err := q.MandatesOf(ctx, p)
		rows = rows[:0]
		for _, r := range found {
			rows = append(rows, mandateRow(r))
		}
		return err
	})
	if err != nil {
		return page, err
	}
	if len(rows) > limit {
		rows = rows[:limit]
		page.Next = base64.RawURLEncoding.EncodeToString(rows[limit-1].Mandate.ID[:])
	}
	page.Items, err = s.mandates(ctx, shop, rows, true)
	return page, err
}

// mandates completes mandates by their payments and charges. What is frozen is left out or an error.
func (s *Store) mandates(ctx context.Context, shop uuid.UUID, rows []mandateRow, leaveOut bool) ([]*payment.Mandate, error) {
	ids := make([]uuid.UUID, len(rows))
	for i := range rows {
		ids[i] = rows[i].Mandate.ID
	}
	firsts, facts := map[uuid.UUID]*db.Order{}, map[uuid.UUID]*db.ChargesOfRow{}
	err := s.read(ctx, "load the payments of mandates", func(ctx context.Context, q *db.Queries) error {
		orders, err := q.OrdersByID(ctx, db.OrdersByIDParams{ShopID: shop, Ids: ids})
		if err != nil {
			return err
		}
		for i := range orders {
			firsts[orders[i].ID] = &orders[i]
		}
		charges, err := q.ChargesOf(ctx, db.ChargesOfParams{ShopID: shop, Ids: ids})
		for i := range charges {
			facts[*charges[i].ParentID] = &charges[i]
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	all := []*payment.Mandate{}
	for i := range rows {
		m, err := s.mandate(ctx, &rows[i], firsts[ids[i]], facts[ids[i]])
		switch {
		case err == nil:
			all = append(all, m)
		case !leaveOut || !errors.Is(err, payment.ErrFrozen):
			return nil, err
		}
	}
	return all, nil
}

// DecideMandate implements payment.Store.
func (s *Store) DecideMandate(ctx context.Context, key payment.Key, fn func(*payment.Mandate) error) (*payment.Mandate, error) {
	var decided *payment.Mandate
	err := s.write(ctx, "decide about a mandate", func(ctx context.Context, tx pgx.Tx) error {
		m, _, err := s.lockMandate(ctx, tx, key, nil)
		if err != nil {
			return err
		}
		before, ends := m.Decision, m.ScheduleEndsAt
		if err := fn(m); err != nil {
			return err
		}
		decided = m
		if m.Decision == before && m.ScheduleEndsAt == ends {
			return nil
		}
		return s.saveDecision(ctx, db.New(tx), m, before)
	})
	return decided, err
}

// saveDecision writes down what was decided about a mandate that is locked.
func (s *Store) saveDecision(ctx context.Context, q *db.Queries, m *payment.Mandate, before payment.MandateDecision) error {
	sealer, err := s.sealer(ctx)
	if err != nil {
		return err
	}
	row := db.Mandate{
		ShopID: m.First.ShopID, ID: m.First.ID, MaxAmount: m.MaxAmount, MinDays: int32(m.MinDays), ExpiresAt: m.ExpiresAt, //nolint:gosec // as it was read
		Decision: string(m.Decision), DecidedAt: micros(m.DecidedAt), ScheduleEndsAt: micros(m.ScheduleEndsAt),
		Schedule: scheduleText(m.Schedule), CountsFrom: m.CountsFrom,
	}
	if n := int32(m.MaxCharges); n > 0 { //nolint:gosec // as it was read
		row.MaxCharges = &n
	}
	row.Seal = sealer.Seal(sealedMandate(&row))
	if _, err := q.DecideMandate(ctx, db.DecideMandateParams{
		Decision: row.Decision, DecidedAt: row.DecidedAt, ScheduleEndsAt: row.ScheduleEndsAt, Seal: row.Seal, ShopID: row.ShopID, ID: row.ID,
	}); err != nil {
		return err
	}
	if err := s.addDecision(ctx, q, sealer, &row); err != nil || s.Operator == nil {
		return err
	}
	name, err := q.ShopName(ctx, row.ShopID)
	if err != nil {
		return err
	}
	return s.audit(ctx, q, act{
		action: decisionActs[m.Decision], kind: "mandate", object: row.ID.String(), shop: name,
		before: map[string]any{"decision": before}, after: map[string]any{"decision": m.Decision, "schedule_ends_at": row.ScheduleEndsAt},
	})
}

// addDecision writes down that a mandate, which is locked, is as it is from now on.
func (s *Store) addDecision(ctx context.Context, q *db.Queries, sealer *seal.Sealer, m *db.Mandate) error {
	last, err := q.LastMandateDecision(ctx, db.LastMandateDecisionParams{ShopID: m.ShopID, MandateID: m.ID})
	if err != nil {
		return err
	}
	d := mandateRow{Mandate: *m, Decisions: 1, DecisionAt: s.Now().UTC().Truncate(time.Microsecond)}
	if len(last) > 0 {
		d.Decisions = last[0].Number + 1
	}
	_, err = q.InsertMandateDecision(ctx, db.InsertMandateDecisionParams{ShopID: m.ShopID, MandateID: m.ID, Number: d.Decisions, At: d.DecisionAt, Seal: sealer.Seal(d.sealedDecision())})
	return err
}

// decisionActs are the operators' acts that lead to each decision.
var decisionActs = map[payment.MandateDecision]string{
	payment.MandatePause: "mandate pause", payment.MandateResume: "mandate resume", payment.MandateUndecided: "mandate resume", payment.MandateRevoke: "mandate revoke",
}
