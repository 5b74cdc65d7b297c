-- name: AskApproval :execrows
-- A request that waits, or was decided on, stays as it is until it expires, unless something else than payrelay has altered it.
INSERT INTO payout_approvals AS a (shop_id, id, reference, request_hash, account_name, amount, currency, destination, state, requested_at, expires_at, seal)
VALUES (@shop_id, @id, @reference, @request_hash, @account_name, @amount, @currency, @destination, 'waiting', @requested_at, @expires_at, @seal)
ON CONFLICT (shop_id, reference) DO UPDATE SET id = excluded.id, request_hash = excluded.request_hash, account_name = excluded.account_name,
    amount = excluded.amount, currency = excluded.currency, destination = excluded.destination, state = excluded.state,
    requested_at = excluded.requested_at, expires_at = excluded.expires_at, seal = excluded.seal, order_id = NULL
WHERE a.expires_at <= excluded.requested_at AND a.order_id IS NULL OR sqlc.arg('altered')::boolean;

-- name: ApprovalOfReference :one
SELECT * FROM payout_approvals WHERE shop_id = $1 AND reference = $2;

-- name: UseApproval :one
UPDATE payout_approvals SET state = 'used', order_id = sqlc.arg('order_id')::uuid
WHERE shop_id = @shop_id AND reference = @reference AND request_hash = @request_hash AND state = 'released' AND expires_at > sqlc.arg('now')::timestamptz
RETURNING *;

-- name: Approvals :many
-- Those that wait, or were released and not used yet.
SELECT s.name AS shop, sqlc.embed(a) FROM payout_approvals a JOIN shops s ON s.id = a.shop_id
WHERE a.state IN ('waiting', 'released') AND a.expires_at > sqlc.arg('now')::timestamptz ORDER BY a.requested_at, a.id;

-- name: ShopOfApproval :one
SELECT s.id, s.name FROM payout_approvals a JOIN shops s ON s.id = a.shop_id WHERE a.id = @id;

-- name: LockApproval :one
SELECT * FROM payout_approvals WHERE shop_id = @shop_id AND id = @id FOR UPDATE;

-- name: DecideApproval :execrows
UPDATE payout_approvals SET state = @state, expires_at = @expires_at, seal = @seal WHERE shop_id = @shop_id AND id = @id;

-- name: ShopApprovals :many
SELECT * FROM payout_approvals WHERE shop_id = @shop_id ORDER BY id;
