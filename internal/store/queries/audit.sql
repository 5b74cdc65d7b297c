-- name: InsertAudit :exec
INSERT INTO audit_log (id, seq, at, actor, actor_kind, host, claimed_by, action, object_kind, object_id, shop, before, after, reason, owner_id, seals, seal)
VALUES (@id, @seq, @at, @actor, @actor_kind, @host, @claimed_by, @action, @object_kind, @object_id, @shop, sqlc.narg(before), sqlc.narg(after), @reason,
    sqlc.narg(owner_id), sqlc.narg(seals), @seal);

-- name: LockAudit :exec
-- One entry at a time is added, until the caller commits.
SELECT pg_advisory_xact_lock(hashtext('audit_log'));

-- name: AuditHead :many
-- The newest entry, or none.
SELECT seq, seal FROM audit_log ORDER BY seq DESC LIMIT 1;

-- name: AuditSeal :many
-- Of the entry with that number, if there is one.
SELECT seal FROM audit_log WHERE seq = $1;

-- name: AuditAfter :many
-- In the order in which they were added.
SELECT id, seq, at, actor, actor_kind, host, claimed_by, action, object_kind, object_id, shop, before, after, reason, owner_id, seals, seal FROM audit_log
WHERE seq > @after_seq ORDER BY seq LIMIT @max_rows;

-- name: AuditOfOwner :many
-- The entries of a shop or account before a number, the newest first, each with the seal of the entry before it.
SELECT sqlc.embed(a), coalesce((SELECT b.seal FROM audit_log b WHERE b.seq = a.seq - 1), '')::bytea AS before_seal FROM audit_log a
WHERE a.owner_id = @owner_id::uuid AND a.seq < @before_seq ORDER BY a.seq DESC LIMIT @max_rows;

-- name: NewestAuditAbout :many
-- The newest entry about an object, or none, with the seal of the entry before it.
SELECT sqlc.embed(a), coalesce((SELECT b.seal FROM audit_log b WHERE b.seq = a.seq - 1), '')::bytea AS before_seal FROM audit_log a
WHERE a.object_kind = @object_kind AND a.object_id = @object_id ORDER BY a.seq DESC LIMIT 1;

-- name: LockConfiguration :exec
-- Nobody else changes shops, keys and accounts until the caller commits. Everybody may read them.
LOCK TABLE shops, shop_keys, webhook_secrets, shop_rates, accounts, account_secrets, account_shops, limits IN SHARE ROW EXCLUSIVE MODE;

-- name: AuditEntries :many
-- The oldest first, after an id. An empty word matches everything.
SELECT id, seq, at, actor, actor_kind, host, claimed_by, action, object_kind, object_id, shop, before, after, reason, owner_id, seals, seal FROM audit_log
WHERE id > @after_id AND at >= @since AND at < @until
    AND (@shop::text = '' OR shop = @shop) AND (@actor::text = '' OR actor = @actor OR claimed_by = @actor)
    AND (@action::text = '' OR starts_with(action, @action)) AND (@object_id::text = '' OR object_id = @object_id)
ORDER BY id LIMIT @max_rows;

-- name: LatestAuditEntries :many
-- As AuditEntries, the newest first.
SELECT id, seq, at, actor, actor_kind, host, claimed_by, action, object_kind, object_id, shop, before, after, reason, owner_id, seals, seal FROM audit_log
WHERE at >= @since AND at < @until
    AND (@shop::text = '' OR shop = @shop) AND (@actor::text = '' OR actor = @actor OR claimed_by = @actor)
    AND (@action::text = '' OR starts_with(action, @action)) AND (@object_id::text = '' OR object_id = @object_id)
ORDER BY id DESC LIMIT @max_rows;

-- name: AccountTests :many
-- The newest of each account.
SELECT DISTINCT ON (object_id) object_id, at, after FROM audit_log
WHERE object_kind = 'account' AND action = 'account test' AND after->>'staged' = 'false' ORDER BY object_id, seq DESC;
