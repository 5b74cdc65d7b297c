-- name: InsertTransactionReport :execrows
INSERT INTO transaction_reports (
    shop_id, id, account_id, account_name, type, status_filter, from_at, to_at, state, task, failure, columns, row_count, polls,
    created_at, updated_at, next_poll_at
) VALUES (
    @shop_id, @id, @account_id, @account_name, @type, @status_filter, @from_at, @to_at, @state, @task, @failure, @columns, @row_count, @polls,
    @created_at, @updated_at, sqlc.narg('next_poll_at')
);

-- name: TransactionReportByID :one
SELECT shop_id, id, account_id, account_name, type, status_filter, from_at, to_at, state, task, failure, columns, row_count, polls,
    created_at, updated_at, next_poll_at
FROM transaction_reports WHERE shop_id = $1 AND id = $2;

-- name: TransactionReportAnywhere :one
SELECT shop_id, id, account_id, account_name, type, status_filter, from_at, to_at, state, task, failure, columns, row_count, polls,
    created_at, updated_at, next_poll_at
FROM transaction_reports WHERE id = $1;

-- name: LatestTransactionReports :many
SELECT sqlc.embed(transaction_reports), shops.name AS shop_name FROM transaction_reports JOIN shops ON shops.id = transaction_reports.shop_id
ORDER BY transaction_reports.created_at DESC LIMIT @max_rows;

-- name: UpdateTransactionReport :execrows
-- One that is ready or failed stays so, and of two steps taken from the same place one is written.
UPDATE transaction_reports SET
    state = @state, task = @task, failure = @failure, columns = @columns, row_count = @row_count, polls = @polls, updated_at = @updated_at,
    next_poll_at = sqlc.narg('next_poll_at')
WHERE shop_id = @shop_id AND id = @id AND state IN ('created', 'processing') AND polls + 1 = @polls;

-- name: LockOpenTransactionReport :one
SELECT id FROM transaction_reports WHERE shop_id = $1 AND id = $2 AND state IN ('created', 'processing') FOR NO KEY UPDATE;

-- name: DeleteTransactionReportRows :execrows
DELETE FROM transaction_report_rows WHERE shop_id = $1 AND report_id = $2;

-- name: TransactionReportRows :many
SELECT r.row, r.order_id, o.reference, r.fields, o.data_key FROM transaction_report_rows r
JOIN orders o ON o.shop_id = r.shop_id AND o.id = r.order_id
WHERE r.shop_id = $1 AND r.report_id = $2 AND r.row >= @from_row::integer ORDER BY r.row LIMIT @max_rows;

-- name: DataKeys :many
SELECT id, data_key FROM orders WHERE shop_id = $1 AND id = ANY(@orders::uuid[]);

-- name: OrdersNamed :many
-- Orders of all shops that the provider knows by one of these ids, ours or its own.
SELECT shop_id, id, account_id, parent_id, provider_order_id, provider_reference, (kind = 'payment' AND recurring AND flow = '')::boolean AS imported FROM orders
WHERE provider_order_id = ANY(@ids::text[])
UNION
SELECT shop_id, id, account_id, parent_id, provider_order_id, provider_reference, (kind = 'payment' AND recurring AND flow = '')::boolean AS imported FROM orders
WHERE provider_reference = ANY(@ids::text[]) AND provider_reference <> '';

-- name: LeaseDueTransactionReports :many
-- Of each account the report that is due the longest, unless the account is busy.
WITH first AS MATERIALIZED (
    SELECT DISTINCT ON (account_id) shop_id, id FROM transaction_reports WHERE next_poll_at <= @now::timestamptz AND (sqlc.narg('shop_id')::uuid IS NULL OR shop_id = sqlc.narg('shop_id')::uuid)
        AND account_id <> ALL(@busy::uuid[]) ORDER BY account_id, next_poll_at, id
), due AS (
    SELECT t.shop_id, t.id FROM transaction_reports t JOIN first USING (shop_id, id) WHERE t.next_poll_at <= @now::timestamptz AND (sqlc.narg('shop_id')::uuid IS NULL OR t.shop_id = sqlc.narg('shop_id')::uuid)
    ORDER BY t.next_poll_at LIMIT @max_rows FOR NO KEY UPDATE OF t SKIP LOCKED
)
UPDATE transaction_reports SET next_poll_at = @leased_until::timestamptz FROM due
WHERE transaction_reports.shop_id = due.shop_id AND transaction_reports.id = due.id
    AND (sqlc.narg('shop_id')::uuid IS NULL OR transaction_reports.shop_id = sqlc.narg('shop_id')::uuid)
RETURNING transaction_reports.shop_id, transaction_reports.id, transaction_reports.account_id;

-- name: ShopsOfDueTransactionReports :many
SELECT shop_id FROM transaction_reports WHERE next_poll_at <= @now::timestamptz AND account_id <> ALL(@busy::uuid[]) GROUP BY shop_id ORDER BY min(next_poll_at) LIMIT @max_rows;

-- name: RenewTransactionReport :execrows
UPDATE transaction_reports SET next_poll_at = @leased_until::timestamptz
WHERE shop_id = @shop_id AND id = @id AND next_poll_at < @leased_until::timestamptz AND state IN ('created', 'processing');
