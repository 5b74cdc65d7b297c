package worker

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/rs/zerolog"

	"payrelay/internal/faultpoint"
	"payrelay/internal/payment"
)

const (
	queueStatement = "statement"
	// statementWorkers is how many lists may be read at one time: each takes many times its size in memory.
	statementWorkers    = 2
	statementSweepEvery = time.Second
	statementBatch      = 50
	// statementTimeout leaves room for a download as long as PROVIDER_TIMEOUT may be.
	statementTimeout = 3 * time.Minute
	// StatementLease is when a step that was handed out is looked at again. It may be shorter than a step, because a
	// statement has one job at most.
	StatementLease = 30 * time.Second
)

// StatementArgs takes the next step with a statement.
type StatementArgs struct {
	Shop      uuid.UUID `json:"shop"`
	Statement uuid.UUID `json:"statement"`
}

// Kind implements river.JobArgs.
func (StatementArgs) Kind() string { return "advance_statement" }

// InsertOpts implements river.JobArgsWithInsertOpts. A step that fails is not retried as a job: the statement is still
// due. One that waits for its turn longer than its lease does not get a second job.
func (StatementArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: queueStatement, MaxAttempts: 1, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: []rivertype.JobState{
		rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable, rivertype.JobStateRunning, rivertype.JobStateScheduled,
	}}}
}

// Statements takes the next step with a statement.
type Statements interface {
	AdvanceStatement(ctx context.Context, shop, id uuid.UUID) error
}

// StatementSweeper leases statements that are due, and queues their jobs.
type StatementSweeper interface {
	LeaseDueStatements(ctx context.Context, limit int, lease time.Duration) (int, error)
}

// InsertStatements queues the next step of statements. One that has a job already gets no second one, and the others
// still get theirs; the fast way to insert would fail for all of them.
func (q *Queue) InsertStatements(ctx context.Context, tx pgx.Tx, keys []payment.StatementKey) error {
	params := make([]river.InsertManyParams, len(keys))
	for i, k := range keys {
		params[i] = river.InsertManyParams{Args: StatementArgs{k.Shop, k.Statement}}
	}
	_, err := q.client.InsertManyTx(ctx, tx, params)
	return err
}

type statementWorker struct {
	river.WorkerDefaults[StatementArgs]
	statements Statements
	log        zerolog.Logger
}

// Timeout implements river.Worker.
func (*statementWorker) Timeout(*river.Job[StatementArgs]) time.Duration {
	return faultpoint.Duration("statement_timeout", statementTimeout)
}

// Work implements river.Worker.
func (w *statementWorker) Work(ctx context.Context, job *river.Job[StatementArgs]) error {
	err := w.statements.AdvanceStatement(ctx, job.Args.Shop, job.Args.Statement)
	if err != nil {
		w.log.Warn().Err(err).Stringer("statement_id", job.Args.Statement).Msg("a step of a statement failed")
		return fmt.Errorf("advance statement %s: %w", job.Args.Statement, err)
	}
	return nil
}
