-- name: ClaimRetention :execrows
UPDATE retention SET leased_until = @leased_until::timestamptz WHERE leased_until <= @now::timestamptz AND last_run_at <= @last_before::timestamptz;

-- name: CountRemoved :execrows
-- No row: the lease is another's by now, and what this transaction removed stays.
UPDATE retention SET leased_until = @leased_until::timestamptz,
    attempts_removed_before = CASE WHEN @name::text = 'notification_attempts' THEN greatest(attempts_removed_before, @before::timestamptz) ELSE attempts_removed_before END,
    removed = CASE WHEN @rows::bigint = 0 THEN removed
        ELSE jsonb_set(removed, ARRAY[@name::text], to_jsonb(coalesce((removed ->> @name::text)::bigint, 0) + @rows::bigint)) END
WHERE leased_until = @held_until::timestamptz;

-- name: EndRetention :one
UPDATE retention r SET leased_until = 'epoch', last_run_at = CASE WHEN @whole::boolean THEN @now::timestamptz ELSE r.last_run_at END, removed = '{}' FROM (SELECT removed FROM retention FOR UPDATE) old
WHERE r.leased_until = @held_until::timestamptz RETURNING old.removed;

-- name: ReleaseRetention :exec
UPDATE retention SET leased_until = 'epoch' WHERE leased_until = @held_until::timestamptz;

-- name: AttemptsRemovedBefore :one
SELECT attempts_removed_before FROM retention;

-- name: LastRetention :one
SELECT last_run_at FROM retention;
