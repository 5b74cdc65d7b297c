-- name: ActiveRoutingSets :many
SELECT id, shop_id, version, body, checksum FROM routing_sets WHERE state = 'active';

-- name: RoutingSets :many
-- Of a scope, the newest first.
SELECT id, shop_id, version, body, checksum, state, author, reason, created_at, activated_at FROM routing_sets
WHERE shop_id IS NOT DISTINCT FROM sqlc.narg('shop_id')::uuid ORDER BY version DESC;

-- name: RoutingSetByID :many
-- None or one.
SELECT id, shop_id, version, body, checksum, state, author, reason, created_at, activated_at FROM routing_sets WHERE id = $1;

-- name: InsertRoutingSet :exec
INSERT INTO routing_sets (id, shop_id, version, body, checksum, state, author, reason, created_at, activated_at)
VALUES (@id, sqlc.narg('shop_id'), @version, @body, @checksum, 'draft', @author, @reason, @created_at, NULL);

-- name: RetireRoutingSet :execrows
UPDATE routing_sets SET state = 'retired' WHERE shop_id IS NOT DISTINCT FROM sqlc.narg('shop_id')::uuid AND state = 'active';

-- name: ActivateRoutingSet :execrows
UPDATE routing_sets SET state = 'active', activated_at = @activated_at WHERE id = @id;

-- name: NewestPaymentAt :many
-- None or one.
SELECT created_at FROM orders WHERE account_name = @account_name AND shop_id = @shop_id AND kind = 'payment' ORDER BY id DESC LIMIT 1;
