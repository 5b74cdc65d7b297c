-- name: InsertShop :execrows
INSERT INTO shops (id, name, notification_url, webhook_secret, allow_cidrs, created_at) VALUES ($1, $2, $3, $4, $5, $6);

-- name: Shops :many
SELECT id, name, notification_url, allow_cidrs, created_at FROM shops ORDER BY name;

-- name: ShopByName :one
SELECT id, name, notification_url, allow_cidrs, created_at FROM shops WHERE name = $1;

-- name: WebhookSecret :one
SELECT webhook_secret FROM shops WHERE id = $1;

-- name: SetNotificationURL :execrows
UPDATE shops SET notification_url = @notification_url, allow_cidrs = @allow_cidrs WHERE name = @name;

-- name: InsertShopKey :execrows
INSERT INTO shop_keys (shop_id, id, hash, prefix, scopes, created_at) VALUES ($1, $2, $3, $4, $5, $6);

-- name: RevokeShopKeys :execrows
UPDATE shop_keys SET revoked_at = @revoked_at::timestamptz WHERE shop_id = @shop_id AND revoked_at IS NULL;

-- name: LastScopes :one
SELECT scopes FROM shop_keys WHERE shop_id = @shop_id ORDER BY created_at DESC, id DESC LIMIT 1;

-- name: LockShop :one
SELECT id FROM shops WHERE name = $1 FOR NO KEY UPDATE;

-- name: LiveKeys :many
SELECT k.hash, k.scopes, s.id, s.name, s.notification_url, s.allow_cidrs, s.created_at
FROM shop_keys k JOIN shops s ON s.id = k.shop_id WHERE k.revoked_at IS NULL;

-- name: DirectoryGeneration :one
SELECT generation, changed_at FROM directory;

-- name: KeyExists :one
SELECT EXISTS (SELECT 1 FROM shop_keys WHERE hash = $1 AND revoked_at IS NULL);

-- name: UpsertDemoShop :one
INSERT INTO shops AS s (id, name, notification_url, webhook_secret, allow_cidrs, created_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (name) DO UPDATE SET notification_url = excluded.notification_url, allow_cidrs = excluded.allow_cidrs
RETURNING s.id, s.webhook_secret;

-- name: InsertDemoKey :execrows
INSERT INTO shop_keys (shop_id, id, hash, prefix, scopes, created_at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (hash) DO NOTHING;

-- name: ShopName :one
SELECT name FROM shops WHERE id = $1;
