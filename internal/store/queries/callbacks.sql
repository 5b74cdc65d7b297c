-- name: InsertCallback :execrows
INSERT INTO callbacks (account_id, dedupe_key, shop_id, order_id, provider_order_id, verdict, reason, reported, provider_data, received_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);

-- name: InsertOrderlessCallback :execrows
-- There is no order to lock: a second one with this key waits here, and then finds itself too late.
INSERT INTO orderless_callbacks (account_id, dedupe_key, provider_order_id, reported, provider_data, received_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (account_id, dedupe_key) DO NOTHING;

-- name: CallbackVerdict :one
SELECT verdict FROM callback_keys WHERE dedupe_key = $1 AND shop_id = $2;

-- name: CallbacksWithoutOrder :many
SELECT a.name AS account_name, a.provider, c.provider_order_id, c.reported, c.provider_data, c.received_at
FROM orderless_callbacks c JOIN accounts a ON a.id = c.account_id ORDER BY c.received_at DESC, c.dedupe_key LIMIT @max_rows;

-- name: CallbacksOf :many
SELECT account_id, provider_order_id, verdict, reason, reported, provider_data, received_at,
    (SELECT o.data_key FROM orders o WHERE o.shop_id = @shop_id AND o.id = @order_id) AS data_key
FROM callbacks WHERE shop_id = @shop_id AND order_id = @order_id ORDER BY received_at;
