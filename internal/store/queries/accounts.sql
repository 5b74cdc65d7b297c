-- name: InsertAccount :execrows
INSERT INTO accounts (id, name, provider, currency, purpose, settings, callback_token, callback_token_hash, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9);

-- name: SetAccountSecret :execrows
INSERT INTO account_secrets (account_id, name, stage, value, since) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (account_id, name, stage) DO UPDATE SET value = excluded.value, since = excluded.since;

-- name: DropReplacedSecrets :exec
-- What a promotion pushes out: the previous secrets of those that are staged.
DELETE FROM account_secrets p USING account_secrets s
WHERE s.account_id = @account_id AND s.stage = 'staged' AND p.account_id = s.account_id AND p.name = s.name AND p.stage = 'previous';

-- name: KeepCurrentSecrets :exec
UPDATE account_secrets c SET stage = 'previous', since = @now FROM account_secrets s
WHERE s.account_id = @account_id AND s.stage = 'staged' AND c.account_id = s.account_id AND c.name = s.name AND c.stage = 'current';

-- name: PromoteSecrets :execrows
UPDATE account_secrets SET stage = 'current', since = @now WHERE account_id = @account_id AND stage = 'staged';

-- name: RetireSecrets :execrows
DELETE FROM account_secrets WHERE account_id = @account_id AND stage = 'previous';

-- name: NewestPreviousSecret :one
SELECT max(since)::timestamptz AS since FROM account_secrets WHERE account_id = $1 AND stage = 'previous' HAVING count(*) > 0;

-- name: RotateCallbackToken :execrows
UPDATE accounts SET previous_token_hash = callback_token_hash, previous_token_until = sqlc.arg(until)::timestamptz,
    callback_token = @callback_token, callback_token_hash = @callback_token_hash, version = version + 1 WHERE id = @id;

-- name: LinkAccount :execrows
INSERT INTO account_shops (shop_id, account_id, priority) VALUES (@shop_id, @account_id, sqlc.narg(priority)::integer)
ON CONFLICT (shop_id, account_id) DO UPDATE SET priority = excluded.priority;

-- name: UnlinkAccount :execrows
DELETE FROM account_shops WHERE shop_id = @shop_id AND account_id = @account_id;

-- name: LinksOfShop :many
SELECT l.account_id, a.name, a.currency, a.purpose, a.mode, l.priority FROM account_shops l JOIN accounts a ON a.id = l.account_id
WHERE l.shop_id = $1 ORDER BY l.priority NULLS LAST, a.name;

-- name: LinksByAccount :many
SELECT a.name AS account, s.name AS shop, l.priority FROM account_shops l JOIN accounts a ON a.id = l.account_id JOIN shops s ON s.id = l.shop_id
ORDER BY a.name, s.name;

-- name: NewestOrderAt :many
SELECT created_at FROM orders WHERE account_name = @account_name AND shop_id = @shop_id ORDER BY id DESC LIMIT 1;

-- name: Accounts :many
SELECT a.id, a.name, a.provider, a.currency, a.purpose, a.settings, a.withheld, a.callback_token, a.previous_token_hash, a.previous_token_until, a.mode, a.version, a.moved_at, a.created_at,
    ARRAY(SELECT s.name FROM account_secrets s WHERE s.account_id = a.id ORDER BY s.name, s.stage)::text[] AS secret_names,
    ARRAY(SELECT s.stage FROM account_secrets s WHERE s.account_id = a.id ORDER BY s.name, s.stage)::text[] AS secret_stages,
    ARRAY(SELECT s.value FROM account_secrets s WHERE s.account_id = a.id ORDER BY s.name, s.stage)::bytea[] AS secret_values
FROM accounts a ORDER BY a.name;

-- name: AccountByName :one
SELECT a.id, a.name, a.provider, a.currency, a.purpose, a.settings, a.withheld, a.callback_token, a.previous_token_hash, a.previous_token_until, a.mode, a.version, a.moved_at, a.created_at,
    ARRAY(SELECT s.name FROM account_secrets s WHERE s.account_id = a.id ORDER BY s.name, s.stage)::text[] AS secret_names,
    ARRAY(SELECT s.stage FROM account_secrets s WHERE s.account_id = a.id ORDER BY s.name, s.stage)::text[] AS secret_stages,
    ARRAY(SELECT s.value FROM account_secrets s WHERE s.account_id = a.id ORDER BY s.name, s.stage)::bytea[] AS secret_values
FROM accounts a WHERE a.name = $1 FOR NO KEY UPDATE OF a;

-- name: InsertServiceKey :execrows
INSERT INTO service_keys (name, value, created_at) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING;

-- name: ServiceKeyByName :one
SELECT value FROM service_keys WHERE name = $1;

-- name: ServiceKeys :many
SELECT name, value FROM service_keys ORDER BY name;

-- name: AnySealedOrder :many
SELECT id FROM orders WHERE seal <> '' LIMIT 1;

-- name: AnyFingerprintedSecret :many
-- A secret in the audit log.
SELECT id FROM audit_log WHERE after::text LIKE '%"hmac:%' OR before::text LIKE '%"hmac:%' LIMIT 1;

-- name: AnyOrderFingerprint :one
-- An order or a card that is known by a keyed hash.
SELECT (EXISTS (SELECT 1 FROM order_fingerprints) OR EXISTS (SELECT 1 FROM limit_uses WHERE card <> '') OR EXISTS (SELECT 1 FROM limit_reservations WHERE card <> ''))::boolean;

-- name: AnyShopKey :many
SELECT id FROM shop_keys LIMIT 1;

-- name: UpdateAccountSettings :execrows
UPDATE accounts SET settings = @settings, version = version + 1 WHERE id = @id;

-- name: MoveAccount :execrows
UPDATE accounts SET moved_at = @moved_at WHERE id = @id;

-- name: SetWithheld :execrows
UPDATE accounts SET withheld = @withheld, version = version + 1 WHERE id = @id;

-- name: AccountShops :many
-- In the order of routing: those that are named only come last.
SELECT l.shop_id, l.account_id, l.priority FROM account_shops l JOIN accounts a ON a.id = l.account_id ORDER BY l.priority NULLS LAST, a.name;

-- name: SetAccountMode :execrows
UPDATE accounts SET mode = @mode, version = version + 1 WHERE id = @id;

-- name: AccountIDByName :one
SELECT id FROM accounts WHERE name = $1;

-- name: SwitchOffAccount :one
-- A closed one stays closed.
UPDATE accounts SET mode = CASE WHEN mode = 'closed' THEN mode ELSE 'off' END, version = version + 1 WHERE id = $1 RETURNING mode;

-- name: OneShardAtATime :exec
-- A Citus cluster then changes a reference table after a statement over all shards. Elsewhere the setting has no effect.
SELECT set_config('citus.multi_shard_modify_mode', 'sequential', true);

-- name: LockOrders :exec
-- Nobody adds or changes an order until the caller commits.
LOCK TABLE orders IN SHARE MODE;

-- name: OpenAtAccount :many
SELECT o.kind, p.status, p.in_conflict, count(*) AS orders FROM open_orders p JOIN orders o ON o.shop_id = p.shop_id AND o.id = p.order_id
WHERE o.account_id = @account_id GROUP BY o.kind, p.status, p.in_conflict ORDER BY o.kind, p.status, p.in_conflict;

-- name: DisputesAtAccount :one
SELECT count(*) FROM disputes d JOIN orders o ON o.shop_id = d.shop_id AND o.id = d.order_id WHERE d.closed_at IS NULL AND o.account_id = @account_id;

-- name: ApprovalsAtAccount :one
SELECT count(*) FROM payout_approvals WHERE account_name = @account_name AND state IN ('waiting', 'released') AND expires_at > @now::timestamptz;
