-- +goose Up
-- How many attempts a notification had had when an operator last sent it again: retries are planned by those since.
ALTER TABLE notifications ADD COLUMN attempts_before integer NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE notifications DROP COLUMN attempts_before;
