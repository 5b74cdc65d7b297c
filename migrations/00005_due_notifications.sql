-- +goose Up
-- What is due and not under way is looked for every few seconds.
CREATE INDEX notifications_due ON notifications (next_attempt_at) WHERE state = 'pending';

-- +goose Down
DROP INDEX notifications_due;
