-- name: InsertStatement :execrows
INSERT INTO statements (
    shop_id, id, account_id, account_name, type, status_filter, from_at, to_at, state, task, failure, columns, row_count, polls,
    created_at, updated_at, next_poll_at
) VALUES (
    @shop_id, @id, @account_id, @account_name, @type, @status_filter, @from_at, @to_at, @state, @task, @failure, @columns, @row_count, @polls,
    @created_at, @updated_at, sqlc.narg('next_poll_at')
);

-- name: StatementByID :one
SELECT shop_id, id, account_id, account_name, type, status_filter, from_at, to_at, state, task, failure, columns, row_count, polls,
    created_at, updated_at, next_poll_at
FROM statements WHERE shop_id = $1 AND id = $2;

-- name: StatementAnywhere :one
SELECT shop_id, id, account_id, account_name, type, status_filter, from_at, to_at, state, task, failure, columns, row_count, polls,
    created_at, updated_at, next_poll_at
FROM statements WHERE id = $1;

-- name: LatestStatements :many
SELECT sqlc.embed(statements), shops.name AS shop_name FROM statements JOIN shops ON shops.id = statements.shop_id
ORDER BY statements.created_at DESC LIMIT @max_rows;

-- name: UpdateStatement :execrows
-- One that is ready or failed stays so, and of two steps taken from the same place one is written.
UPDATE statements SET
    state = @state, task = @task, failure = @failure, columns = @columns, row_count = @row_count, polls = @polls, updated_at = @updated_at,
    next_poll_at = sqlc.narg('next_poll_at')
WHERE shop_id = @shop_id AND id = @id AND state IN ('created', 'processing') AND polls + 1 = @polls;

-- name: LockOpenStatement :one
SELECT id FROM statements WHERE shop_id = $1 AND id = $2 AND state IN ('created', 'processing') FOR NO KEY UPDATE;

-- name: DeleteStatementRows :execrows
DELETE FROM statement_rows WHERE shop_id = $1 AND statement_id = $2;

-- name: StatementRows :many
SELECT r.row, r.order_id, o.reference, r.fields FROM statement_rows r
JOIN orders o ON o.shop_id = r.shop_id AND o.id = r.order_id
WHERE r.shop_id = $1 AND r.statement_id = $2 AND r.row >= @from_row::integer ORDER BY r.row LIMIT @max_rows;

-- name: OrdersNamed :many
-- Orders of all shops that the provider knows by one of these ids, ours or its own.
SELECT shop_id, id, account_id, parent_id, provider_order_id, provider_reference FROM orders
WHERE provider_order_id = ANY(@ids::text[])
UNION
SELECT shop_id, id, account_id, parent_id, provider_order_id, provider_reference FROM orders
WHERE provider_reference = ANY(@ids::text[]) AND provider_reference <> '';

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
