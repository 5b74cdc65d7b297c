-- name: Limits :many
SELECT id, scope, object_id, kind, currency, rule, amount, orders, mode FROM limits ORDER BY scope, object_id, kind, currency, rule;

-- name: SetLimit :one
INSERT INTO limits (id, scope, object_id, kind, currency, rule, amount, orders, mode)
VALUES (@id, @scope, @object_id, @kind, @currency, @rule, sqlc.narg('amount'), sqlc.narg('orders'), @mode)
ON CONFLICT (scope, object_id, kind, currency, rule) DO UPDATE SET amount = excluded.amount, orders = excluded.orders, mode = excluded.mode
RETURNING id;

-- name: LimitBefore :many
-- None or one.
SELECT id, scope, object_id, kind, currency, rule, amount, orders, mode FROM limits WHERE scope = $1 AND object_id = $2 AND kind = $3 AND currency = $4 AND rule = $5 FOR UPDATE;

-- name: RemoveLimit :execrows
DELETE FROM limits WHERE id = $1;

-- name: CopyKeyLimits :exec
-- The successor of a key has its limits. What the old one used of them does not count.
INSERT INTO limits (id, scope, object_id, kind, currency, rule, amount, orders, mode)
SELECT gen_random_uuid(), l.scope, @to_key::text, l.kind, l.currency, l.rule, l.amount, l.orders, l.mode FROM limits l
WHERE l.scope = 'key' AND l.object_id = @from_key;

-- name: NamedLimits :many
-- With what is used of each now.
SELECT l.id, l.scope, l.object_id, l.kind, l.currency, l.rule, l.amount, l.orders, l.mode, coalesce(s.name, a.name, l.object_id)::text AS name, coalesce(u.amount, 0)::text AS used_amount, coalesce(u.orders, 0)::bigint AS used_orders
FROM limits l LEFT JOIN shops s ON l.scope = 'shop' AND s.id::text = l.object_id LEFT JOIN accounts a ON l.scope = 'account' AND a.id::text = l.object_id
LEFT JOIN LATERAL (
    SELECT sum(v.amount) AS amount, sum(v.orders) AS orders FROM limit_uses v
    WHERE v.limit_id = l.id AND v.begins_at > limit_left(l.rule, sqlc.arg('now')::timestamptz)
) u ON true ORDER BY l.scope, coalesce(s.name, a.name, l.object_id), l.kind, l.currency, l.rule;

-- name: ReleaseLimits :exec
SELECT release_limits(@shops::uuid[], @ended::uuid[], @declined::boolean[], @now::timestamptz);

-- name: ClaimFingerprint :execrows
-- No row means that another order asked for the same not long ago.
INSERT INTO order_fingerprints AS f (shop_id, fingerprint, order_id, at) VALUES (@shop_id, @fingerprint, @order_id, @at)
ON CONFLICT (shop_id, fingerprint) DO UPDATE SET order_id = excluded.order_id, earlier = '{}', at = excluded.at
WHERE f.at <= sqlc.arg('old')::timestamptz;

-- name: FingerprintOrders :one
-- The orders that asked for the same, the newest first. Whoever tried to claim the fingerprint has its row locked.
SELECT (order_id || earlier)::uuid[] FROM order_fingerprints WHERE shop_id = @shop_id AND fingerprint = @fingerprint;

-- name: OrdersWithoutMoney :many
-- One that was paid after all is not without: another order carries its money.
SELECT id FROM orders WHERE shop_id = @shop_id AND id = ANY(@orders::uuid[]) AND status IN ('failed', 'canceled') AND superseded_by IS NULL;

-- name: InheritFingerprint :exec
-- The orders that asked for the same moved no money.
UPDATE order_fingerprints SET order_id = @order_id, earlier = '{}', at = @at WHERE shop_id = @shop_id AND fingerprint = @fingerprint;

-- name: JoinFingerprint :exec
-- One more order may ask for the same, and the time counts from it. Of a row of such orders the last fifty are known, the
-- newest first.
UPDATE order_fingerprints SET order_id = @order_id, earlier = trim_array(order_id || earlier, greatest(0, cardinality(earlier) - 48)), at = @at
WHERE shop_id = @shop_id AND fingerprint = @fingerprint;

-- name: PausedShops :many
SELECT p.shop_id, s.name, p.since FROM paused_shops p JOIN shops s ON s.id = p.shop_id ORDER BY s.name;

-- name: PauseShop :execrows
INSERT INTO paused_shops (shop_id, since) VALUES ($1, $2) ON CONFLICT DO NOTHING;

-- name: ResumeShop :execrows
DELETE FROM paused_shops WHERE shop_id = $1;

-- name: ForgetDeclines :exec
-- What led to a pause does not lead to the next.
DELETE FROM limit_uses u USING limits l WHERE l.id = u.limit_id AND l.rule = 'pause' AND l.scope = 'shop' AND l.object_id = @shop_id::text;
