-- name: AddHold :execrows
INSERT INTO order_holds (shop_id, order_id, reason, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING;

-- name: RemoveHold :one
DELETE FROM order_holds WHERE shop_id = $1 AND order_id = $2 RETURNING reason;

-- name: Holds :many
SELECT h.shop_id, h.order_id, s.name AS shop_name, h.reason, h.at FROM order_holds h JOIN shops s ON s.id = h.shop_id ORDER BY h.at, h.order_id;

-- name: HoldsOn :many
SELECT order_id, reason FROM order_holds WHERE shop_id = $1 AND order_id = ANY(@orders::uuid[]);

-- name: OpenDisputesOf :many
SELECT id, order_id FROM disputes WHERE shop_id = $1 AND order_id = ANY(@orders::uuid[]) AND closed_at IS NULL;

-- name: UndeliveredOf :many
SELECT order_id, sequence, state FROM deliveries WHERE shop_id = $1 AND order_id = ANY(@orders::uuid[]) ORDER BY order_id, sequence;

-- name: DropDeliveries :execrows
DELETE FROM deliveries WHERE shop_id = $1 AND order_id = ANY(@orders::uuid[]);

-- name: DigestsOf :many
SELECT order_id, sequence, payload_digest FROM notifications WHERE shop_id = $1 AND order_id = ANY(@orders::uuid[]) AND payload_digest IS NOT NULL ORDER BY order_id, sequence;

-- name: AnswersSince :many
SELECT key, body FROM idempotency_keys WHERE shop_id = $1 AND created_at >= @since::timestamptz AND key > @after_key AND status IS NOT NULL ORDER BY key LIMIT @max_rows;

-- name: RemoveAnswers :execrows
DELETE FROM idempotency_keys WHERE shop_id = $1 AND key = ANY(@keys::text[]);

-- name: DestroyDataKeys :execrows
-- With the key goes everything that it encrypted, wherever it rests. What is not encrypted goes too.
UPDATE orders SET data_key = NULL, provider_state = NULL, next_action = NULL, details = NULL, payment_method = NULL,
    failure = failure || '{"message": ""}', status_reason = '', description = '', metadata = '{}', routing = routing - 'facts'
WHERE shop_id = $1 AND id = ANY(@orders::uuid[]);

-- name: ForgetConflictReasons :exec
-- The words of operators.
UPDATE order_conflicts SET reason = '' WHERE shop_id = $1 AND order_id = ANY(@orders::uuid[]) AND source = 'operator';

-- name: Customers :many
-- What names the customers of a shop's orders that are not erased. A refund goes with its payment.
SELECT id, data_key, details, coalesce(metadata ->> 'customer_id', '')::text AS customer_id FROM orders
WHERE shop_id = $1 AND id > @after AND data_key IS NOT NULL AND kind <> 'refund' ORDER BY id LIMIT @max_rows;

-- name: LockHeld :one
-- An erasure of the order is before the hold, or after it.
SELECT id FROM orders WHERE shop_id = $1 AND id = $2 FOR NO KEY UPDATE;

-- name: RemoveApprovals :execrows
-- With the masked destination of a payout. The order itself keeps its reference from being used again.
DELETE FROM payout_approvals WHERE shop_id = $1 AND order_id = ANY(@orders::uuid[]);

-- name: RemoveFingerprints :execrows
DELETE FROM order_fingerprints WHERE shop_id = $1 AND order_id = ANY(@orders::uuid[]);
