-- name: Rates :many
SELECT r.shop_id, s.name AS shop, r.key_id, r.class, r.quota, r.seconds FROM shop_rates r JOIN shops s ON s.id = r.shop_id ORDER BY s.name, r.key_id, r.class;

-- name: RateOfKey :many
-- None or one.
SELECT quota, seconds FROM shop_rates WHERE shop_id = $1 AND key_id = $2 AND class = $3;

-- name: SetRate :execrows
INSERT INTO shop_rates (shop_id, key_id, class, quota, seconds) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (shop_id, key_id, class) DO UPDATE SET quota = excluded.quota, seconds = excluded.seconds;

-- name: RemoveRate :execrows
DELETE FROM shop_rates WHERE shop_id = $1 AND key_id = $2 AND class = $3;

-- name: CopyKeyRates :exec
-- The successor of a key has its rates.
INSERT INTO shop_rates (shop_id, key_id, class, quota, seconds)
SELECT r.shop_id, @to_key::text, r.class, r.quota, r.seconds FROM shop_rates r WHERE r.shop_id = @shop_id AND r.key_id = @from_key;
