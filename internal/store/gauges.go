package store

import (
	"context"
	"time"

	"payrelay/internal/gateway"
	"payrelay/internal/payment"
	"payrelay/internal/store/internal/db"
)

// Gauges are the numbers that operators watch, over all shops. Ages are zero where there is nothing.
type Gauges struct {
	Unfinished []UnfinishedCount
	// OldestUnknown is for how long the oldest order with an unknown outcome, or with none written down, has been so.
	OldestUnknown time.Duration
	// OldestProcessing is for how long the oldest order has waited for its provider to end it.
	OldestProcessing time.Duration
	// Backlog counts notifications that wait; OldestPending is how long the oldest has.
	Backlog       int64
	OldestPending time.Duration
	DeadLettered  int64
	ConflictsOpen int64
	// Disputes are the open disputes by kind, and DisputesOverdrawn those of them that took more than was left of their payments.
	Disputes          map[payment.DisputeKind]int64
	DisputesOverdrawn int64
	// DisputeDue is for how long there is time yet to answer the most urgent one, below zero if that is over; nil without a date.
	DisputeDue *time.Duration
	// ShopsOff counts shops that have an address which a 410 switched off.
	ShopsOff int64
	// CheckLag is for how long the most overdue check has been due.
	CheckLag time.Duration
	// SinceRemoval is for how long nobody has removed what is old.
	SinceRemoval time.Duration
}

// UnfinishedCount is how many orders of a kind, status and provider are not final.
type UnfinishedCount struct {
	Status   payment.Status
	Kind     gateway.Kind
	Provider string
	Count    int64
}

// addDisputes adds the open disputes of a kind, and for how long there is time for the most urgent of them.
func (g *Gauges) addDisputes(kind payment.DisputeKind, n int64, due time.Duration, dated bool) {
	g.Disputes[kind] = n
	if dated && (g.DisputeDue == nil || due < *g.DisputeDue) {
		g.DisputeDue = &due
	}
}

// Gauges reads the numbers, in one question.
func (s *Store) Gauges(ctx context.Context) (Gauges, error) {
	var rows []db.BacklogRow
	err := s.read(ctx, "read the gauges", func(ctx context.Context, q *db.Queries) (err error) {
		rows, err = q.Backlog(ctx)
		return err
	})
	if err != nil {
		return Gauges{}, err
	}
	g := Gauges{Disputes: map[payment.DisputeKind]int64{}}
	now := s.Now()
	for _, r := range rows {
		age := max(now.Sub(r.Oldest), 0)
		switch {
		case r.What == "unfinished":
			g.Unfinished = append(g.Unfinished, UnfinishedCount{payment.Status(r.Status), gateway.Kind(r.Kind), r.Provider, r.N})
			switch payment.Status(r.Status) { //nolint:exhaustive // the others wait for a customer or a shop
			case payment.StatusUnknown, payment.StatusCreated:
				g.OldestUnknown = max(g.OldestUnknown, age)
			case payment.StatusProcessing:
				g.OldestProcessing = max(g.OldestProcessing, age)
			}
		case r.N == 0:
		case r.What == "notifications":
			g.Backlog, g.OldestPending = r.N, age
		case r.What == "dead_lettered":
			g.DeadLettered = r.N
		case r.What == "conflicts":
			g.ConflictsOpen = r.N
		case r.What == "disputes":
			g.addDisputes(payment.DisputeKind(r.Kind), r.N, r.Oldest.Sub(now), r.Oldest.Unix() > 0)
		case r.What == "disputes_overdrawn":
			g.DisputesOverdrawn = r.N
		case r.What == "shops_off":
			g.ShopsOff = r.N
		case r.What == "retention":
			g.SinceRemoval = age
		case r.What == "due":
			g.CheckLag = age
		}
	}
	return g, nil
}
