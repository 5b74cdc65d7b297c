-- name: InsertMandate :execrows
INSERT INTO mandates (shop_id, id, max_amount, min_days, expires_at, max_charges, seal)
VALUES (@shop_id, @id, @max_amount, @min_days, @expires_at, @max_charges, @seal);

-- name: MandateForUpdate :one
SELECT * FROM mandates WHERE shop_id = $1 AND id = $2 FOR UPDATE;

-- name: MandateByID :one
SELECT * FROM mandates WHERE shop_id = $1 AND id = $2;

-- name: MandatesOf :many
SELECT * FROM mandates WHERE shop_id = @shop_id AND (sqlc.narg('cursor')::uuid IS NULL OR id < sqlc.narg('cursor')::uuid)
ORDER BY id DESC LIMIT @max_rows;

-- name: ChargesOf :many
-- What counts of the charges of mandates; the epoch and the id of zeros stand for none. One whose end is called into question is as open
-- as one that has none, and one whose money came late, as an order of its own, succeeded then.
SELECT parent_id, count(*) FILTER (WHERE status = 'succeeded' OR superseded_by IS NOT NULL) AS succeeded,
    coalesce(max(CASE WHEN superseded_by IS NOT NULL THEN updated_at WHEN status = 'succeeded' THEN finalized_at END), 'epoch')::timestamptz AS last_at,
    coalesce((array_agg(id ORDER BY id DESC) FILTER (WHERE finalized_at IS NULL OR conflicts > 0 OR (next_poll_at IS NOT NULL AND status <> 'succeeded')))[1],
        '00000000-0000-0000-0000-000000000000')::uuid AS open
FROM orders WHERE shop_id = $1 AND parent_id = ANY(@ids::uuid[]) AND kind = 'payment' GROUP BY parent_id;

-- name: DecideMandate :execrows
UPDATE mandates SET decision = @decision, decided_at = @decided_at, schedule_ends_at = @schedule_ends_at, seal = @seal WHERE shop_id = @shop_id AND id = @id;

-- name: ShopMandates :many
SELECT * FROM mandates WHERE shop_id = @shop_id ORDER BY id;

-- name: KnownReferences :many
SELECT reference FROM order_references WHERE shop_id = @shop_id AND kind = 'payment' AND reference = ANY(@names::text[]);

-- name: PlanMandate :exec
INSERT INTO mandate_runs (shop_id, id, due_at) VALUES (@shop_id, @id, @due_at)
ON CONFLICT (shop_id, id) DO UPDATE SET due_at = excluded.due_at;

-- name: UnplanMandate :exec
DELETE FROM mandate_runs WHERE shop_id = @shop_id AND id = @id;

-- name: LeaseDueMandates :many
WITH due AS (
    SELECT shop_id, id FROM mandate_runs WHERE due_at <= @now::timestamptz AND (sqlc.narg('shop_id')::uuid IS NULL OR shop_id = sqlc.narg('shop_id')::uuid) ORDER BY due_at LIMIT @max_rows FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE mandate_runs SET due_at = @leased_until::timestamptz FROM due
WHERE mandate_runs.shop_id = due.shop_id AND mandate_runs.id = due.id AND (sqlc.narg('shop_id')::uuid IS NULL OR mandate_runs.shop_id = sqlc.narg('shop_id')::uuid)
RETURNING mandate_runs.shop_id, mandate_runs.id;

-- name: ShopsOfDueMandates :many
-- For LeaseDueMandates of one shop after the other, the longest due first.
SELECT shop_id FROM mandate_runs WHERE due_at <= @now::timestamptz GROUP BY shop_id ORDER BY min(due_at) LIMIT @max_rows;
