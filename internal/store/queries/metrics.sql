-- name: Backlog :many
-- Everything the gauges show, in one question.
SELECT 'unfinished'::text AS what, o.status::text AS status, o.kind::text AS kind, o.provider::text AS provider, count(*)::bigint AS n,
    min(o.since)::timestamptz AS oldest
FROM open_orders o WHERE o.status NOT IN ('succeeded', 'failed', 'canceled') GROUP BY o.status, o.kind, o.provider
UNION ALL
SELECT 'notifications', '', '', '', count(*), coalesce(min(created_at), 'epoch') FROM deliveries WHERE state = 'pending'
UNION ALL
SELECT 'dead_lettered', '', '', '', count(*), coalesce(min(created_at), 'epoch') FROM deliveries WHERE state = 'dead_lettered'
UNION ALL
SELECT 'conflicts', '', '', '', count(*), coalesce(min(since), 'epoch') FROM open_orders WHERE in_conflict
UNION ALL
SELECT 'disputes', '', d.kind, '', count(*), coalesce(min(d.due_at), 'epoch') FROM disputes d WHERE d.closed_at IS NULL GROUP BY d.kind
UNION ALL
SELECT 'disputes_overdrawn', '', '', '', count(*), 'epoch' FROM disputes WHERE closed_at IS NULL AND overdrawn > 0
UNION ALL
SELECT 'shops_off', '', '', '', count(DISTINCT shop_id), coalesce(min(at), 'epoch') FROM addresses_off
UNION ALL
SELECT 'retention', '', '', '', 1, last_run_at FROM retention
UNION ALL
SELECT 'due', '', '', '', count(*), coalesce(min(next_poll_at), 'epoch') FROM open_orders WHERE next_poll_at IS NOT NULL;
