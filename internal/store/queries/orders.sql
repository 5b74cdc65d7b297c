-- name: OrderByID :one
SELECT shop_id, id, kind, reference, request_hash, parent_id, superseded_by, status, status_reason, operation, manual_capture, form_lost, sequence,
    conflicts, amount, currency, amount_authorized, amount_captured, amount_refunded, amount_reserved, capture_amount,
    reported_amount, amount_disputed, amount_overdrawn, disputes_open, flow, recurring, cascade, provider, account_id, account_name, provider_order_id, provider_reference, bank_references,
    data_key, provider_state, next_action, payment_method, failure, routing, details, description, metadata, notification_url, created_at, updated_at,
    finalized_at, next_poll_at, polls_since, polls_done, denials, first_denial_at, acknowledged, command_accepted, pending_since,
    pending_status, chain, seal
FROM orders WHERE shop_id = $1 AND id = $2;

-- name: OrdersByID :many
SELECT orders.* FROM orders WHERE shop_id = $1 AND id = ANY(@ids::uuid[]);

-- name: OrderForUpdate :one
SELECT shop_id, id, kind, reference, request_hash, parent_id, superseded_by, status, status_reason, operation, manual_capture, form_lost, sequence,
    conflicts, amount, currency, amount_authorized, amount_captured, amount_refunded, amount_reserved, capture_amount,
    reported_amount, amount_disputed, amount_overdrawn, disputes_open, flow, recurring, cascade, provider, account_id, account_name, provider_order_id, provider_reference, bank_references,
    data_key, provider_state, next_action, payment_method, failure, routing, details, description, metadata, notification_url, created_at, updated_at,
    finalized_at, next_poll_at, polls_since, polls_done, denials, first_denial_at, acknowledged, command_accepted, pending_since,
    pending_status, chain, seal
FROM orders WHERE shop_id = $1 AND id = $2 FOR NO KEY UPDATE;

-- name: OrderByReference :one
SELECT shop_id, id, kind, reference, request_hash, parent_id, superseded_by, status, status_reason, operation, manual_capture, form_lost, sequence,
    conflicts, amount, currency, amount_authorized, amount_captured, amount_refunded, amount_reserved, capture_amount,
    reported_amount, amount_disputed, amount_overdrawn, disputes_open, flow, recurring, cascade, provider, account_id, account_name, provider_order_id, provider_reference, bank_references,
    data_key, provider_state, next_action, payment_method, failure, routing, details, description, metadata, notification_url, created_at, updated_at,
    finalized_at, next_poll_at, polls_since, polls_done, denials, first_denial_at, acknowledged, command_accepted, pending_since,
    pending_status, chain, seal
FROM orders WHERE orders.shop_id = $1 AND orders.id = (
    SELECT r.order_id FROM order_references r WHERE r.shop_id = $1 AND r.kind = $2 AND r.reference = $3
);

-- name: ShopOfProviderOrder :one
-- Of all shops' orders if none is named.
SELECT shop_id FROM orders WHERE provider_order_id = @provider_order_id AND (sqlc.narg('shop_id')::uuid IS NULL OR shop_id = sqlc.narg('shop_id')::uuid)
ORDER BY account_id = @account_id DESC, created_at LIMIT 1;

-- name: OrderByProviderOrderIDForUpdate :one
-- An id that two accounts share is the calling account's, and one that two orders share that of the order with the money. Its shop comes from ShopOfProviderOrder.
SELECT shop_id, id, kind, reference, request_hash, parent_id, superseded_by, status, status_reason, operation, manual_capture, form_lost, sequence,
    conflicts, amount, currency, amount_authorized, amount_captured, amount_refunded, amount_reserved, capture_amount,
    reported_amount, amount_disputed, amount_overdrawn, disputes_open, flow, recurring, cascade, provider, account_id, account_name, provider_order_id, provider_reference, bank_references,
    data_key, provider_state, next_action, payment_method, failure, routing, details, description, metadata, notification_url, created_at, updated_at,
    finalized_at, next_poll_at, polls_since, polls_done, denials, first_denial_at, acknowledged, command_accepted, pending_since,
    pending_status, chain, seal
FROM orders WHERE provider_order_id = @provider_order_id AND shop_id = @shop_id
ORDER BY account_id = @account_id DESC, superseded_by IS NOT NULL, created_at LIMIT 1 FOR NO KEY UPDATE;

-- name: OrdersCalled :many
-- The orders that people call so: by id, by the shop's reference, by our id at the provider, by the provider's, or by a bank's
-- reference such as an RRN. One whose own id it is comes first.
SELECT orders.* FROM orders WHERE (sqlc.narg('shop_id')::uuid IS NULL OR orders.shop_id = sqlc.narg('shop_id')::uuid) AND (orders.shop_id, orders.id) IN (
    SELECT s.id, o.id FROM shops s JOIN orders o ON o.shop_id = s.id AND o.id = sqlc.narg('id')::uuid
    UNION SELECT r.shop_id, r.order_id FROM order_references r WHERE r.reference = @name
    UNION SELECT o.shop_id, o.id FROM orders o WHERE o.provider_order_id = @name
    UNION SELECT t.shop_id, t.order_id FROM order_attempts t WHERE t.provider_order_id = @name
    UNION SELECT n.shop_id, n.order_id FROM order_names n WHERE n.name_hash = md5(@name::text)::uuid
) ORDER BY COALESCE(orders.id = sqlc.narg('id')::uuid, false) OR orders.provider_order_id = @name DESC, orders.id DESC LIMIT @max_rows;

-- name: StuckOrders :many
SELECT o.shop_id, o.id, o.kind, o.reference, o.request_hash, o.parent_id, o.superseded_by, o.status, o.status_reason, o.operation, o.manual_capture, o.form_lost, o.sequence,
    o.conflicts, o.amount, o.currency, o.amount_authorized, o.amount_captured, o.amount_refunded, o.amount_reserved, o.capture_amount,
    o.reported_amount, o.amount_disputed, o.amount_overdrawn, o.disputes_open, o.flow, o.recurring, o.cascade, o.provider, o.account_id, o.account_name, o.provider_order_id, o.provider_reference, o.bank_references,
    o.data_key, o.provider_state, o.next_action, o.payment_method, o.failure, o.routing, o.details, o.description, o.metadata, o.notification_url, o.created_at, o.updated_at,
    o.finalized_at, o.next_poll_at, o.polls_since, o.polls_done, o.denials, o.first_denial_at, o.acknowledged, o.command_accepted, o.pending_since,
    o.pending_status, o.chain, o.seal
FROM open_orders s JOIN orders o ON o.shop_id = s.shop_id AND o.id = s.order_id
WHERE (s.in_conflict OR (s.status NOT IN ('succeeded', 'failed', 'canceled') AND s.since < @before)) AND (sqlc.narg('shop_id')::uuid IS NULL OR s.shop_id = sqlc.narg('shop_id')::uuid)
ORDER BY CASE WHEN s.in_conflict THEN 0 WHEN s.status IN ('created', 'unknown') THEN 1 WHEN s.status = 'processing' THEN 2 ELSE 3 END, s.since, o.id
LIMIT @max_rows;

-- name: CountStuckOrders :one
SELECT count(*) FROM open_orders s
WHERE (s.in_conflict OR (s.status NOT IN ('succeeded', 'failed', 'canceled') AND s.since < @before)) AND (sqlc.narg('shop_id')::uuid IS NULL OR s.shop_id = sqlc.narg('shop_id')::uuid);

-- name: OpenOrdersAt :many
SELECT o.* FROM open_orders s JOIN orders o ON o.shop_id = s.shop_id AND o.id = s.order_id
WHERE o.account_name = @account_name AND (sqlc.narg('shop_id')::uuid IS NULL OR s.shop_id = sqlc.narg('shop_id')::uuid) ORDER BY s.since, o.id LIMIT @max_rows;

-- name: LockParent :one
-- A refund's payment is locked before the refund.
SELECT p.* FROM orders c JOIN orders p ON p.shop_id = c.shop_id AND p.id = c.parent_id
WHERE c.shop_id = $1 AND c.id = $2 AND c.kind = 'refund' FOR NO KEY UPDATE OF p;

-- name: LockParentByProviderOrderID :many
SELECT p.* FROM orders c JOIN orders p ON p.shop_id = c.shop_id AND p.id = c.parent_id
WHERE c.provider_order_id = $1 AND c.shop_id = $2 AND c.kind = 'refund' ORDER BY p.id FOR NO KEY UPDATE OF p;

-- name: RefundRows :many
-- A payment's refunds, by their rows and by their references: one whose row was given to another payment is found by the other.
SELECT orders.* FROM orders WHERE orders.shop_id = $1 AND orders.id = ANY (ARRAY(
    SELECT o.id FROM orders o WHERE o.shop_id = $1 AND o.parent_id = @parent_id AND o.kind = 'refund'
    UNION SELECT r.order_id FROM order_references r WHERE r.shop_id = $1 AND r.parent_id = @parent_id AND r.kind = 'refund'
));

-- name: PaymentWitness :one
-- What else says how a payment stands: the end of its history, the last step that is one of a dispute, and a refund whose row is gone.
SELECT (SELECT t.chain FROM order_transitions t WHERE t.shop_id = $1 AND t.order_id = @payment_id ORDER BY t.sequence DESC LIMIT 1)::bytea AS head,
    coalesce((SELECT max(s.order_sequence) FROM dispute_steps s WHERE s.shop_id = $1 AND s.order_id = @payment_id), 0)::integer AS disputed_at,
    (SELECT r.order_id FROM order_references r WHERE r.shop_id = $1 AND r.parent_id = @payment_id AND r.kind = 'refund'
        AND NOT EXISTS (SELECT 1 FROM orders o WHERE o.shop_id = $1 AND o.id = r.order_id) LIMIT 1) AS lost;

-- name: RefundsOf :many
-- A payment's refunds, each with the different things that callbacks said of it and the verdicts on them: one row each, or
-- one of empty words.
SELECT DISTINCT o.id, coalesce(o.amount, 0)::bigint AS minor, o.status, o.finalized_at, o.provider_reference,
    coalesce(o.failure ->> 'code', '')::text AS failure_code, (o.superseded_by IS NOT NULL)::boolean AS carried_out, o.bank_references, coalesce(c.reported, '')::text AS reported, coalesce(c.verdict, '')::text AS verdict
FROM orders o LEFT JOIN callbacks c ON c.shop_id = o.shop_id AND c.order_id = o.id
WHERE o.shop_id = $1 AND o.parent_id = @parent_id AND o.kind = 'refund' ORDER BY o.id;

-- name: InsertOrder :execrows
-- The order and the beginning of its history in one statement, which is a transaction of its own where nothing else is
-- to be written. No row means that the reference is taken. Citus takes one part after the other: the history comes before the order.
WITH r AS (
    INSERT INTO order_references (shop_id, kind, reference, order_id, key_id, parent_id) VALUES (@shop_id, @kind, @reference, @id, @key_id, sqlc.narg('parent_id'))
    ON CONFLICT (reference, shop_id, kind) DO NOTHING RETURNING order_id
), t AS (
    INSERT INTO order_transitions (shop_id, order_id, sequence, from_status, to_status, source, provider_data, at, captured, refunded, chain)
    SELECT @shop_id, r.order_id, @sequence, '', @status, @source, @provider_data, @at, @amount_captured, @amount_refunded, @chain FROM r
)
INSERT INTO orders (
    shop_id, id, kind, reference, request_hash, parent_id, status, status_reason, operation, manual_capture, form_lost,
    sequence, conflicts, amount, currency, amount_authorized, amount_captured, amount_refunded, amount_reserved,
    capture_amount, reported_amount, flow, recurring, cascade, provider, account_id, account_name, provider_order_id,
    provider_reference, bank_references, data_key, provider_state, next_action, payment_method, failure, routing, details, description, metadata,
    notification_url, created_at, updated_at, finalized_at, next_poll_at, polls_since, polls_done, denials,
    first_denial_at, acknowledged, command_accepted, pending_since, pending_status, chain, seal
) SELECT
    @shop_id, @id, @kind, @reference, @request_hash, sqlc.narg('parent_id'), @status, @status_reason, @operation,
    @manual_capture, @form_lost, @sequence, @conflicts, sqlc.narg('amount'), sqlc.narg('currency'), @amount_authorized,
    @amount_captured, @amount_refunded, @amount_reserved, @capture_amount, sqlc.narg('reported_amount'), @flow,
    @recurring, @cascade, @provider, @account_id, @account_name, @provider_order_id, @provider_reference,
    sqlc.narg('bank_references'), @data_key, sqlc.narg('provider_state'), sqlc.narg('next_action'), sqlc.narg('payment_method'),
    sqlc.narg('failure'), sqlc.narg('routing'), sqlc.narg('details'), @description, @metadata, @notification_url, @created_at, @updated_at,
    sqlc.narg('finalized_at'), sqlc.narg('next_poll_at'), @polls_since, @polls_done, @denials,
    sqlc.narg('first_denial_at'), @acknowledged, @command_accepted, sqlc.narg('pending_since'), @pending_status, @chain, @seal
FROM r;

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
    pending_status = @pending_status,
    chain = @chain,
    seal = @seal
WHERE shop_id = @shop_id AND id = @id AND sequence = @loaded_sequence;

-- name: MoveParent :execrows
-- The row is locked since it was read.
UPDATE orders SET amount_reserved = @amount_reserved, amount_refunded = @amount_refunded, amount_disputed = @amount_disputed, amount_overdrawn = @amount_overdrawn, updated_at = @updated_at, seal = @seal
WHERE shop_id = @shop_id AND id = @id;

-- name: LeaseDuePolls :many
-- Orders whose outcome is open come first; those that wait for a customer or a shop get what places are left.
-- Each is found by its row in open_orders and locked in orders, where it is judged again if it changed since the snapshot.
-- due is materialized: else Postgres runs both parts again, and counts twice, for such an order.
WITH undecided AS (
    SELECT o.shop_id, o.id FROM open_orders s JOIN orders o ON o.shop_id = s.shop_id AND o.id = s.order_id
    WHERE s.provider = @provider AND s.next_poll_at <= @now::timestamptz AND s.status NOT IN ('requires_action', 'authorized')
        AND o.next_poll_at <= @now::timestamptz AND (sqlc.narg('shop_id')::uuid IS NULL OR s.shop_id = sqlc.narg('shop_id')::uuid)
    ORDER BY s.next_poll_at LIMIT sqlc.arg('max_rows')::integer FOR NO KEY UPDATE OF o SKIP LOCKED
), waiting AS (
    SELECT o.shop_id, o.id FROM open_orders s JOIN orders o ON o.shop_id = s.shop_id AND o.id = s.order_id
    WHERE s.provider = @provider AND s.next_poll_at <= @now::timestamptz AND s.status IN ('requires_action', 'authorized')
        AND o.next_poll_at <= @now::timestamptz AND (sqlc.narg('shop_id')::uuid IS NULL OR s.shop_id = sqlc.narg('shop_id')::uuid)
    ORDER BY s.next_poll_at LIMIT (SELECT sqlc.arg('max_rows')::integer - count(*) FROM undecided) FOR NO KEY UPDATE OF o SKIP LOCKED
), due AS MATERIALIZED (SELECT shop_id, id FROM undecided UNION ALL SELECT shop_id, id FROM waiting)
UPDATE orders SET next_poll_at = @leased_until::timestamptz FROM due
WHERE orders.shop_id = due.shop_id AND orders.id = due.id AND (sqlc.narg('shop_id')::uuid IS NULL OR orders.shop_id = sqlc.narg('shop_id')::uuid)
RETURNING orders.shop_id, orders.id;

-- name: ShopsOfDuePolls :many
-- For LeaseDuePolls of one shop after the other, the longest due first.
SELECT shop_id FROM open_orders WHERE provider = @provider AND next_poll_at <= @now::timestamptz
GROUP BY shop_id ORDER BY min(next_poll_at) LIMIT @max_rows;

-- name: InsertTransition :execrows
INSERT INTO order_transitions (shop_id, order_id, sequence, from_status, to_status, source, provider_data, at, captured, refunded, chain)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11);

-- name: History :many
SELECT sqlc.embed(t), o.data_key, o.chain AS head, (
    SELECT a.chain FROM order_attempts a WHERE a.shop_id = @shop_id AND a.order_id = @order_id ORDER BY a.number DESC LIMIT 1
) AS moved FROM order_transitions t JOIN orders o ON o.shop_id = @shop_id AND o.id = @order_id
WHERE t.shop_id = @shop_id AND t.order_id = @order_id ORDER BY t.sequence;

-- name: InsertOrderAttempt :execrows
INSERT INTO order_attempts (shop_id, order_id, number, provider, account_id, account_name, provider_order_id, reason, ended_at, chain, failure_code)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11);

-- name: MoveOrder :execrows
-- After the attempt that proves that nothing was sent.
UPDATE orders SET provider = @provider, account_id = @account_id, account_name = @account_name, provider_order_id = @provider_order_id
WHERE shop_id = @shop_id AND id = @id;

-- name: OrderAttempts :many
SELECT * FROM order_attempts WHERE shop_id = @shop_id AND order_id = @order_id ORDER BY number;

-- name: EndedAttemptCalled :one
-- The attempt that has ended and has an id at an account; of any shop if none is named.
SELECT * FROM order_attempts WHERE provider_order_id = @provider_order_id AND account_id = @account_id
    AND (sqlc.narg('shop_id')::uuid IS NULL OR shop_id = sqlc.narg('shop_id')::uuid) ORDER BY ended_at LIMIT 1;

-- name: InsertConflict :execrows
INSERT INTO order_conflicts (shop_id, order_id, id, source, reported, reason, provider_data, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: Conflicts :many
SELECT source, reported, reason, provider_data, at, (SELECT o.data_key FROM orders o WHERE o.shop_id = @shop_id AND o.id = @order_id) AS data_key
FROM order_conflicts WHERE shop_id = @shop_id AND order_id = @order_id ORDER BY at, id;

-- name: InsertCall :execrows
INSERT INTO provider_calls (shop_id, order_id, id, operation, outcome, started_at, duration_ms, provider_data, last_at)
VALUES ($1, $2, $3, $4, $5, @started_at, $6, $7, @started_at);

-- name: CountFailedCall :execrows
-- A call that failed as the order's last one did is counted with it. Either way one row is the answer.
WITH counted AS (
    UPDATE provider_calls c SET calls = c.calls + 1, last_at = @started_at, duration_ms = greatest(c.duration_ms, @duration_ms::bigint)
    WHERE c.shop_id = $1 AND c.order_id = $2 AND c.operation = @operation AND c.outcome = @outcome AND c.provider_data IS NOT DISTINCT FROM sqlc.narg('provider_data')::bytea
        AND c.id = (SELECT l.id FROM provider_calls l WHERE l.shop_id = $1 AND l.order_id = $2 ORDER BY l.last_at DESC, l.id DESC LIMIT 1)
    RETURNING c.id
), added AS (
    INSERT INTO provider_calls (shop_id, order_id, id, operation, outcome, started_at, duration_ms, provider_data, last_at)
    SELECT $1, $2, @id::uuid, @operation, @outcome, @started_at, @duration_ms::bigint, sqlc.narg('provider_data')::bytea, @started_at WHERE NOT EXISTS (SELECT 1 FROM counted)
    RETURNING provider_calls.id
)
SELECT count(*) FROM (SELECT counted.id FROM counted UNION ALL SELECT added.id FROM added) AS one;

-- name: Calls :many
SELECT operation, outcome, started_at, duration_ms, provider_data, calls, last_at, (SELECT o.data_key FROM orders o WHERE o.shop_id = @shop_id AND o.id = @order_id) AS data_key
FROM provider_calls WHERE shop_id = @shop_id AND order_id = @order_id ORDER BY started_at, id;

-- name: LegalTransitions :many
SELECT from_status, to_status FROM legal_transitions ORDER BY from_status, to_status;

-- name: ReferenceTaken :one
SELECT order_id AS id FROM order_references WHERE shop_id = $1 AND kind = $2 AND reference = $3;
