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
