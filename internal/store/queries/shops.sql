-- name: InsertShop :execrows
INSERT INTO shops (id, name, notification_url, webhook_secret, allow_cidrs, created_at) VALUES ($1, $2, $3, $4, $5, $6);

-- name: Shops :many
SELECT id, name, notification_url, allow_cidrs, mode, created_at FROM shops ORDER BY name;

-- name: ShopByName :one
SELECT id, name, notification_url, allow_cidrs, mode, created_at FROM shops WHERE name = $1;

-- name: WebhookSecret :one
SELECT webhook_secret FROM shops WHERE id = $1;

-- name: SetNotificationURL :execrows
UPDATE shops SET notification_url = @notification_url, allow_cidrs = @allow_cidrs WHERE name = @name;

-- name: LockShop :one
SELECT id FROM shops WHERE name = $1 FOR NO KEY UPDATE;

-- name: DirectoryGeneration :one
SELECT generation, changed_at FROM directory;

-- name: UpsertDemoShop :one
INSERT INTO shops AS s (id, name, notification_url, webhook_secret, allow_cidrs, created_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (name) DO UPDATE SET notification_url = excluded.notification_url, allow_cidrs = excluded.allow_cidrs
RETURNING s.id, s.webhook_secret;

-- name: ShopName :one
SELECT name FROM shops WHERE id = $1;
