-- name: OldestUndelivered :one
-- It goes where the order says, or else where the shop's notifications go by now: the address may have been moved since.
SELECT d.sequence, n.id, n.payload, o.data_key, n.url AS made_for, o.notification_url AS own,
    coalesce(nullif(o.notification_url, ''), nullif(s.notification_url, ''), d.url)::text AS url, d.state, d.attempts, d.attempts_before, d.next_attempt_at, d.leased_until, d.created_at,
    s.name AS shop_name, o.account_name, s.allow_cidrs, EXISTS (
        SELECT 1 FROM addresses_off a WHERE a.shop_id = @shop_id AND md5(a.url) = md5(coalesce(nullif(o.notification_url, ''), nullif(s.notification_url, ''), d.url)::text)
    ) AS off
FROM deliveries d JOIN notifications n ON n.shop_id = d.shop_id AND n.order_id = d.order_id AND n.sequence = d.sequence
    JOIN shops s ON s.id = d.shop_id JOIN orders o ON o.shop_id = d.shop_id AND o.id = d.order_id
WHERE d.shop_id = @shop_id AND d.order_id = @order_id
ORDER BY d.sequence LIMIT 1 FOR NO KEY UPDATE OF d;

-- name: LeaseDelivery :execrows
UPDATE deliveries SET leased_until = @leased_until, attempts = attempts + 1, url = @url
WHERE shop_id = @shop_id AND order_id = @order_id AND sequence = @sequence AND state = 'pending';

-- name: KeepAddressOff :one
-- Held until the caller commits, so that nobody resumes while it holds notifications back.
SELECT 1::integer FROM addresses_off WHERE shop_id = @shop_id AND md5(url) = md5(@url::text) FOR KEY SHARE;

-- name: HoldOrder :execrows
UPDATE deliveries SET state = 'held', leased_until = NULL WHERE shop_id = @shop_id AND order_id = @order_id AND state = 'pending';

-- name: InsertAttempt :execrows
INSERT INTO notification_attempts (shop_id, order_id, sequence, attempt, at, duration_ms, http_status, error, moved_to)
VALUES (@shop_id, @order_id, @sequence, @attempt, @at, @duration_ms, @http_status, @error, @moved_to) ON CONFLICT DO NOTHING;

-- name: NotificationFailed :execrows
-- Only the holder of the newest lease decides when to try again.
UPDATE deliveries SET state = @state, next_attempt_at = @next_attempt_at, leased_until = NULL,
    waits_for = sqlc.narg(waits_for), failed_at = @failed_at::timestamptz, not_before = sqlc.narg(not_before)
WHERE shop_id = @shop_id AND order_id = @order_id AND sequence = @sequence AND state = 'pending' AND attempts = @attempt;

-- name: LockShopByID :one
-- Before any notification is locked, or two that switch the same shop off could wait for each other.
SELECT id FROM shops WHERE id = $1 FOR NO KEY UPDATE;

-- name: GoneForNow :one
-- Whether an attempt speaks for its notification: its lease is the newest, and it went where the notification would go now.
SELECT (coalesce(nullif(o.notification_url, ''), nullif(s.notification_url, ''), d.url) = @url::text)::boolean AS current
FROM deliveries d JOIN shops s ON s.id = d.shop_id JOIN orders o ON o.shop_id = d.shop_id AND o.id = d.order_id
WHERE d.shop_id = @shop_id AND d.order_id = @order_id AND d.sequence = @sequence AND d.state = 'pending' AND d.attempts = @attempt
FOR NO KEY UPDATE OF d;

-- name: SwitchAddressOff :exec
INSERT INTO addresses_off (shop_id, url, at) VALUES (@shop_id, @url, @at) ON CONFLICT DO NOTHING;

-- name: SwitchAddressesOn :exec
DELETE FROM addresses_off WHERE shop_id = $1;

-- name: SwitchedOffAddresses :many
SELECT a.shop_id, a.url, a.at, (SELECT count(*) FROM deliveries d WHERE d.shop_id = a.shop_id AND d.state = 'held' AND d.url = a.url) AS held
FROM addresses_off a ORDER BY a.shop_id, a.at, a.url;

-- name: ReleaseShop :exec
-- What a shop waits for or was held back is due, one order after the other, each after a pause; its retries begin anew.
WITH waiting AS (
    SELECT d.order_id, d.sequence, min(n.position) OVER (PARTITION BY d.order_id) AS first
    FROM deliveries d JOIN notifications n ON n.shop_id = d.shop_id AND n.order_id = d.order_id AND n.sequence = d.sequence
    WHERE d.shop_id = @shop_id AND (d.state = 'held' OR d.state = 'pending' AND d.waits_for IS NOT NULL AND d.next_attempt_at > @at::timestamptz)
), turns AS (
    SELECT order_id, sequence, dense_rank() OVER (ORDER BY first) AS turn FROM waiting
)
UPDATE deliveries d SET state = 'pending', attempts_before = d.attempts, not_before = NULL,
    next_attempt_at = (CAST(@at AS timestamptz) AT TIME ZONE 'UTC' + (t.turn - 1) * CAST(@pause_ms AS bigint) * interval '1 millisecond') AT TIME ZONE 'UTC'
FROM turns t
WHERE d.shop_id = @shop_id AND d.order_id = t.order_id AND d.sequence = t.sequence AND d.state IN ('held', 'pending');

-- name: ResendNotification :execrows
-- Attempts are numbered on, since their numbers are those of leases; the plan of retries begins anew.
WITH made AS (
    SELECT coalesce(max(t.attempt), 0)::integer AS attempts FROM notification_attempts t
    WHERE t.shop_id = @shop_id AND t.order_id = @order_id AND t.sequence = @sequence
), resent AS (
    SELECT n.shop_id, n.order_id, n.sequence, coalesce(w.url, nullif(n.url, ''), s.notification_url) AS url, n.created_at,
        coalesce(nullif(o.notification_url, ''), nullif(s.notification_url, ''), w.url, n.url) AS goes_to
    FROM notifications n JOIN shops s ON s.id = n.shop_id JOIN orders o ON o.shop_id = n.shop_id AND o.id = n.order_id
        LEFT JOIN deliveries w ON w.shop_id = n.shop_id AND w.order_id = n.order_id AND w.sequence = n.sequence
    WHERE n.shop_id = @shop_id AND n.order_id = @order_id AND n.sequence = @sequence AND n.payload IS NOT NULL
)
INSERT INTO deliveries AS d (shop_id, order_id, sequence, state, url, attempts, attempts_before, next_attempt_at, created_at)
SELECT resent.shop_id, resent.order_id, resent.sequence, 'pending', resent.url, made.attempts, made.attempts, @at, resent.created_at
FROM resent CROSS JOIN made
WHERE resent.url <> '' AND NOT EXISTS (SELECT 1 FROM addresses_off a WHERE a.shop_id = @shop_id AND md5(a.url) = md5(resent.goes_to))
ON CONFLICT (shop_id, order_id, sequence) DO UPDATE SET state = 'pending', next_attempt_at = excluded.next_attempt_at,
    leased_until = NULL, not_before = NULL, attempts_before = d.attempts;

-- name: NotificationHasPayload :one
SELECT (payload IS NOT NULL)::boolean FROM notifications WHERE shop_id = @shop_id AND order_id = @order_id AND sequence = @sequence;

-- name: NotificationsOf :many
-- What no attempt delivered has the beginning of 1970 as delivered_at, and is unrecorded if nothing is to deliver it any more.
SELECT n.sequence, n.id, n.type, coalesce(d.url, nullif(t.moved_to, ''), n.url)::text AS url,
    coalesce(d.state, CASE WHEN t.delivered_at IS NOT NULL THEN 'delivered' WHEN n.url = '' AND t.attempts IS NULL THEN 'feed' ELSE 'unrecorded' END)::text AS state,
    coalesce(d.attempts, t.attempts, 0)::integer AS attempts, coalesce(d.next_attempt_at, n.created_at)::timestamptz AS next_attempt_at,
    coalesce(CASE WHEN d.state IS NULL THEN t.delivered_at END, 'epoch')::timestamptz AS delivered_at, n.created_at
FROM notifications n LEFT JOIN deliveries d ON d.shop_id = n.shop_id AND d.order_id = n.order_id AND d.sequence = n.sequence
    LEFT JOIN LATERAL (
        SELECT max(a.attempt) AS attempts, max(a.at + a.duration_ms * interval '1 millisecond') FILTER (WHERE a.error = '') AS delivered_at,
            (array_agg(a.moved_to ORDER BY a.error = '' DESC, a.attempt DESC))[1] AS moved_to
        FROM notification_attempts a WHERE a.shop_id = n.shop_id AND a.order_id = n.order_id AND a.sequence = n.sequence
    ) t ON true
WHERE n.shop_id = @shop_id AND n.order_id = @order_id ORDER BY n.sequence;

-- name: DeadLetteredNotifications :many
SELECT d.shop_id, d.order_id, d.sequence, n.id, n.type, d.url, d.attempts, d.next_attempt_at, d.created_at
FROM deliveries d JOIN notifications n ON n.shop_id = d.shop_id AND n.order_id = d.order_id AND n.sequence = d.sequence
WHERE d.state = 'dead_lettered' AND (sqlc.narg('shop_id')::uuid IS NULL OR d.shop_id = sqlc.narg('shop_id')::uuid) ORDER BY d.shop_id, d.order_id, d.sequence LIMIT @max_rows;

-- name: Attempts :many
SELECT sequence, attempt, at, duration_ms, http_status, error
FROM notification_attempts WHERE shop_id = @shop_id AND order_id = @order_id ORDER BY sequence, attempt;

-- name: DueDeliveries :many
-- What is due and nobody is sending. Only an order's oldest is handed out. The others wait behind one that is given up, held,
-- planned for later or under way; they are put off, so that a thousand of them are not read a thousand times.
WITH due AS (
    SELECT d.shop_id, d.order_id, d.sequence, NOT EXISTS (
        SELECT 1 FROM deliveries e WHERE e.shop_id = d.shop_id AND e.order_id = d.order_id AND e.sequence < d.sequence
            AND (sqlc.narg('shop_id')::uuid IS NULL OR e.shop_id = sqlc.narg('shop_id')::uuid)
    ) AS oldest
    FROM deliveries d
    WHERE d.state = 'pending' AND d.next_attempt_at <= @due AND (d.leased_until IS NULL OR d.leased_until < @now::timestamptz)
        AND (sqlc.narg('shop_id')::uuid IS NULL OR d.shop_id = sqlc.narg('shop_id')::uuid)
    ORDER BY d.next_attempt_at LIMIT @max_rows FOR NO KEY UPDATE SKIP LOCKED
), behind AS (
    UPDATE deliveries n SET next_attempt_at = @later FROM due
    WHERE NOT due.oldest AND n.shop_id = due.shop_id AND n.order_id = due.order_id AND n.sequence = due.sequence
        AND (sqlc.narg('shop_id')::uuid IS NULL OR n.shop_id = sqlc.narg('shop_id')::uuid)
)
SELECT shop_id, order_id, oldest FROM due;

-- name: ShopsOfDueDeliveries :many
SELECT shop_id FROM deliveries WHERE state = 'pending' AND next_attempt_at <= @due AND (leased_until IS NULL OR leased_until < @now::timestamptz)
GROUP BY shop_id ORDER BY min(next_attempt_at) LIMIT @max_rows;
