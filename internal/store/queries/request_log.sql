-- name: InsertRequests :execrows
INSERT INTO request_log (shop_id, id, at, request_id, method, route, status, code, key_id, client_ip, duration_ms, order_id, replayed)
SELECT u.shop_id, u.id, u.at, u.request_id, u.method, u.route, u.status, u.code, u.key_id, u.client_ip, u.duration_ms,
    nullif(u.order_id, '00000000-0000-0000-0000-000000000000'::uuid), u.replayed
FROM (SELECT unnest(@shop_ids::uuid[]) AS shop_id, unnest(@ids::uuid[]) AS id, unnest(@ats::timestamptz[]) AS at, unnest(@request_ids::text[]) AS request_id,
    unnest(@methods::text[]) AS method, unnest(@routes::text[]) AS route, unnest(@statuses::integer[]) AS status, unnest(@codes::text[]) AS code,
    unnest(@key_ids::text[]) AS key_id, unnest(@client_ips::text[]) AS client_ip, unnest(@durations::bigint[]) AS duration_ms,
    unnest(@order_ids::uuid[]) AS order_id, unnest(@replays::boolean[]) AS replayed) u
ON CONFLICT DO NOTHING;

-- name: Requests :many
SELECT r.id, r.at, r.request_id, r.method, r.route, r.status, r.code, r.key_id, r.client_ip, r.duration_ms, r.order_id, r.replayed
FROM request_log r
WHERE r.shop_id = @shop_id AND r.id < @before
    AND (@status_class::integer = 0 OR r.status / 100 = @status_class::integer)
    AND (sqlc.narg('order_id')::uuid IS NULL OR r.order_id = sqlc.narg('order_id')::uuid)
ORDER BY r.id DESC LIMIT @max_rows;
