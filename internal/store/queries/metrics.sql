-- name: Backlog :many
-- Everything the gauges show, in one question.
SELECT 'unfinished'::text AS what, o.status::text AS status, o.kind::text AS kind, o.provider::text AS provider, count(*)::bigint AS n,
    min(o.updated_at)::timestamptz AS oldest
FROM orders o WHERE o.finalized_at IS NULL GROUP BY o.status, o.kind, o.provider
UNION ALL
SELECT 'notifications', '', '', '', count(*), coalesce(min(created_at), 'epoch') FROM notifications WHERE state = 'pending'
UNION ALL
SELECT 'dead_lettered', '', '', '', count(*), coalesce(min(created_at), 'epoch') FROM notifications WHERE state = 'dead_lettered'
UNION ALL
SELECT 'conflicts', '', '', '', count(*), coalesce(min(updated_at), 'epoch') FROM orders WHERE conflicts > 0
UNION ALL
SELECT 'shops_off', '', '', '', count(DISTINCT shop_id), coalesce(min(at), 'epoch') FROM addresses_off
UNION ALL
SELECT 'due', '', '', '', count(*), coalesce(min(next_poll_at), 'epoch') FROM orders WHERE next_poll_at IS NOT NULL;
