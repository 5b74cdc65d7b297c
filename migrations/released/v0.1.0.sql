-- Made by make keep. Functions come before the tables that they read.
SET check_function_bodies = false;

CREATE FUNCTION public.accounts_stay_closed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM violated('accounts_closed', 'a closed account stays closed');
    RETURN NULL;
END $$;

CREATE FUNCTION public.append_only() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM violated(TG_TABLE_NAME || '_append_only', TG_TABLE_NAME || ' keeps its rows: ' || lower(TG_OP) || ' is not allowed');
    RETURN NULL;
END $$;

CREATE FUNCTION public.audit_log_append_only() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'audit_log is append-only' USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'audit_log_append_only';
END $$;

CREATE FUNCTION public.audit_log_numbered() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NEW.seq <> (SELECT coalesce(max(a.seq), 0) + 1 FROM audit_log a) THEN
        RAISE EXCEPTION 'an entry of the audit log has the number after the newest one' USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'audit_log_numbered';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION public.callbacks_added() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO callback_keys (dedupe_key, shop_id, order_id, verdict, received_at) SELECT dedupe_key, shop_id, order_id, verdict, received_at FROM added;
    RETURN NULL;
END $$;

CREATE FUNCTION public.directory_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO '$user', 'public'
    AS $$
BEGIN
    UPDATE directory SET generation = generation + 1, changed_at = clock_timestamp();
    RETURN NULL;
END $$;

CREATE FUNCTION public.dispute_steps_check() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF coalesce((SELECT p.to_status FROM dispute_steps p WHERE p.shop_id = NEW.shop_id AND p.dispute_id = NEW.dispute_id AND p.sequence = NEW.sequence - 1), '') <> NEW.from_status
        OR (SELECT true FROM disputes d WHERE d.shop_id = NEW.shop_id AND d.id = NEW.dispute_id AND d.sequence = NEW.sequence AND d.status = NEW.to_status) IS NULL THEN
        PERFORM violated('dispute_steps_gapless', 'the steps of a dispute must follow one another, and end where the dispute is');
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION public.drop_partition(part text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO '$user', 'public'
    AS $_$
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
END $_$;

CREATE FUNCTION public.first_id(day date) RETURNS uuid
    LANGUAGE sql IMMUTABLE
    AS $$
    SELECT rpad(lpad(to_hex((day - date '1970-01-01')::bigint * 86400000), 12, '0'), 32, '0')::uuid -- the least UUIDv7 of a day in UTC
$$;

CREATE FUNCTION public.limit_left(rule text, now timestamp with time zone) RETURNS timestamp with time zone
    LANGUAGE sql IMMUTABLE
    AS $$
    SELECT now - 25 * limit_part(rule) -- what began then or earlier has left the window
$$;

CREATE FUNCTION public.limit_part(rule text) RETURNS interval
    LANGUAGE sql IMMUTABLE
    AS $$
    SELECT CASE WHEN rule IN ('hour', 'declines', 'pause') THEN interval '150 seconds' ELSE interval '1 hour' END
$$;

CREATE FUNCTION public.make_partitions(day date) RETURNS SETOF text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO '$user', 'public'
    AS $$
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

CREATE FUNCTION public.make_request_day(day date) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO '$user', 'public'
    AS $$
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

CREATE FUNCTION public.mandates_changed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF (OLD.shop_id, OLD.id, OLD.max_amount, OLD.min_days, OLD.expires_at, OLD.max_charges, OLD.schedule, OLD.counts_from) IS DISTINCT FROM
            (NEW.shop_id, NEW.id, NEW.max_amount, NEW.min_days, NEW.expires_at, NEW.max_charges, NEW.schedule, NEW.counts_from) THEN
        PERFORM violated('mandates_terms', 'the terms of a mandate never change');
    ELSIF OLD.decision = 'revoked' AND NEW.decision <> 'revoked' THEN
        PERFORM violated('mandates_revoked', 'a revoked mandate stays revoked');
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION public.notifications_check() RETURNS trigger
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM added a WHERE (
        SELECT true FROM order_transitions t WHERE t.shop_id = a.shop_id AND t.order_id = a.order_id AND t.sequence = a.sequence
    ) IS NULL) THEN
        PERFORM violated('notifications_transition', 'a notification tells of a transition');
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION public.notified_check() RETURNS trigger
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    AS $_$
BEGIN
    IF EXISTS (SELECT 1 FROM added a WHERE (
        SELECT true FROM notifications n WHERE n.shop_id = a.shop_id AND n.order_id = a.order_id AND n.sequence = a.sequence
    ) IS NULL) THEN
        PERFORM violated(regexp_replace(TG_TABLE_NAME, '_\d{4}_\d\d$', '') || '_notification', 'this must be of a notification'); -- a partition is named as its table
    END IF;
    RETURN NULL;
END $_$;

CREATE FUNCTION public.order_transitions_check() RETURNS trigger
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    AS $$
DECLARE
    broken record;
BEGIN
    SELECT c.* INTO broken FROM (
        SELECT a.sequence, a.from_status, a.to_status,
            (SELECT p.to_status FROM order_transitions p WHERE p.shop_id = a.shop_id AND p.order_id = a.order_id AND p.sequence = a.sequence - 1) AS before,
            (SELECT true FROM legal_transitions l WHERE l.from_status = a.from_status AND l.to_status = a.to_status) IS NULL AS illegal,
            (SELECT true FROM orders o WHERE o.shop_id = a.shop_id AND o.id = a.order_id) AS known
        FROM added a OFFSET 0 -- each question is asked once
    ) c WHERE coalesce(c.before, '') <> c.from_status OR (c.before IS NULL) <> (c.sequence = 1) OR c.illegal OR c.known IS NULL
    LIMIT 1;
    IF NOT FOUND THEN
        RETURN NULL;
    ELSIF broken.known IS NULL THEN
        PERFORM violated('order_transitions_order', 'a transition belongs to an order');
    ELSIF broken.illegal THEN
        PERFORM violated('order_transitions_legal', format('no step leads from "%s" to "%s"', broken.from_status, broken.to_status));
    END IF;
    PERFORM violated('order_transitions_gapless', 'order_transitions must follow one another without a gap');
    RETURN NULL;
END $$;

CREATE FUNCTION public.orders_added() RETURNS trigger
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    AS $$
DECLARE
    rule text;
BEGIN
    SELECT c.rule INTO rule FROM (SELECT CASE
        WHEN (SELECT true FROM order_transitions t WHERE t.shop_id = a.shop_id AND t.order_id = a.id AND t.sequence = a.sequence AND t.to_status = a.status) IS NULL
            THEN 'orders_status_has_history'
        WHEN (SELECT true FROM order_references r WHERE r.reference = a.reference AND r.shop_id = a.shop_id AND r.kind = a.kind AND r.order_id = a.id AND r.parent_id IS NOT DISTINCT FROM a.parent_id) IS NULL
            THEN 'orders_reference'
        -- What replicas remember of shops, accounts and their links may be some seconds old, so whether an order begins is asked here. A
        -- refund is taken until its account is closed. Money that came late is no shop's request, and is written down also of a closed one.
        WHEN (SELECT true FROM shops WHERE shops.id = a.shop_id AND (shops.mode = 'enabled' OR a.status <> 'created' OR a.parent_id IS NOT NULL AND a.kind <> 'payment'
            OR (SELECT t.source FROM order_transitions t WHERE t.shop_id = a.shop_id AND t.order_id = a.id AND t.sequence = a.sequence) <> 'request')) IS NULL
            THEN CASE WHEN EXISTS (SELECT 1 FROM shops WHERE shops.id = a.shop_id) THEN 'orders_shop_begins' ELSE 'orders_shop' END
        WHEN (SELECT true FROM accounts WHERE accounts.id = a.account_id AND (accounts.mode = 'enabled' AND EXISTS (SELECT 1 FROM account_shops l WHERE l.shop_id = a.shop_id AND l.account_id = a.account_id)
            OR a.status <> 'created' OR a.parent_id IS NOT NULL AND (accounts.mode <> 'closed' AND a.kind <> 'payment'
            OR (SELECT t.source FROM order_transitions t WHERE t.shop_id = a.shop_id AND t.order_id = a.id AND t.sequence = a.sequence) <> 'request'))) IS NULL
            THEN coalesce((SELECT CASE accounts.mode WHEN 'enabled' THEN 'orders_account_linked' ELSE 'orders_account_begins' END FROM accounts WHERE accounts.id = a.account_id), 'orders_account')
        WHEN a.parent_id IS NOT NULL AND (SELECT true FROM orders p WHERE p.shop_id = a.shop_id AND p.id = a.parent_id) IS NULL THEN 'orders_parent'
    END AS rule FROM added a) c WHERE c.rule IS NOT NULL LIMIT 1;
    IF FOUND THEN
        PERFORM violated(rule, 'an order must have its history, its reference, its shop, its account and its parent');
    END IF;
    INSERT INTO open_orders (shop_id, order_id, provider, kind, status, in_conflict, since, next_poll_at)
    SELECT shop_id, id, provider, kind, status, conflicts > 0, updated_at, next_poll_at FROM added
    WHERE finalized_at IS NULL OR next_poll_at IS NOT NULL OR conflicts > 0;
    IF EXISTS (SELECT 1 FROM added WHERE provider_reference <> '' OR bank_references IS NOT NULL) THEN
        INSERT INTO order_names (name_hash, shop_id, order_id)
        SELECT md5(n.name)::uuid, a.shop_id, a.id FROM added a CROSS JOIN LATERAL (
            SELECT a.provider_reference AS name WHERE a.provider_reference <> '' UNION SELECT jsonb_object_keys(a.bank_references)
        ) n ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION public.orders_changed() RETURNS trigger
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    AS $$
DECLARE
    now record;
BEGIN
    SELECT bool_or(b.id IS NULL) AS renamed,
        bool_or((b.sequence, b.status) IS DISTINCT FROM (a.sequence, a.status) AND (
            SELECT true FROM order_transitions t WHERE t.shop_id = a.shop_id AND t.order_id = a.id AND t.sequence = a.sequence AND t.to_status = a.status
        ) IS NULL) AS without_history,
        bool_or((b.account_id, b.provider_order_id) <> (a.account_id, a.provider_order_id) AND (a.status <> 'created' OR (
            SELECT true FROM order_attempts t WHERE t.shop_id = a.shop_id AND t.order_id = a.id AND t.account_id = b.account_id AND t.provider_order_id = b.provider_order_id
                AND (t.reason NOT LIKE 'declined\_by\_%' OR a.cascade = 'issuer' OR a.cascade = 'provider' AND t.reason = 'declined_by_provider')
        ) IS NULL)) AS moved_without_proof,
        bool_or(b.account_id <> a.account_id AND (
            SELECT true FROM accounts JOIN account_shops l ON l.account_id = accounts.id WHERE accounts.id = a.account_id AND l.shop_id = a.shop_id AND accounts.mode = 'enabled'
        ) IS NULL) AS moved_to_disabled,
        bool_or(b.provider_reference IS DISTINCT FROM a.provider_reference OR b.bank_references IS DISTINCT FROM a.bank_references) AS named,
        bool_or(a.finalized_at IS NULL OR a.next_poll_at IS NOT NULL OR a.conflicts > 0) AS open,
        bool_or(NOT (a.finalized_at IS NULL OR a.next_poll_at IS NOT NULL OR a.conflicts > 0)) AS closed
    INTO now FROM after_it a LEFT JOIN before_it b ON b.shop_id = a.shop_id AND b.id = a.id AND b.kind = a.kind
        AND b.reference = a.reference AND b.parent_id IS NOT DISTINCT FROM a.parent_id;
    IF now.renamed THEN
        PERFORM violated('orders_identity', 'the shop, id, kind, reference and parent of an order never change');
    ELSIF now.moved_without_proof THEN
        PERFORM violated('orders_account_proof', 'an order goes to another account only while it is created, after an attempt that sent nothing or was declined as its cascade allows');
    ELSIF now.moved_to_disabled THEN
        PERFORM violated('orders_account_begins', 'an order goes to an account of its shop that begins orders');
    ELSIF now.without_history THEN
        PERFORM violated('orders_status_has_history', 'a status must be the end of the history');
    END IF;
    IF now.open THEN
        INSERT INTO open_orders AS o (shop_id, order_id, provider, kind, status, in_conflict, since, next_poll_at)
        SELECT shop_id, id, provider, kind, status, conflicts > 0, updated_at, next_poll_at FROM after_it
        WHERE finalized_at IS NULL OR next_poll_at IS NOT NULL OR conflicts > 0
        ON CONFLICT (shop_id, order_id) DO UPDATE SET provider = excluded.provider, status = excluded.status, in_conflict = excluded.in_conflict,
            since = excluded.since, next_poll_at = excluded.next_poll_at;
    END IF;
    IF now.closed THEN
        DELETE FROM open_orders o USING after_it a WHERE o.shop_id = ANY (ARRAY[a.shop_id]) AND o.order_id = a.id
            AND NOT (a.finalized_at IS NULL OR a.next_poll_at IS NOT NULL OR a.conflicts > 0);
    END IF;
    IF now.named THEN
        INSERT INTO order_names (name_hash, shop_id, order_id)
        SELECT md5(n.name)::uuid, a.shop_id, a.id FROM after_it a CROSS JOIN LATERAL (
            SELECT a.provider_reference AS name WHERE a.provider_reference <> '' UNION SELECT jsonb_object_keys(a.bank_references)
        ) n ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION public.owns_tables() RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO '$user', 'public'
    AS $$
    SELECT pg_has_role(session_user, relowner, 'USAGE') FROM pg_class WHERE oid = 'orders'::regclass
$$;

CREATE FUNCTION public.release_limits(shops uuid[], ended uuid[], declined boolean[], now timestamp with time zone) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    r record;
    l limits;
BEGIN
    PERFORM 1 FROM limits x WHERE x.rule <> 'order' AND x.id IN (
        SELECT unnest(q.limit_ids) FROM limit_reservations q JOIN unnest(shops, ended) AS e(shop, id) ON q.shop_id = e.shop AND q.order_id = e.id
    ) ORDER BY x.id FOR NO KEY UPDATE;
    FOR r IN DELETE FROM limit_reservations q USING unnest(shops, ended, declined) AS e(shop, id, declined)
            WHERE q.shop_id = e.shop AND q.order_id = e.id RETURNING q.shop_id, q.limit_ids, q.amount, q.card, q.at, e.declined LOOP
        UPDATE limit_uses u SET amount = greatest(0, u.amount - r.amount), orders = greatest(0, u.orders - 1) FROM limits x
        WHERE x.id = ANY (r.limit_ids) AND x.rule IN ('hour', 'day') AND u.limit_id = x.id AND u.begins_at = date_bin(limit_part(x.rule), r.at, 'epoch');
        CONTINUE WHEN NOT r.declined;
        FOR l IN SELECT * FROM limits x WHERE x.id = ANY (r.limit_ids) AND x.rule IN ('declines', 'card_declines', 'pause') LOOP
            PERFORM use_limit(l, CASE WHEN l.rule = 'card_declines' THEN r.card ELSE '' END, 0, now);
            IF l.rule = 'pause' AND l.mode = 'enforce' AND (SELECT sum(u.orders) FROM limit_uses u WHERE u.limit_id = l.id) >= l.orders THEN
                INSERT INTO paused_shops (shop_id, since) VALUES (r.shop_id, now) ON CONFLICT DO NOTHING;
            END IF;
        END LOOP;
    END LOOP;
END $$;

CREATE FUNCTION public.reserve_limits(shop uuid, new_order uuid, counted uuid[], new_amount bigint, new_card bytea, now timestamp with time zone) RETURNS TABLE(limit_id uuid, used_amount numeric, used_orders bigint, free_at timestamp with time zone)
    LANGUAGE plpgsql
    AS $$
DECLARE
    l limits;
    part interval;
    subject bytea;
    reserved uuid[] := '{}';
BEGIN
    FOR l IN SELECT * FROM limits WHERE id = ANY (counted) ORDER BY id LOOP
        limit_id := l.id;
        IF l.rule IN ('order', 'minimum') THEN
            used_amount := 0; used_orders := 0; free_at := NULL;
            IF l.rule = 'order' AND new_amount > l.amount OR l.rule = 'minimum' AND new_amount < l.amount THEN
                RETURN NEXT;
            END IF;
            CONTINUE;
        END IF;
        IF l.rule IN ('hour', 'day') THEN
            SELECT * INTO l FROM limits WHERE id = l.id FOR NO KEY UPDATE;
            CONTINUE WHEN l.id IS NULL; -- an operator has just taken it away
        END IF;
        reserved := reserved || l.id;
        part := limit_part(l.rule);
        subject := CASE WHEN l.rule = 'card_declines' THEN new_card ELSE '' END;
        SELECT coalesce(sum(u.amount), 0), coalesce(sum(u.orders), 0) INTO used_amount, used_orders FROM limit_uses u
        WHERE u.limit_id = l.id AND u.card = subject AND u.begins_at > limit_left(l.rule, now);
        IF used_amount + new_amount > l.amount OR used_orders + 1 > l.orders THEN
            SELECT s.begins_at + 25 * part INTO free_at FROM (
                SELECT u.begins_at, sum(u.amount) OVER w AS amount, sum(u.orders) OVER w AS orders FROM limit_uses u
                WHERE u.limit_id = l.id AND u.card = subject AND u.begins_at > limit_left(l.rule, now) WINDOW w AS (ORDER BY u.begins_at)
            ) s WHERE (used_amount - s.amount + new_amount <= l.amount) IS NOT FALSE AND (used_orders - s.orders + 1 <= l.orders) IS NOT FALSE
            ORDER BY s.begins_at LIMIT 1;
            RETURN NEXT;
        END IF;
        IF l.rule IN ('hour', 'day') THEN
            PERFORM use_limit(l, '', new_amount, now);
        END IF;
    END LOOP;
    IF reserved <> '{}' THEN
        INSERT INTO limit_reservations (shop_id, order_id, limit_ids, amount, card, at) VALUES (shop, new_order, reserved, new_amount, new_card, now);
    END IF;
END $$;

CREATE TABLE public.limits (
    id uuid NOT NULL,
    scope text NOT NULL,
    object_id text NOT NULL,
    kind text NOT NULL,
    currency text NOT NULL,
    rule text NOT NULL,
    amount bigint,
    orders bigint,
    mode text NOT NULL,
    CONSTRAINT limits_amount CHECK ((amount > 0)),
    CONSTRAINT limits_bounds CHECK (((rule = 'duplicate'::text) = ((amount IS NULL) AND (orders IS NULL)))),
    CONSTRAINT limits_currency CHECK (((currency ~ '^[A-Z]{3}$'::text) OR ((currency = ''::text) AND (amount IS NULL)))),
    CONSTRAINT limits_kind CHECK ((kind = ANY (ARRAY['payment'::text, 'refund'::text, 'payout'::text, 'transfer'::text]))),
    CONSTRAINT limits_mode CHECK ((mode = ANY (ARRAY['observe'::text, 'enforce'::text]))),
    CONSTRAINT limits_object CHECK (((object_id = ''::text) = (scope = 'global'::text))),
    CONSTRAINT limits_orders CHECK (((orders IS NULL) OR ((orders > 0) AND (rule = ANY (ARRAY['hour'::text, 'day'::text, 'declines'::text, 'card_declines'::text, 'pause'::text]))))),
    CONSTRAINT limits_rule CHECK ((rule = ANY (ARRAY['order'::text, 'minimum'::text, 'hour'::text, 'day'::text, 'duplicate'::text, 'approval'::text, 'declines'::text, 'card_declines'::text, 'pause'::text]))),
    CONSTRAINT limits_scope CHECK ((scope = ANY (ARRAY['global'::text, 'shop'::text, 'account'::text, 'key'::text])))
);

CREATE FUNCTION public.use_limit(l public.limits, subject bytea, new_amount bigint, now timestamp with time zone) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    DELETE FROM limit_uses u WHERE u.limit_id = l.id AND u.begins_at <= limit_left(l.rule, now);
    INSERT INTO limit_uses AS u (limit_id, card, begins_at, amount, orders) VALUES (l.id, subject, date_bin(limit_part(l.rule), now, 'epoch'), new_amount, 1)
    ON CONFLICT (limit_id, card, begins_at) DO UPDATE SET amount = u.amount + excluded.amount, orders = u.orders + 1;
END $$;

CREATE FUNCTION public.violated(rule text, explanation text) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION '%', explanation USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = rule;
END $$;

CREATE TABLE public.account_demotions (
    account_id uuid NOT NULL,
    demoted boolean NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    calls bigint NOT NULL,
    failed bigint NOT NULL
);

CREATE TABLE public.account_health (
    account_id uuid NOT NULL,
    minute timestamp with time zone NOT NULL,
    answered bigint NOT NULL,
    not_sent bigint NOT NULL,
    unknown bigint NOT NULL
)
WITH (fillfactor='50');

CREATE TABLE public.account_secrets (
    account_id uuid NOT NULL,
    name text NOT NULL,
    stage text NOT NULL,
    value bytea NOT NULL,
    since timestamp with time zone NOT NULL,
    CONSTRAINT account_secrets_stage CHECK ((stage = ANY (ARRAY['staged'::text, 'current'::text, 'previous'::text])))
);

CREATE TABLE public.account_shops (
    shop_id uuid NOT NULL,
    account_id uuid NOT NULL,
    priority integer,
    CONSTRAINT account_shops_priority CHECK (((priority >= 1) AND (priority <= 1000)))
);

CREATE TABLE public.accounts (
    id uuid NOT NULL,
    name text NOT NULL,
    provider text NOT NULL,
    currency text NOT NULL,
    purpose text DEFAULT 'any'::text NOT NULL,
    settings jsonb DEFAULT '{}'::jsonb NOT NULL,
    withheld jsonb DEFAULT '{}'::jsonb NOT NULL,
    callback_token bytea NOT NULL,
    callback_token_hash bytea NOT NULL,
    previous_token_hash bytea,
    previous_token_until timestamp with time zone,
    mode text DEFAULT 'enabled'::text NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    moved_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT accounts_currency CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT accounts_mode CHECK ((mode = ANY (ARRAY['enabled'::text, 'drain'::text, 'off'::text, 'closed'::text]))),
    CONSTRAINT accounts_name_form CHECK ((name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'::text)),
    CONSTRAINT accounts_purpose CHECK ((purpose = ANY (ARRAY['any'::text, 'payments'::text, 'payouts'::text])))
);

CREATE TABLE public.addresses_off (
    shop_id uuid NOT NULL,
    url text NOT NULL,
    at timestamp with time zone NOT NULL
);

CREATE TABLE public.audit_log (
    id uuid NOT NULL,
    seq bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    actor_kind text NOT NULL,
    host text DEFAULT ''::text NOT NULL,
    claimed_by text DEFAULT ''::text NOT NULL,
    action text NOT NULL,
    object_kind text NOT NULL,
    object_id text NOT NULL,
    shop text DEFAULT ''::text NOT NULL,
    before json,
    after json,
    reason text DEFAULT ''::text NOT NULL,
    owner_id uuid,
    seals json,
    seal bytea NOT NULL,
    CONSTRAINT audit_log_actor_kind CHECK ((actor_kind = ANY (ARRAY['os_user'::text, 'service'::text]))),
    CONSTRAINT audit_log_seal_length CHECK ((length(seal) = 16))
);

CREATE TABLE public.bin_table (
    one_row boolean DEFAULT true NOT NULL,
    version integer NOT NULL,
    content bytea NOT NULL,
    author text NOT NULL,
    reason text NOT NULL,
    imported_at timestamp with time zone NOT NULL,
    CONSTRAINT bin_table_content CHECK (((length(content) >= 1) AND (length(content) <= 16777216))),
    CONSTRAINT bin_table_one_row CHECK (one_row),
    CONSTRAINT bin_table_version CHECK ((version >= 1))
);

CREATE TABLE public.callback_keys (
    dedupe_key bytea NOT NULL,
    shop_id uuid NOT NULL,
    order_id uuid NOT NULL,
    verdict text NOT NULL,
    received_at timestamp with time zone NOT NULL
);

CREATE TABLE public.callbacks (
    shop_id uuid NOT NULL,
    order_id uuid NOT NULL,
    dedupe_key bytea NOT NULL,
    account_id uuid NOT NULL,
    provider_order_id text NOT NULL,
    verdict text NOT NULL,
    reason text DEFAULT ''::text NOT NULL,
    reported text DEFAULT ''::text NOT NULL,
    provider_data bytea,
    received_at timestamp with time zone NOT NULL,
    CONSTRAINT callbacks_verdict CHECK ((verdict = ANY (ARRAY['apply'::text, 'repeat'::text, 'stale'::text, 'conflict'::text, 'verify'::text])))
)
PARTITION BY RANGE (order_id);

CREATE TABLE public.deliveries (
    shop_id uuid NOT NULL,
    order_id uuid NOT NULL,
    sequence integer NOT NULL,
    state text NOT NULL,
    url text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    attempts_before integer DEFAULT 0 NOT NULL,
    next_attempt_at timestamp with time zone NOT NULL,
    leased_until timestamp with time zone,
    waits_for text,
    failed_at timestamp with time zone,
    not_before timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT deliveries_state CHECK ((state = ANY (ARRAY['pending'::text, 'dead_lettered'::text, 'held'::text]))),
    CONSTRAINT deliveries_url CHECK ((url <> ''::text))
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_cost_delay='0');

CREATE TABLE public.directory (
    one_row boolean DEFAULT true NOT NULL,
    generation bigint NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    CONSTRAINT directory_one_row CHECK (one_row)
);

CREATE TABLE public.dispute_steps (
    shop_id uuid NOT NULL,
    dispute_id uuid NOT NULL,
    sequence integer NOT NULL,
    order_id uuid NOT NULL,
    order_sequence integer NOT NULL,
    from_status text NOT NULL,
    to_status text NOT NULL
);

CREATE TABLE public.disputes (
    shop_id uuid NOT NULL,
    id uuid NOT NULL,
    order_id uuid NOT NULL,
    kind text NOT NULL,
    status text NOT NULL,
    amount bigint NOT NULL,
    currency text NOT NULL,
    overdrawn bigint NOT NULL,
    refunds_allowed boolean NOT NULL,
    reason_code text NOT NULL,
    provider_case text NOT NULL,
    due_at timestamp with time zone,
    source text NOT NULL,
    sequence integer NOT NULL,
    opened_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    closed_at timestamp with time zone,
    refund_id uuid,
    seal bytea NOT NULL,
    CONSTRAINT disputes_amount CHECK ((amount > 0)),
    CONSTRAINT disputes_closed CHECK (((status = ANY (ARRAY['won'::text, 'lost'::text, 'accepted'::text, 'expired'::text, 'closed'::text])) = (closed_at IS NOT NULL))),
    CONSTRAINT disputes_kind CHECK ((kind = ANY (ARRAY['chargeback'::text, 'second_chargeback'::text, 'reversal'::text, 'external_refund'::text, 'late_success'::text, 'duplicate_charge'::text, 'surplus_capture'::text, 'unauthorized_charge'::text, 'inquiry'::text]))),
    CONSTRAINT disputes_overdrawn CHECK (((overdrawn >= 0) AND (overdrawn <= amount))),
    CONSTRAINT disputes_provider_case CHECK ((provider_case ~ '^[A-Za-z0-9._-]{0,64}$'::text)),
    CONSTRAINT disputes_reason_code CHECK ((reason_code ~ '^[A-Za-z0-9._-]{0,32}$'::text))
);

CREATE TABLE public.failing_destinations (
    shop_id uuid NOT NULL,
    destination text NOT NULL,
    failures integer NOT NULL,
    recovering_since timestamp with time zone
);

CREATE TABLE public.feed_epochs (
    epoch bigint NOT NULL,
    since timestamp with time zone NOT NULL
);

CREATE TABLE public.feed_positions (
    shop_id uuid NOT NULL,
    "position" bigint NOT NULL,
    CONSTRAINT feed_positions_position CHECK (("position" > 0))
)
WITH (fillfactor='10', autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_cost_delay='0');

CREATE TABLE public.feed_rewinds (
    shop_id uuid NOT NULL,
    epoch bigint NOT NULL,
    "position" bigint NOT NULL
);

CREATE TABLE public.goose_db_version (
    id integer NOT NULL,
    version_id bigint NOT NULL,
    is_applied boolean NOT NULL,
    tstamp timestamp without time zone DEFAULT now() NOT NULL
);

ALTER TABLE public.goose_db_version ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.goose_db_version_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.idempotency_keys (
    shop_id uuid NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    locked_until timestamp with time zone NOT NULL,
    owner uuid,
    status integer,
    header jsonb,
    body bytea,
    created_at timestamp with time zone NOT NULL
)
WITH (fillfactor='10');

CREATE TABLE public.imported_orders (
    merchant bytea NOT NULL,
    provider_order_id text NOT NULL,
    account_id uuid NOT NULL,
    shop_id uuid NOT NULL,
    order_id uuid NOT NULL,
    CONSTRAINT imported_orders_merchant_length CHECK ((length(merchant) = 32))
);

CREATE TABLE public.legal_dispute_steps (
    from_status text NOT NULL,
    to_status text NOT NULL
);

CREATE TABLE public.legal_transitions (
    from_status text NOT NULL,
    to_status text NOT NULL
);

CREATE TABLE public.limit_reservations (
    shop_id uuid NOT NULL,
    order_id uuid NOT NULL,
    limit_ids uuid[] NOT NULL,
    amount bigint NOT NULL,
    card bytea NOT NULL,
    at timestamp with time zone NOT NULL
);

CREATE TABLE public.limit_uses (
    limit_id uuid NOT NULL,
    card bytea DEFAULT '\x'::bytea NOT NULL,
    begins_at timestamp with time zone NOT NULL,
    amount numeric NOT NULL,
    orders bigint NOT NULL,
    CONSTRAINT limit_uses_amount CHECK ((amount >= (0)::numeric)),
    CONSTRAINT limit_uses_orders CHECK ((orders >= 0))
)
WITH (fillfactor='50');

CREATE TABLE public.mandate_decisions (
    shop_id uuid NOT NULL,
    mandate_id uuid NOT NULL,
    number integer NOT NULL,
    at timestamp with time zone NOT NULL,
    seal bytea NOT NULL,
    CONSTRAINT mandate_decisions_number CHECK ((number > 0)),
    CONSTRAINT mandate_decisions_seal_length CHECK ((length(seal) = 16))
);

CREATE TABLE public.mandate_runs (
    shop_id uuid NOT NULL,
    id uuid NOT NULL,
    due_at timestamp with time zone NOT NULL
);

CREATE TABLE public.mandates (
    shop_id uuid NOT NULL,
    id uuid NOT NULL,
    max_amount bigint NOT NULL,
    min_days integer NOT NULL,
    expires_at timestamp with time zone,
    max_charges integer,
    schedule text DEFAULT ''::text NOT NULL,
    counts_from timestamp with time zone,
    decision text DEFAULT ''::text NOT NULL,
    decided_at timestamp with time zone,
    schedule_ends_at timestamp with time zone,
    seal bytea NOT NULL,
    CONSTRAINT mandates_decided CHECK (((decision = ''::text) OR (decided_at IS NOT NULL))),
    CONSTRAINT mandates_decision CHECK ((decision = ANY (ARRAY[''::text, 'paused'::text, 'resumed'::text, 'revoked'::text]))),
    CONSTRAINT mandates_max_amount CHECK ((max_amount > 0)),
    CONSTRAINT mandates_max_charges CHECK ((max_charges > 0)),
    CONSTRAINT mandates_min_days CHECK (((min_days >= 0) AND (min_days <= 366))),
    CONSTRAINT mandates_schedule CHECK (((schedule_ends_at IS NULL) OR (decision = 'revoked'::text))),
    CONSTRAINT mandates_schedule_length CHECK ((length(schedule) <= 1000)),
    CONSTRAINT mandates_seal_length CHECK ((length(seal) = 16))
);

CREATE TABLE public.notification_attempts (
    shop_id uuid NOT NULL,
    order_id uuid NOT NULL,
    sequence integer NOT NULL,
    attempt integer NOT NULL,
    at timestamp with time zone NOT NULL,
    duration_ms bigint NOT NULL,
    http_status integer DEFAULT 0 NOT NULL,
    error text DEFAULT ''::text NOT NULL,
    moved_to text DEFAULT ''::text NOT NULL
)
PARTITION BY RANGE (order_id);

CREATE TABLE public.notifications (
    shop_id uuid NOT NULL,
    order_id uuid NOT NULL,
    sequence integer NOT NULL,
    id uuid NOT NULL,
    type text NOT NULL,
    payload bytea,
    url text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    "position" bigint NOT NULL,
    payload_digest bytea,
    CONSTRAINT notifications_payload CHECK (((payload IS NULL) = (payload_digest IS NOT NULL)))
);

CREATE TABLE public.open_orders (
    shop_id uuid NOT NULL,
    order_id uuid NOT NULL,
    provider text NOT NULL,
    kind text NOT NULL,
    status text NOT NULL,
    in_conflict boolean NOT NULL,
    since timestamp with time zone NOT NULL,
    next_poll_at timestamp with time zone
)
WITH (fillfactor='75', autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_cost_delay='0');

CREATE TABLE public.order_attempts (
    shop_id uuid NOT NULL,
    order_id uuid NOT NULL,
    number integer NOT NULL,
    provider text NOT NULL,
    account_id uuid NOT NULL,
    account_name text NOT NULL,
    provider_order_id text NOT NULL,
    reason text NOT NULL,
    ended_at timestamp with time zone NOT NULL,
    chain bytea DEFAULT '\x'::bytea NOT NULL,
    failure_code text DEFAULT ''::text NOT NULL,
    CONSTRAINT order_attempts_number CHECK (((number >= 1) AND (number <= 14)))
);

CREATE TABLE public.order_conflicts (
    shop_id uuid NOT NULL,
    order_id uuid NOT NULL,
    id uuid NOT NULL,
    source text NOT NULL,
    reported text NOT NULL,
    reason text NOT NULL,
    provider_data bytea,
    at timestamp with time zone NOT NULL
);

CREATE TABLE public.order_fingerprints (
    shop_id uuid NOT NULL,
    fingerprint bytea NOT NULL,
    order_id uuid NOT NULL,
    earlier uuid[] DEFAULT '{}'::uuid[] NOT NULL,
    at timestamp with time zone NOT NULL,
    CONSTRAINT order_fingerprints_length CHECK ((length(fingerprint) = 32))
);

CREATE TABLE public.order_holds (
    shop_id uuid NOT NULL,
    order_id uuid NOT NULL,
    reason text NOT NULL,
    at timestamp with time zone NOT NULL
);

CREATE TABLE public.order_names (
    name_hash uuid NOT NULL,
    shop_id uuid NOT NULL,
    order_id uuid NOT NULL
);

CREATE TABLE public.order_references (
    shop_id uuid NOT NULL,
    kind text NOT NULL,
    reference text NOT NULL,
    order_id uuid NOT NULL,
    key_id text DEFAULT ''::text NOT NULL,
    parent_id uuid
);

CREATE TABLE public.order_transitions (
    shop_id uuid NOT NULL,
    order_id uuid NOT NULL,
    sequence integer NOT NULL,
    from_status text NOT NULL,
    to_status text NOT NULL,
    source text NOT NULL,
    provider_data bytea,
    at timestamp with time zone NOT NULL,
    captured bigint DEFAULT 0 NOT NULL,
    refunded bigint DEFAULT 0 NOT NULL,
    chain bytea DEFAULT '\x'::bytea NOT NULL,
    CONSTRAINT order_transitions_source CHECK ((source = ANY (ARRAY['request'::text, 'answer'::text, 'callback'::text, 'check'::text, 'operator'::text])))
);

CREATE TABLE public.orderless_callbacks (
    account_id uuid NOT NULL,
    dedupe_key bytea NOT NULL,
    provider_order_id text NOT NULL,
    reported text DEFAULT ''::text NOT NULL,
    provider_data jsonb DEFAULT '{}'::jsonb NOT NULL,
    received_at timestamp with time zone NOT NULL
);

CREATE TABLE public.orders (
    shop_id uuid NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL,
    reference text NOT NULL,
    request_hash bytea NOT NULL,
    parent_id uuid,
    superseded_by uuid,
    status text NOT NULL,
    status_reason text DEFAULT ''::text NOT NULL,
    operation text NOT NULL,
    manual_capture boolean DEFAULT false NOT NULL,
    form_lost boolean DEFAULT false NOT NULL,
    sequence integer NOT NULL,
    conflicts integer DEFAULT 0 NOT NULL,
    amount bigint,
    currency text,
    amount_authorized bigint DEFAULT 0 NOT NULL,
    amount_captured bigint DEFAULT 0 NOT NULL,
    amount_refunded bigint DEFAULT 0 NOT NULL,
    amount_reserved bigint DEFAULT 0 NOT NULL,
    capture_amount bigint DEFAULT 0 NOT NULL,
    reported_amount bigint,
    amount_disputed bigint DEFAULT 0 NOT NULL,
    amount_overdrawn bigint DEFAULT 0 NOT NULL,
    disputes_open integer DEFAULT 0 NOT NULL,
    flow text DEFAULT ''::text NOT NULL,
    recurring boolean DEFAULT false NOT NULL,
    cascade text DEFAULT ''::text NOT NULL,
    provider text NOT NULL,
    account_id uuid NOT NULL,
    account_name text NOT NULL,
    provider_order_id text NOT NULL,
    provider_reference text DEFAULT ''::text NOT NULL,
    bank_references jsonb,
    data_key bytea,
    provider_state bytea,
    next_action bytea,
    payment_method jsonb,
    failure jsonb,
    routing jsonb,
    details bytea,
    description text DEFAULT ''::text NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    notification_url text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    finalized_at timestamp with time zone,
    next_poll_at timestamp with time zone,
    polls_since timestamp with time zone NOT NULL,
    polls_done integer DEFAULT 0 NOT NULL,
    denials integer DEFAULT 0 NOT NULL,
    first_denial_at timestamp with time zone,
    acknowledged boolean DEFAULT false NOT NULL,
    command_accepted boolean DEFAULT false NOT NULL,
    pending_since timestamp with time zone,
    pending_status text DEFAULT ''::text NOT NULL,
    chain bytea DEFAULT '\x'::bytea NOT NULL,
    seal bytea DEFAULT '\x'::bytea NOT NULL,
    CONSTRAINT orders_amount CHECK ((((kind = 'payout_card'::text) AND (amount IS NULL) AND (currency IS NULL)) OR ((kind <> 'payout_card'::text) AND (amount > 0) AND (currency ~ '^[A-Z]{3}$'::text)))),
    CONSTRAINT orders_authorized_within_amount CHECK (((amount_authorized >= 0) AND (amount_authorized <= COALESCE(amount, (0)::bigint)))),
    CONSTRAINT orders_captured_only_when_succeeded CHECK (((status = 'succeeded'::text) OR (amount_captured = 0))),
    CONSTRAINT orders_captured_within_amount CHECK (((amount_captured >= 0) AND (amount_captured <= COALESCE(amount, (0)::bigint)))),
    CONSTRAINT orders_cascade CHECK ((cascade = ANY (ARRAY[''::text, 'provider'::text, 'issuer'::text]))),
    CONSTRAINT orders_command_accepted CHECK (((NOT command_accepted) OR (operation = ANY (ARRAY['capture'::text, 'cancel'::text])))),
    CONSTRAINT orders_denials CHECK (((denials >= 0) AND ((denials > 0) = (first_denial_at IS NOT NULL)))),
    CONSTRAINT orders_disputes CHECK (((amount_disputed >= 0) AND (amount_overdrawn >= 0) AND (disputes_open >= 0))),
    CONSTRAINT orders_final CHECK (((status = ANY (ARRAY['succeeded'::text, 'failed'::text, 'canceled'::text])) = (finalized_at IS NOT NULL))),
    CONSTRAINT orders_form_lost CHECK (((NOT form_lost) OR ((status = 'processing'::text) AND (next_action IS NULL)))),
    CONSTRAINT orders_kind CHECK ((kind = ANY (ARRAY['payment'::text, 'refund'::text, 'payout'::text, 'payout_card'::text, 'transfer'::text]))),
    CONSTRAINT orders_operation CHECK ((operation = ANY (ARRAY['sale'::text, 'authorize'::text, 'capture'::text, 'cancel'::text]))),
    CONSTRAINT orders_pending_status CHECK ((pending_status = ANY (ARRAY[''::text, 'succeeded'::text, 'failed'::text, 'canceled'::text]))),
    CONSTRAINT orders_pending_status_of_pending CHECK (((pending_status = ''::text) OR (pending_since IS NOT NULL))),
    CONSTRAINT orders_pending_until_the_end CHECK (((pending_since IS NULL) OR (finalized_at IS NULL))),
    CONSTRAINT orders_reference_length CHECK (((length(reference) >= 1) AND (length(reference) <= 96))),
    CONSTRAINT orders_refunded_within_reserved CHECK (((amount_refunded >= 0) AND (amount_refunded <= amount_reserved))),
    CONSTRAINT orders_refunds_within_captured CHECK (((amount_reserved >= 0) AND (amount_reserved <= (amount_captured - amount_disputed)))),
    CONSTRAINT orders_reported_within_amount CHECK (((reported_amount >= 1) AND (reported_amount <= amount))),
    CONSTRAINT orders_sequence CHECK ((sequence >= 1)),
    CONSTRAINT orders_status CHECK ((status = ANY (ARRAY['created'::text, 'unknown'::text, 'processing'::text, 'requires_action'::text, 'authorized'::text, 'succeeded'::text, 'failed'::text, 'canceled'::text]))),
    CONSTRAINT orders_superseded CHECK (((superseded_by IS NULL) OR (status = ANY (ARRAY['failed'::text, 'canceled'::text])))),
    CONSTRAINT orders_times CHECK (((LEAST(created_at, updated_at, finalized_at, next_poll_at, polls_since, first_denial_at, pending_since) >= '1970-01-01 00:00:00+00'::timestamp with time zone) AND (GREATEST(created_at, updated_at, finalized_at, next_poll_at, polls_since, first_denial_at, pending_since) < '3000-01-01 00:00:00+00'::timestamp with time zone)))
)
WITH (fillfactor='75');

CREATE TABLE public.paused_shops (
    shop_id uuid NOT NULL,
    since timestamp with time zone NOT NULL
);

CREATE TABLE public.payout_approvals (
    shop_id uuid NOT NULL,
    id uuid NOT NULL,
    reference text NOT NULL,
    request_hash bytea NOT NULL,
    account_name text NOT NULL,
    amount bigint NOT NULL,
    currency text NOT NULL,
    destination text NOT NULL,
    state text NOT NULL,
    requested_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    order_id uuid,
    seal bytea DEFAULT '\x'::bytea NOT NULL,
    CONSTRAINT payout_approvals_state CHECK ((state = ANY (ARRAY['waiting'::text, 'released'::text, 'rejected'::text, 'used'::text]))),
    CONSTRAINT payout_approvals_used CHECK (((state = 'used'::text) = (order_id IS NOT NULL)))
);

CREATE TABLE public.provider_calls (
    shop_id uuid NOT NULL,
    order_id uuid NOT NULL,
    id uuid NOT NULL,
    operation text NOT NULL,
    outcome text NOT NULL,
    started_at timestamp with time zone NOT NULL,
    duration_ms bigint NOT NULL,
    provider_data bytea,
    calls integer DEFAULT 1 NOT NULL,
    last_at timestamp with time zone NOT NULL,
    CONSTRAINT provider_calls_count CHECK ((calls > 0))
)
PARTITION BY RANGE (order_id);

CREATE TABLE public.reencryptions (
    place text NOT NULL,
    key_id bigint NOT NULL,
    after text[] DEFAULT '{}'::text[] NOT NULL,
    rewritten bigint NOT NULL,
    finished boolean NOT NULL,
    updated_at timestamp with time zone NOT NULL
);

CREATE TABLE public.replicas (
    id uuid NOT NULL,
    host text NOT NULL,
    version text NOT NULL,
    key_ids bigint[] NOT NULL,
    primary_key bigint NOT NULL,
    started_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone NOT NULL
);

CREATE TABLE public.request_log (
    shop_id uuid NOT NULL,
    id uuid NOT NULL,
    at timestamp with time zone NOT NULL,
    request_id text NOT NULL,
    method text NOT NULL,
    route text NOT NULL,
    status integer NOT NULL,
    code text NOT NULL,
    key_id text NOT NULL,
    client_ip text NOT NULL,
    duration_ms bigint NOT NULL,
    order_id uuid,
    replayed boolean NOT NULL
)
PARTITION BY RANGE (id);

CREATE TABLE public.retention (
    one_row boolean DEFAULT true NOT NULL,
    leased_until timestamp with time zone NOT NULL,
    last_run_at timestamp with time zone NOT NULL,
    removed jsonb DEFAULT '{}'::jsonb NOT NULL,
    attempts_removed_before timestamp with time zone DEFAULT '1970-01-01 00:00:00+00'::timestamp with time zone NOT NULL,
    CONSTRAINT retention_one_row CHECK (one_row)
);

CREATE TABLE public.routing_sets (
    id uuid NOT NULL,
    shop_id uuid,
    version integer NOT NULL,
    body text NOT NULL,
    checksum text NOT NULL,
    state text NOT NULL,
    author text NOT NULL,
    reason text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    activated_at timestamp with time zone,
    CONSTRAINT routing_sets_activated CHECK (((state = 'draft'::text) = (activated_at IS NULL))),
    CONSTRAINT routing_sets_body CHECK (((length(body) >= 2) AND (length(body) <= 262144))),
    CONSTRAINT routing_sets_state CHECK ((state = ANY (ARRAY['draft'::text, 'active'::text, 'retired'::text]))),
    CONSTRAINT routing_sets_version CHECK ((version >= 1))
);

CREATE TABLE public.service_keys (
    name text NOT NULL,
    value bytea NOT NULL,
    created_at timestamp with time zone NOT NULL
);

CREATE TABLE public.shop_key_uses (
    shop_id uuid NOT NULL,
    key_id text NOT NULL,
    address inet NOT NULL,
    first_used_at timestamp with time zone NOT NULL,
    last_used_at timestamp with time zone NOT NULL
)
WITH (fillfactor='50');

CREATE TABLE public.shop_keys (
    shop_id uuid NOT NULL,
    id text NOT NULL,
    mac bytea NOT NULL,
    name text DEFAULT ''::text NOT NULL,
    scopes text[] NOT NULL,
    allow_cidrs text[] DEFAULT '{}'::text[] NOT NULL,
    mode text DEFAULT 'enabled'::text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    replaced_by text,
    revoked_at timestamp with time zone,
    revoked_by text DEFAULT ''::text NOT NULL,
    revoked_reason text DEFAULT ''::text NOT NULL,
    CONSTRAINT shop_keys_id CHECK ((id ~ '^[0-9A-Za-z]{4,10}$'::text)),
    CONSTRAINT shop_keys_mac_length CHECK ((length(mac) = 32)),
    CONSTRAINT shop_keys_mode CHECK ((mode = ANY (ARRAY['enabled'::text, 'drain'::text, 'off'::text]))),
    CONSTRAINT shop_keys_scopes CHECK ((scopes <@ ARRAY['payments'::text, 'mandates'::text, 'refunds'::text, 'payouts'::text, 'disputes'::text, 'reports'::text, 'read'::text]))
);

CREATE SEQUENCE public.shop_numbers
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

CREATE TABLE public.shop_rates (
    shop_id uuid NOT NULL,
    key_id text DEFAULT ''::text NOT NULL,
    class text NOT NULL,
    quota integer NOT NULL,
    seconds integer NOT NULL,
    CONSTRAINT shop_rates_class CHECK ((class = ANY (ARRAY['reads'::text, 'writes'::text, 'statements'::text]))),
    CONSTRAINT shop_rates_quota CHECK (((quota >= 1) AND (quota <= 1000000))),
    CONSTRAINT shop_rates_seconds CHECK (((seconds >= 1) AND (seconds <= 86400)))
);

CREATE TABLE public.shops (
    id uuid NOT NULL,
    number bigint DEFAULT nextval('public.shop_numbers'::regclass) NOT NULL,
    name text NOT NULL,
    notification_url text DEFAULT ''::text NOT NULL,
    allow_cidrs text[] DEFAULT '{}'::text[] NOT NULL,
    site_url text DEFAULT ''::text NOT NULL,
    return_url text DEFAULT ''::text NOT NULL,
    success_url text DEFAULT ''::text NOT NULL,
    fail_url text DEFAULT ''::text NOT NULL,
    flow text DEFAULT ''::text NOT NULL,
    cascade text DEFAULT ''::text NOT NULL,
    on_surplus text DEFAULT 'hold'::text NOT NULL,
    mode text DEFAULT 'enabled'::text NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT shops_cascade CHECK ((cascade = ANY (ARRAY[''::text, 'provider'::text, 'issuer'::text]))),
    CONSTRAINT shops_flow CHECK ((flow = ANY (ARRAY[''::text, 'hosted'::text, 'direct'::text]))),
    CONSTRAINT shops_mode CHECK ((mode = ANY (ARRAY['enabled'::text, 'drain'::text, 'off'::text]))),
    CONSTRAINT shops_name_form CHECK ((name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'::text)),
    CONSTRAINT shops_number CHECK (((number >= 1) AND (number <= '4294967295'::bigint))),
    CONSTRAINT shops_on_surplus CHECK ((on_surplus = ANY (ARRAY['hold'::text, 'refund'::text])))
);

CREATE TABLE public.transaction_report_rows (
    shop_id uuid NOT NULL,
    report_id uuid NOT NULL,
    "row" integer NOT NULL,
    order_id uuid NOT NULL,
    fields bytea
);

CREATE TABLE public.transaction_reports (
    shop_id uuid NOT NULL,
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    account_name text NOT NULL,
    type text NOT NULL,
    status_filter text NOT NULL,
    from_at timestamp with time zone NOT NULL,
    to_at timestamp with time zone NOT NULL,
    state text NOT NULL,
    task text DEFAULT ''::text NOT NULL,
    failure text DEFAULT ''::text NOT NULL,
    columns text[] DEFAULT '{}'::text[] NOT NULL,
    row_count integer DEFAULT 0 NOT NULL,
    polls integer DEFAULT 0 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    next_poll_at timestamp with time zone,
    CONSTRAINT transaction_reports_period CHECK ((from_at < to_at)),
    CONSTRAINT transaction_reports_state CHECK ((state = ANY (ARRAY['created'::text, 'processing'::text, 'ready'::text, 'failed'::text]))),
    CONSTRAINT transaction_reports_status_filter CHECK ((status_filter = ANY (ARRAY['succeeded'::text, 'processing'::text, 'failed'::text]))),
    CONSTRAINT transaction_reports_type CHECK ((type = ANY (ARRAY['payment'::text, 'payout'::text, 'refund'::text])))
);

CREATE TABLE public.webhook_secrets (
    shop_id uuid NOT NULL,
    id uuid NOT NULL,
    secret bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone
);

INSERT INTO public.directory (one_row, generation, changed_at) VALUES (true, 1, 'now');

INSERT INTO public.goose_db_version (id, version_id, is_applied, tstamp) VALUES (1, 0, true, 'now');
INSERT INTO public.goose_db_version (id, version_id, is_applied, tstamp) VALUES (2, 1, true, 'now');
INSERT INTO public.goose_db_version (id, version_id, is_applied, tstamp) VALUES (3, 2, true, 'now');

INSERT INTO public.legal_dispute_steps (from_status, to_status) VALUES ('', 'open');
INSERT INTO public.legal_dispute_steps (from_status, to_status) VALUES ('open', 'open');
INSERT INTO public.legal_dispute_steps (from_status, to_status) VALUES ('open', 'needs_response');
INSERT INTO public.legal_dispute_steps (from_status, to_status) VALUES ('open', 'under_review');
INSERT INTO public.legal_dispute_steps (from_status, to_status) VALUES ('open', 'won');
INSERT INTO public.legal_dispute_steps (from_status, to_status) VALUES ('open', 'lost');
INSERT INTO public.legal_dispute_steps (from_status, to_status) VALUES ('open', 'accepted');
INSERT INTO public.legal_dispute_steps (from_status, to_status) VALUES ('open', 'expired');
INSERT INTO public.legal_dispute_steps (from_status, to_status) VALUES ('open', 'closed');
INSERT INTO public.legal_dispute_steps (from_status, to_status) VALUES ('needs_response', 'needs_response');
INSERT INTO public.legal_dispute_steps (from_status, to_status) VALUES ('needs_response', 'under_review');
INSERT INTO public.legal_dispute_steps (from_status, to_status) VALUES ('needs_response', 'won');
INSERT INTO public.legal_dispute_steps (from_status, to_status) VALUES ('needs_response', 'lost');
INSERT INTO public.legal_dispute_steps (from_status, to_status) VALUES ('needs_response', 'accepted');
INSERT INTO public.legal_dispute_steps (from_status, to_status) VALUES ('needs_response', 'expired');
INSERT INTO public.legal_dispute_steps (from_status, to_status) VALUES ('needs_response', 'closed');
INSERT INTO public.legal_dispute_steps (from_status, to_status) VALUES ('under_review', 'under_review');
INSERT INTO public.legal_dispute_steps (from_status, to_status) VALUES ('open', 'refunding');
INSERT INTO public.legal_dispute_steps (from_status, to_status) VALUES ('needs_response', 'refunding');
INSERT INTO public.legal_dispute_steps (from_status, to_status) VALUES ('under_review', 'refunding');
INSERT INTO public.legal_dispute_steps (from_status, to_status) VALUES ('refunding', 'open');
INSERT INTO public.legal_dispute_steps (from_status, to_status) VALUES ('refunding', 'closed');
INSERT INTO public.legal_dispute_steps (from_status, to_status) VALUES ('under_review', 'won');
INSERT INTO public.legal_dispute_steps (from_status, to_status) VALUES ('under_review', 'lost');
INSERT INTO public.legal_dispute_steps (from_status, to_status) VALUES ('under_review', 'accepted');
INSERT INTO public.legal_dispute_steps (from_status, to_status) VALUES ('under_review', 'expired');
INSERT INTO public.legal_dispute_steps (from_status, to_status) VALUES ('under_review', 'closed');

INSERT INTO public.legal_transitions (from_status, to_status) VALUES ('', 'created');
INSERT INTO public.legal_transitions (from_status, to_status) VALUES ('created', 'unknown');
INSERT INTO public.legal_transitions (from_status, to_status) VALUES ('created', 'processing');
INSERT INTO public.legal_transitions (from_status, to_status) VALUES ('created', 'requires_action');
INSERT INTO public.legal_transitions (from_status, to_status) VALUES ('created', 'authorized');
INSERT INTO public.legal_transitions (from_status, to_status) VALUES ('created', 'succeeded');
INSERT INTO public.legal_transitions (from_status, to_status) VALUES ('created', 'failed');
INSERT INTO public.legal_transitions (from_status, to_status) VALUES ('created', 'canceled');
INSERT INTO public.legal_transitions (from_status, to_status) VALUES ('unknown', 'processing');
INSERT INTO public.legal_transitions (from_status, to_status) VALUES ('unknown', 'requires_action');
INSERT INTO public.legal_transitions (from_status, to_status) VALUES ('unknown', 'authorized');
INSERT INTO public.legal_transitions (from_status, to_status) VALUES ('unknown', 'succeeded');
INSERT INTO public.legal_transitions (from_status, to_status) VALUES ('unknown', 'failed');
INSERT INTO public.legal_transitions (from_status, to_status) VALUES ('unknown', 'canceled');
INSERT INTO public.legal_transitions (from_status, to_status) VALUES ('processing', 'requires_action');
INSERT INTO public.legal_transitions (from_status, to_status) VALUES ('processing', 'authorized');
INSERT INTO public.legal_transitions (from_status, to_status) VALUES ('processing', 'succeeded');
INSERT INTO public.legal_transitions (from_status, to_status) VALUES ('processing', 'failed');
INSERT INTO public.legal_transitions (from_status, to_status) VALUES ('processing', 'canceled');
INSERT INTO public.legal_transitions (from_status, to_status) VALUES ('requires_action', 'processing');
INSERT INTO public.legal_transitions (from_status, to_status) VALUES ('requires_action', 'authorized');
INSERT INTO public.legal_transitions (from_status, to_status) VALUES ('requires_action', 'succeeded');
INSERT INTO public.legal_transitions (from_status, to_status) VALUES ('requires_action', 'failed');
INSERT INTO public.legal_transitions (from_status, to_status) VALUES ('requires_action', 'canceled');
INSERT INTO public.legal_transitions (from_status, to_status) VALUES ('authorized', 'processing');
INSERT INTO public.legal_transitions (from_status, to_status) VALUES ('authorized', 'succeeded');
INSERT INTO public.legal_transitions (from_status, to_status) VALUES ('authorized', 'failed');
INSERT INTO public.legal_transitions (from_status, to_status) VALUES ('authorized', 'canceled');
INSERT INTO public.legal_transitions (from_status, to_status) VALUES ('failed', 'failed');
INSERT INTO public.legal_transitions (from_status, to_status) VALUES ('canceled', 'canceled');
INSERT INTO public.legal_transitions (from_status, to_status) VALUES ('succeeded', 'succeeded');

INSERT INTO public.retention (one_row, leased_until, last_run_at, removed, attempts_removed_before) VALUES (true, '1970-01-01 00:00:00+00', 'now', '{}', '1970-01-01 00:00:00+00');

SELECT pg_catalog.setval('public.goose_db_version_id_seq', 3, true);

SELECT pg_catalog.setval('public.shop_numbers', 1, false);

ALTER TABLE ONLY public.account_demotions
    ADD CONSTRAINT account_demotions_pkey PRIMARY KEY (account_id);

ALTER TABLE ONLY public.account_health
    ADD CONSTRAINT account_health_pkey PRIMARY KEY (account_id, minute);

ALTER TABLE ONLY public.account_secrets
    ADD CONSTRAINT account_secrets_pkey PRIMARY KEY (account_id, name, stage);

ALTER TABLE ONLY public.account_shops
    ADD CONSTRAINT account_shops_pkey PRIMARY KEY (shop_id, account_id);

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_callback_token_key UNIQUE (callback_token_hash);

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_name_key UNIQUE (name);

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.audit_log
    ADD CONSTRAINT audit_log_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.audit_log
    ADD CONSTRAINT audit_log_seq_key UNIQUE (seq);

ALTER TABLE ONLY public.bin_table
    ADD CONSTRAINT bin_table_pkey PRIMARY KEY (one_row);

ALTER TABLE ONLY public.callback_keys
    ADD CONSTRAINT callback_keys_pkey PRIMARY KEY (dedupe_key, shop_id);

ALTER TABLE ONLY public.callbacks
    ADD CONSTRAINT callbacks_pkey PRIMARY KEY (shop_id, order_id, dedupe_key);

ALTER TABLE ONLY public.deliveries
    ADD CONSTRAINT deliveries_pkey PRIMARY KEY (shop_id, order_id, sequence);

ALTER TABLE ONLY public.directory
    ADD CONSTRAINT directory_pkey PRIMARY KEY (one_row);

ALTER TABLE ONLY public.dispute_steps
    ADD CONSTRAINT dispute_steps_of_order UNIQUE (shop_id, order_id, order_sequence);

ALTER TABLE ONLY public.dispute_steps
    ADD CONSTRAINT dispute_steps_pkey PRIMARY KEY (shop_id, dispute_id, sequence);

ALTER TABLE ONLY public.disputes
    ADD CONSTRAINT disputes_pkey PRIMARY KEY (shop_id, id);

ALTER TABLE ONLY public.disputes
    ADD CONSTRAINT disputes_refund_once UNIQUE (shop_id, refund_id);

ALTER TABLE ONLY public.failing_destinations
    ADD CONSTRAINT failing_destinations_pkey PRIMARY KEY (shop_id, destination);

ALTER TABLE ONLY public.feed_epochs
    ADD CONSTRAINT feed_epochs_pkey PRIMARY KEY (epoch);

ALTER TABLE ONLY public.feed_positions
    ADD CONSTRAINT feed_positions_pkey PRIMARY KEY (shop_id);

ALTER TABLE ONLY public.feed_rewinds
    ADD CONSTRAINT feed_rewinds_pkey PRIMARY KEY (shop_id, epoch);

ALTER TABLE ONLY public.goose_db_version
    ADD CONSTRAINT goose_db_version_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (shop_id, key);

ALTER TABLE ONLY public.imported_orders
    ADD CONSTRAINT imported_orders_account_key UNIQUE (account_id, provider_order_id);

ALTER TABLE ONLY public.imported_orders
    ADD CONSTRAINT imported_orders_key PRIMARY KEY (merchant, provider_order_id);

ALTER TABLE ONLY public.imported_orders
    ADD CONSTRAINT imported_orders_order_key UNIQUE (shop_id, order_id);

ALTER TABLE ONLY public.legal_dispute_steps
    ADD CONSTRAINT legal_dispute_steps_pkey PRIMARY KEY (from_status, to_status);

ALTER TABLE ONLY public.legal_transitions
    ADD CONSTRAINT legal_transitions_pkey PRIMARY KEY (from_status, to_status);

ALTER TABLE ONLY public.limit_reservations
    ADD CONSTRAINT limit_reservations_pkey PRIMARY KEY (shop_id, order_id);

ALTER TABLE ONLY public.limit_uses
    ADD CONSTRAINT limit_uses_pkey PRIMARY KEY (limit_id, card, begins_at);

ALTER TABLE ONLY public.limits
    ADD CONSTRAINT limits_key UNIQUE (scope, object_id, kind, currency, rule);

ALTER TABLE ONLY public.limits
    ADD CONSTRAINT limits_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.mandate_decisions
    ADD CONSTRAINT mandate_decisions_pkey PRIMARY KEY (shop_id, mandate_id, number);

ALTER TABLE ONLY public.mandate_runs
    ADD CONSTRAINT mandate_runs_pkey PRIMARY KEY (shop_id, id);

ALTER TABLE ONLY public.mandates
    ADD CONSTRAINT mandates_pkey PRIMARY KEY (shop_id, id);

ALTER TABLE ONLY public.notification_attempts
    ADD CONSTRAINT notification_attempts_pkey PRIMARY KEY (shop_id, order_id, sequence, attempt);

ALTER TABLE ONLY public.notifications
    ADD CONSTRAINT notifications_pkey PRIMARY KEY (shop_id, order_id, sequence);

ALTER TABLE ONLY public.open_orders
    ADD CONSTRAINT open_orders_pkey PRIMARY KEY (shop_id, order_id);

ALTER TABLE ONLY public.order_attempts
    ADD CONSTRAINT order_attempts_pkey PRIMARY KEY (shop_id, order_id, number);

ALTER TABLE ONLY public.order_conflicts
    ADD CONSTRAINT order_conflicts_pkey PRIMARY KEY (shop_id, order_id, id);

ALTER TABLE ONLY public.order_fingerprints
    ADD CONSTRAINT order_fingerprints_pkey PRIMARY KEY (shop_id, fingerprint);

ALTER TABLE ONLY public.order_holds
    ADD CONSTRAINT order_holds_pkey PRIMARY KEY (shop_id, order_id);

ALTER TABLE ONLY public.order_names
    ADD CONSTRAINT order_names_pkey PRIMARY KEY (name_hash, shop_id, order_id);

ALTER TABLE ONLY public.order_references
    ADD CONSTRAINT order_references_key PRIMARY KEY (reference, shop_id, kind);

ALTER TABLE ONLY public.order_transitions
    ADD CONSTRAINT order_transitions_pkey PRIMARY KEY (shop_id, order_id, sequence);

ALTER TABLE ONLY public.orderless_callbacks
    ADD CONSTRAINT orderless_callbacks_pkey PRIMARY KEY (account_id, dedupe_key);

ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_pkey PRIMARY KEY (shop_id, id);

ALTER TABLE ONLY public.paused_shops
    ADD CONSTRAINT paused_shops_pkey PRIMARY KEY (shop_id);

ALTER TABLE ONLY public.payout_approvals
    ADD CONSTRAINT payout_approvals_pkey PRIMARY KEY (shop_id, reference);

ALTER TABLE ONLY public.provider_calls
    ADD CONSTRAINT provider_calls_pkey PRIMARY KEY (shop_id, order_id, id);

ALTER TABLE ONLY public.reencryptions
    ADD CONSTRAINT reencryptions_pkey PRIMARY KEY (place);

ALTER TABLE ONLY public.replicas
    ADD CONSTRAINT replicas_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.request_log
    ADD CONSTRAINT request_log_pkey PRIMARY KEY (shop_id, id);

ALTER TABLE ONLY public.retention
    ADD CONSTRAINT retention_pkey PRIMARY KEY (one_row);

ALTER TABLE ONLY public.routing_sets
    ADD CONSTRAINT routing_sets_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.service_keys
    ADD CONSTRAINT service_keys_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.shop_key_uses
    ADD CONSTRAINT shop_key_uses_pkey PRIMARY KEY (shop_id, key_id, address);

ALTER TABLE ONLY public.shop_keys
    ADD CONSTRAINT shop_keys_pkey PRIMARY KEY (shop_id, id);

ALTER TABLE ONLY public.shop_rates
    ADD CONSTRAINT shop_rates_pkey PRIMARY KEY (shop_id, key_id, class);

ALTER TABLE ONLY public.shops
    ADD CONSTRAINT shops_name_key UNIQUE (name);

ALTER TABLE ONLY public.shops
    ADD CONSTRAINT shops_number_key UNIQUE (number);

ALTER TABLE ONLY public.shops
    ADD CONSTRAINT shops_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.transaction_report_rows
    ADD CONSTRAINT transaction_report_rows_pkey PRIMARY KEY (shop_id, report_id, "row");

ALTER TABLE ONLY public.transaction_reports
    ADD CONSTRAINT transaction_reports_pkey PRIMARY KEY (shop_id, id);

ALTER TABLE ONLY public.webhook_secrets
    ADD CONSTRAINT webhook_secrets_pkey PRIMARY KEY (shop_id, id);

CREATE UNIQUE INDEX addresses_off_key ON public.addresses_off USING btree (shop_id, md5(url));

CREATE INDEX audit_log_object ON public.audit_log USING btree (object_kind, object_id);

CREATE INDEX audit_log_owner ON public.audit_log USING btree (owner_id, seq) WHERE (owner_id IS NOT NULL);

CREATE INDEX callback_keys_age ON public.callback_keys USING brin (received_at);

CREATE INDEX deliveries_due ON public.deliveries USING btree (next_attempt_at) WHERE (state = 'pending'::text);

CREATE INDEX deliveries_stopped ON public.deliveries USING btree (state, shop_id, order_id) WHERE (state <> 'pending'::text);

CREATE INDEX deliveries_waiting ON public.deliveries USING btree (shop_id, waits_for, next_attempt_at) WHERE ((state = 'pending'::text) AND (waits_for IS NOT NULL));

CREATE UNIQUE INDEX disputes_case ON public.disputes USING btree (shop_id, order_id, provider_case) WHERE ((provider_case <> ''::text) AND (status <> 'closed'::text));

CREATE INDEX disputes_open ON public.disputes USING btree (kind, due_at) WHERE (closed_at IS NULL);

CREATE INDEX disputes_order ON public.disputes USING btree (shop_id, order_id);

CREATE INDEX idempotency_keys_age ON public.idempotency_keys USING btree (created_at);

CREATE INDEX limit_reservations_age ON public.limit_reservations USING brin (at);

CREATE INDEX mandate_runs_due ON public.mandate_runs USING btree (due_at);

CREATE UNIQUE INDEX notifications_feed ON public.notifications USING btree (shop_id, "position");

CREATE INDEX notifications_payload_age ON public.notifications USING btree (created_at) WHERE (payload IS NOT NULL);

CREATE INDEX open_orders_due ON public.open_orders USING btree (provider, next_poll_at) WHERE ((next_poll_at IS NOT NULL) AND (status <> ALL (ARRAY['requires_action'::text, 'authorized'::text])));

CREATE INDEX open_orders_due_waiting ON public.open_orders USING btree (provider, next_poll_at) WHERE ((next_poll_at IS NOT NULL) AND (status = ANY (ARRAY['requires_action'::text, 'authorized'::text])));

CREATE UNIQUE INDEX order_attempts_one_cascade ON public.order_attempts USING btree (shop_id, order_id) WHERE (reason ~~ 'declined\_by\_%'::text);

CREATE INDEX order_attempts_provider_order_id ON public.order_attempts USING btree (provider_order_id);

CREATE INDEX order_fingerprints_age ON public.order_fingerprints USING brin (at);

CREATE INDEX order_references_parent ON public.order_references USING btree (shop_id, parent_id) WHERE (parent_id IS NOT NULL);

CREATE INDEX order_transitions_ended ON public.order_transitions USING btree (shop_id, to_status, order_id) WHERE (to_status = ANY (ARRAY['succeeded'::text, 'failed'::text, 'canceled'::text]));

CREATE INDEX orderless_callbacks_age ON public.orderless_callbacks USING btree (received_at);

CREATE INDEX orders_account ON public.orders USING btree (account_name, shop_id, id);

CREATE INDEX orders_kind ON public.orders USING btree (kind, shop_id, id);

CREATE INDEX orders_parent ON public.orders USING btree (shop_id, parent_id) WHERE (parent_id IS NOT NULL);

CREATE INDEX orders_provider_order_id ON public.orders USING btree (provider_order_id);

CREATE INDEX request_log_order ON ONLY public.request_log USING btree (shop_id, order_id, id) WHERE (order_id IS NOT NULL);

CREATE UNIQUE INDEX routing_sets_active ON public.routing_sets USING btree (COALESCE(shop_id, '00000000-0000-0000-0000-000000000000'::uuid)) WHERE (state = 'active'::text);

CREATE UNIQUE INDEX routing_sets_versions ON public.routing_sets USING btree (COALESCE(shop_id, '00000000-0000-0000-0000-000000000000'::uuid), version);

CREATE UNIQUE INDEX shop_keys_id_key ON public.shop_keys USING btree (id);

CREATE INDEX transaction_reports_due ON public.transaction_reports USING btree (next_poll_at) WHERE (next_poll_at IS NOT NULL);

CREATE TRIGGER account_secrets_changed AFTER INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.account_secrets FOR EACH STATEMENT EXECUTE FUNCTION public.directory_changed();

CREATE TRIGGER account_shops_changed AFTER INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.account_shops FOR EACH STATEMENT EXECUTE FUNCTION public.directory_changed();

CREATE TRIGGER accounts_changed AFTER INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.accounts FOR EACH STATEMENT EXECUTE FUNCTION public.directory_changed();

CREATE TRIGGER accounts_closed BEFORE UPDATE ON public.accounts FOR EACH ROW WHEN (((old.mode = 'closed'::text) AND (new.mode <> 'closed'::text))) EXECUTE FUNCTION public.accounts_stay_closed();

CREATE TRIGGER audit_log_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.audit_log FOR EACH STATEMENT EXECUTE FUNCTION public.audit_log_append_only();

CREATE TRIGGER audit_log_numbered BEFORE INSERT ON public.audit_log FOR EACH ROW EXECUTE FUNCTION public.audit_log_numbered();

CREATE TRIGGER bin_table_changed AFTER INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.bin_table FOR EACH STATEMENT EXECUTE FUNCTION public.directory_changed();

CREATE TRIGGER callbacks_added AFTER INSERT ON public.callbacks REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION public.callbacks_added();

CREATE TRIGGER deliveries_check AFTER INSERT ON public.deliveries REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION public.notified_check();

CREATE TRIGGER dispute_steps_append_only BEFORE DELETE OR UPDATE ON public.dispute_steps FOR EACH ROW EXECUTE FUNCTION public.append_only();

CREATE TRIGGER dispute_steps_check AFTER INSERT ON public.dispute_steps FOR EACH ROW EXECUTE FUNCTION public.dispute_steps_check();

CREATE TRIGGER dispute_steps_no_truncate BEFORE TRUNCATE ON public.dispute_steps FOR EACH STATEMENT EXECUTE FUNCTION public.append_only();

CREATE TRIGGER disputes_append_only BEFORE DELETE ON public.disputes FOR EACH ROW EXECUTE FUNCTION public.append_only();

CREATE TRIGGER imported_orders_append_only BEFORE DELETE OR UPDATE ON public.imported_orders FOR EACH ROW EXECUTE FUNCTION public.append_only();

CREATE TRIGGER imported_orders_no_truncate BEFORE TRUNCATE ON public.imported_orders FOR EACH STATEMENT EXECUTE FUNCTION public.append_only();

CREATE TRIGGER limits_changed AFTER INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.limits FOR EACH STATEMENT EXECUTE FUNCTION public.directory_changed();

CREATE TRIGGER mandate_decisions_append_only BEFORE DELETE OR UPDATE ON public.mandate_decisions FOR EACH ROW EXECUTE FUNCTION public.append_only();

CREATE TRIGGER mandate_decisions_no_truncate BEFORE TRUNCATE ON public.mandate_decisions FOR EACH STATEMENT EXECUTE FUNCTION public.append_only();

CREATE TRIGGER mandates_append_only BEFORE DELETE ON public.mandates FOR EACH ROW EXECUTE FUNCTION public.append_only();

CREATE TRIGGER mandates_changed BEFORE UPDATE ON public.mandates FOR EACH ROW EXECUTE FUNCTION public.mandates_changed();

CREATE TRIGGER mandates_no_truncate BEFORE TRUNCATE ON public.mandates FOR EACH STATEMENT EXECUTE FUNCTION public.append_only();

CREATE TRIGGER notification_attempts_check AFTER INSERT ON public.notification_attempts REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION public.notified_check();

CREATE TRIGGER notifications_check AFTER INSERT ON public.notifications REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION public.notifications_check();

CREATE TRIGGER order_attempts_append_only BEFORE DELETE OR UPDATE ON public.order_attempts FOR EACH ROW EXECUTE FUNCTION public.append_only();

CREATE TRIGGER order_attempts_no_truncate BEFORE TRUNCATE ON public.order_attempts FOR EACH STATEMENT EXECUTE FUNCTION public.append_only();

CREATE TRIGGER order_holds_changed AFTER INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.order_holds FOR EACH STATEMENT EXECUTE FUNCTION public.directory_changed();

CREATE TRIGGER order_references_append_only BEFORE DELETE OR UPDATE ON public.order_references FOR EACH ROW EXECUTE FUNCTION public.append_only();

CREATE TRIGGER order_references_no_truncate BEFORE TRUNCATE ON public.order_references FOR EACH STATEMENT EXECUTE FUNCTION public.append_only();

CREATE TRIGGER order_transitions_append_only BEFORE DELETE OR UPDATE ON public.order_transitions FOR EACH ROW EXECUTE FUNCTION public.append_only();

CREATE TRIGGER order_transitions_check AFTER INSERT ON public.order_transitions REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION public.order_transitions_check();

CREATE TRIGGER order_transitions_no_truncate BEFORE TRUNCATE ON public.order_transitions FOR EACH STATEMENT EXECUTE FUNCTION public.append_only();

CREATE TRIGGER orders_added AFTER INSERT ON public.orders REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION public.orders_added();

CREATE TRIGGER orders_append_only BEFORE DELETE ON public.orders FOR EACH ROW EXECUTE FUNCTION public.append_only();

CREATE TRIGGER orders_changed AFTER UPDATE ON public.orders REFERENCING OLD TABLE AS before_it NEW TABLE AS after_it FOR EACH STATEMENT EXECUTE FUNCTION public.orders_changed();

CREATE TRIGGER orders_no_truncate BEFORE TRUNCATE ON public.orders FOR EACH STATEMENT EXECUTE FUNCTION public.append_only();

CREATE TRIGGER paused_shops_changed AFTER INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.paused_shops FOR EACH STATEMENT EXECUTE FUNCTION public.directory_changed();

CREATE TRIGGER routing_sets_append_only BEFORE DELETE ON public.routing_sets FOR EACH ROW EXECUTE FUNCTION public.append_only();

CREATE TRIGGER routing_sets_changed AFTER INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.routing_sets FOR EACH STATEMENT EXECUTE FUNCTION public.directory_changed();

CREATE TRIGGER routing_sets_no_truncate BEFORE TRUNCATE ON public.routing_sets FOR EACH STATEMENT EXECUTE FUNCTION public.append_only();

CREATE TRIGGER routing_sets_unchanged BEFORE UPDATE ON public.routing_sets FOR EACH ROW WHEN (((((((((old.id IS DISTINCT FROM new.id) OR (old.version IS DISTINCT FROM new.version)) OR (old.body IS DISTINCT FROM new.body)) OR (old.checksum IS DISTINCT FROM new.checksum)) OR (old.author IS DISTINCT FROM new.author)) OR (old.reason IS DISTINCT FROM new.reason)) OR (old.created_at IS DISTINCT FROM new.created_at)) OR (old.shop_id IS DISTINCT FROM new.shop_id))) EXECUTE FUNCTION public.append_only();

CREATE TRIGGER shop_keys_changed AFTER INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.shop_keys FOR EACH STATEMENT EXECUTE FUNCTION public.directory_changed();

CREATE TRIGGER shop_rates_changed AFTER INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.shop_rates FOR EACH STATEMENT EXECUTE FUNCTION public.directory_changed();

CREATE TRIGGER shops_changed AFTER INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.shops FOR EACH STATEMENT EXECUTE FUNCTION public.directory_changed();

CREATE TRIGGER webhook_secrets_changed AFTER INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.webhook_secrets FOR EACH STATEMENT EXECUTE FUNCTION public.directory_changed();

ALTER TABLE ONLY public.account_demotions
    ADD CONSTRAINT account_demotions_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id);

ALTER TABLE ONLY public.account_health
    ADD CONSTRAINT account_health_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id);

ALTER TABLE ONLY public.account_secrets
    ADD CONSTRAINT account_secrets_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id);

ALTER TABLE ONLY public.account_shops
    ADD CONSTRAINT account_shops_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id);

ALTER TABLE ONLY public.account_shops
    ADD CONSTRAINT account_shops_shop_id_fkey FOREIGN KEY (shop_id) REFERENCES public.shops(id);

ALTER TABLE ONLY public.addresses_off
    ADD CONSTRAINT addresses_off_shop_id_fkey FOREIGN KEY (shop_id) REFERENCES public.shops(id);

ALTER TABLE ONLY public.dispute_steps
    ADD CONSTRAINT dispute_steps_legal FOREIGN KEY (from_status, to_status) REFERENCES public.legal_dispute_steps(from_status, to_status);

ALTER TABLE ONLY public.dispute_steps
    ADD CONSTRAINT dispute_steps_shop_id_dispute_id_fkey FOREIGN KEY (shop_id, dispute_id) REFERENCES public.disputes(shop_id, id);

ALTER TABLE ONLY public.dispute_steps
    ADD CONSTRAINT dispute_steps_shop_id_order_id_order_sequence_fkey FOREIGN KEY (shop_id, order_id, order_sequence) REFERENCES public.order_transitions(shop_id, order_id, sequence);

ALTER TABLE ONLY public.disputes
    ADD CONSTRAINT disputes_shop_id_order_id_fkey FOREIGN KEY (shop_id, order_id) REFERENCES public.orders(shop_id, id);

ALTER TABLE ONLY public.failing_destinations
    ADD CONSTRAINT failing_destinations_shop_id_fkey FOREIGN KEY (shop_id) REFERENCES public.shops(id);

ALTER TABLE ONLY public.feed_positions
    ADD CONSTRAINT feed_positions_shop_id_fkey FOREIGN KEY (shop_id) REFERENCES public.shops(id);

ALTER TABLE ONLY public.feed_rewinds
    ADD CONSTRAINT feed_rewinds_shop_id_fkey FOREIGN KEY (shop_id) REFERENCES public.shops(id);

ALTER TABLE ONLY public.limit_uses
    ADD CONSTRAINT limit_uses_limit_id_fkey FOREIGN KEY (limit_id) REFERENCES public.limits(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.mandates
    ADD CONSTRAINT mandates_shop_id_id_fkey FOREIGN KEY (shop_id, id) REFERENCES public.orders(shop_id, id);

ALTER TABLE ONLY public.order_attempts
    ADD CONSTRAINT order_attempts_shop_id_order_id_fkey FOREIGN KEY (shop_id, order_id) REFERENCES public.orders(shop_id, id);

ALTER TABLE ONLY public.order_conflicts
    ADD CONSTRAINT order_conflicts_shop_id_order_id_fkey FOREIGN KEY (shop_id, order_id) REFERENCES public.orders(shop_id, id);

ALTER TABLE ONLY public.order_holds
    ADD CONSTRAINT order_holds_shop_id_order_id_fkey FOREIGN KEY (shop_id, order_id) REFERENCES public.orders(shop_id, id);

ALTER TABLE ONLY public.paused_shops
    ADD CONSTRAINT paused_shops_shop_id_fkey FOREIGN KEY (shop_id) REFERENCES public.shops(id);

ALTER TABLE ONLY public.routing_sets
    ADD CONSTRAINT routing_sets_shop_id_fkey FOREIGN KEY (shop_id) REFERENCES public.shops(id);

ALTER TABLE ONLY public.shop_key_uses
    ADD CONSTRAINT shop_key_uses_shop_id_key_id_fkey FOREIGN KEY (shop_id, key_id) REFERENCES public.shop_keys(shop_id, id);

ALTER TABLE ONLY public.shop_keys
    ADD CONSTRAINT shop_keys_shop_id_fkey FOREIGN KEY (shop_id) REFERENCES public.shops(id);

ALTER TABLE ONLY public.shop_rates
    ADD CONSTRAINT shop_rates_shop_id_fkey FOREIGN KEY (shop_id) REFERENCES public.shops(id);

ALTER TABLE ONLY public.transaction_report_rows
    ADD CONSTRAINT transaction_report_rows_shop_id_order_id_fkey FOREIGN KEY (shop_id, order_id) REFERENCES public.orders(shop_id, id);

ALTER TABLE ONLY public.transaction_report_rows
    ADD CONSTRAINT transaction_report_rows_shop_id_report_id_fkey FOREIGN KEY (shop_id, report_id) REFERENCES public.transaction_reports(shop_id, id);

ALTER TABLE ONLY public.transaction_reports
    ADD CONSTRAINT transaction_reports_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id);

ALTER TABLE ONLY public.transaction_reports
    ADD CONSTRAINT transaction_reports_shop_id_fkey FOREIGN KEY (shop_id) REFERENCES public.shops(id);

ALTER TABLE ONLY public.webhook_secrets
    ADD CONSTRAINT webhook_secrets_shop_id_fkey FOREIGN KEY (shop_id) REFERENCES public.shops(id);

