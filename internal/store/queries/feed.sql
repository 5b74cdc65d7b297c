-- name: FeedPlace :one
-- Where a shop's feed ends, and where a cursor of an epoch stands after the rewinds since. A shop that has no place of a rewind
-- came later: its cursors of an older epoch begin anew.
SELECT coalesce((SELECT max(e.epoch) FROM feed_epochs e), 0)::bigint AS epoch,
    coalesce((SELECT p.position FROM feed_positions p WHERE p.shop_id = @shop_id), 0)::bigint AS last,
    coalesce((SELECT min(coalesce(r.position, 0)) FROM feed_epochs e LEFT JOIN feed_rewinds r ON r.shop_id = @shop_id AND r.epoch = e.epoch
        WHERE e.epoch > @cursor_epoch::bigint), 9223372036854775807)::bigint AS floor;

-- name: Feed :many
SELECT n.order_id, n.sequence, n.id, n.payload, n.position, o.data_key
FROM notifications n JOIN orders o ON o.shop_id = n.shop_id AND o.id = n.order_id
WHERE n.shop_id = @shop_id AND n.position > @after_position
ORDER BY n.position LIMIT @max_rows;

-- name: FeedPlaceSince :one
-- How many notifications come before those that were written since a time. Times follow places, so the place is searched by halves: each
-- step reads one row by index, about twenty among a million.
WITH RECURSIVE halves (low, high) AS (
    SELECT 0::bigint, coalesce((SELECT p.position FROM feed_positions p WHERE p.shop_id = @shop_id), 0)::bigint
    UNION ALL
    SELECT CASE WHEN n.earlier THEN h.low + (h.high - h.low) / 2 + 1 ELSE h.low END, CASE WHEN n.earlier THEN h.high ELSE h.low + (h.high - h.low) / 2 END
    FROM halves h CROSS JOIN LATERAL (
        SELECT coalesce((SELECT t.created_at FROM notifications t WHERE t.shop_id = @shop_id AND t.position > h.low + (h.high - h.low) / 2 ORDER BY t.position LIMIT 1) < @since::timestamptz, false) AS earlier
    ) n
    WHERE h.low < h.high
)
SELECT coalesce((SELECT max(e.epoch) FROM feed_epochs e), 0)::bigint AS epoch, h.low::bigint AS before FROM halves h WHERE h.low = h.high;

-- name: RaiseFeedEpoch :one
INSERT INTO feed_epochs (epoch, since)
SELECT greatest(@at_millis::bigint, coalesce(max(e.epoch), 0) + 1), @since::timestamptz FROM feed_epochs e
RETURNING epoch;

-- name: RewindFeeds :execrows
-- To before the first that was written since then; where nothing was, to the end.
INSERT INTO feed_rewinds (shop_id, epoch, position)
SELECT s.id, @epoch::bigint, coalesce(n.first - 1, p.position, 0)
FROM shops s
LEFT JOIN feed_positions p ON p.shop_id = s.id
LEFT JOIN (SELECT shop_id, min(position) AS first FROM notifications WHERE created_at >= @since::timestamptz GROUP BY shop_id) n ON n.shop_id = s.id;

