-- The log of shops' requests.

-- +goose Up
-- The requests of shops, if the operators keep a log of them. In partitions by day of their ids: see make_request_day.
CREATE TABLE request_log (
    shop_id     uuid NOT NULL,
    id          uuid NOT NULL,                              -- a UUIDv7 of when the request ended
    at          timestamptz NOT NULL,
    request_id  text NOT NULL,
    method      text NOT NULL,
    route       text NOT NULL,                              -- its pattern, never the address
    status      integer NOT NULL,
    code        text NOT NULL,                              -- of an error, else empty
    key_id      text NOT NULL,
    client_ip   text NOT NULL,                              -- empty if nobody knows
    duration_ms bigint NOT NULL,
    order_id    uuid,
    replayed    boolean NOT NULL,
    PRIMARY KEY (shop_id, id)
) PARTITION BY RANGE (id);
CREATE INDEX request_log_order ON request_log (shop_id, order_id, id) WHERE order_id IS NOT NULL;

-- As before, but for the request log, which has days.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION make_partitions(day date) RETURNS SETOF text LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    begins date := date_trunc('month', day)::date;
    ends date := (begins + interval '1 month')::date;
    whole text;
    part text;
    definition text;
    granted record;
    needed boolean;
BEGIN
    needed := owns_tables() OR begins BETWEEN now() - interval '3 months' AND now() + interval '4 months';
    IF NOT needed AND begins < now() THEN -- planned only here: Citus cannot ask so for every shop
        SELECT true INTO needed FROM shops s WHERE (
            SELECT true FROM orders o WHERE o.shop_id = s.id AND o.id >= first_id(begins) AND o.id < first_id(ends) LIMIT 1
        ) LIMIT 1;
    END IF;
    IF needed IS NOT true THEN
        RAISE EXCEPTION 'no order is of %, and none will be soon: its partitions are made by the owner of the tables', to_char(begins, 'YYYY-MM');
    END IF;
    FOR whole IN SELECT c.relname FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partrelid
            WHERE c.relnamespace = current_schema()::regnamespace AND c.relname <> 'request_log' ORDER BY c.relname LOOP
        part := whole || to_char(begins, '"_"YYYY"_"MM');
        CONTINUE WHEN to_regclass(part) IS NOT NULL;
        PERFORM pg_advisory_xact_lock(hashtext('make_partitions')); -- one maker at a time
        CONTINUE WHEN to_regclass(part) IS NOT NULL;
        EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', part, whole, first_id(begins), first_id(ends));
        FOR definition IN SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t
                WHERE t.tgrelid = whole::regclass AND NOT t.tgisinternal AND t.tgtype & 1 = 0 LOOP -- those that are not of rows
            EXECUTE regexp_replace(definition, ' ON \S+ ', format(' ON %I ', part));
        END LOOP;
        FOR granted IN SELECT a.privilege_type, r.rolname FROM pg_class c, aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee
                WHERE c.oid = whole::regclass AND a.grantee <> c.relowner LOOP
            EXECUTE format('GRANT %s ON %I TO %I', granted.privilege_type, part, granted.rolname);
        END LOOP;
        RETURN NEXT part;
    END LOOP;
END $$;
-- +goose StatementEnd

-- make_request_day makes the partition of request_log for a day, if it is missing. Who does not own the tables makes those of about now.
-- +goose StatementBegin
CREATE FUNCTION make_request_day(day date) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    part text := to_char(day, '"request_log_"YYYY"_"MM"_"DD');
    granted record;
BEGIN
    IF NOT owns_tables() AND day NOT BETWEEN now() - interval '2 days' AND now() + interval '2 days' THEN
        RAISE EXCEPTION '% is not about now: its partition is made by the owner of the tables', day;
    END IF;
    IF to_regclass(part) IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('make_partitions')); -- one maker at a time
    IF to_regclass(part) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE %I PARTITION OF request_log FOR VALUES FROM (%L) TO (%L)', part, first_id(day), first_id(day + 1));
    FOR granted IN SELECT a.privilege_type, r.rolname FROM pg_class c, aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee
            WHERE c.oid = 'request_log'::regclass AND a.grantee <> c.relowner LOOP
        EXECUTE format('GRANT %s ON %I TO %I', granted.privilege_type, part, granted.rolname);
    END LOOP;
END $$;
-- +goose StatementEnd

-- As before, but that it also drops a day of the request log.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION drop_partition(part text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    needed boolean;
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhparent
        WHERE i.inhrelid = to_regclass(quote_ident(part)) AND c.relname IN ('notification_attempts', 'provider_calls', 'callbacks', 'request_log')
    ) THEN
        RAISE EXCEPTION '% is no partition that is ever dropped', part;
    ELSIF part LIKE 'request\_log\_%' THEN -- a day, and nothing of orders: its rows are a log
        IF NOT owns_tables() AND to_date(right(part, 10), 'YYYY_MM_DD') + 1 > now() THEN
            RAISE EXCEPTION '% is of a day that is not over', part;
        END IF;
        EXECUTE format('DROP TABLE %I', part);
        RETURN;
    ELSIF NOT owns_tables() AND to_date(right(part, 7), 'YYYY_MM') + interval '1 month' > now() THEN
        RAISE EXCEPTION '% is of a month that is not over', part;
    END IF;
    EXECUTE format('SELECT EXISTS (SELECT 1 FROM order_holds h JOIN %1$I p ON p.shop_id = h.shop_id AND p.order_id = h.order_id)
        OR EXISTS (SELECT 1 FROM open_orders o JOIN %1$I p ON p.shop_id = o.shop_id AND p.order_id = o.order_id)', part) INTO needed;
    IF needed THEN
        RAISE EXCEPTION '% has rows of orders that are open or under a hold', part;
    END IF;
    EXECUTE format('DROP TABLE %I', part);
END $$;
-- +goose StatementEnd

-- +goose Down
DROP TABLE request_log;
DROP FUNCTION make_request_day;
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION make_partitions(day date) RETURNS SETOF text LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    begins date := date_trunc('month', day)::date;
    ends date := (begins + interval '1 month')::date;
    whole text;
    part text;
    definition text;
    granted record;
    needed boolean;
BEGIN
    needed := owns_tables() OR begins BETWEEN now() - interval '3 months' AND now() + interval '4 months';
    IF NOT needed AND begins < now() THEN -- planned only here: Citus cannot ask so for every shop
        SELECT true INTO needed FROM shops s WHERE (
            SELECT true FROM orders o WHERE o.shop_id = s.id AND o.id >= first_id(begins) AND o.id < first_id(ends) LIMIT 1
        ) LIMIT 1;
    END IF;
    IF needed IS NOT true THEN
        RAISE EXCEPTION 'no order is of %, and none will be soon: its partitions are made by the owner of the tables', to_char(begins, 'YYYY-MM');
    END IF;
    FOR whole IN SELECT c.relname FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partrelid
            WHERE c.relnamespace = current_schema()::regnamespace ORDER BY c.relname LOOP
        part := whole || to_char(begins, '"_"YYYY"_"MM');
        CONTINUE WHEN to_regclass(part) IS NOT NULL;
        PERFORM pg_advisory_xact_lock(hashtext('make_partitions')); -- one maker at a time
        CONTINUE WHEN to_regclass(part) IS NOT NULL;
        EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', part, whole, first_id(begins), first_id(ends));
        FOR definition IN SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t
                WHERE t.tgrelid = whole::regclass AND NOT t.tgisinternal AND t.tgtype & 1 = 0 LOOP -- those that are not of rows
            EXECUTE regexp_replace(definition, ' ON \S+ ', format(' ON %I ', part));
        END LOOP;
        FOR granted IN SELECT a.privilege_type, r.rolname FROM pg_class c, aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee
                WHERE c.oid = whole::regclass AND a.grantee <> c.relowner LOOP
            EXECUTE format('GRANT %s ON %I TO %I', granted.privilege_type, part, granted.rolname);
        END LOOP;
        RETURN NEXT part;
    END LOOP;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION drop_partition(part text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    needed boolean;
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhparent
        WHERE i.inhrelid = to_regclass(quote_ident(part)) AND c.relname IN ('notification_attempts', 'provider_calls', 'callbacks')
    ) THEN
        RAISE EXCEPTION '% is no partition that is ever dropped', part;
    ELSIF NOT owns_tables() AND to_date(right(part, 7), 'YYYY_MM') + interval '1 month' > now() THEN
        RAISE EXCEPTION '% is of a month that is not over', part;
    END IF;
    EXECUTE format('SELECT EXISTS (SELECT 1 FROM order_holds h JOIN %1$I p ON p.shop_id = h.shop_id AND p.order_id = h.order_id)
        OR EXISTS (SELECT 1 FROM open_orders o JOIN %1$I p ON p.shop_id = o.shop_id AND p.order_id = o.order_id)', part) INTO needed;
    IF needed THEN
        RAISE EXCEPTION '% has rows of orders that are open or under a hold', part;
    END IF;
    EXECUTE format('DROP TABLE %I', part);
END $$;
-- +goose StatementEnd
