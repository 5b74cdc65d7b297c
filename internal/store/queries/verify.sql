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

-- name: AttemptsToVerify :many
SELECT * FROM order_attempts WHERE shop_id = @shop_id AND order_id > @after AND order_id <= @until ORDER BY order_id, number;

-- name: NotificationsToVerify :many
SELECT order_id, sequence, id, type, url, payload FROM notifications WHERE shop_id = @shop_id AND order_id > @after AND order_id <= @until ORDER BY order_id, sequence;

-- name: AppliedCallbacksToVerify :many
SELECT order_id, count(*) AS applied FROM callbacks
WHERE shop_id = @shop_id AND order_id > @after AND order_id <= @until AND verdict = 'apply' GROUP BY order_id;

-- name: ReferencesToVerify :many
-- The orders that no reference names, with their parent.
SELECT o.id FROM orders o WHERE o.shop_id = @shop_id AND o.id > @after AND o.id <= @until AND NOT EXISTS (
    SELECT 1 FROM order_references r WHERE r.reference = o.reference AND r.shop_id = o.shop_id AND r.kind = o.kind AND r.order_id = o.id AND r.parent_id IS NOT DISTINCT FROM o.parent_id
);

-- name: LostOrders :many
-- References whose orders are gone.
SELECT r.order_id, r.kind, r.parent_id FROM order_references r WHERE r.shop_id = @shop_id
    AND NOT EXISTS (SELECT 1 FROM orders o WHERE o.shop_id = r.shop_id AND o.id = r.order_id) ORDER BY r.order_id;

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

-- name: NamesToVerify :many
-- The orders that are not found by one of the names that providers and banks give them.
SELECT DISTINCT n.id FROM (
    SELECT o.id, o.provider_reference AS name FROM orders o WHERE o.shop_id = @shop_id AND o.id > @after AND o.id <= @until AND o.provider_reference <> ''
    UNION ALL SELECT o.id, jsonb_object_keys(CASE WHEN jsonb_typeof(o.bank_references) = 'object' THEN o.bank_references END)
    FROM orders o WHERE o.shop_id = @shop_id AND o.id > @after AND o.id <= @until
) n WHERE NOT EXISTS (SELECT 1 FROM order_names m WHERE m.name_hash = md5(n.name)::uuid AND m.shop_id = @shop_id AND m.order_id = n.id);

-- name: AddOrderNames :exec
-- As the triggers of orders do.
INSERT INTO order_names (name_hash, shop_id, order_id)
SELECT DISTINCT md5(n.name)::uuid, n.shop_id, n.id FROM (
    SELECT o.shop_id, o.id, o.provider_reference AS name FROM orders o WHERE o.shop_id = @shop_id AND o.id = @order_id AND o.provider_reference <> ''
    UNION ALL SELECT o.shop_id, o.id, jsonb_object_keys(CASE WHEN jsonb_typeof(o.bank_references) = 'object' THEN o.bank_references END)
    FROM orders o WHERE o.shop_id = @shop_id AND o.id = @order_id
) n ON CONFLICT DO NOTHING;

-- name: ConflictsToVerify :many
SELECT order_id, id, provider_data FROM order_conflicts WHERE shop_id = @shop_id AND order_id > @after AND order_id <= @until ORDER BY order_id, id;

-- name: UsesToVerify :many
-- The parts of windows whose sums are not those of the orders that are counted in them. A part that begins to leave its window is left
-- out: whoever counts next removes it, by a clock of his own.
WITH used AS (
    SELECT u.limit_id, u.begins_at, u.amount, u.orders FROM limit_uses u JOIN limits l ON l.id = u.limit_id WHERE l.rule IN ('hour', 'day')
), counted AS (
    SELECT l.id AS limit_id, date_bin(limit_part(l.rule), r.at, 'epoch') AS begins_at, sum(r.amount) AS amount, count(*) AS orders
    FROM limit_reservations r JOIN limits l ON l.id = ANY (r.limit_ids) WHERE l.rule IN ('hour', 'day') GROUP BY 1, 2
)
SELECT l.id, coalesce(u.begins_at, c.begins_at)::timestamptz AS begins_at, coalesce(u.amount, 0)::text AS used_amount, coalesce(u.orders, 0)::bigint AS used_orders,
    coalesce(c.amount, 0)::text AS counted_amount, coalesce(c.orders, 0)::bigint AS counted_orders
FROM used u FULL JOIN counted c ON c.limit_id = u.limit_id AND c.begins_at = u.begins_at JOIN limits l ON l.id = coalesce(u.limit_id, c.limit_id)
WHERE coalesce(u.begins_at, c.begins_at) > limit_left(l.rule, sqlc.arg('now')::timestamptz) + limit_part(l.rule)
    AND (coalesce(u.amount, 0), coalesce(u.orders, 0)) IS DISTINCT FROM (coalesce(c.amount, 0), coalesce(c.orders, 0)) ORDER BY 1, 2;

-- name: ReservationsToVerify :many
-- Orders that are counted with another sum than theirs, or are gone.
SELECT r.order_id FROM limit_reservations r LEFT JOIN orders o ON o.shop_id = r.shop_id AND o.id = r.order_id
WHERE r.shop_id = @shop_id AND (o.id IS NULL OR r.amount <> coalesce(o.amount, 0)) ORDER BY r.order_id;

-- name: PausesToVerify :many
-- The shops that must be paused and are not: an operator paused them and did not resume them, or the counter that pauses them is full.
-- A counter that filled up before the limits of the shop were last set says nothing.
SELECT s.id FROM shops s WHERE NOT EXISTS (SELECT 1 FROM paused_shops p WHERE p.shop_id = s.id) AND (
    (SELECT a.action FROM audit_log a WHERE a.shop = s.name AND a.action IN ('limit pause', 'limit resume') ORDER BY a.seq DESC LIMIT 1) = 'limit pause'
    OR EXISTS (
        SELECT 1 FROM limits l WHERE l.rule = 'pause' AND l.mode = 'enforce' AND l.scope = 'shop' AND l.object_id = s.id::text
            AND (SELECT sum(u.orders) FROM limit_uses u WHERE u.limit_id = l.id) >= l.orders
            AND (SELECT max(u.begins_at) FROM limit_uses u WHERE u.limit_id = l.id)
                > (SELECT coalesce(max(a.at), '-infinity') FROM audit_log a WHERE a.shop = s.name AND a.action = 'limit set')
    )
) ORDER BY s.id;

-- name: RemnantsToVerify :many
-- What names orders that are gone, beside histories, attempts and notifications.
SELECT r.named_in, r.order_id FROM (
    SELECT 'provider_calls'::text AS named_in, c.order_id FROM provider_calls c WHERE c.shop_id = @shop_id AND c.order_id > @after AND c.order_id <= @until
    UNION SELECT 'callbacks', c.order_id FROM callbacks c WHERE c.shop_id = @shop_id AND c.order_id > @after AND c.order_id <= @until
    UNION SELECT 'notification_attempts', n.order_id FROM notification_attempts n WHERE n.shop_id = @shop_id AND n.order_id > @after AND n.order_id <= @until
    UNION SELECT 'order_conflicts', c.order_id FROM order_conflicts c WHERE c.shop_id = @shop_id AND c.order_id > @after AND c.order_id <= @until
    UNION SELECT 'open_orders', p.order_id FROM open_orders p WHERE p.shop_id = @shop_id AND p.order_id > @after AND p.order_id <= @until
) r WHERE NOT EXISTS (SELECT 1 FROM orders o WHERE o.shop_id = @shop_id AND o.id = r.order_id) ORDER BY r.order_id, r.named_in;

-- name: LostFingerprints :many
-- Orders that are gone, and are known by what they asked for.
SELECT DISTINCT same.id::uuid AS order_id FROM order_fingerprints f, unnest(f.earlier || f.order_id) same (id) WHERE f.shop_id = @shop_id
    AND NOT EXISTS (SELECT 1 FROM orders o WHERE o.shop_id = @shop_id AND o.id = same.id) ORDER BY 1;

-- name: FeedEnd :many
-- The newest event of a shop, if it has any.
SELECT position, id FROM notifications WHERE shop_id = @shop_id ORDER BY position DESC LIMIT 1;

-- name: AnchorsAfter :many
-- The ends of feeds that the audit log keeps, after an entry.
SELECT seq, after FROM audit_log WHERE seq > @after_seq AND action = 'audit anchor' ORDER BY seq LIMIT @max_rows;

-- name: EventsAt :many
SELECT position, id FROM notifications WHERE shop_id = @shop_id AND position = ANY(@positions::bigint[]);

-- name: WorkToVerify :many
-- Orders whose rows in open_orders, by which they are polled and listed, are not as they are; and notifications of the last day that are
-- neither delivered nor to be. What is older may have lost its attempts by retention, and what was erased was given up.
SELECT 'open_orders'::text AS missing_in, o.id, 0::integer AS sequence FROM orders o LEFT JOIN open_orders p ON p.shop_id = o.shop_id AND p.order_id = o.id
WHERE o.shop_id = @shop_id AND o.id > @after AND o.id <= @until
    AND CASE WHEN o.finalized_at IS NULL OR o.next_poll_at IS NOT NULL OR o.conflicts > 0
        THEN (p.order_id, p.provider, p.kind, p.status, p.in_conflict, p.next_poll_at) IS DISTINCT FROM (o.id, o.provider, o.kind, o.status, o.conflicts > 0, o.next_poll_at)
        ELSE p.order_id IS NOT NULL END
UNION ALL
SELECT 'deliveries', n.order_id, n.sequence FROM notifications n JOIN orders o ON o.shop_id = n.shop_id AND o.id = n.order_id
WHERE n.shop_id = @shop_id AND n.order_id > @after AND n.order_id <= @until AND n.created_at > @since::timestamptz AND n.url <> '' AND o.data_key IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.shop_id = n.shop_id AND d.order_id = n.order_id AND d.sequence = n.sequence)
    AND NOT EXISTS (SELECT 1 FROM notification_attempts a WHERE a.shop_id = n.shop_id AND a.order_id = n.order_id AND a.sequence = n.sequence AND a.error = '');
