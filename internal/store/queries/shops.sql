-- name: InsertShop :execrows
INSERT INTO shops (id, name, notification_url, allow_cidrs, created_at) VALUES ($1, $2, $3, $4, $5);

-- name: Shops :many
SELECT id, name, notification_url, allow_cidrs, site_url, return_url, success_url, fail_url, flow, cascade, on_surplus, mode, version, created_at FROM shops ORDER BY name;

-- name: ShopByName :one
SELECT id, name, notification_url, allow_cidrs, site_url, return_url, success_url, fail_url, flow, cascade, on_surplus, mode, version, created_at FROM shops WHERE name = $1;

-- name: InsertWebhookSecret :execrows
INSERT INTO webhook_secrets (shop_id, id, secret, created_at) VALUES ($1, $2, $3, $4);

-- name: WebhookSecrets :many
-- The newest first.
SELECT shop_id, id, secret, expires_at FROM webhook_secrets WHERE expires_at IS NULL OR expires_at > @now::timestamptz ORDER BY created_at DESC, id DESC;

-- name: WebhookSecretsOf :many
SELECT id, secret, created_at, expires_at FROM webhook_secrets WHERE shop_id = $1 ORDER BY created_at DESC, id DESC;

-- name: EndWebhookSecrets :exec
UPDATE webhook_secrets SET expires_at = least(expires_at, @expires_at::timestamptz) WHERE shop_id = @shop_id;

-- name: DeleteEndedWebhookSecrets :exec
DELETE FROM webhook_secrets WHERE shop_id = @shop_id AND expires_at <= @now::timestamptz;

-- name: SetShop :execrows
UPDATE shops SET notification_url = @notification_url, allow_cidrs = @allow_cidrs, site_url = @site_url, return_url = @return_url, success_url = @success_url,
    fail_url = @fail_url, flow = @flow, cascade = @cascade, on_surplus = @on_surplus, version = version + 1 WHERE id = @id;

-- name: LockShop :one
SELECT id FROM shops WHERE name = $1 FOR NO KEY UPDATE;

-- name: DirectoryGeneration :one
SELECT generation, changed_at FROM directory;

-- name: UpsertDemoShop :one
INSERT INTO shops AS s (id, name, notification_url, allow_cidrs, created_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (name) DO UPDATE SET notification_url = excluded.notification_url, allow_cidrs = excluded.allow_cidrs
RETURNING s.id;

-- name: ShopName :one
SELECT name FROM shops WHERE id = $1;

-- name: SetShopMode :execrows
UPDATE shops SET mode = @mode, version = version + 1 WHERE id = @id;

-- name: ShopIDByName :one
SELECT id FROM shops WHERE name = $1;
