-- +goose NO TRANSACTION
-- +goose Up
-- The reference comes first in its index. With the shop first, a plan made while the table was small could look up an order
-- by its shop alone and read all the orders of the shop, until the table is analyzed for the first time.
CREATE UNIQUE INDEX CONCURRENTLY orders_reference_first ON orders (reference, shop_id, kind);
ALTER TABLE orders DROP CONSTRAINT orders_reference_key, ADD CONSTRAINT orders_reference_key UNIQUE USING INDEX orders_reference_first;
-- Each provider's orders are checked apart, those whose outcome is open before those that wait for somebody.
CREATE INDEX CONCURRENTLY orders_due_open ON orders (provider, next_check_at) WHERE next_check_at IS NOT NULL AND status NOT IN ('requires_action', 'authorized');
CREATE INDEX CONCURRENTLY orders_due_waiting ON orders (provider, next_check_at) WHERE next_check_at IS NOT NULL AND status IN ('requires_action', 'authorized');
DROP INDEX CONCURRENTLY orders_due;

-- +goose Down
CREATE INDEX CONCURRENTLY orders_due ON orders (next_check_at) WHERE next_check_at IS NOT NULL;
DROP INDEX CONCURRENTLY orders_due_waiting;
DROP INDEX CONCURRENTLY orders_due_open;
CREATE UNIQUE INDEX CONCURRENTLY orders_shop_first ON orders (shop_id, kind, reference);
ALTER TABLE orders DROP CONSTRAINT orders_reference_key, ADD CONSTRAINT orders_reference_key UNIQUE USING INDEX orders_shop_first;
