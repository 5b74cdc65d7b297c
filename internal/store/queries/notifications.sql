-- name: InsertNotification :one
-- The last of a transaction: the feed's row is locked from here to the commit, and several shops' come sorted.
WITH raised AS (
    INSERT INTO feed_positions AS p (shop_id, position) VALUES (sqlc.arg(shop_id), 1)
    ON CONFLICT (shop_id) DO UPDATE SET position = p.position + 1 RETURNING p.position
)
INSERT INTO notifications (shop_id, order_id, sequence, id, type, payload, url, state, next_attempt_at, created_at, position)
SELECT s.id, sqlc.arg(order_id), sqlc.arg(sequence), sqlc.arg(id), sqlc.arg(type), sqlc.arg(payload),
    coalesce(nullif(sqlc.arg(url)::text, ''), s.notification_url),
    CASE WHEN sqlc.arg(url)::text = '' AND s.notification_url = '' THEN 'feed' ELSE 'pending' END,
    sqlc.arg(at), sqlc.arg(at), raised.position
FROM shops s CROSS JOIN raised WHERE s.id = sqlc.arg(shop_id)
RETURNING state;

-- name: OldestUndelivered :one
-- It goes where the order says, or else where the shop's notifications go by now: the address may have been moved since.
SELECT n.sequence, n.id, n.payload, coalesce(nullif(o.notification_url, ''), nullif(s.notification_url, ''), n.url)::text AS url, n.state, n.attempts, n.attempts_before, n.next_attempt_at, n.leased_until, n.created_at,
    s.name AS shop_name, o.account_name, s.webhook_secret, s.allow_cidrs, EXISTS (
        SELECT 1 FROM addresses_off a WHERE a.shop_id = n.shop_id AND md5(a.url) = md5(coalesce(nullif(o.notification_url, ''), nullif(s.notification_url, ''), n.url)::text)
    ) AS off
FROM notifications n JOIN shops s ON s.id = n.shop_id JOIN orders o ON o.shop_id = n.shop_id AND o.id = n.order_id
WHERE n.shop_id = @shop_id AND n.order_id = @order_id AND n.state IN ('pending', 'dead_lettered', 'held')
ORDER BY n.sequence LIMIT 1 FOR NO KEY UPDATE OF n;

-- name: LeaseNotification :execrows
UPDATE notifications SET leased_until = @leased_until, attempts = attempts + 1, url = @url
WHERE shop_id = @shop_id AND order_id = @order_id AND sequence = @sequence AND state = 'pending';

-- name: KeepAddressOff :one
-- Held until the caller commits, so that nobody resumes while it holds notifications back.
SELECT 1::integer FROM addresses_off WHERE shop_id = @shop_id AND md5(url) = md5(@url::text) FOR KEY SHARE;

-- name: HoldOrder :execrows
UPDATE notifications SET state = 'held', leased_until = NULL WHERE shop_id = @shop_id AND order_id = @order_id AND state = 'pending';

-- name: InsertAttempt :execrows
INSERT INTO notification_attempts (shop_id, order_id, sequence, attempt, at, duration_ms, http_status, error)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING;

-- name: NotificationDelivered :one
-- Whoever says so is right, also after the lease has gone to somebody else. What waited behind it is due.
WITH behind AS (
    UPDATE notifications b SET next_attempt_at = sqlc.arg(at)
    WHERE b.shop_id = @shop_id AND b.order_id = @order_id AND b.sequence > @sequence AND b.state = 'pending' AND b.attempts = b.attempts_before
        AND b.next_attempt_at > sqlc.arg(at)
)
UPDATE notifications n SET state = 'delivered', delivered_at = @at, leased_until = NULL
WHERE n.shop_id = @shop_id AND n.order_id = @order_id AND n.sequence = @sequence AND n.state IN ('pending', 'dead_lettered', 'held')
RETURNING EXISTS (
    SELECT 1 FROM failing_destinations d WHERE d.shop_id = n.shop_id AND d.destination = sqlc.arg(destination)
) AS failing;

-- name: NotificationFailed :execrows
-- Only the holder of the newest lease decides when to try again.
UPDATE notifications SET state = @state, next_attempt_at = @next_attempt_at, leased_until = NULL,
    waits_for = sqlc.narg(waits_for), failed_at = @failed_at::timestamptz, not_before = sqlc.narg(not_before)
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

-- name: SwitchAddressOff :exec
INSERT INTO addresses_off (shop_id, url, at) VALUES (@shop_id, @url, @at) ON CONFLICT DO NOTHING;

-- name: SwitchAddressesOn :exec
DELETE FROM addresses_off WHERE shop_id = $1;

-- name: SwitchedOffAddresses :many
SELECT a.shop_id, a.url, a.at, (SELECT count(*) FROM notifications n WHERE n.shop_id = a.shop_id AND n.state = 'held' AND n.url = a.url) AS held
FROM addresses_off a ORDER BY a.shop_id, a.at, a.url;

-- name: ReleaseShop :exec
-- What a shop waits for or was held back is due, one order after the other, each after a pause; its retries begin anew.
WITH waiting AS (
    SELECT n.order_id, n.sequence, min(n.position) OVER (PARTITION BY n.order_id) AS first
    FROM notifications n
    WHERE n.shop_id = @shop_id AND (n.state = 'held' OR n.state = 'pending' AND n.waits_for IS NOT NULL AND n.next_attempt_at > @at::timestamptz)
), turns AS (
    SELECT order_id, sequence, dense_rank() OVER (ORDER BY first) AS turn FROM waiting
)
UPDATE notifications n SET state = 'pending', attempts_before = n.attempts, not_before = NULL,
    next_attempt_at = CAST(@at AS timestamptz) + (t.turn - 1) * CAST(@pause_ms AS bigint) * interval '1 millisecond'
FROM turns t
WHERE n.shop_id = @shop_id AND n.order_id = t.order_id AND n.sequence = t.sequence AND n.state IN ('held', 'pending');

-- name: ResendNotification :execrows
-- Attempts are numbered on, since their numbers are those of leases; the plan of retries begins anew.
UPDATE notifications n SET state = 'pending', url = coalesce(nullif(n.url, ''), s.notification_url), next_attempt_at = @at,
    leased_until = NULL, delivered_at = NULL, not_before = NULL, attempts_before = n.attempts
FROM shops s, orders o
WHERE s.id = n.shop_id AND o.shop_id = n.shop_id AND o.id = n.order_id
    AND n.shop_id = @shop_id AND n.order_id = @order_id AND n.sequence = @sequence AND coalesce(nullif(n.url, ''), s.notification_url) <> ''
    AND NOT EXISTS (
        SELECT 1 FROM addresses_off a WHERE a.shop_id = n.shop_id
            AND md5(a.url) = md5(coalesce(nullif(o.notification_url, ''), nullif(s.notification_url, ''), n.url))
    );

-- name: NotificationExists :one
SELECT EXISTS (SELECT 1 FROM notifications WHERE shop_id = @shop_id AND order_id = @order_id AND sequence = @sequence);

-- name: NotificationsOf :many
SELECT sequence, id, type, url, state, attempts, next_attempt_at, delivered_at, created_at
FROM notifications WHERE shop_id = @shop_id AND order_id = @order_id ORDER BY sequence;

-- name: DeadLetteredNotifications :many
SELECT shop_id, order_id, sequence, id, type, url, attempts, next_attempt_at, created_at
FROM notifications WHERE state = 'dead_lettered' AND (sqlc.narg('shop_id')::uuid IS NULL OR shop_id = sqlc.narg('shop_id')::uuid) ORDER BY shop_id, order_id, sequence LIMIT @max_rows;

-- name: Attempts :many
SELECT sequence, attempt, at, duration_ms, http_status, error
FROM notification_attempts WHERE shop_id = @shop_id AND order_id = @order_id ORDER BY sequence, attempt;

-- name: DueDeliveries :many
-- What is due and nobody is sending. Only an order's oldest is handed out. The others wait behind one that is given up, held,
-- planned for later or under way; they are put off, so that a thousand of them are not read a thousand times.
WITH due AS (
    SELECT d.shop_id, d.order_id, d.sequence, NOT EXISTS (
        SELECT 1 FROM notifications e
        WHERE e.shop_id = d.shop_id AND e.order_id = d.order_id AND e.sequence < d.sequence AND e.state IN ('pending', 'dead_lettered', 'held')
    ) AS oldest
    FROM notifications d
    WHERE d.state = 'pending' AND d.next_attempt_at <= @due AND (d.leased_until IS NULL OR d.leased_until < @now::timestamptz)
    ORDER BY d.next_attempt_at LIMIT @max_rows FOR NO KEY UPDATE SKIP LOCKED
), behind AS (
    UPDATE notifications n SET next_attempt_at = @later FROM due
    WHERE NOT due.oldest AND n.shop_id = due.shop_id AND n.order_id = due.order_id AND n.sequence = due.sequence
)
SELECT shop_id, order_id, oldest FROM due;
