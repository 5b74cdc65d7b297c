-- name: OrderByID :one
SELECT shop_id, id, kind, reference, request_hash, parent_id, status, status_reason, operation, manual_capture, form_lost, sequence,
    conflicts, amount, currency, amount_authorized, amount_captured, amount_refunded, amount_reserved, capture_amount,
    reported_amount, flow, recurring, provider, account_id, account_name, provider_order_id, provider_reference, bank_references,
    provider_state, next_action, payment_method, failure, details, description, metadata, notification_url, created_at, updated_at,
    finalized_at, next_poll_at, polls_since, polls_done, denials, first_denial_at, acknowledged, command_accepted, pending_since,
    pending_status
FROM orders WHERE shop_id = $1 AND id = $2;

-- name: OrderForUpdate :one
SELECT shop_id, id, kind, reference, request_hash, parent_id, status, status_reason, operation, manual_capture, form_lost, sequence,
    conflicts, amount, currency, amount_authorized, amount_captured, amount_refunded, amount_reserved, capture_amount,
    reported_amount, flow, recurring, provider, account_id, account_name, provider_order_id, provider_reference, bank_references,
    provider_state, next_action, payment_method, failure, details, description, metadata, notification_url, created_at, updated_at,
    finalized_at, next_poll_at, polls_since, polls_done, denials, first_denial_at, acknowledged, command_accepted, pending_since,
    pending_status
FROM orders WHERE shop_id = $1 AND id = $2 FOR NO KEY UPDATE;

-- name: OrderByReference :one
SELECT shop_id, id, kind, reference, request_hash, parent_id, status, status_reason, operation, manual_capture, form_lost, sequence,
    conflicts, amount, currency, amount_authorized, amount_captured, amount_refunded, amount_reserved, capture_amount,
    reported_amount, flow, recurring, provider, account_id, account_name, provider_order_id, provider_reference, bank_references,
    provider_state, next_action, payment_method, failure, details, description, metadata, notification_url, created_at, updated_at,
    finalized_at, next_poll_at, polls_since, polls_done, denials, first_denial_at, acknowledged, command_accepted, pending_since,
    pending_status
FROM orders WHERE shop_id = $1 AND kind = $2 AND reference = $3;

-- name: OrderByProviderOrderIDForUpdate :one
-- An id that two accounts share is the calling account's.
SELECT shop_id, id, kind, reference, request_hash, parent_id, status, status_reason, operation, manual_capture, form_lost, sequence,
    conflicts, amount, currency, amount_authorized, amount_captured, amount_refunded, amount_reserved, capture_amount,
    reported_amount, flow, recurring, provider, account_id, account_name, provider_order_id, provider_reference, bank_references,
    provider_state, next_action, payment_method, failure, details, description, metadata, notification_url, created_at, updated_at,
    finalized_at, next_poll_at, polls_since, polls_done, denials, first_denial_at, acknowledged, command_accepted, pending_since,
    pending_status
FROM orders WHERE provider_order_id = @provider_order_id
ORDER BY account_id = @account_id DESC, created_at LIMIT 1 FOR NO KEY UPDATE;

-- name: OrdersCalled :many
-- The orders that people call so: by id, by the shop's reference, by our id at the provider, by the provider's, or by a bank's
-- reference such as an RRN. One whose own id it is comes first.
SELECT orders.* FROM orders WHERE (sqlc.narg('shop_id')::uuid IS NULL OR orders.shop_id = sqlc.narg('shop_id')::uuid) AND (orders.shop_id, orders.id) IN (
    SELECT s.id, o.id FROM shops s JOIN orders o ON o.shop_id = s.id AND o.id = sqlc.narg('id')::uuid
    UNION SELECT o.shop_id, o.id FROM orders o WHERE o.reference = @name
    UNION SELECT o.shop_id, o.id FROM orders o WHERE o.provider_order_id = @name
    UNION SELECT o.shop_id, o.id FROM orders o WHERE o.provider_reference = @name AND o.provider_reference <> ''
    UNION SELECT o.shop_id, o.id FROM orders o WHERE o.bank_references ? @name
) ORDER BY COALESCE(orders.id = sqlc.narg('id')::uuid, false) OR orders.provider_order_id = @name DESC, orders.id DESC LIMIT @max_rows;

-- name: StuckOrders :many
SELECT shop_id, id, kind, reference, request_hash, parent_id, status, status_reason, operation, manual_capture, form_lost, sequence,
    conflicts, amount, currency, amount_authorized, amount_captured, amount_refunded, amount_reserved, capture_amount,
    reported_amount, flow, recurring, provider, account_id, account_name, provider_order_id, provider_reference, bank_references,
    provider_state, next_action, payment_method, failure, details, description, metadata, notification_url, created_at, updated_at,
    finalized_at, next_poll_at, polls_since, polls_done, denials, first_denial_at, acknowledged, command_accepted, pending_since,
    pending_status
FROM orders
WHERE (conflicts > 0 OR (finalized_at IS NULL AND updated_at < @before)) AND (sqlc.narg('shop_id')::uuid IS NULL OR shop_id = sqlc.narg('shop_id')::uuid)
ORDER BY CASE WHEN conflicts > 0 THEN 0 WHEN status IN ('created', 'unknown') THEN 1 WHEN status = 'processing' THEN 2 ELSE 3 END, updated_at, id
LIMIT @max_rows;

-- name: CountStuckOrders :one
SELECT count(*) FROM orders
WHERE (conflicts > 0 OR (finalized_at IS NULL AND updated_at < @before)) AND (sqlc.narg('shop_id')::uuid IS NULL OR shop_id = sqlc.narg('shop_id')::uuid);

-- name: LockParent :one
-- A refund's payment is locked before the refund.
SELECT p.id FROM orders c JOIN orders p ON p.shop_id = c.shop_id AND p.id = c.parent_id
WHERE c.shop_id = $1 AND c.id = $2 AND c.kind = 'refund' FOR NO KEY UPDATE OF p;

-- name: LockParentByProviderOrderID :many
SELECT p.id FROM orders c JOIN orders p ON p.shop_id = c.shop_id AND p.id = c.parent_id
WHERE c.provider_order_id = $1 AND c.kind = 'refund' ORDER BY p.id FOR NO KEY UPDATE OF p;

-- name: LockOrder :one
SELECT id FROM orders WHERE shop_id = $1 AND id = $2 FOR NO KEY UPDATE;

-- name: OpenRefunds :many
SELECT id FROM orders WHERE shop_id = $1 AND parent_id = @parent_id AND kind = 'refund' AND finalized_at IS NULL;

-- name: RefundsOf :many
-- A payment's refunds, each with the different things that callbacks said of it and the verdicts on them: one row each, or
-- one of empty words.
SELECT DISTINCT o.id, coalesce(o.amount, 0)::bigint AS minor, o.status, o.finalized_at, o.provider_reference,
    coalesce(o.failure ->> 'code', '')::text AS failure_code, coalesce(c.reported, '')::text AS reported, coalesce(c.verdict, '')::text AS verdict
FROM orders o LEFT JOIN callbacks c ON c.shop_id = o.shop_id AND c.order_id = o.id
WHERE o.shop_id = $1 AND o.parent_id = @parent_id AND o.kind = 'refund' ORDER BY o.id;

-- name: InsertOrder :execrows
-- The order and the beginning of its history in one statement, which is a transaction of its own where nothing else is
-- to be written. No row means that the reference is taken.
WITH o AS (
    INSERT INTO orders (
        shop_id, id, kind, reference, request_hash, parent_id, status, status_reason, operation, manual_capture, form_lost,
        sequence, conflicts, amount, currency, amount_authorized, amount_captured, amount_refunded, amount_reserved,
        capture_amount, reported_amount, flow, recurring, provider, account_id, account_name, provider_order_id,
        provider_reference, bank_references, provider_state, next_action, payment_method, failure, details, description, metadata,
        notification_url, created_at, updated_at, finalized_at, next_poll_at, polls_since, polls_done, denials,
        first_denial_at, acknowledged, command_accepted, pending_since, pending_status
    ) VALUES (
        @shop_id, @id, @kind, @reference, @request_hash, sqlc.narg('parent_id'), @status, @status_reason, @operation,
        @manual_capture, @form_lost, @sequence, @conflicts, sqlc.narg('amount'), sqlc.narg('currency'), @amount_authorized,
        @amount_captured, @amount_refunded, @amount_reserved, @capture_amount, sqlc.narg('reported_amount'), @flow,
        @recurring, @provider, @account_id, @account_name, @provider_order_id, @provider_reference,
        sqlc.narg('bank_references'), sqlc.narg('provider_state'), sqlc.narg('next_action'), sqlc.narg('payment_method'),
        sqlc.narg('failure'), sqlc.narg('details'), @description, @metadata, @notification_url, @created_at, @updated_at,
        sqlc.narg('finalized_at'), sqlc.narg('next_poll_at'), @polls_since, @polls_done, @denials,
        sqlc.narg('first_denial_at'), @acknowledged, @command_accepted, sqlc.narg('pending_since'), @pending_status
    )
    ON CONFLICT ON CONSTRAINT orders_reference_key DO NOTHING
    RETURNING shop_id, id, sequence, status, created_at
)
INSERT INTO order_transitions (shop_id, order_id, sequence, from_status, to_status, source, provider_data, at)
SELECT o.shop_id, o.id, o.sequence, '', o.status, @source, @provider_data, @at FROM o;

-- name: UpdateOrder :execrows
-- The row is locked since it was read, so no refund has moved its sums meanwhile.
UPDATE orders SET
    status = @status,
    status_reason = @status_reason,
    operation = @operation,
    form_lost = @form_lost,
    amount_authorized = @amount_authorized,
    amount_captured = @amount_captured,
    amount_refunded = @amount_refunded,
    amount_reserved = @amount_reserved,
    capture_amount = @capture_amount,
    reported_amount = sqlc.narg('reported_amount'),
    provider_reference = @provider_reference,
    bank_references = sqlc.narg('bank_references'),
    provider_state = sqlc.narg('provider_state'),
    next_action = sqlc.narg('next_action'),
    payment_method = sqlc.narg('payment_method'),
    failure = sqlc.narg('failure'),
    sequence = @sequence,
    conflicts = @conflicts,
    updated_at = @updated_at,
    finalized_at = sqlc.narg('finalized_at'),
    next_poll_at = sqlc.narg('next_poll_at'),
    polls_since = @polls_since,
    polls_done = @polls_done,
    denials = @denials,
    first_denial_at = sqlc.narg('first_denial_at'),
    acknowledged = @acknowledged,
    command_accepted = @command_accepted,
    pending_since = sqlc.narg('pending_since'),
    pending_status = @pending_status
WHERE shop_id = @shop_id AND id = @id AND sequence = @loaded_sequence;

-- name: MoveParent :execrows
UPDATE orders SET amount_reserved = amount_reserved + @reserved, amount_refunded = amount_refunded + @refunded, updated_at = @updated_at
WHERE shop_id = @shop_id AND id = @id;

-- name: LeaseDuePolls :many
-- Orders whose outcome is open come first; those that wait for a customer or a shop get what places are left.
-- due is materialized: else Postgres runs both parts again, and counts twice, for an order that changed since the snapshot.
WITH undecided AS (
    SELECT shop_id, id FROM orders WHERE orders.provider = @provider AND next_poll_at <= @now::timestamptz AND status NOT IN ('requires_action', 'authorized')
    ORDER BY next_poll_at LIMIT sqlc.arg('max_rows')::integer FOR NO KEY UPDATE SKIP LOCKED
), waiting AS (
    SELECT shop_id, id FROM orders WHERE orders.provider = @provider AND next_poll_at <= @now::timestamptz AND status IN ('requires_action', 'authorized')
    ORDER BY next_poll_at LIMIT (SELECT sqlc.arg('max_rows')::integer - count(*) FROM undecided) FOR NO KEY UPDATE SKIP LOCKED
), due AS MATERIALIZED (SELECT shop_id, id FROM undecided UNION ALL SELECT shop_id, id FROM waiting)
UPDATE orders SET next_poll_at = @leased_until::timestamptz FROM due
WHERE orders.shop_id = due.shop_id AND orders.id = due.id
RETURNING orders.shop_id, orders.id;

-- name: InsertTransition :execrows
INSERT INTO order_transitions (shop_id, order_id, sequence, from_status, to_status, source, provider_data, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: History :many
SELECT sequence, from_status, to_status, source, provider_data, at
FROM order_transitions WHERE shop_id = $1 AND order_id = $2 ORDER BY sequence;

-- name: InsertConflict :execrows
INSERT INTO order_conflicts (shop_id, order_id, id, source, reported, reason, provider_data, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: Conflicts :many
SELECT source, reported, reason, provider_data, at
FROM order_conflicts WHERE shop_id = $1 AND order_id = $2 ORDER BY at, id;

-- name: InsertCall :execrows
INSERT INTO provider_calls (shop_id, order_id, id, operation, outcome, started_at, duration_ms, provider_data, last_at)
VALUES ($1, $2, $3, $4, $5, @started_at, $6, $7, @started_at);

-- name: CountFailedCall :execrows
-- A call that failed as the order's last one did is counted with it. Either way one row is the answer.
WITH counted AS (
    UPDATE provider_calls c SET calls = c.calls + 1, last_at = @started_at, duration_ms = greatest(c.duration_ms, @duration_ms::bigint)
    WHERE c.shop_id = $1 AND c.order_id = $2 AND c.operation = @operation AND c.outcome = @outcome AND c.provider_data = @provider_data::jsonb
        AND c.id = (SELECT l.id FROM provider_calls l WHERE l.shop_id = $1 AND l.order_id = $2 ORDER BY l.last_at DESC, l.id DESC LIMIT 1)
    RETURNING c.id
), added AS (
    INSERT INTO provider_calls (shop_id, order_id, id, operation, outcome, started_at, duration_ms, provider_data, last_at)
    SELECT $1, $2, @id::uuid, @operation, @outcome, @started_at, @duration_ms::bigint, @provider_data::jsonb, @started_at WHERE NOT EXISTS (SELECT 1 FROM counted)
    RETURNING provider_calls.id
)
SELECT count(*) FROM (SELECT counted.id FROM counted UNION ALL SELECT added.id FROM added) AS one;

-- name: Calls :many
SELECT operation, outcome, started_at, duration_ms, provider_data, calls, last_at
FROM provider_calls WHERE shop_id = $1 AND order_id = $2 ORDER BY started_at, id;

-- name: LegalTransitions :many
SELECT from_status, to_status FROM legal_transitions ORDER BY from_status, to_status;

-- name: ReferenceTaken :one
SELECT id FROM orders WHERE shop_id = $1 AND kind = $2 AND reference = $3;
