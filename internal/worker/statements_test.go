package worker

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"payrelay/internal/payment"
)

func (b *bench) insertStatements(t *testing.T, keys ...payment.StatementKey) {
	t.Helper()
	b.insert(t, func(ctx context.Context, tx pgx.Tx) error { return b.queue.InsertStatements(ctx, tx, keys) })
}

func nothingToDeliver() deliver {
	return func(context.Context, payment.Key) (time.Time, error) { return time.Time{}, nil }
}

func TestAStatementHasOneJobAtMost(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	one, other := payment.StatementKey{Shop: uuid.New(), Statement: uuid.New()}, payment.StatementKey{Shop: uuid.New(), Statement: uuid.New()}
	b.insertStatements(t, one)
	b.insertStatements(t, one, other)
	require.Len(t, b.jobs(t, "advance_statement"), 2, "it waits already, and is not in the way of the other")
	b.exec(t, "DELETE FROM river.river_job WHERE args->>'statement' = $1", other.Statement.String())
	b.exec(t, "UPDATE river.river_job SET state = 'running', attempt = 1, attempted_at = now(), attempted_by = '{me}'")
	b.insertStatements(t, one)
	require.Len(t, b.jobs(t, "advance_statement"), 1, "its step is under way")
	b.exec(t, "UPDATE river.river_job SET state = 'completed', finalized_at = now()")
	b.insertStatements(t, one)
	require.Len(t, b.jobs(t, "advance_statement"), 2, "and now the next")
}

func TestAStepThatFailsIsNotRetriedAsAJob(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	key := payment.StatementKey{Shop: uuid.New(), Statement: uuid.New()}
	b.insertStatements(t, key)
	seen := make(chan payment.StatementKey, 10)
	b.run(t, stepping{b.payment, func(_ context.Context, shop, id uuid.UUID) error {
		seen <- payment.StatementKey{Shop: shop, Statement: id}
		return errors.New("the provider is away")
	}}, nothingToDeliver(), nil)
	require.Equal(t, key, wait(t, seen, "the step"))
	j := b.eventually(t, "advance_statement", func(j job) bool { return j.State == "discarded" })
	require.Equal(t, 1, j.Attempt)
	require.Equal(t, 1, b.log.count("a step of a statement failed"))
	b.insertStatements(t, key)
	require.Equal(t, key, wait(t, seen, "the next step"), "it is still due, and a failed step is not in its way")
}
