-- name: InsertShopKey :execrows
INSERT INTO shop_keys (shop_id, id, mac, name, scopes, allow_cidrs, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: InsertDemoKey :execrows
INSERT INTO shop_keys (shop_id, id, mac, name, scopes, allow_cidrs, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (id) DO UPDATE SET mac = excluded.mac, expires_at = excluded.expires_at;

-- name: AllKeys :many
-- For the directory.
SELECT shop_id, id AS key_id, mac, scopes, allow_cidrs AS key_cidrs, mode AS key_mode, expires_at, revoked_at, replaced_by FROM shop_keys;

-- name: ShopKeys :many
SELECT k.id, k.name, s.name AS shop, k.scopes, k.allow_cidrs, k.mode, k.created_at, k.expires_at, k.replaced_by, k.revoked_at, k.revoked_by, k.revoked_reason,
    coalesce((SELECT max(u.last_used_at) FROM shop_key_uses u WHERE u.shop_id = k.shop_id AND u.key_id = k.id), 'epoch')::timestamptz AS last_used_at
FROM shop_keys k JOIN shops s ON s.id = k.shop_id
WHERE @shop_name::text = '' OR s.name = @shop_name ORDER BY s.name, k.created_at, k.id;

-- name: LockKey :one
SELECT k.shop_id, s.name AS shop, k.id, k.name, k.scopes, k.allow_cidrs, k.mode, k.created_at, k.expires_at, k.replaced_by, k.revoked_at
FROM shop_keys k JOIN shops s ON s.id = k.shop_id WHERE k.id = $1 FOR NO KEY UPDATE OF s, k;

-- name: CountLiveKeys :one
-- Those that a rotation replaced end by themselves.
SELECT count(*) FROM shop_keys WHERE shop_id = @shop_id AND revoked_at IS NULL AND replaced_by IS NULL AND expires_at > @now::timestamptz;

-- name: RevokeKey :execrows
UPDATE shop_keys SET revoked_at = @revoked_at::timestamptz, revoked_by = @revoked_by, revoked_reason = @revoked_reason WHERE id = @id AND revoked_at IS NULL;

-- name: ReplaceKey :execrows
UPDATE shop_keys SET replaced_by = @replaced_by::text, expires_at = least(expires_at, @expires_at) WHERE id = @id;

-- name: NarrowKey :execrows
UPDATE shop_keys SET scopes = @scopes, allow_cidrs = @allow_cidrs, expires_at = @expires_at WHERE id = @id;

-- name: KeyLives :one
SELECT EXISTS (SELECT 1 FROM shop_keys WHERE id = $1 AND revoked_at IS NULL);

-- name: KeysUsed :exec
-- Whoever has a key could make up addresses for ever, so a key has no more than 1000.
INSERT INTO shop_key_uses AS u (shop_id, key_id, address, first_used_at, last_used_at)
SELECT k.shop_id, k.id, CASE WHEN (SELECT count(*) FROM shop_key_uses o WHERE o.shop_id = k.shop_id AND o.key_id = k.id) < 1000 THEN x.address ELSE '::' END AS place, min(x.at), max(x.at)
FROM (SELECT unnest(@ids::text[]) AS id, unnest(@addresses::inet[]) AS address, unnest(@times::timestamptz[]) AS at) x JOIN shop_keys k ON k.id = x.id
GROUP BY k.shop_id, k.id, place ORDER BY k.shop_id, k.id, place
ON CONFLICT (shop_id, key_id, address) DO UPDATE SET last_used_at = greatest(u.last_used_at, excluded.last_used_at);

-- name: KeyAddresses :many
SELECT u.address, u.first_used_at, u.last_used_at FROM shop_key_uses u JOIN shop_keys k ON k.shop_id = u.shop_id AND k.id = u.key_id
WHERE k.id = @id AND u.last_used_at >= @since::timestamptz ORDER BY u.last_used_at DESC, u.address;

-- name: KeySums :many
-- What a key has asked for. Ids of orders begin with their time, so no older order is read.
SELECT o.kind, coalesce(o.currency, '')::text AS currency, count(*) AS orders, coalesce(sum(o.amount), 0)::text AS amount
FROM orders o JOIN order_references r ON r.reference = o.reference AND r.shop_id = o.shop_id AND r.kind = o.kind
WHERE o.shop_id = @shop_id AND o.id >= @first_id AND o.created_at >= @since::timestamptz AND r.key_id = @key_id::text
GROUP BY 1, 2 ORDER BY 1, 2;

-- name: KeyOrders :many
-- The newest orders that a key has asked for, those that send money out before payments.
SELECT o.id, o.kind, o.reference, o.status, o.amount, o.currency, o.account_name, o.created_at
FROM orders o JOIN order_references r ON r.reference = o.reference AND r.shop_id = o.shop_id AND r.kind = o.kind
WHERE o.shop_id = @shop_id AND o.id >= @first_id AND o.created_at >= @since::timestamptz AND r.key_id = @key_id::text
ORDER BY o.kind = 'payment', o.id DESC LIMIT @max_rows;

-- name: SetKeyMode :execrows
UPDATE shop_keys SET mode = @mode WHERE id = @id;

-- name: ShopIDByKey :one
SELECT shop_id FROM shop_keys WHERE id = $1;
