-- name: InsertAccount :execrows
INSERT INTO accounts (id, name, provider, currency, purpose, settings, callback_token, callback_token_hash, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9);

-- name: SetAccountSecret :execrows
INSERT INTO account_secrets (account_id, name, value) VALUES ($1, $2, $3) ON CONFLICT (account_id, name) DO UPDATE SET value = excluded.value;

-- name: AllowAccount :execrows
INSERT INTO account_shops (shop_id, account_id) SELECT s.id, @account_id FROM shops s WHERE s.name = @shop_name ON CONFLICT DO NOTHING;

-- name: Accounts :many
SELECT a.id, a.name, a.provider, a.currency, a.purpose, a.settings, a.callback_token, a.created_at,
    ARRAY(SELECT s.name FROM account_secrets s WHERE s.account_id = a.id ORDER BY s.name)::text[] AS secret_names,
    ARRAY(SELECT s.value FROM account_secrets s WHERE s.account_id = a.id ORDER BY s.name)::bytea[] AS secret_values
FROM accounts a ORDER BY a.name;

-- name: AccountByName :one
SELECT a.id, a.name, a.provider, a.currency, a.purpose, a.settings, a.callback_token, a.created_at,
    ARRAY(SELECT s.name FROM account_secrets s WHERE s.account_id = a.id ORDER BY s.name)::text[] AS secret_names,
    ARRAY(SELECT s.value FROM account_secrets s WHERE s.account_id = a.id ORDER BY s.name)::bytea[] AS secret_values
FROM accounts a WHERE a.name = $1 FOR NO KEY UPDATE OF a;

-- name: InsertServiceKey :execrows
INSERT INTO service_keys (name, value, created_at) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING;

-- name: ServiceKeyByName :one
SELECT value FROM service_keys WHERE name = $1;

-- name: UpdateAccountSettings :execrows
UPDATE accounts SET settings = @settings WHERE name = @name;

-- name: AccountShops :many
SELECT l.shop_id, l.account_id FROM account_shops l JOIN accounts a ON a.id = l.account_id ORDER BY a.name;
