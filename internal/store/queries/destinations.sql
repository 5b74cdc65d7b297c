-- name: DestinationFailed :exec
-- From the most failures in a row on that are still taken for a coincidence, it is down, whatever it was before.
INSERT INTO failing_destinations AS d (shop_id, destination, failures) VALUES (@shop_id, @destination, 1)
ON CONFLICT (shop_id, destination) DO UPDATE SET failures = d.failures + 1,
    recovering_since = CASE WHEN d.failures + 1 < @down::integer THEN d.recovering_since END;

-- name: LockFailingDestination :one
-- Whoever has the row already looks after it.
SELECT failures, recovering_since FROM failing_destinations WHERE shop_id = @shop_id AND destination = @destination FOR UPDATE SKIP LOCKED;

-- name: DestinationRecovers :exec
UPDATE failing_destinations SET failures = 0, recovering_since = @since::timestamptz WHERE shop_id = @shop_id AND destination = @destination;

-- name: DestinationWorks :exec
DELETE FROM failing_destinations WHERE shop_id = @shop_id AND destination = @destination;

-- name: WakeNotifications :exec
-- Those that failed before the recovery are due, the next one first, each after a pause. What is due soon anyway counts.
WITH due AS (
    SELECT count(*) AS n FROM deliveries
    WHERE shop_id = @shop_id AND waits_for = @destination::text AND state = 'pending' AND next_attempt_at <= @soon::timestamptz
), picked AS (
    SELECT order_id, sequence, next_attempt_at FROM deliveries
    WHERE shop_id = @shop_id AND waits_for = @destination::text AND state = 'pending' AND next_attempt_at > @soon::timestamptz
        AND failed_at <= @since::timestamptz AND (not_before IS NULL OR not_before <= @soon::timestamptz)
        AND (leased_until IS NULL OR leased_until < @at::timestamptz)
    ORDER BY next_attempt_at LIMIT greatest(0, CAST(@most AS bigint) - (SELECT n FROM due)) FOR NO KEY UPDATE SKIP LOCKED
), turns AS (
    SELECT order_id, sequence, (SELECT n FROM due) + row_number() OVER (ORDER BY next_attempt_at) AS turn FROM picked
)
UPDATE deliveries n
SET next_attempt_at = (CAST(@at AS timestamptz) AT TIME ZONE 'UTC' + t.turn * CAST(@pause_ms AS bigint) * interval '1 millisecond') AT TIME ZONE 'UTC'
FROM turns t WHERE n.shop_id = @shop_id AND n.order_id = t.order_id AND n.sequence = t.sequence;

-- name: StillWaiting :one
SELECT EXISTS (
    SELECT 1 FROM deliveries
    WHERE shop_id = @shop_id AND waits_for = @destination::text AND state = 'pending' AND next_attempt_at > @soon::timestamptz
        AND failed_at <= @since::timestamptz AND (not_before IS NULL OR not_before <= @soon::timestamptz)
);
