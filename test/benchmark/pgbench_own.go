package benchmark

// ownSchema is what the service's own schema needs before the first order.
const ownSchema = `
INSERT INTO shops (id, name, created_at) VALUES ('00000000-0000-0000-0000-000000000001', 'bench', now());
INSERT INTO accounts (id, name, provider, currency, callback_token, callback_token_hash, created_at)
    VALUES ('00000000-0000-0000-0000-000000000001', 'EUR-bench', 'smartcore', 'EUR', 'x', 'x', now());
INSERT INTO account_shops VALUES ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000001', 1);
`

// The rows that a life leaves in the service's own schema, with its triggers and constraints, in the commits of the plain script.
// Places in the feed come from the key: a counter would have all clients wait for one row.
const (
	ownOrder = `WITH r AS (INSERT INTO order_references (shop_id, kind, reference, order_id) VALUES (:shop, 'payment', 'order-' || :key, :id)),
t AS (INSERT INTO order_transitions (shop_id, order_id, sequence, from_status, to_status, source, at) VALUES (:shop, :id, 1, '', 'created', 'request', now()))
INSERT INTO orders (shop_id, id, kind, reference, request_hash, status, operation, sequence, amount, currency, flow, provider, account_id, account_name, provider_order_id, details, created_at, updated_at, polls_since, next_poll_at)
    VALUES (:shop, :id, 'payment', 'order-' || :key, sha256(int8send(:key)), 'created', 'sale', 1, 1000, 'EUR', 'hosted', 'smartcore', :shop, 'EUR-bench', 'pr-' || lpad(to_hex(:key), 32, '0'), decode(repeat('ab', 330), 'hex'), now(), now(), now(), now() + interval '1 minute');`
	ownOutcome = `SELECT status FROM orders WHERE shop_id = :shop AND id = :id FOR UPDATE;
INSERT INTO order_transitions (shop_id, order_id, sequence, from_status, to_status, source, provider_data, at) VALUES (:shop, :id, 2, 'created', 'requires_action', 'answer', '{"status": "1", "response_type": "REDIRECT"}', now());
UPDATE orders SET status = 'requires_action', sequence = 2, provider_reference = 'order-' || :key, next_action = decode(repeat('ab', 150), 'hex'), updated_at = now(), next_poll_at = now() + interval '10 seconds' WHERE shop_id = :shop AND id = :id;
INSERT INTO provider_calls (shop_id, order_id, id, operation, outcome, started_at, duration_ms, provider_data, last_at) VALUES (:shop, :id, gen_random_uuid(), 'create_payment', 'requires_action', now(), 1, '{"status": "1"}', now());
INSERT INTO notifications (shop_id, order_id, sequence, id, type, payload, url, created_at, position) VALUES (:shop, :id, 2, gen_random_uuid(), 'payment.requires_action', decode(repeat('ab', 600), 'hex'), 'http://127.0.0.1/', now(), 2 * :key);`
	ownCallback = `SELECT status FROM orders WHERE shop_id = :shop AND id = :id FOR UPDATE;
INSERT INTO callbacks (account_id, dedupe_key, shop_id, order_id, provider_order_id, verdict, reported, provider_data, received_at)
    VALUES (:shop, sha256(int8send(:key)), :shop, :id, 'pr-' || lpad(to_hex(:key), 32, '0'), 'apply', 'succeeded', '{"amount": "1000", "status": "2", "type": "Payment", "currency": "EUR", "rrn": "318513456789"}', now());
INSERT INTO order_transitions (shop_id, order_id, sequence, from_status, to_status, source, provider_data, at)
    VALUES (:shop, :id, 3, 'requires_action', 'succeeded', 'callback', '{"amount": "1000", "status": "2", "type": "Payment", "currency": "EUR", "rrn": "318513456789"}', now());
UPDATE orders SET status = 'succeeded', sequence = 3, amount_captured = 1000, next_action = NULL, updated_at = now(), finalized_at = now(), next_poll_at = NULL WHERE shop_id = :shop AND id = :id;
INSERT INTO notifications (shop_id, order_id, sequence, id, type, payload, url, created_at, position)
    VALUES (:shop, :id, 3, gen_random_uuid(), 'payment.succeeded', decode(repeat('ab', 600), 'hex'), 'http://127.0.0.1/', now(), 2 * :key + 1);`
	ownAttempts = `INSERT INTO notification_attempts (shop_id, order_id, sequence, attempt, at, duration_ms, http_status)
    VALUES (:shop, :id, 2, 1, now(), 1, 200), (:shop, :id, 3, 1, now(), 1, 200);`

	ownLifeScript     = nextKey + "BEGIN;\n" + ownOrder + "\nCOMMIT;\nBEGIN;\n" + ownOutcome + "\nCOMMIT;\nBEGIN;\n" + ownCallback + "\n" + ownAttempts + "\nCOMMIT;\n"
	ownOpenScript     = nextKey + "BEGIN;\n" + ownOrder + "\n" + ownOutcome + "\nCOMMIT;\n"
	ownCallbackScript = nextKey + "BEGIN;\n" + ownCallback + "\nCOMMIT;\n"
)
