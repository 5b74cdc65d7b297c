-- name: InsertAudit :exec
INSERT INTO audit_log (id, at, actor, actor_kind, host, claimed_by, action, object_kind, object_id, shop, before, after, reason)
VALUES (@id, @at, @actor, @actor_kind, @host, @claimed_by, @action, @object_kind, @object_id, @shop, sqlc.narg(before), sqlc.narg(after), @reason);

-- name: AuditEntries :many
-- The oldest first, after an id. An empty word matches everything.
SELECT id, at, actor, actor_kind, host, claimed_by, action, object_kind, object_id, shop, before, after, reason FROM audit_log
WHERE id > @after_id AND at >= @since AND at < @until
    AND (@shop::text = '' OR shop = @shop) AND (@actor::text = '' OR actor = @actor OR claimed_by = @actor)
    AND (@action::text = '' OR starts_with(action, @action)) AND (@object_id::text = '' OR object_id = @object_id)
ORDER BY id LIMIT @max_rows;

-- name: LatestAuditEntries :many
-- As AuditEntries, the newest first.
SELECT id, at, actor, actor_kind, host, claimed_by, action, object_kind, object_id, shop, before, after, reason FROM audit_log
WHERE at >= @since AND at < @until
    AND (@shop::text = '' OR shop = @shop) AND (@actor::text = '' OR actor = @actor OR claimed_by = @actor)
    AND (@action::text = '' OR starts_with(action, @action)) AND (@object_id::text = '' OR object_id = @object_id)
ORDER BY id DESC LIMIT @max_rows;
