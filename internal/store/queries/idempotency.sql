-- name: ClaimIdempotencyKey :execrows
-- One row: the caller goes ahead, for the first time or in place of one whose lease ran out without an answer. From then on
-- locked_until, which only grows, tells whose claim it is.
INSERT INTO idempotency_keys AS k (shop_id, key, request_hash, locked_until, created_at)
VALUES (@shop_id, @key, @request_hash, @locked_until, @now::timestamptz)
ON CONFLICT (shop_id, key) DO UPDATE SET locked_until = excluded.locked_until
WHERE k.status IS NULL AND k.locked_until <= @now::timestamptz AND k.request_hash = excluded.request_hash;

-- name: IdempotencyKeyByName :one
SELECT request_hash, status, header, body FROM idempotency_keys WHERE shop_id = $1 AND key = $2;

-- name: FinishIdempotencyKey :execrows
UPDATE idempotency_keys SET status = @status, header = @header, body = @body
WHERE shop_id = @shop_id AND key = @key AND status IS NULL AND locked_until = @locked_until;

-- name: RenewIdempotencyKey :execrows
UPDATE idempotency_keys SET locked_until = @until
WHERE shop_id = @shop_id AND key = @key AND status IS NULL AND locked_until = @locked_until AND locked_until < @until;

-- name: AbandonIdempotencyKey :execrows
DELETE FROM idempotency_keys WHERE shop_id = $1 AND key = $2 AND status IS NULL AND locked_until = $3;

-- name: ForgetIdempotencyKeys :execrows
DELETE FROM idempotency_keys WHERE ctid IN (
    SELECT old.ctid FROM idempotency_keys old WHERE old.created_at < @before LIMIT @max_rows
);
