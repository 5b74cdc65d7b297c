package worker

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"payrelay/internal/faultpoint"
	"payrelay/internal/payment"
	"payrelay/migrations"
)

const (
	queueNotify = "notify"

	sweepBatch = 200
	jobTimeout = 40 * time.Second

	// A delivery whose process died is taken over when its lease of 25 s has ended, by the next of these sweeps.
	overdueEvery = 2 * time.Second
	overdueAfter = 15 * time.Second

	// KeepAnswers is for how long an answer is kept for repeats under an Idempotency-Key. A reference is remembered for ever.
	KeepAnswers = 7 * 24 * time.Hour
	forgetEvery = time.Hour
)

// NotifyArgs sends an order's pending notifications.
type NotifyArgs struct {
	Shop  uuid.UUID `json:"shop"`
	Order uuid.UUID `json:"order"`
}

// Kind implements river.JobArgs.
func (NotifyArgs) Kind() string { return "notify_order" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (NotifyArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: queueNotify, MaxAttempts: 100}
}

// Service is what jobs do with orders and statements.
type Service interface {
	Checker
	TransactionReports
}

// Notifier sends what is due of an order's notifications and says when to look again; zero means nothing is left.
type Notifier interface {
	DeliverOrder(ctx context.Context, key payment.Key) (time.Time, error)
}

// Sweeper finds what is due.
type Sweeper interface {
	CheckLeaser
	TransactionReportLeaser
	// QueueOverdueDeliveries makes up for deliveries whose process died.
	QueueOverdueDeliveries(ctx context.Context, limit int, overdue time.Duration) (int, error)
}

// Forgetter deletes what was kept for a while only.
type Forgetter interface {
	// Forget deletes what is older than age, by its own clock, and returns how much.
	Forget(ctx context.Context, age time.Duration) (int64, error)
}

// Config is what the workers need. MaxWorkers is how many checks of each provider and how many deliveries run at once; 50. Of steps of
// statements there are a few.
type Config struct {
	Pool       *pgxpool.Pool
	Log        zerolog.Logger
	MaxWorkers int
	// Providers are those whose orders are checked.
	Providers []string
	// CheckFailed hears of checks that could not be made or written down: the order is leased again, and again, and is never
	// late. May be nil.
	CheckFailed func(provider string)
	// PollOnly turns LISTEN off, for a database behind a transaction pooler.
	PollOnly bool
	// Answers are deleted when they are older than KeepAnswers. May be nil.
	Answers Forgetter
}

// Queue puts jobs into the database, within the caller's transaction. It works before any worker runs.
type Queue struct{ client *river.Client[pgx.Tx] }

// NewQueue returns a queue that only inserts.
func NewQueue(log zerolog.Logger) (*Queue, error) {
	client, err := river.NewClient(riverpgxv5.New(nil), &river.Config{Schema: migrations.RiverSchema, Logger: logger(log)})
	if err != nil {
		return nil, fmt.Errorf("make the job queue: %w", err)
	}
	return &Queue{client}, nil
}

// InsertNotify queues the delivery of orders' notifications.
func (q *Queue) InsertNotify(ctx context.Context, tx pgx.Tx, keys ...payment.Key) error {
	params := make([]river.InsertManyParams, len(keys))
	for i, k := range keys {
		params[i] = river.InsertManyParams{Args: NotifyArgs{k.Shop, k.Order}}
	}
	_, err := q.client.InsertManyFastTx(ctx, tx, params)
	return err
}

// InsertMissingNotify is InsertNotify for the orders that have no job waiting for a worker. It is for what was committed
// before: a job that waits may be done before the caller commits. A job that runs counts for nothing, since its process may
// be dead; nor does a scheduled one, since only an elected process makes it available.
func (q *Queue) InsertMissingNotify(ctx context.Context, tx pgx.Tx, keys ...payment.Key) error {
	orders := make([]string, len(keys)) // as text: a pooler's modes cannot carry a slice of ids
	for i, k := range keys {
		orders[i] = k.Order.String()
	}
	rows, err := tx.Query(ctx, withoutJob, orders, queueNotify, NotifyArgs{}.Kind())
	if err != nil {
		return fmt.Errorf("look for waiting jobs: %w", err)
	}
	missing, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("look for waiting jobs: %w", err)
	}
	keys = slices.DeleteFunc(slices.Clone(keys), func(k payment.Key) bool { return !slices.Contains(missing, k.Order.String()) })
	if len(keys) == 0 {
		return nil
	}
	return q.InsertNotify(ctx, tx, keys...)
}

// withoutJob hashes the waiting jobs, which River's own index finds: 10 ms for 10,000. The index of args takes 3 ms for
// each order. A job that is due later only, because the clock of the process that queued it is ahead, does not count.
const withoutJob = `SELECT wanted FROM unnest($1::text[]) AS wanted
WHERE NOT EXISTS (
    SELECT 1 FROM ` + migrations.RiverSchema + `.river_job j
    WHERE j.state = 'available' AND j.queue = $2 AND j.kind = $3 AND j.scheduled_at <= now() AND j.args->>'order' = wanted
)`

// Workers runs jobs until it is stopped.
type Workers struct {
	jobs               *jobs
	checks             []*leases[payment.Key]
	transactionReports *leases[payment.TransactionReportKey]
	sweeper            Sweeper
	answers            Forgetter
	log                zerolog.Logger
}

// New returns workers; Run starts them.
func New(c Config, service Service, notifier Notifier, sweeper Sweeper) (*Workers, error) {
	if c.MaxWorkers <= 0 {
		c.MaxWorkers = 50
	}
	workers := river.NewWorkers()
	j := newJobs(c.Log)
	river.AddWorker(workers, &notifyWorker{notifier: notifier, jobs: j, log: c.Log})
	client, err := river.NewClient(riverpgxv5.New(c.Pool), &river.Config{
		Schema: migrations.RiverSchema,
		Logger: logger(c.Log),
		Queues: map[string]river.QueueConfig{
			queueNotify: {MaxWorkers: c.MaxWorkers},
		},
		Workers:                     workers,
		PollOnly:                    c.PollOnly,
		FetchPollInterval:           500 * time.Millisecond,
		FetchCooldown:               50 * time.Millisecond,
		JobTimeout:                  faultpoint.Duration("job_timeout", jobTimeout),
		RescueStuckJobsAfter:        faultpoint.Duration("job_rescue", jobTimeout+5*time.Second),
		CompletedJobRetentionPeriod: 10 * time.Minute,
	})
	if err != nil {
		return nil, fmt.Errorf("make the workers: %w", err)
	}
	j.client = client
	w := &Workers{jobs: j, transactionReports: newTransactionReports(c, service, sweeper), sweeper: sweeper, answers: c.Answers, log: c.Log}
	for _, provider := range c.Providers {
		w.checks = append(w.checks, newChecks(provider, c, service, sweeper))
	}
	return w, nil
}

// Run works until ctx is done, then finishes the jobs under way.
func (w *Workers) Run(ctx context.Context) error {
	var all errgroup.Group
	for _, k := range w.checks {
		all.Go(func() error { k.run(ctx); return nil })
	}
	all.Go(func() error { w.transactionReports.run(ctx); return nil })
	all.Go(func() error {
		w.sweep(ctx, "deliveries", overdueEvery, sweepBatch, overdueAfter, w.sweeper.QueueOverdueDeliveries)
		return nil
	})
	all.Go(func() error { w.forget(ctx); return nil })
	all.Go(func() error { return w.jobs.run(ctx) })
	return all.Wait()
}

// sweep queues what is due until ctx is done.
func (w *Workers) sweep(ctx context.Context, what string, every time.Duration, batch int, lease time.Duration, leaseDue func(context.Context, int, time.Duration) (int, error)) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for {
			n, err := leaseDue(ctx, batch, lease)
			if err != nil && ctx.Err() == nil && !failing {
				w.log.Error().Err(err).Msg("due " + what + " cannot be queued; trying on")
			}
			if failing = err != nil; failing || n < batch {
				break
			}
		}
	}
}

// forget deletes old answers until ctx is done.
func (w *Workers) forget(ctx context.Context) {
	if w.answers == nil {
		return
	}
	ticker := time.NewTicker(forgetEvery)
	defer ticker.Stop()
	for {
		n, err := w.answers.Forget(ctx, KeepAnswers)
		switch {
		case err != nil && ctx.Err() == nil:
			w.log.Error().Err(err).Msg("old idempotency keys cannot be deleted; trying on")
		case n > 0:
			w.log.Info().Int64("count", n).Msg("old idempotency keys deleted")
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

type notifyWorker struct {
	river.WorkerDefaults[NotifyArgs]
	notifier Notifier
	jobs     *jobs
	log      zerolog.Logger
}

// Work implements river.Worker.
func (w *notifyWorker) Work(ctx context.Context, job *river.Job[NotifyArgs]) error {
	defer w.jobs.working()()
	faultpoint.Hit("job-begun")
	next, err := w.notifier.DeliverOrder(ctx, payment.Key{Shop: job.Args.Shop, Order: job.Args.Order})
	if err != nil {
		w.log.Error().Err(err).Stringer("order_id", job.Args.Order).Msg("a delivery could not be written down; it is tried again")
		return fmt.Errorf("notify about order %s: %w", job.Args.Order, err)
	}
	if next.IsZero() {
		return nil
	}
	return river.JobSnooze(max(time.Until(next), 50*time.Millisecond))
}

// NextRetry implements river.Worker: a delivery that could not be written down is tried again soon.
func (w *notifyWorker) NextRetry(*river.Job[NotifyArgs]) time.Time {
	return time.Now().Add(2 * time.Second)
}

// logger lets River speak through zerolog, from warnings on.
func logger(log zerolog.Logger) *slog.Logger {
	return slog.New(zerolog.NewSlogHandler(log.Level(max(log.GetLevel(), zerolog.WarnLevel))))
}
