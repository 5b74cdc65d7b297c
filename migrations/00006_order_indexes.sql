-- +goose NO TRANSACTION
-- +goose Up
-- Every step can be taken again: a build that was interrupted leaves an invalid index behind.
--
-- The reference comes first in its index. With the shop first, a plan made while the table was small could look up an order
-- by its shop alone and read all the orders of the shop, until the table is analyzed for the first time.
DROP INDEX CONCURRENTLY IF EXISTS orders_reference_first;
CREATE UNIQUE INDEX CONCURRENTLY orders_reference_first ON orders (reference, shop_id, kind);
SET lock_timeout = '3s';
ALTER TABLE orders DROP CONSTRAINT orders_reference_key, ADD CONSTRAINT orders_reference_key UNIQUE USING INDEX orders_reference_first;
RESET lock_timeout;
-- Each provider's orders are checked apart, those whose outcome is open before those that wait for somebody. The index on
-- next_check_at alone stays for the version before, and for the gauges.
DROP INDEX CONCURRENTLY IF EXISTS orders_due_open;
CREATE INDEX CONCURRENTLY orders_due_open ON orders (provider, next_check_at) WHERE next_check_at IS NOT NULL AND status NOT IN ('requires_action', 'authorized');
DROP INDEX CONCURRENTLY IF EXISTS orders_due_waiting;
CREATE INDEX CONCURRENTLY orders_due_waiting ON orders (provider, next_check_at) WHERE next_check_at IS NOT NULL AND status IN ('requires_action', 'authorized');

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS orders_due_waiting;
DROP INDEX CONCURRENTLY IF EXISTS orders_due_open;
DROP INDEX CONCURRENTLY IF EXISTS orders_shop_first;
CREATE UNIQUE INDEX CONCURRENTLY orders_shop_first ON orders (shop_id, kind, reference);
SET lock_timeout = '3s';
ALTER TABLE orders DROP CONSTRAINT orders_reference_key, ADD CONSTRAINT orders_reference_key UNIQUE USING INDEX orders_shop_first;
RESET lock_timeout;
