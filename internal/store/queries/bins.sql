-- name: BINTableVersion :many
-- None or one.
SELECT version, imported_at FROM bin_table;

-- name: BINTableContent :many
-- None or one.
SELECT content FROM bin_table;

-- name: BINTable :many
-- None or one.
SELECT version, encode(sha256(content), 'hex')::text AS digest, author, reason, imported_at FROM bin_table;

-- name: ReplaceBINTable :exec
INSERT INTO bin_table (one_row, version, content, author, reason, imported_at) VALUES (true, @version, @content, @author, @reason, @imported_at)
ON CONFLICT (one_row) DO UPDATE SET version = excluded.version, content = excluded.content, author = excluded.author, reason = excluded.reason, imported_at = excluded.imported_at;
