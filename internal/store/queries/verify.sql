-- name: NextShopToVerify :one
-- The shop after one, by its rows: a row of shops may have been removed.
SELECT coalesce(min(n.shop_id::text), '')::text AS shop_id FROM (
    (SELECT s.id AS shop_id FROM shops s WHERE s.id > @after ORDER BY s.id LIMIT 1)
    UNION ALL (SELECT o.shop_id FROM orders o WHERE o.shop_id > @after ORDER BY o.shop_id LIMIT 1)
    UNION ALL (SELECT t.shop_id FROM order_transitions t WHERE t.shop_id > @after ORDER BY t.shop_id LIMIT 1)
    UNION ALL (SELECT m.shop_id FROM notifications m WHERE m.shop_id > @after ORDER BY m.shop_id LIMIT 1)
) n;

-- name: OrdersToVerify :many
SELECT * FROM orders WHERE shop_id = @shop_id AND id > @after AND id <= @until ORDER BY id LIMIT @max_rows;

-- name: TransitionsToVerify :many
SELECT * FROM order_transitions WHERE shop_id = @shop_id AND order_id > @after AND order_id <= @until ORDER BY order_id, sequence;

-- name: NotificationsToVerify :many
SELECT order_id, sequence, payload FROM notifications WHERE shop_id = @shop_id AND order_id > @after AND order_id <= @until ORDER BY order_id, sequence;

-- name: AppliedCallbacksToVerify :many
SELECT order_id, count(*) AS applied FROM callbacks
WHERE shop_id = @shop_id AND order_id > @after AND order_id <= @until AND verdict = 'apply' GROUP BY order_id;

-- name: ReferencesToVerify :many
-- The orders that no reference names.
SELECT o.id FROM orders o WHERE o.shop_id = @shop_id AND o.id > @after AND o.id <= @until AND NOT EXISTS (
    SELECT 1 FROM order_references r WHERE r.reference = o.reference AND r.shop_id = o.shop_id AND r.kind = o.kind AND r.order_id = o.id
);

-- name: RefundsToVerify :many
-- What the refunds of payments add up to.
SELECT parent_id::uuid AS payment_id, coalesce(sum(amount) FILTER (WHERE status NOT IN ('failed', 'canceled')), 0)::bigint AS reserved,
    coalesce(sum(amount_captured) FILTER (WHERE status = 'succeeded'), 0)::bigint AS refunded
FROM orders WHERE shop_id = @shop_id AND parent_id = ANY(@payments::uuid[]) AND kind = 'refund' GROUP BY parent_id;

-- name: LastFeedPosition :one
SELECT coalesce((SELECT p.position FROM feed_positions p WHERE p.shop_id = @shop_id), 0)::bigint AS position;

-- name: FeedPositions :many
SELECT position FROM notifications WHERE shop_id = @shop_id AND position > @after ORDER BY position LIMIT @max_rows;

-- name: SealOrder :execrows
UPDATE orders SET seal = @seal WHERE shop_id = @shop_id AND id = @id;

-- name: ErasuresAfter :many
-- The receipts in the audit log, after an entry.
SELECT seq, after FROM audit_log WHERE seq > @after_seq AND starts_with(action, 'erase ') ORDER BY seq LIMIT @max_rows;
