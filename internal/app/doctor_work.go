package app

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"payrelay/internal/plural"
	"payrelay/internal/store"
)

// How late work may be before it is worth a word. The alerts of deploy/prometheus go by the same.
const (
	pollsLate         = 10 * time.Minute
	notificationsLate = time.Hour
	unknownLong       = 30 * time.Minute
	processingLong    = 24 * time.Hour
	removalLate       = 3 * 24 * time.Hour
)

// work checks whether a service runs, and what waits for it or for a person.
func (d *doctor) work(ctx context.Context, pool *pgxpool.Pool, clock *store.Clock) {
	st := store.New(pool, store.Options{Now: clock.Now})
	replicas, err := st.Replicas(ctx)
	if err != nil {
		d.problem("service", "%s", inPlainWords(err))
		return
	}
	g, err := st.Gauges(ctx)
	if err != nil {
		d.problem("service", "%s", inPlainWords(err))
		return
	}
	late := late{d, "see the log of 'server run' for what it cannot do"}
	if len(replicas) == 0 {
		late.then = "no service runs on this database: start 'server run'"
		d.ok("service", "none runs on this database")
	} else {
		d.ok("service", "%s on this database, the oldest since %s", plural.Of(len(replicas), "replica runs", "replicas run"), oldest(replicas).UTC().Format(time.RFC3339))
	}
	late.check("status polls", "the most overdue one has been due", g.CheckLag, pollsLate)
	late.check("notifications", "the oldest has waited", g.OldestPending, notificationsLate)
	late.check("retention", "nothing that is old was removed", g.SinceRemoval, removalLate)
	late.then = "'server order list' names it, and docs/runbook.md says what is safe"
	late.check("unknown orders", "the oldest has been unknown", g.OldestUnknown, unknownLong)
	late.check("processing orders", "the oldest has been with its provider", g.OldestProcessing, processingLong)
	d.none("conflicts", int(g.ConflictsOpen), "order", "orders", "contradicted by its provider", "'server order list' names them first, and 'server order resolve' ends each")
	d.none("dead-lettered notifications", int(g.DeadLettered), "notification", "notifications", "given up on", "mend the shop's address, then 'server order list --dead-lettered' names them and 'server order resend' sends each")
}

func oldest(replicas []store.Replica) time.Time {
	first := replicas[0].StartedAt
	for _, r := range replicas {
		if r.StartedAt.Before(first) {
			first = r.StartedAt
		}
	}
	return first
}

// late says what has waited too long, and what to do then.
type late struct {
	*doctor
	then string
}

func (l late) check(check, what string, age, limit time.Duration) {
	if age > limit {
		l.warn(check, "%s for %s: %s", what, age.Round(time.Second), l.then)
		return
	}
	l.ok(check, "none for more than %s", limit)
}

// none warns of what must not be.
func (d *doctor) none(check string, n int, one, many, how, then string) {
	if n == 0 {
		d.ok(check, "none")
		return
	}
	d.warn(check, "%s %s: %s", plural.Of(n, one, many), how, then)
}
