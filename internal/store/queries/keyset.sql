-- name: ReplicaSeen :exec
WITH gone AS (DELETE FROM replicas WHERE seen_at < sqlc.arg(forgotten)::timestamptz)
INSERT INTO replicas (id, host, version, key_ids, primary_key, started_at, seen_at)
VALUES (@id, @host, @version, @key_ids, @primary_key, @started_at, @seen_at) ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at;

-- name: ReplicaGone :exec
DELETE FROM replicas WHERE id = $1;

-- name: LiveReplicas :many
SELECT id, host, version, key_ids, primary_key, started_at, seen_at FROM replicas WHERE seen_at > @since ORDER BY host, started_at;

-- name: ReencryptionProgress :many
SELECT place, key_id, after, rewritten, finished FROM reencryptions ORDER BY place;

-- name: SetReencryptionProgress :exec
INSERT INTO reencryptions (place, key_id, after, rewritten, finished, updated_at) VALUES (@place, @key_id, @after, @rewritten, @finished, @updated_at)
ON CONFLICT (place) DO UPDATE SET key_id = excluded.key_id, after = excluded.after, rewritten = excluded.rewritten, finished = excluded.finished, updated_at = excluded.updated_at;
