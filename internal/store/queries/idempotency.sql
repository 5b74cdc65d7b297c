-- name: ClaimIdempotencyKey :execrows
-- One row: the caller goes ahead, for the first time or in place of one whose lease ran out without an answer.
INSERT INTO idempotency_keys AS k (shop_id, key, request_hash, owner, locked_until, created_at)
VALUES (@shop_id, @key, @request_hash, @owner::uuid, @locked_until, @now::timestamptz)
ON CONFLICT (shop_id, key) DO UPDATE SET locked_until = excluded.locked_until, owner = excluded.owner
WHERE k.status IS NULL AND k.locked_until <= @now::timestamptz AND k.request_hash = excluded.request_hash;

-- name: IdempotencyKeyByName :one
SELECT request_hash, status, header, body, owner FROM idempotency_keys WHERE shop_id = $1 AND key = $2;

-- name: FinishIdempotencyKey :execrows
-- The first answer stands: a repeat may have got it.
UPDATE idempotency_keys SET status = @status, header = @header, body = @body
WHERE shop_id = @shop_id AND key = @key AND owner = @owner::uuid AND status IS NULL;

-- name: RenewIdempotencyKey :execrows
UPDATE idempotency_keys SET locked_until = greatest(locked_until, @until)
WHERE shop_id = @shop_id AND key = @key AND status IS NULL AND owner = @owner::uuid;

-- name: AbandonIdempotencyKey :execrows
DELETE FROM idempotency_keys WHERE shop_id = @shop_id AND key = @key AND status IS NULL AND owner = @owner::uuid;
