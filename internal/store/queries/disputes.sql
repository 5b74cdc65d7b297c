-- name: InsertDispute :execrows
INSERT INTO disputes (shop_id, id, order_id, kind, status, amount, currency, overdrawn, refunds_allowed, reason_code, provider_case, due_at, source, sequence, opened_at, updated_at, closed_at, refund_id, seal)
VALUES (@shop_id, @id, @order_id, @kind, @status, @amount, @currency, @overdrawn, @refunds_allowed, @reason_code, @provider_case, sqlc.narg('due_at'), @source, @sequence, @opened_at, @updated_at, sqlc.narg('closed_at'), sqlc.narg('refund_id'), @seal);

-- name: UpdateDispute :execrows
-- The step that is added with it demands that it is as it was read.
UPDATE disputes SET kind = @kind, status = @status, refunds_allowed = @refunds_allowed, reason_code = @reason_code, provider_case = @provider_case,
    due_at = sqlc.narg('due_at'), sequence = @sequence, updated_at = @updated_at, closed_at = sqlc.narg('closed_at'), seal = @seal
WHERE shop_id = @shop_id AND id = @id;

-- name: InsertDisputeStep :execrows
INSERT INTO dispute_steps (shop_id, dispute_id, sequence, order_id, order_sequence, from_status, to_status)
VALUES (@shop_id, @dispute_id, @sequence, @order_id, @order_sequence, @from_status, @to_status);

-- name: MoveDisputed :execrows
-- The row is locked since it was read.
UPDATE orders SET amount_disputed = @amount_disputed, amount_overdrawn = @amount_overdrawn, disputes_open = @disputes_open
WHERE shop_id = @shop_id AND id = @id;

-- name: SupersedeOrder :execrows
UPDATE orders SET superseded_by = @superseded_by WHERE shop_id = @shop_id AND id = @id;

-- name: DisputeByID :one
SELECT * FROM disputes WHERE id = @id AND (sqlc.narg('shop_id')::uuid IS NULL OR shop_id = sqlc.narg('shop_id')::uuid) LIMIT 1;

-- name: DisputeOfStep :one
SELECT s.from_status, s.to_status, sqlc.embed(d) FROM dispute_steps s JOIN disputes d ON d.shop_id = s.shop_id AND d.id = s.dispute_id
WHERE s.shop_id = @shop_id AND s.order_id = @order_id AND s.order_sequence = @order_sequence;

-- name: Disputes :many
-- The newest first, which is the order of ids.
SELECT * FROM disputes
WHERE (sqlc.narg('shop_id')::uuid IS NULL OR shop_id = sqlc.narg('shop_id')::uuid) AND (sqlc.narg('order_id')::uuid IS NULL OR order_id = sqlc.narg('order_id')::uuid)
    AND (@kind::text = '' OR kind = @kind::text) AND (@status::text = '' OR status = @status::text) AND (NOT @open::boolean OR closed_at IS NULL)
    AND (sqlc.narg('before')::uuid IS NULL OR id < sqlc.narg('before')::uuid)
ORDER BY id DESC LIMIT @max_rows;

-- name: DisputedOrdersToVerify :many
-- What orders say that disputes took of them.
SELECT id, (amount_disputed + amount_overdrawn)::bigint AS taken, disputes_open FROM orders
WHERE shop_id = @shop_id AND (amount_disputed > 0 OR amount_overdrawn > 0 OR disputes_open > 0);

-- name: StepsWithoutDispute :many
SELECT DISTINCT s.dispute_id FROM dispute_steps s WHERE s.shop_id = @shop_id AND NOT EXISTS (
    SELECT 1 FROM disputes d WHERE d.shop_id = s.shop_id AND d.id = s.dispute_id
);

-- name: DisputesToVerify :many
SELECT sqlc.embed(d), coalesce((SELECT s.to_status FROM dispute_steps s WHERE s.shop_id = d.shop_id AND s.dispute_id = d.id AND s.sequence = d.sequence), '')::text AS last_status,
    (SELECT count(*) FROM dispute_steps s WHERE s.shop_id = d.shop_id AND s.dispute_id = d.id) AS steps
FROM disputes d WHERE d.shop_id = @shop_id ORDER BY d.id;
