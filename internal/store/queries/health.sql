-- name: AddAccountHealth :exec
WITH gone AS (DELETE FROM account_health WHERE minute < sqlc.arg(forgotten)::timestamptz)
INSERT INTO account_health AS h (account_id, minute, answered, not_sent, unknown)
SELECT x.account_id, @minute::timestamptz, x.answered, x.not_sent, x.unknown
FROM (SELECT unnest(@accounts::uuid[]) AS account_id, unnest(@answered::bigint[]) AS answered, unnest(@not_sent::bigint[]) AS not_sent,
    unnest(@unknown::bigint[]) AS unknown) x
ORDER BY x.account_id
ON CONFLICT (account_id, minute) DO UPDATE SET answered = h.answered + excluded.answered, not_sent = h.not_sent + excluded.not_sent, unknown = h.unknown + excluded.unknown;

-- name: AccountHealthMinutes :many
-- Of a demoted account few calls are made, so more of the past is needed.
SELECT account_id, minute, answered, not_sent, unknown FROM account_health
WHERE minute >= sqlc.arg(recent)::timestamptz
    OR minute >= sqlc.arg(oldest)::timestamptz AND account_id IN (SELECT d.account_id FROM account_demotions d WHERE d.demoted)
ORDER BY account_id, minute DESC;

-- name: AccountDemotions :many
SELECT d.account_id, a.name, d.demoted, d.changed_at, d.calls, d.failed FROM account_demotions d JOIN accounts a ON a.id = d.account_id;

-- name: ChangeDemotion :execrows
-- Only one replica makes a change.
INSERT INTO account_demotions AS d (account_id, demoted, changed_at, calls, failed) VALUES (@account_id, @demoted, @changed_at, @calls, @failed)
ON CONFLICT (account_id) DO UPDATE SET demoted = excluded.demoted, changed_at = excluded.changed_at, calls = excluded.calls, failed = excluded.failed
WHERE d.changed_at = sqlc.arg(before)::timestamptz;
