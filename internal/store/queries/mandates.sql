-- name: InsertMandate :execrows
INSERT INTO mandates (shop_id, id, max_amount, min_days, expires_at, max_charges, schedule, counts_from, seal)
VALUES (@shop_id, @id, @max_amount, @min_days, @expires_at, @max_charges, @schedule, @counts_from, @seal);

-- name: InsertImportedOrder :exec
INSERT INTO imported_orders (merchant, provider_order_id, account_id, shop_id, order_id) VALUES ($1, $2, $3, $4, $5);

-- name: ImportedAs :many
-- The order of a parent, or none.
SELECT shop_id, order_id, account_id FROM imported_orders WHERE provider_order_id = @provider_order_id AND (merchant = @merchant OR account_id = @account_id) LIMIT 1;

-- name: OwnOrderCalled :many
-- The order that payrelay made under an id at a provider, or none.
SELECT shop_id, id AS order_id FROM orders WHERE provider_order_id = @provider_order_id AND NOT (kind = 'payment' AND recurring AND flow = '') LIMIT 1;

-- name: ImportedOrdersToVerify :many
SELECT order_id FROM imported_orders WHERE shop_id = @shop_id AND order_id > @after AND order_id <= @until;

-- name: MandateForUpdate :one
SELECT * FROM mandates WHERE shop_id = $1 AND id = $2 FOR UPDATE;

-- name: MandateByID :one
-- With the newest decision, as of the same moment.
SELECT sqlc.embed(m), coalesce(d.number, 0)::integer AS decisions, coalesce(d.at, 'epoch')::timestamptz AS decision_at, coalesce(d.seal, '')::bytea AS decision_seal
FROM mandates m LEFT JOIN LATERAL (
    SELECT d.number, d.at, d.seal FROM mandate_decisions d WHERE d.shop_id = m.shop_id AND d.mandate_id = m.id ORDER BY d.number DESC LIMIT 1
) d ON true
WHERE m.shop_id = $1 AND m.id = $2;

-- name: MandatesOf :many
SELECT sqlc.embed(m), coalesce(d.number, 0)::integer AS decisions, coalesce(d.at, 'epoch')::timestamptz AS decision_at, coalesce(d.seal, '')::bytea AS decision_seal
FROM mandates m LEFT JOIN LATERAL (
    SELECT d.number, d.at, d.seal FROM mandate_decisions d WHERE d.shop_id = m.shop_id AND d.mandate_id = m.id ORDER BY d.number DESC LIMIT 1
) d ON true
WHERE m.shop_id = @shop_id AND (sqlc.narg('cursor')::uuid IS NULL OR m.id < sqlc.narg('cursor')::uuid)
ORDER BY m.id DESC LIMIT @max_rows;

-- name: ChargesOf :many
-- What counts of the charges of mandates, an attempt of the first payment that was paid late aside; the epoch and the id of zeros stand for none. One whose end is called into question is as open
-- as one that has none, and one whose money came late, as an order of its own, succeeded then.
SELECT parent_id, count(*) FILTER (WHERE status = 'succeeded' OR superseded_by IS NOT NULL) AS succeeded,
    coalesce(max(CASE WHEN superseded_by IS NOT NULL THEN greatest(updated_at, finalized_at) WHEN status = 'succeeded' THEN finalized_at END), 'epoch')::timestamptz AS last_at,
    coalesce((array_agg(id ORDER BY id DESC) FILTER (WHERE finalized_at IS NULL OR conflicts > 0 OR (next_poll_at IS NOT NULL AND status <> 'succeeded')))[1],
        '00000000-0000-0000-0000-000000000000')::uuid AS open
FROM orders WHERE shop_id = $1 AND parent_id = ANY(@ids::uuid[]) AND kind = 'payment' AND reference !~ '~late[0-9]$' GROUP BY parent_id;

-- name: DecideMandate :execrows
UPDATE mandates SET decision = @decision, decided_at = @decided_at, schedule_ends_at = @schedule_ends_at, seal = @seal WHERE shop_id = @shop_id AND id = @id;

-- name: LastMandateDecision :many
-- The newest decision about a mandate, or none.
SELECT number, at, seal FROM mandate_decisions WHERE shop_id = $1 AND mandate_id = $2 ORDER BY number DESC LIMIT 1;

-- name: InsertMandateDecision :execrows
INSERT INTO mandate_decisions (shop_id, mandate_id, number, at, seal) VALUES ($1, $2, $3, $4, $5);

-- name: ChargeRows :many
-- A mandate's charges, by their rows and by their references, as RefundRows.
SELECT orders.* FROM orders WHERE orders.shop_id = $1 AND orders.id = ANY (ARRAY(
    SELECT o.id FROM orders o WHERE o.shop_id = $1 AND o.parent_id = @parent_id AND o.kind = 'payment'
    UNION SELECT r.order_id FROM order_references r WHERE r.shop_id = $1 AND r.parent_id = @parent_id AND r.kind = 'payment'
));

-- name: LostCharge :one
-- A charge whose row is gone.
SELECT r.order_id AS id FROM order_references r WHERE r.shop_id = $1 AND r.parent_id = @parent_id AND r.kind = 'payment'
    AND NOT EXISTS (SELECT 1 FROM orders o WHERE o.shop_id = $1 AND o.id = r.order_id) LIMIT 1;

-- name: ShopMandates :many
SELECT sqlc.embed(m), coalesce(d.number, 0)::integer AS decisions, coalesce(d.at, 'epoch')::timestamptz AS decision_at, coalesce(d.seal, '')::bytea AS decision_seal
FROM mandates m LEFT JOIN LATERAL (
    SELECT d.number, d.at, d.seal FROM mandate_decisions d WHERE d.shop_id = m.shop_id AND d.mandate_id = m.id ORDER BY d.number DESC LIMIT 1
) d ON true
WHERE m.shop_id = @shop_id ORDER BY m.id;

-- name: RunsToVerify :many
SELECT r.id, r.due_at, m.schedule, m.counts_from FROM mandate_runs r JOIN mandates m ON m.shop_id = r.shop_id AND m.id = r.id
WHERE r.shop_id = @shop_id AND m.schedule <> '' ORDER BY r.id;

-- name: ChargesCalled :many
SELECT r.reference, o.id, o.status FROM order_references r JOIN orders o ON o.shop_id = r.shop_id AND o.id = r.order_id
WHERE r.shop_id = @shop_id AND r.kind = 'payment' AND r.reference = ANY(@names::text[]);

-- name: PlanMandate :exec
-- What became due at once since the mandate was leased stays due.
INSERT INTO mandate_runs (shop_id, id, due_at) VALUES (@shop_id, @id, @due_at)
ON CONFLICT (shop_id, id) DO UPDATE SET due_at = excluded.due_at WHERE mandate_runs.due_at <> 'epoch';

-- name: RunMandateAtOnce :exec
INSERT INTO mandate_runs (shop_id, id, due_at) VALUES (@shop_id, @id, 'epoch')
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

-- name: UnmandatedPayments :many
-- Payments that must have a mandate, and have none.
SELECT o.id FROM orders o WHERE o.shop_id = @shop_id AND o.id > @after AND o.id <= @until AND o.recurring AND o.kind = 'payment'
    AND NOT EXISTS (SELECT 1 FROM mandates m WHERE m.shop_id = o.shop_id AND m.id = o.id) ORDER BY o.id;

-- name: LiveMandatesAt :one
-- How many mandates there are at an account, of one shop or of all, by which something can still be charged. It says in SQL what
-- Mandate.Ended says of one: a provider's own charge may be 25 hours late.
SELECT count(*) FROM mandates m JOIN orders o ON o.shop_id = m.shop_id AND o.id = m.id
WHERE o.account_id = @account_id AND (sqlc.narg('shop_id')::uuid IS NULL OR m.shop_id = sqlc.narg('shop_id')::uuid) AND o.status NOT IN ('failed', 'canceled')
    AND CASE WHEN @own_schedule::boolean
        THEN @now::timestamptz < coalesce(CASE WHEN m.decision = 'revoked' THEN m.schedule_ends_at END, m.expires_at + interval '25 hours', 'infinity')
        ELSE m.decision <> 'revoked' AND @now::timestamptz < coalesce(m.expires_at, 'infinity') END;
