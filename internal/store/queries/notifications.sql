-- name: InsertNotification :one
INSERT INTO notifications (shop_id, order_id, sequence, id, type, payload, url, state, next_attempt_at, created_at)
SELECT s.id, sqlc.arg(order_id), sqlc.arg(sequence), sqlc.arg(id), sqlc.arg(type), sqlc.arg(payload),
    coalesce(nullif(sqlc.arg(url)::text, ''), s.notification_url),
    CASE WHEN s.notifications_off_at IS NOT NULL OR (sqlc.arg(url)::text = '' AND s.notification_url = '') THEN 'feed' ELSE 'pending' END,
    sqlc.arg(at), sqlc.arg(at)
FROM shops s WHERE s.id = sqlc.arg(shop_id)
RETURNING state;

-- name: Feed :many
-- Rows of transactions that may still be open are held back, and so are those behind them.
SELECT id, payload, xid::text AS xid, position
FROM notifications
WHERE shop_id = @shop_id AND xid < pg_snapshot_xmin(pg_current_snapshot()) AND (xid, position) > (CAST(CAST(@after_xid AS text) AS xid8), CAST(@after_position AS bigint))
ORDER BY notifications.xid, position LIMIT @max_rows;

-- name: FeedFromElsewhere :one
-- Whether there are rows of transactions that this cluster has not begun yet. Each shop's newest are at the end of an index.
SELECT EXISTS (
    SELECT 1 FROM shops s CROSS JOIN LATERAL (
        SELECT 1 FROM notifications n WHERE n.shop_id = s.id AND n.xid >= pg_snapshot_xmax(pg_current_snapshot()) LIMIT 1
    ) ahead
);

-- name: OldestUndelivered :one
-- It goes where the order says, or else where the shop's notifications go by now: the address may have been moved since.
SELECT n.sequence, n.id, n.payload, coalesce(nullif(o.notification_url, ''), nullif(s.notification_url, ''), n.url)::text AS url, n.state, n.attempts, n.attempts_before, n.next_attempt_at, n.leased_until, n.created_at,
    s.name AS shop_name, o.account_name, s.webhook_secret, s.allow_cidrs, s.notifications_off_at
FROM notifications n JOIN shops s ON s.id = n.shop_id JOIN orders o ON o.shop_id = n.shop_id AND o.id = n.order_id
WHERE n.shop_id = @shop_id AND n.order_id = @order_id AND n.state IN ('pending', 'parked')
ORDER BY n.sequence LIMIT 1 FOR NO KEY UPDATE OF n;

-- name: LeaseNotification :execrows
UPDATE notifications SET leased_until = @leased_until, attempts = attempts + 1, url = @url
WHERE shop_id = @shop_id AND order_id = @order_id AND sequence = @sequence AND state = 'pending';

-- name: FeedOnlyOrder :execrows
UPDATE notifications SET state = 'feed', leased_until = NULL
WHERE shop_id = @shop_id AND order_id = @order_id AND state = 'pending';

-- name: FeedOnlyShop :execrows
UPDATE notifications SET state = 'feed', leased_until = NULL WHERE shop_id = @shop_id AND state = 'pending';

-- name: InsertAttempt :execrows
INSERT INTO notification_attempts (shop_id, order_id, sequence, attempt, at, duration_ms, http_status, error)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING;

-- name: NotificationDelivered :execrows
-- Whoever says so is right, also after the lease has gone to somebody else.
UPDATE notifications SET state = 'delivered', delivered_at = @at, leased_until = NULL
WHERE shop_id = @shop_id AND order_id = @order_id AND sequence = @sequence AND state IN ('pending', 'parked');

-- name: NotificationFailed :execrows
-- Only the holder of the newest lease decides when to try again.
UPDATE notifications SET state = @state, next_attempt_at = @next_attempt_at, leased_until = NULL
WHERE shop_id = @shop_id AND order_id = @order_id AND sequence = @sequence AND state = 'pending' AND attempts = @attempt;

-- name: LockShopByID :one
-- Before any notification is locked, or two that switch the same shop off could wait for each other.
SELECT id FROM shops WHERE id = $1 FOR NO KEY UPDATE;

-- name: GoneForNow :one
-- Whether an attempt speaks for its notification: its lease is the newest, and it went where the notification would go now.
SELECT (coalesce(nullif(o.notification_url, ''), nullif(s.notification_url, ''), n.url) = @url::text)::boolean AS current
FROM notifications n JOIN shops s ON s.id = n.shop_id JOIN orders o ON o.shop_id = n.shop_id AND o.id = n.order_id
WHERE n.shop_id = @shop_id AND n.order_id = @order_id AND n.sequence = @sequence AND n.state = 'pending' AND n.attempts = @attempt
FOR NO KEY UPDATE OF n;

-- name: NotificationsOff :execrows
UPDATE shops SET notifications_off_at = @at WHERE id = @id AND notifications_off_at IS NULL;

-- name: ResendNotification :execrows
-- Attempts are numbered on, since their numbers are those of leases; the plan of retries begins anew.
UPDATE notifications n SET state = 'pending', url = coalesce(nullif(n.url, ''), s.notification_url), next_attempt_at = @at,
    leased_until = NULL, delivered_at = NULL, attempts_before = n.attempts
FROM shops s
WHERE s.id = n.shop_id AND n.shop_id = @shop_id AND n.order_id = @order_id AND n.sequence = @sequence
    AND s.notifications_off_at IS NULL AND coalesce(nullif(n.url, ''), s.notification_url) <> '';

-- name: NotificationExists :one
SELECT EXISTS (SELECT 1 FROM notifications WHERE shop_id = @shop_id AND order_id = @order_id AND sequence = @sequence);

-- name: NotificationsOf :many
SELECT sequence, id, type, url, state, attempts, next_attempt_at, delivered_at, created_at
FROM notifications WHERE shop_id = @shop_id AND order_id = @order_id ORDER BY sequence;

-- name: ParkedNotifications :many
SELECT shop_id, order_id, sequence, id, type, url, attempts, next_attempt_at, created_at
FROM notifications WHERE state = 'parked' AND (sqlc.narg('shop_id')::uuid IS NULL OR shop_id = sqlc.narg('shop_id')::uuid) ORDER BY shop_id, order_id, sequence LIMIT @max_rows;

-- name: Attempts :many
SELECT sequence, attempt, at, duration_ms, http_status, error
FROM notification_attempts WHERE shop_id = @shop_id AND order_id = @order_id ORDER BY sequence, attempt;

-- name: OverdueNotifications :many
-- What nobody delivers although it is due. Only an order's oldest needs a job; the others are looked at again later.
WITH due AS (
    SELECT d.shop_id, d.order_id, d.sequence FROM notifications d
    WHERE d.state = 'pending' AND d.next_attempt_at < @overdue AND (d.leased_until IS NULL OR d.leased_until < @now::timestamptz)
    ORDER BY d.next_attempt_at LIMIT @max_rows FOR NO KEY UPDATE SKIP LOCKED
), seen AS (
    UPDATE notifications n SET next_attempt_at = @now::timestamptz FROM due
    WHERE n.shop_id = due.shop_id AND n.order_id = due.order_id AND n.sequence = due.sequence
    RETURNING n.shop_id, n.order_id, n.sequence
)
SELECT seen.shop_id, seen.order_id, (NOT EXISTS (
    SELECT 1 FROM notifications e
    WHERE e.shop_id = seen.shop_id AND e.order_id = seen.order_id AND e.sequence < seen.sequence AND e.state IN ('pending', 'parked')
))::boolean AS oldest
FROM seen;
