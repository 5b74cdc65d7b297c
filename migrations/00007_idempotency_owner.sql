-- +goose Up
-- Whose claim a key is. The end of its lease used to tell, but a request that does not learn whether its renewal was written
-- no longer knew it, and could not keep its answer.
ALTER TABLE idempotency_keys ADD COLUMN owner uuid;

-- +goose Down
ALTER TABLE idempotency_keys DROP COLUMN owner;
