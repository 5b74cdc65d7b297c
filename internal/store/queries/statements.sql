-- name: InsertStatement :execrows
INSERT INTO statements (
    shop_id, id, account_id, account_name, type, status_filter, from_at, to_at, state, task, failure, row_count, polls,
    created_at, updated_at, next_poll_at
) VALUES (
    @shop_id, @id, @account_id, @account_name, @type, @status_filter, @from_at, @to_at, @state, @task, @failure, @row_count, @polls,
    @created_at, @updated_at, sqlc.narg('next_poll_at')
);

-- name: StatementByID :one
SELECT shop_id, id, account_id, account_name, type, status_filter, from_at, to_at, state, task, failure, row_count, polls,
    created_at, updated_at, next_poll_at
FROM statements WHERE shop_id = $1 AND id = $2;

-- name: UpdateStatement :execrows
-- One that is ready or failed stays so, and of two steps taken from the same place one is written.
UPDATE statements SET
    state = @state, task = @task, failure = @failure, row_count = @row_count, polls = @polls, updated_at = @updated_at,
    next_poll_at = sqlc.narg('next_poll_at')
WHERE shop_id = @shop_id AND id = @id AND state IN ('created', 'processing') AND polls + 1 = @polls;

-- name: LockOpenStatement :one
SELECT id FROM statements WHERE shop_id = $1 AND id = $2 AND state IN ('created', 'processing') FOR NO KEY UPDATE;

-- name: DeleteStatementRows :execrows
DELETE FROM statement_rows WHERE shop_id = $1 AND statement_id = $2;

-- name: LeaseDueStatements :many
WITH due AS (
    SELECT shop_id, id FROM statements WHERE next_poll_at <= @now::timestamptz ORDER BY next_poll_at LIMIT @max_rows FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE statements SET next_poll_at = @leased_until::timestamptz FROM due
WHERE statements.shop_id = due.shop_id AND statements.id = due.id
RETURNING statements.shop_id, statements.id;

-- name: RenewStatement :execrows
UPDATE statements SET next_poll_at = @leased_until::timestamptz
WHERE shop_id = @shop_id AND id = @id AND next_poll_at < @leased_until::timestamptz AND state IN ('created', 'processing');
