-- Spreads an empty payrelay database over a Citus cluster: every table of a shop by shop_id, all on the shop's node. To be run once
-- with psql on the coordinator, after "server migrate up" and before the first order. See docs/scaling.md.
BEGIN;
SET LOCAL citus.enable_unsafe_triggers = on;                -- the nodes need it too, in postgresql.conf
SET LOCAL citus.multi_shard_modify_mode = 'sequential';     -- reference tables are created in the same transaction
SET LOCAL client_min_messages = warning;

-- Where each table goes, and why. A table that is missing here ends the script.
CREATE TEMPORARY TABLE placement (name text, place text, reason text) ON COMMIT DROP;
INSERT INTO placement (name, place, reason) VALUES
    ('shops', 'reference', 'rows of every shop are joined with it'),
    ('accounts', 'reference', 'rows of every shop are joined with it'),
    ('legal_transitions', 'reference', 'every step is compared with it, on the node of the shop'),
    ('feed_epochs', 'reference', 'every feed is read with it'),
    ('orders', 'shop', ''),
    ('order_transitions', 'shop', ''),
    ('order_references', 'shop', ''),
    ('order_names', 'shop', ''),
    ('order_fingerprints', 'shop', ''),
    ('payout_approvals', 'shop', ''),
    ('open_orders', 'shop', ''),
    ('order_conflicts', 'shop', ''),
    ('order_attempts', 'shop', ''),
    ('legal_dispute_steps', 'reference', 'every step of a dispute is compared with it, on the node of the shop'),
    ('disputes', 'shop', ''),
    ('dispute_steps', 'shop', ''),
    ('mandates', 'shop', ''),
    ('mandate_decisions', 'shop', ''),
    ('mandate_runs', 'shop', ''),
    ('imported_orders', 'local', 'one parent for all shops, written by operators only'),
    ('order_holds', 'shop', ''),
    ('provider_calls', 'shop', ''),
    ('callbacks', 'shop', ''),
    ('callback_keys', 'shop', ''),
    ('orderless_callbacks', 'local', 'no shop is known for them'),
    ('addresses_off', 'shop', ''),
    ('failing_destinations', 'shop', ''),
    ('feed_positions', 'shop', ''),
    ('feed_rewinds', 'shop', ''),
    ('notifications', 'shop', ''),
    ('deliveries', 'shop', ''),
    ('notification_attempts', 'shop', ''),
    ('idempotency_keys', 'shop', ''),
    ('request_log', 'shop', ''),
    ('transaction_reports', 'shop', ''),
    ('transaction_report_rows', 'shop', ''),
    ('shop_keys', 'local', 'read whole by every process, a short while after each change'),
    ('shop_key_uses', 'local', 'as shop_keys'),
    ('shop_rates', 'local', 'as shop_keys'),
    ('limits', 'local', 'as shop_keys'),
    ('paused_shops', 'local', 'as shop_keys'),
    ('limit_uses', 'local', 'counts over all shops'),
    ('limit_reservations', 'local', 'changes with limit_uses'),
    ('webhook_secrets', 'local', 'as shop_keys'),
    ('replicas', 'local', 'a row for each process'),
    ('reencryptions', 'local', 'a row for each encrypted column'),
    ('account_shops', 'reference', 'every new order is compared with it, on the node of the shop'),
    ('account_secrets', 'local', 'as shop_keys'),
    ('routing_sets', 'local', 'as shop_keys'),
    ('bin_table', 'local', 'as shop_keys'),
    ('account_health', 'local', 'counts over all shops'),
    ('account_demotions', 'local', 'changes with account_health'),
    ('directory', 'view', 'see below'),
    ('service_keys', 'local', 'read once by every process'),
    ('audit_log', 'local', 'written by operators only'),
    ('retention', 'local', 'one row, of the process that removes what is old'),
    ('goose_db_version', 'local', 'written by migrations only');

DO $$
DECLARE
    missing text;
BEGIN
    SELECT string_agg(c.relname, ', ') INTO missing FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
        AND c.relname NOT IN (SELECT name FROM placement);
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION 'deploy/citus/distribute.sql says nothing of these tables: %', missing;
    END IF;
    IF (SELECT count(*) FROM orders) > 0 THEN
        RAISE EXCEPTION 'the database has orders already: distribute an empty one, and copy the rows into it (docs/scaling.md)';
    END IF;
END $$;

-- Tables -----------------------------------------------------------------------------------------------------------
-- Triggers are put back below, in another form.
CREATE TEMPORARY TABLE counted ON COMMIT DROP AS
SELECT DISTINCT t.tgrelid::regclass::text AS name FROM pg_trigger t WHERE t.tgfoid = 'directory_changed'::regproc;
DROP FUNCTION directory_changed CASCADE;
DROP FUNCTION order_transitions_check, orders_added, orders_changed, callbacks_added, notifications_check, notified_check CASCADE;

-- A table is distributed without its foreign keys, which are put back when all tables are in place.
CREATE TEMPORARY TABLE foreign_keys ON COMMIT DROP AS
SELECT c.conrelid::regclass::text AS name, c.conname, pg_get_constraintdef(c.oid) AS definition FROM pg_constraint c
WHERE c.contype = 'f' AND c.conparentid = 0 AND c.connamespace = 'public'::regnamespace;

DO $$
DECLARE
    k record;
    first text;
BEGIN
    FOR k IN SELECT * FROM foreign_keys LOOP
        EXECUTE format('ALTER TABLE %I DROP CONSTRAINT %I', k.name, k.conname);
    END LOOP;
    FOR k IN SELECT p.name FROM placement p WHERE p.place = 'reference' LOOP
        PERFORM create_reference_table(k.name::regclass);
    END LOOP;
    FOR k IN SELECT p.name FROM placement p WHERE p.place = 'shop' ORDER BY p.name <> 'orders' LOOP
        IF first IS NULL THEN
            PERFORM create_distributed_table(k.name::regclass, 'shop_id');
            first := k.name;
        ELSE
            PERFORM create_distributed_table(k.name::regclass, 'shop_id', colocate_with => first);
        END IF;
    END LOOP;
    FOR k IN SELECT * FROM foreign_keys LOOP
        EXECUTE format('ALTER TABLE %I ADD CONSTRAINT %I %s', k.name, k.conname, k.definition);
    END LOOP;
END $$;

-- Rules ------------------------------------------------------------------------------------------------------------
-- On one server the rules of orders are checked once a statement, over all of its rows. On a node a trigger sees the rows of one
-- shard, and may ask for other tables of one shop only: here each rule is checked once a row. They are the same rules.
CREATE FUNCTION order_transitions_check() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before text;
BEGIN
    SELECT p.to_status INTO before FROM order_transitions p
    WHERE p.shop_id = NEW.shop_id AND p.order_id = NEW.order_id AND p.sequence = NEW.sequence - 1;
    IF coalesce(before, '') <> NEW.from_status OR (before IS NULL) <> (NEW.sequence = 1) THEN
        PERFORM violated('order_transitions_gapless', 'order_transitions must follow one another without a gap');
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION orders_added() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    rule text;
BEGIN
    IF NOT EXISTS (SELECT 1 FROM order_transitions t WHERE t.shop_id = NEW.shop_id AND t.order_id = NEW.id AND t.sequence = NEW.sequence AND t.to_status = NEW.status) THEN
        rule := 'orders_status_has_history';
    ELSIF NOT EXISTS (SELECT 1 FROM order_references r WHERE r.reference = NEW.reference AND r.shop_id = NEW.shop_id AND r.kind = NEW.kind AND r.order_id = NEW.id AND r.parent_id IS NOT DISTINCT FROM NEW.parent_id) THEN
        rule := 'orders_reference';
    ELSIF NOT EXISTS (SELECT 1 FROM shops WHERE shops.id = NEW.shop_id AND (shops.mode = 'enabled' OR NEW.status <> 'created' OR NEW.parent_id IS NOT NULL AND NEW.kind <> 'payment'
        OR (SELECT t.source FROM order_transitions t WHERE t.shop_id = NEW.shop_id AND t.order_id = NEW.id AND t.sequence = NEW.sequence) <> 'request')) THEN
        rule := 'orders_shop_begins';
    ELSIF NOT EXISTS (SELECT 1 FROM accounts WHERE accounts.id = NEW.account_id AND (accounts.mode = 'enabled' AND EXISTS (SELECT 1 FROM account_shops l WHERE l.shop_id = NEW.shop_id AND l.account_id = NEW.account_id)
        OR NEW.status <> 'created' OR NEW.parent_id IS NOT NULL AND (accounts.mode <> 'closed' AND NEW.kind <> 'payment'
        OR (SELECT t.source FROM order_transitions t WHERE t.shop_id = NEW.shop_id AND t.order_id = NEW.id AND t.sequence = NEW.sequence) <> 'request'))) THEN
        rule := CASE WHEN EXISTS (SELECT 1 FROM accounts WHERE accounts.id = NEW.account_id AND accounts.mode = 'enabled') THEN 'orders_account_linked' ELSE 'orders_account_begins' END;
    END IF;
    IF rule IS NOT NULL THEN
        PERFORM violated(rule, 'an order must have its history, its reference, its shop, its account and its parent');
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION orders_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.shop_id, OLD.id, OLD.kind, OLD.reference) IS DISTINCT FROM (NEW.shop_id, NEW.id, NEW.kind, NEW.reference)
        OR OLD.parent_id IS DISTINCT FROM NEW.parent_id THEN
        PERFORM violated('orders_identity', 'the shop, id, kind, reference and parent of an order never change');
    ELSIF (OLD.account_id, OLD.provider_order_id) IS DISTINCT FROM (NEW.account_id, NEW.provider_order_id) AND (NEW.status <> 'created' OR NOT EXISTS (
        SELECT 1 FROM order_attempts t WHERE t.shop_id = NEW.shop_id AND t.order_id = NEW.id AND t.account_id = OLD.account_id AND t.provider_order_id = OLD.provider_order_id
            AND (t.reason NOT LIKE 'declined\_by\_%' OR NEW.cascade = 'issuer' OR NEW.cascade = 'provider' AND t.reason = 'declined_by_provider')
    )) THEN
        PERFORM violated('orders_account_proof', 'an order goes to another account only while it is created, after an attempt that sent nothing or was declined as its cascade allows');
    ELSIF OLD.account_id <> NEW.account_id AND NOT EXISTS (
        SELECT 1 FROM accounts JOIN account_shops l ON l.account_id = accounts.id WHERE accounts.id = NEW.account_id AND l.shop_id = NEW.shop_id AND accounts.mode = 'enabled'
    ) THEN
        PERFORM violated('orders_account_begins', 'an order goes to an account of its shop that begins orders');
    ELSIF (OLD.sequence, OLD.status) IS DISTINCT FROM (NEW.sequence, NEW.status) AND NOT EXISTS (
        SELECT 1 FROM order_transitions t WHERE t.shop_id = NEW.shop_id AND t.order_id = NEW.id AND t.sequence = NEW.sequence AND t.to_status = NEW.status
    ) THEN
        PERFORM violated('orders_status_has_history', 'a status must be the end of the history');
    END IF;
    RETURN NULL;
END $$;

-- The copies of an order that it is searched by.
CREATE FUNCTION orders_copied() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    called text;
BEGIN
    IF NEW.finalized_at IS NULL OR NEW.next_poll_at IS NOT NULL OR NEW.conflicts > 0 THEN
        INSERT INTO open_orders (shop_id, order_id, provider, kind, status, in_conflict, since, next_poll_at)
        VALUES (NEW.shop_id, NEW.id, NEW.provider, NEW.kind, NEW.status, NEW.conflicts > 0, NEW.updated_at, NEW.next_poll_at)
        ON CONFLICT (shop_id, order_id) DO UPDATE SET status = excluded.status, in_conflict = excluded.in_conflict,
            since = excluded.since, next_poll_at = excluded.next_poll_at;
    ELSE
        DELETE FROM open_orders WHERE shop_id = NEW.shop_id AND order_id = NEW.id;
    END IF;
    FOR called IN SELECT NEW.provider_reference WHERE NEW.provider_reference <> '' UNION SELECT jsonb_object_keys(NEW.bank_references) LOOP
        INSERT INTO order_names (name_hash, shop_id, order_id) VALUES (md5(called)::uuid, NEW.shop_id, NEW.id) ON CONFLICT DO NOTHING;
    END LOOP;
    RETURN NULL;
END $$;

-- What is kept in memory is read anew when this number has moved. Triggers of tables that are on several nodes cannot count, so here
-- the number is made of what the tables hold, and the time is the rest of their checksum.
DROP TABLE directory;
DO $$
BEGIN
    EXECUTE 'CREATE VIEW directory AS
        SELECT true AS one_row, sum & 524287 AS generation, timestamptz ''epoch'' + (sum >> 19 & 35184372088831) * interval ''1 microsecond'' AS changed_at
        FROM (SELECT coalesce(bit_xor(hashtextextended(held.line, held.source)), 0) AS sum FROM ('
        || (SELECT string_agg(format('SELECT %s AS source, %s AS line FROM %I t', ordinal, line, name), ' UNION ALL ')
            FROM (SELECT name, row_number() OVER (ORDER BY name) AS ordinal,
                -- A list of BINs is large, and has a new version with each change.
                CASE name WHEN 'bin_table' THEN '(t.version, t.imported_at)::text' ELSE 't::text' END AS line FROM counted) c)
        || ') held) checksum';
END $$;

CREATE FUNCTION callbacks_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO callback_keys (dedupe_key, shop_id, order_id, verdict, received_at) VALUES (NEW.dedupe_key, NEW.shop_id, NEW.order_id, NEW.verdict, NEW.received_at);
    RETURN NULL;
END $$;

CREATE TRIGGER callbacks_added AFTER INSERT ON callbacks FOR EACH ROW EXECUTE FUNCTION callbacks_added();
CREATE TRIGGER order_transitions_check BEFORE INSERT ON order_transitions FOR EACH ROW EXECUTE FUNCTION order_transitions_check();
CREATE TRIGGER orders_added AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION orders_added();
CREATE TRIGGER orders_changed AFTER UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION orders_changed();
CREATE TRIGGER orders_copied AFTER INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION orders_copied();
ALTER TABLE order_transitions ADD CONSTRAINT order_transitions_legal FOREIGN KEY (from_status, to_status) REFERENCES legal_transitions (from_status, to_status);
-- The history of a new order is written before the order, in one transaction.
ALTER TABLE order_transitions ADD CONSTRAINT order_transitions_order FOREIGN KEY (shop_id, order_id) REFERENCES orders (shop_id, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE orders ADD CONSTRAINT orders_shop FOREIGN KEY (shop_id) REFERENCES shops (id);
ALTER TABLE orders ADD CONSTRAINT orders_account FOREIGN KEY (account_id) REFERENCES accounts (id);
ALTER TABLE orders ADD CONSTRAINT orders_parent FOREIGN KEY (shop_id, parent_id) REFERENCES orders (shop_id, id);
ALTER TABLE notifications ADD CONSTRAINT notifications_transition FOREIGN KEY (shop_id, order_id, sequence) REFERENCES order_transitions (shop_id, order_id, sequence);
ALTER TABLE deliveries ADD CONSTRAINT deliveries_notification FOREIGN KEY (shop_id, order_id, sequence) REFERENCES notifications (shop_id, order_id, sequence);
ALTER TABLE notification_attempts ADD CONSTRAINT notification_attempts_notification FOREIGN KEY (shop_id, order_id, sequence) REFERENCES notifications (shop_id, order_id, sequence);

-- A rule of a whole statement that was added to the schema and not here would fail in daily work.
DO $$
DECLARE
    left_over text;
BEGIN
    SELECT string_agg(t.tgname || ' of ' || t.tgrelid::regclass, ', ') INTO left_over FROM pg_trigger t JOIN placement p ON to_regclass(p.name) = t.tgrelid
    WHERE p.place = 'shop' AND (t.tgnewtable IS NOT NULL OR t.tgoldtable IS NOT NULL);
    IF left_over IS NOT NULL THEN
        RAISE EXCEPTION 'deploy/citus/distribute.sql has no form of these triggers that works on one shard: %', left_over;
    END IF;
END $$;
COMMIT;
