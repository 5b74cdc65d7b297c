-- +goose Up
-- The whole schema. In reading order: who calls us (shops), whom we call (accounts), what moves money (orders and their history),
-- what providers tell us (callbacks), what we tell shops (notifications), and three things beside them (idempotency keys,
-- transaction reports, the audit log). Until the first release this file is edited in place; from then on the schema changes by
-- new files, each safe before and after a deploy.
--
-- Everything of a shop has shop_id first in its key. Names are constrained here because a name is what operators type.
-- Sums are in minor units of the order's currency. Encrypted columns are bound to their row by associated data.

-- Shops and their keys -------------------------------------------------------------------------------------------
CREATE SEQUENCE shop_numbers;
CREATE TABLE shops (
    id                  uuid PRIMARY KEY,
    number              bigint NOT NULL DEFAULT nextval('shop_numbers') CONSTRAINT shops_number_key UNIQUE CONSTRAINT shops_number CHECK (number BETWEEN 1 AND 4294967295), -- in the ids of its orders at providers
    name                text NOT NULL CONSTRAINT shops_name_key UNIQUE CONSTRAINT shops_name_form CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'),
    notification_url    text NOT NULL DEFAULT '',
    allow_cidrs         text[] NOT NULL DEFAULT '{}',       -- internal addresses that notifications may go to
    -- What a request has that leaves it out; '' is none.
    site_url            text NOT NULL DEFAULT '',
    return_url          text NOT NULL DEFAULT '',           -- where customers come back to, whatever happened
    success_url         text NOT NULL DEFAULT '',
    fail_url            text NOT NULL DEFAULT '',
    flow                text NOT NULL DEFAULT '' CONSTRAINT shops_flow CHECK (flow IN ('', 'hosted', 'direct')),
    cascade             text NOT NULL DEFAULT '' CONSTRAINT shops_cascade CHECK (cascade IN ('', 'provider', 'issuer')), -- the declines after which a payment may go to another account
    on_surplus          text NOT NULL DEFAULT 'hold' CONSTRAINT shops_on_surplus CHECK (on_surplus IN ('hold', 'refund')), -- what becomes of money that nobody asked for
    mode                text NOT NULL DEFAULT 'enabled' CONSTRAINT shops_mode CHECK (mode IN ('enabled', 'drain', 'off')),
    version             bigint NOT NULL DEFAULT 1,          -- how often the row was changed, so that nobody undoes what they have not seen
    created_at          timestamptz NOT NULL
);

-- What notifications of a shop are signed with. During a rotation two are live, and each notification carries a signature by each.
CREATE TABLE webhook_secrets (
    shop_id     uuid NOT NULL REFERENCES shops (id),
    id          uuid NOT NULL,
    secret      bytea NOT NULL,                             -- encrypted, associated data shop/<shop_id>/webhook_secret
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz,                                -- set by a rotation
    PRIMARY KEY (shop_id, id)
);

CREATE TABLE shop_keys (
    shop_id     uuid NOT NULL REFERENCES shops (id),
    id          text NOT NULL CONSTRAINT shop_keys_id CHECK (id ~ '^[0-9A-Za-z]{4,10}$'), -- stands in the key
    mac         bytea NOT NULL CONSTRAINT shop_keys_mac_length CHECK (length(mac) = 32), -- of the whole key, under the service key api_key
    name        text NOT NULL DEFAULT '',
    scopes      text[] NOT NULL CONSTRAINT shop_keys_scopes CHECK (scopes <@ ARRAY['payments', 'mandates', 'refunds', 'payouts', 'disputes', 'reports', 'read']),
    allow_cidrs text[] NOT NULL DEFAULT '{}',               -- networks that calls may come from; none is any
    mode        text NOT NULL DEFAULT 'enabled' CONSTRAINT shop_keys_mode CHECK (mode IN ('enabled', 'drain', 'off')),
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    replaced_by text,                                       -- the key that a rotation gave in its place
    revoked_at  timestamptz,
    revoked_by  text NOT NULL DEFAULT '',
    revoked_reason text NOT NULL DEFAULT '',
    PRIMARY KEY (shop_id, id)
);
CREATE UNIQUE INDEX shop_keys_id_key ON shop_keys (id);

-- When and from where keys were used, to the minute. Apart from the keys, because every replica reads those anew when one changes.
CREATE TABLE shop_key_uses (
    shop_id      uuid NOT NULL,
    key_id       text NOT NULL,
    address      inet NOT NULL,                             -- of IPv6 the first 64 bits; :: stands for all beyond the first 1000
    first_used_at timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    PRIMARY KEY (shop_id, key_id, address),
    FOREIGN KEY (shop_id, key_id) REFERENCES shop_keys (shop_id, id)
) WITH (fillfactor = 50);

-- How often each key of a shop may ask. Where there is no row there is no rate, but for statements.
CREATE TABLE shop_rates (
    shop_id     uuid NOT NULL REFERENCES shops (id),
    key_id      text NOT NULL DEFAULT '',                   -- '' is every key of the shop without a row of its own
    class       text NOT NULL CONSTRAINT shop_rates_class CHECK (class IN ('reads', 'writes', 'statements')),
    quota       integer NOT NULL CONSTRAINT shop_rates_quota CHECK (quota BETWEEN 1 AND 1000000),
    seconds     integer NOT NULL CONSTRAINT shop_rates_seconds CHECK (seconds BETWEEN 1 AND 86400), -- until the whole quota is there again
    PRIMARY KEY (shop_id, key_id, class)
);

-- What may be begun: an order is refused, or only told of, that goes beyond one of these. See docs/limits.md.
CREATE TABLE limits (
    id          uuid PRIMARY KEY,
    scope       text NOT NULL CONSTRAINT limits_scope CHECK (scope IN ('global', 'shop', 'account', 'key')),
    object_id   text NOT NULL CONSTRAINT limits_object CHECK ((object_id = '') = (scope = 'global')), -- the id of the shop, account or key
    kind        text NOT NULL CONSTRAINT limits_kind CHECK (kind IN ('payment', 'refund', 'payout', 'transfer')),
    currency    text NOT NULL CONSTRAINT limits_currency CHECK (currency ~ '^[A-Z]{3}$' OR currency = '' AND amount IS NULL), -- '' is any
    rule        text NOT NULL CONSTRAINT limits_rule CHECK (rule IN ('order', 'minimum', 'hour', 'day', 'duplicate', 'approval', 'declines', 'card_declines', 'pause')),
    amount      bigint CONSTRAINT limits_amount CHECK (amount > 0), -- the largest sum, in minor units; with the rule minimum the smallest
    orders      bigint CONSTRAINT limits_orders CHECK (orders IS NULL OR orders > 0 AND rule IN ('hour', 'day', 'declines', 'card_declines', 'pause')), -- how many at most
    mode        text NOT NULL CONSTRAINT limits_mode CHECK (mode IN ('observe', 'enforce')),
    CONSTRAINT limits_key UNIQUE (scope, object_id, kind, currency, rule),
    CONSTRAINT limits_bounds CHECK ((rule = 'duplicate') = (amount IS NULL AND orders IS NULL))
);

-- Shops whose direct card payments are refused since issuers declined too many: somebody tries cards out. An operator ends it.
CREATE TABLE paused_shops (
    shop_id     uuid PRIMARY KEY REFERENCES shops (id),
    since       timestamptz NOT NULL
);

-- Accounts at providers ------------------------------------------------------------------------------------------
CREATE TABLE accounts (
    id                  uuid PRIMARY KEY,
    name                text NOT NULL CONSTRAINT accounts_name_key UNIQUE CONSTRAINT accounts_name_form CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'),
    provider            text NOT NULL,
    currency            text NOT NULL CONSTRAINT accounts_currency CHECK (currency ~ '^[A-Z]{3}$'),
    purpose             text NOT NULL DEFAULT 'any' CONSTRAINT accounts_purpose CHECK (purpose IN ('any', 'payments', 'payouts')),
    settings            jsonb NOT NULL DEFAULT '{}',
    withheld            jsonb NOT NULL DEFAULT '{}',        -- capabilities that its contract leaves out, each with the reason
    callback_token      bytea NOT NULL,                     -- encrypted, associated data account/<id>/callback_token
    callback_token_hash bytea NOT NULL CONSTRAINT accounts_callback_token_key UNIQUE,
    previous_token_hash bytea,                              -- of the callback token before a rotation, which works until then
    previous_token_until timestamptz,
    mode                text NOT NULL DEFAULT 'enabled' CONSTRAINT accounts_mode CHECK (mode IN ('enabled', 'drain', 'off', 'closed')),
    version             bigint NOT NULL DEFAULT 1,          -- how often the row was changed, so that nobody undoes what they have not seen
    moved_at            timestamptz,                        -- when calls last went to another installation or merchant; null: never
    created_at          timestamptz NOT NULL
);

-- Calls use the current secrets. Callbacks are verified by the previous and the staged ones too.
CREATE TABLE account_secrets (
    account_id  uuid NOT NULL REFERENCES accounts (id),
    name        text NOT NULL,
    stage       text NOT NULL CONSTRAINT account_secrets_stage CHECK (stage IN ('staged', 'current', 'previous')),
    value       bytea NOT NULL,                             -- encrypted, associated data account/<id>/secret/<name>
    since       timestamptz NOT NULL,                       -- when it came to this stage
    PRIMARY KEY (account_id, name, stage)
);

-- Which shops may use an account. New orders that name no account go to the first one that fits, by priority.
CREATE TABLE account_shops (
    shop_id     uuid NOT NULL REFERENCES shops (id),
    account_id  uuid NOT NULL REFERENCES accounts (id),
    priority    integer CONSTRAINT account_shops_priority CHECK (priority BETWEEN 1 AND 1000), -- null: a request must name it
    PRIMARY KEY (shop_id, account_id)
);

-- What came of the calls of each account, by minute, as all replicas counted it. Kept for little more than an hour.
CREATE TABLE account_health (
    account_id  uuid NOT NULL REFERENCES accounts (id),
    minute      timestamptz NOT NULL,
    answered    bigint NOT NULL,
    not_sent    bigint NOT NULL,
    unknown     bigint NOT NULL,
    PRIMARY KEY (account_id, minute)
) WITH (fillfactor = 50);

-- Accounts that were demoted once: new orders go to them last while they are. What they were judged by is kept with it.
CREATE TABLE account_demotions (
    account_id  uuid PRIMARY KEY REFERENCES accounts (id),
    demoted     boolean NOT NULL,
    changed_at  timestamptz NOT NULL,
    calls       bigint NOT NULL,
    failed      bigint NOT NULL
);

-- Routing rules, as versions: none is changed but for its state. See docs/routing.md.
CREATE TABLE routing_sets (
    id           uuid PRIMARY KEY,
    shop_id      uuid REFERENCES shops (id),                -- null: of every shop without an active set of its own
    version      integer NOT NULL CONSTRAINT routing_sets_version CHECK (version >= 1), -- counts those of a scope
    body         text NOT NULL CONSTRAINT routing_sets_body CHECK (length(body) BETWEEN 2 AND 262144), -- the file as it was given
    checksum     text NOT NULL,                             -- SHA-256 of the body, in hexadecimal
    state        text NOT NULL CONSTRAINT routing_sets_state CHECK (state IN ('draft', 'active', 'retired')),
    author       text NOT NULL,
    reason       text NOT NULL,                             -- why it was made
    created_at   timestamptz NOT NULL,
    activated_at timestamptz CONSTRAINT routing_sets_activated CHECK ((state = 'draft') = (activated_at IS NULL)) -- the last time
);
-- Nulls count as equal, which Postgres 14 cannot say in another way.
CREATE UNIQUE INDEX routing_sets_versions ON routing_sets ((coalesce(shop_id, '00000000-0000-0000-0000-000000000000')), version);
CREATE UNIQUE INDEX routing_sets_active ON routing_sets ((coalesce(shop_id, '00000000-0000-0000-0000-000000000000'))) WHERE state = 'active';

-- In which countries cards were issued, by their first digits: the list that was imported last. See docs/routing.md.
CREATE TABLE bin_table (
    one_row     boolean PRIMARY KEY DEFAULT true CONSTRAINT bin_table_one_row CHECK (one_row),
    version     integer NOT NULL CONSTRAINT bin_table_version CHECK (version >= 1), -- counts imports
    content     bytea NOT NULL CONSTRAINT bin_table_content CHECK (length(content) BETWEEN 1 AND 16777216), -- sorted and packed
    author      text NOT NULL,
    reason      text NOT NULL,                              -- why it was imported
    imported_at timestamptz NOT NULL
);

-- Every replica keeps shops, keys and accounts in memory, and reads them anew when this number has moved.
CREATE TABLE directory (
    one_row     boolean PRIMARY KEY DEFAULT true CONSTRAINT directory_one_row CHECK (one_row),
    generation  bigint NOT NULL,
    changed_at  timestamptz NOT NULL                        -- tells a number from the same one of a restored database
);
INSERT INTO directory (generation, changed_at) VALUES (1, clock_timestamp());

-- The service may only read the number, and still pauses a shop: so the function has its owner's rights.
-- +goose StatementBegin
CREATE FUNCTION directory_changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE directory SET generation = generation + 1, changed_at = clock_timestamp();
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER shops_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON shops FOR EACH STATEMENT EXECUTE FUNCTION directory_changed();
CREATE TRIGGER webhook_secrets_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON webhook_secrets FOR EACH STATEMENT EXECUTE FUNCTION directory_changed();
CREATE TRIGGER shop_keys_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON shop_keys FOR EACH STATEMENT EXECUTE FUNCTION directory_changed();
CREATE TRIGGER shop_rates_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON shop_rates FOR EACH STATEMENT EXECUTE FUNCTION directory_changed();
CREATE TRIGGER limits_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON limits FOR EACH STATEMENT EXECUTE FUNCTION directory_changed();
CREATE TRIGGER paused_shops_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON paused_shops FOR EACH STATEMENT EXECUTE FUNCTION directory_changed();
CREATE TRIGGER accounts_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON accounts FOR EACH STATEMENT EXECUTE FUNCTION directory_changed();
CREATE TRIGGER account_secrets_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON account_secrets FOR EACH STATEMENT EXECUTE FUNCTION directory_changed();
CREATE TRIGGER routing_sets_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON routing_sets FOR EACH STATEMENT EXECUTE FUNCTION directory_changed();
CREATE TRIGGER bin_table_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON bin_table FOR EACH STATEMENT EXECUTE FUNCTION directory_changed();
CREATE TRIGGER account_shops_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON account_shops FOR EACH STATEMENT EXECUTE FUNCTION directory_changed();

-- Keys that the service makes for itself, such as the one that request bodies are compared by.
CREATE TABLE service_keys (
    name        text PRIMARY KEY,
    value       bytea NOT NULL,                             -- encrypted, associated data service/<name>
    created_at  timestamptz NOT NULL
);

-- The running services, and which keys of the keyset each holds. A row that was not renewed for half a minute is of one that is gone.
CREATE TABLE replicas (
    id          uuid PRIMARY KEY,
    host        text NOT NULL,
    version     text NOT NULL,
    key_ids     bigint[] NOT NULL,                          -- that it can decrypt with
    primary_key bigint NOT NULL,                            -- that it encrypts with
    started_at  timestamptz NOT NULL,
    seen_at     timestamptz NOT NULL
);

-- How far each encrypted column is rewritten under a key. An interrupted run goes on from here.
CREATE TABLE reencryptions (
    place       text PRIMARY KEY,                           -- table.column
    key_id      bigint NOT NULL,
    after       text[] NOT NULL DEFAULT '{}',               -- the primary key of the last row that was looked at
    rewritten   bigint NOT NULL,
    finished    boolean NOT NULL,
    updated_at  timestamptz NOT NULL
);

-- Orders ---------------------------------------------------------------------------------------------------------
-- The table of legal steps. Package payment holds the same; a test compares the two.
CREATE TABLE legal_transitions (
    from_status text NOT NULL,                              -- '' is the beginning
    to_status   text NOT NULL,
    PRIMARY KEY (from_status, to_status)
);
INSERT INTO legal_transitions (from_status, to_status) VALUES
    ('', 'created'),
    ('created', 'unknown'), ('created', 'processing'), ('created', 'requires_action'), ('created', 'authorized'),
    ('created', 'succeeded'), ('created', 'failed'), ('created', 'canceled'),
    ('unknown', 'processing'), ('unknown', 'requires_action'), ('unknown', 'authorized'),
    ('unknown', 'succeeded'), ('unknown', 'failed'), ('unknown', 'canceled'),
    ('processing', 'requires_action'), ('processing', 'authorized'),
    ('processing', 'succeeded'), ('processing', 'failed'), ('processing', 'canceled'),
    ('requires_action', 'processing'), ('requires_action', 'authorized'),
    ('requires_action', 'succeeded'), ('requires_action', 'failed'), ('requires_action', 'canceled'),
    ('authorized', 'processing'), ('authorized', 'succeeded'), ('authorized', 'failed'), ('authorized', 'canceled'),
    ('failed', 'failed'), ('canceled', 'canceled'),         -- the money came after all, and another order carries it
    ('succeeded', 'succeeded');                             -- money of a transfer or payout came back, or a step of a payment's dispute

-- Everything that moves money. Some steps change most of its columns: no index is on one that changes, and pages are filled in
-- part, so that the new version of a row stands on the page of the old one and no index is written.
CREATE TABLE orders (
    shop_id             uuid NOT NULL,
    id                  uuid NOT NULL,
    kind                text NOT NULL CONSTRAINT orders_kind CHECK (kind IN ('payment', 'refund', 'payout', 'payout_card', 'transfer')),
    reference           text NOT NULL CONSTRAINT orders_reference_length CHECK (length(reference) BETWEEN 1 AND 96), -- the shop's name of it, at most 64 long; payrelay's own end with ~sub-HASH, with ~due-PERIOD-TRY, with ~late and a digit where it is of one attempt, or with two of these
    request_hash        bytea NOT NULL,                     -- keyed hash of the request, for telling a repeat from another order
    parent_id           uuid,                               -- the payment that a refund, a repeated charge or late money belongs to
    superseded_by       uuid CONSTRAINT orders_superseded CHECK (superseded_by IS NULL OR status IN ('failed', 'canceled')), -- what carries money that moved after the end: an order, or of a refund a dispute of its payment

    -- How it stands.
    status              text NOT NULL CONSTRAINT orders_status CHECK (status IN ('created', 'unknown', 'processing', 'requires_action', 'authorized', 'succeeded', 'failed', 'canceled')),
    status_reason       text NOT NULL DEFAULT '',           -- for people; nothing is decided by it
    operation           text NOT NULL CONSTRAINT orders_operation CHECK (operation IN ('sale', 'authorize', 'capture', 'cancel')), -- the last thing asked for
    manual_capture      boolean NOT NULL DEFAULT false,
    form_lost           boolean NOT NULL DEFAULT false,     -- the provider has it, and nobody knows the address of its form
    sequence            integer NOT NULL CONSTRAINT orders_sequence CHECK (sequence >= 1), -- transitions so far
    conflicts           integer NOT NULL DEFAULT 0,         -- contradictions that wait for an operator

    -- Its money. Null for a payout card, which has no sum.
    amount              bigint,
    currency            text,
    amount_authorized   bigint NOT NULL DEFAULT 0,
    amount_captured     bigint NOT NULL DEFAULT 0,
    amount_refunded     bigint NOT NULL DEFAULT 0,          -- refunds that succeeded
    amount_reserved     bigint NOT NULL DEFAULT 0,          -- refunds that succeeded or may yet
    capture_amount      bigint NOT NULL DEFAULT 0,          -- what the last capture asked for
    reported_amount     bigint,                             -- what a callback named of a captured part, until the provider was asked
    amount_disputed     bigint NOT NULL DEFAULT 0,          -- what disputes took of the captured sum and refunds had left
    amount_overdrawn    bigint NOT NULL DEFAULT 0,          -- what disputes took beyond that
    disputes_open       integer NOT NULL DEFAULT 0,         -- open disputes that refuse refunds

    -- At the provider.
    flow                text NOT NULL DEFAULT '',
    recurring           boolean NOT NULL DEFAULT false,
    cascade             text NOT NULL DEFAULT '' CONSTRAINT orders_cascade CHECK (cascade IN ('', 'provider', 'issuer')), -- the declines after which it may go to another account
    provider            text NOT NULL,
    account_id          uuid NOT NULL,
    account_name        text NOT NULL,
    provider_order_id   text NOT NULL,                      -- our name of it there
    provider_reference  text NOT NULL DEFAULT '',           -- the provider's own
    bank_references     jsonb,                              -- names of movements of money, such as RRNs, each with the status that it was reported for
    data_key            bytea,                              -- random, encrypts what is said of the order; encrypted, associated data order/<id>/data_key; null when the order is erased
    provider_state      bytea,                              -- what the adapter gets back with the next call; under the data key
    next_action         bytea,                              -- under the data key
    payment_method      jsonb,                              -- masked
    failure             jsonb,

    -- From and for the shop.
    routing             jsonb,                              -- the decision of routing rules, null where none decided; without its facts when the order is erased
    details             bytea,                              -- what the shop told of its customer and site; under the data key
    description         text NOT NULL DEFAULT '',
    metadata            jsonb NOT NULL DEFAULT '{}',
    notification_url    text NOT NULL DEFAULT '',

    created_at          timestamptz NOT NULL,
    updated_at          timestamptz NOT NULL,
    finalized_at        timestamptz,

    -- Verification: what status polls have found so far, and when the next one is due. See docs/verification.md.
    next_poll_at        timestamptz,
    polls_since         timestamptz NOT NULL,               -- where the schedule of polls began
    polls_done          integer NOT NULL DEFAULT 0,         -- times of the schedule that are over, or were left out
    denials             integer NOT NULL DEFAULT 0,         -- answers in a row that deny that the last call arrived
    first_denial_at     timestamptz,
    acknowledged        boolean NOT NULL DEFAULT false,     -- the provider has named the order, so no denial of it is believed
    command_accepted    boolean NOT NULL DEFAULT false,     -- the provider answered the last capture or cancel, so no denial of that is
    pending_since       timestamptz,                        -- a callback is not verified yet, and outlasts the order's end until it is
    pending_status      text NOT NULL DEFAULT '' CONSTRAINT orders_pending_status CHECK (pending_status IN ('', 'succeeded', 'failed', 'canceled')), -- the end that it named

    -- Made by the service with a key that the database does not have. See docs/integrity.md.
    chain               bytea NOT NULL DEFAULT '',          -- of its newest transition
    seal                bytea NOT NULL DEFAULT '',          -- over chain and every column that steers money

    PRIMARY KEY (shop_id, id),
    -- Sums: nothing is captured beyond the amount, and refunds never exceed what was captured and not disputed, however many run at once.
    CONSTRAINT orders_amount CHECK ((kind = 'payout_card' AND amount IS NULL AND currency IS NULL) OR (kind <> 'payout_card' AND amount > 0 AND currency ~ '^[A-Z]{3}$')),
    CONSTRAINT orders_authorized_within_amount CHECK (amount_authorized BETWEEN 0 AND coalesce(amount, 0)),
    CONSTRAINT orders_captured_within_amount CHECK (amount_captured BETWEEN 0 AND coalesce(amount, 0)),
    CONSTRAINT orders_refunds_within_captured CHECK (amount_reserved BETWEEN 0 AND amount_captured - amount_disputed),
    CONSTRAINT orders_disputes CHECK (amount_disputed >= 0 AND amount_overdrawn >= 0 AND disputes_open >= 0),
    CONSTRAINT orders_refunded_within_reserved CHECK (amount_refunded BETWEEN 0 AND amount_reserved),
    CONSTRAINT orders_captured_only_when_succeeded CHECK (status = 'succeeded' OR amount_captured = 0),
    CONSTRAINT orders_reported_within_amount CHECK (reported_amount BETWEEN 1 AND amount),
    CONSTRAINT orders_final CHECK ((status IN ('succeeded', 'failed', 'canceled')) = (finalized_at IS NOT NULL)),
    -- A time that no answer can be written with would stop every list with the order.
    CONSTRAINT orders_times CHECK (least(created_at, updated_at, finalized_at, next_poll_at, polls_since, first_denial_at, pending_since) >= '1970-01-01 00:00:00Z'
        AND greatest(created_at, updated_at, finalized_at, next_poll_at, polls_since, first_denial_at, pending_since) < '3000-01-01 00:00:00Z'),
    -- Verification: each fact stands only where it means something.
    CONSTRAINT orders_denials CHECK (denials >= 0 AND (denials > 0) = (first_denial_at IS NOT NULL)),
    CONSTRAINT orders_command_accepted CHECK (NOT command_accepted OR operation IN ('capture', 'cancel')),
    CONSTRAINT orders_pending_until_the_end CHECK (pending_since IS NULL OR finalized_at IS NULL),
    CONSTRAINT orders_pending_status_of_pending CHECK (pending_status = '' OR pending_since IS NOT NULL),
    CONSTRAINT orders_form_lost CHECK (NOT form_lost OR (status = 'processing' AND next_action IS NULL))
) WITH (fillfactor = 75);
CREATE INDEX orders_provider_order_id ON orders (provider_order_id);
-- For lists. Neither column ever changes, so steps do not write these.
-- The shop is not first, for the reason of order_references: an order must not be looked up by its shop alone.
CREATE INDEX orders_kind ON orders (kind, shop_id, id);
CREATE INDEX orders_account ON orders (account_name, shop_id, id);
CREATE INDEX orders_parent ON orders (shop_id, parent_id) WHERE parent_id IS NOT NULL;

-- Each reference of a shop names one order of a kind. The statement that adds the order adds this row before it.
CREATE TABLE order_references (
    shop_id     uuid NOT NULL,
    kind        text NOT NULL,
    reference   text NOT NULL,
    order_id    uuid NOT NULL,
    key_id      text NOT NULL DEFAULT '',                   -- the API key that asked for the order
    parent_id   uuid,                                       -- the order's: a payment's refunds are found by it even if their own rows are gone
    -- The reference comes first. With the shop first, a plan made while the table was small could look an order up by its shop
    -- alone and read all the orders of the shop, until the table is analyzed for the first time.
    CONSTRAINT order_references_key PRIMARY KEY (reference, shop_id, kind)
);
CREATE INDEX order_references_parent ON order_references (shop_id, parent_id) WHERE parent_id IS NOT NULL;

-- Orders by the names that providers and banks give them: hashes of provider_reference and of the keys of bank_references.
-- A row is added when the name first appears in the order, by a trigger.
CREATE TABLE order_names (
    name_hash   uuid NOT NULL,                              -- md5 of the name
    shop_id     uuid NOT NULL,
    order_id    uuid NOT NULL,
    PRIMARY KEY (name_hash, shop_id, order_id)
);

-- The orders that are not final, wait for a status poll, or are in conflict. A copy of what is searched for, kept by a trigger.
CREATE TABLE open_orders (
    shop_id      uuid NOT NULL,
    order_id     uuid NOT NULL,
    provider     text NOT NULL,
    kind         text NOT NULL,
    status       text NOT NULL,
    in_conflict  boolean NOT NULL,
    since        timestamptz NOT NULL,                      -- the order's updated_at
    next_poll_at timestamptz,
    PRIMARY KEY (shop_id, order_id)
) WITH (fillfactor = 75, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0); -- each order comes and goes: dead rows are many more than live ones, and are looked through by every lease
-- Each provider's orders are polled apart, those whose outcome is open before those that wait for somebody.
CREATE INDEX open_orders_due ON open_orders (provider, next_poll_at) WHERE next_poll_at IS NOT NULL AND status NOT IN ('requires_action', 'authorized');
CREATE INDEX open_orders_due_waiting ON open_orders (provider, next_poll_at) WHERE next_poll_at IS NOT NULL AND status IN ('requires_action', 'authorized');

-- Every step of every order. Append-only: triggers hold that, and that steps follow one another.
CREATE TABLE order_transitions (
    shop_id     uuid NOT NULL,
    order_id    uuid NOT NULL,
    sequence    integer NOT NULL,
    from_status text NOT NULL,
    to_status   text NOT NULL,
    source      text NOT NULL CONSTRAINT order_transitions_source CHECK (source IN ('request', 'answer', 'callback', 'check', 'operator')), -- on which road it came
    provider_data bytea,                                    -- under the order's data key, and so are all columns of this name but that of orderless_callbacks
    at          timestamptz NOT NULL,
    captured    bigint NOT NULL DEFAULT 0,                  -- the order's sums after the step
    refunded    bigint NOT NULL DEFAULT 0,
    chain       bytea NOT NULL DEFAULT '',                  -- over the chain of the step before and this row; see docs/integrity.md
    PRIMARY KEY (shop_id, order_id, sequence)
);
-- The orders that ended in a status. A row never changes, so unlike an index on orders it costs nothing at later steps.
CREATE INDEX order_transitions_ended ON order_transitions (shop_id, to_status, order_id) WHERE to_status IN ('succeeded', 'failed', 'canceled');

-- Rules that a foreign key or a check of one row cannot hold, or only at a higher price: each runs once a statement, over all of
-- its rows. They find rows by whole keys, and must do so by index also while the planner takes the tables for small. Plans are kept:
-- one that reads a whole index is made in a small table and used in a large one. So every question is a scalar subquery,
-- (SELECT true …) IS NULL in place of NOT EXISTS, which is never made a join; and where there is one, = ANY (ARRAY[…]) of the key's
-- first column in place of = leaves no way but by key.
-- +goose StatementBegin
CREATE FUNCTION violated(rule text, explanation text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', explanation USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = rule;
END $$;
-- +goose StatementEnd

-- A step follows the one before it, is legal, and belongs to an order.
-- +goose StatementBegin
CREATE FUNCTION order_transitions_check() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
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
-- +goose StatementEnd
CREATE TRIGGER order_transitions_check AFTER INSERT ON order_transitions
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION order_transitions_check();

-- An order that is added has its history, its reference, a shop, an account and, if it names one, a parent.
-- +goose StatementBegin
CREATE FUNCTION orders_added() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
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
-- +goose StatementEnd
CREATE TRIGGER orders_added AFTER INSERT ON orders
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION orders_added();

-- An order's status is always the end of its history: a status that no transition led to cannot be written. What never changes
-- is what other tables find the order by.
-- +goose StatementBegin
CREATE FUNCTION orders_changed() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
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
-- +goose StatementEnd
CREATE TRIGGER orders_changed AFTER UPDATE ON orders
    REFERENCING OLD TABLE AS before_it NEW TABLE AS after_it FOR EACH STATEMENT EXECUTE FUNCTION orders_changed();

-- A closed account has nothing open, and never has anything again.
-- +goose StatementBegin
CREATE FUNCTION accounts_stay_closed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM violated('accounts_closed', 'a closed account stays closed');
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER accounts_closed BEFORE UPDATE ON accounts FOR EACH ROW WHEN (old.mode = 'closed' AND new.mode <> 'closed') EXECUTE FUNCTION accounts_stay_closed();

-- What is never changed or deleted. A trigger of rows, which fires in no normal work.
-- +goose StatementBegin
CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM violated(TG_TABLE_NAME || '_append_only', TG_TABLE_NAME || ' keeps its rows: ' || lower(TG_OP) || ' is not allowed');
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER order_transitions_append_only BEFORE UPDATE OR DELETE ON order_transitions FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER order_transitions_no_truncate BEFORE TRUNCATE ON order_transitions FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER order_references_append_only BEFORE UPDATE OR DELETE ON order_references FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER order_references_no_truncate BEFORE TRUNCATE ON order_references FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER orders_append_only BEFORE DELETE ON orders FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER orders_no_truncate BEFORE TRUNCATE ON orders FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER routing_sets_append_only BEFORE DELETE ON routing_sets FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER routing_sets_unchanged BEFORE UPDATE ON routing_sets FOR EACH ROW
    WHEN ((OLD.id, OLD.version, OLD.body, OLD.checksum, OLD.author, OLD.reason, OLD.created_at) IS DISTINCT FROM (NEW.id, NEW.version, NEW.body, NEW.checksum, NEW.author, NEW.reason, NEW.created_at)
        OR OLD.shop_id IS DISTINCT FROM NEW.shop_id) EXECUTE FUNCTION append_only();
CREATE TRIGGER routing_sets_no_truncate BEFORE TRUNCATE ON routing_sets FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- Under which terms a customer may be charged again: each of the recurring payment that made it. How a mandate stands is not stored:
-- it follows from that payment, its charges, the clock and what was decided last. See docs/guides/recurring.md.
CREATE TABLE mandates (
    shop_id     uuid NOT NULL,
    id          uuid NOT NULL,                              -- of the payment, and so of the mandate
    max_amount  bigint NOT NULL CONSTRAINT mandates_max_amount CHECK (max_amount > 0), -- of one charge
    min_days    integer NOT NULL CONSTRAINT mandates_min_days CHECK (min_days BETWEEN 0 AND 366), -- between two payments; 0 is any
    expires_at  timestamptz,
    max_charges integer CONSTRAINT mandates_max_charges CHECK (max_charges > 0), -- after the payment
    schedule    text NOT NULL DEFAULT '' CONSTRAINT mandates_schedule_length CHECK (length(schedule) <= 1000), -- when payrelay charges unasked, as JSON; '' is never
    counts_from timestamptz,                                -- from when min_days and the schedule count; null is the payment's success
    decision    text NOT NULL DEFAULT '' CONSTRAINT mandates_decision CHECK (decision IN ('', 'paused', 'resumed', 'revoked')),
    decided_at  timestamptz,
    schedule_ends_at timestamptz CONSTRAINT mandates_schedule CHECK (schedule_ends_at IS NULL OR decision = 'revoked'), -- until when a provider may charge what it had planned
    seal        bytea NOT NULL CONSTRAINT mandates_seal_length CHECK (length(seal) = 16), -- see docs/integrity.md
    PRIMARY KEY (shop_id, id),
    FOREIGN KEY (shop_id, id) REFERENCES orders (shop_id, id),
    CONSTRAINT mandates_decided CHECK (decision = '' OR decided_at IS NOT NULL)
);
-- Terms never change, and nothing follows a revoke. A trigger of rows: it fires when somebody decides about a mandate.
-- +goose StatementBegin
CREATE FUNCTION mandates_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.shop_id, OLD.id, OLD.max_amount, OLD.min_days, OLD.expires_at, OLD.max_charges, OLD.schedule, OLD.counts_from) IS DISTINCT FROM
            (NEW.shop_id, NEW.id, NEW.max_amount, NEW.min_days, NEW.expires_at, NEW.max_charges, NEW.schedule, NEW.counts_from) THEN
        PERFORM violated('mandates_terms', 'the terms of a mandate never change');
    ELSIF OLD.decision = 'revoked' AND NEW.decision <> 'revoked' THEN
        PERFORM violated('mandates_revoked', 'a revoked mandate stays revoked');
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER mandates_changed BEFORE UPDATE ON mandates FOR EACH ROW EXECUTE FUNCTION mandates_changed();
CREATE TRIGGER mandates_append_only BEFORE DELETE ON mandates FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER mandates_no_truncate BEFORE TRUNCATE ON mandates FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- The payments that were made elsewhere and became parents of mandates here. No two shops, and no two orders, have the same one.
CREATE TABLE imported_orders (
    merchant          bytea NOT NULL CONSTRAINT imported_orders_merchant_length CHECK (length(merchant) = 32), -- keyed hash of the provider and its merchant
    provider_order_id text NOT NULL,                        -- as the order's: no id of ours
    account_id        uuid NOT NULL,
    shop_id           uuid NOT NULL,
    order_id          uuid NOT NULL,
    CONSTRAINT imported_orders_key PRIMARY KEY (merchant, provider_order_id),
    CONSTRAINT imported_orders_account_key UNIQUE (account_id, provider_order_id), -- also if the merchant's name at the provider changes
    CONSTRAINT imported_orders_order_key UNIQUE (shop_id, order_id)
);
CREATE TRIGGER imported_orders_append_only BEFORE UPDATE OR DELETE ON imported_orders FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER imported_orders_no_truncate BEFORE TRUNCATE ON imported_orders FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- A row for each decision about a mandate. Its seal is over the seal that the mandate had then, so an older row of a mandate shows.
CREATE TABLE mandate_decisions (
    shop_id     uuid NOT NULL,
    mandate_id  uuid NOT NULL,
    number      integer NOT NULL CONSTRAINT mandate_decisions_number CHECK (number > 0), -- from 1 on
    at          timestamptz NOT NULL,
    seal        bytea NOT NULL CONSTRAINT mandate_decisions_seal_length CHECK (length(seal) = 16), -- see docs/integrity.md
    PRIMARY KEY (shop_id, mandate_id, number)
);
CREATE TRIGGER mandate_decisions_append_only BEFORE UPDATE OR DELETE ON mandate_decisions FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER mandate_decisions_no_truncate BEFORE TRUNCATE ON mandate_decisions FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- When something is to be done about a mandate next. What is done follows from the mandate alone.
CREATE TABLE mandate_runs (
    shop_id     uuid NOT NULL,
    id          uuid NOT NULL,                              -- of the mandate
    due_at      timestamptz NOT NULL,                       -- while somebody works at it, when the next one may take over; the epoch: at once
    PRIMARY KEY (shop_id, id)
);
CREATE INDEX mandate_runs_due ON mandate_runs (due_at);

-- How much of a limit is used: sums by twenty-fourths of its window. What is added and taken away is under the lock of the limit.
CREATE TABLE limit_uses (
    limit_id    uuid NOT NULL REFERENCES limits (id) ON DELETE CASCADE,
    card        bytea NOT NULL DEFAULT '',                  -- keyed hash of a card number, for the rule card_declines
    begins_at   timestamptz NOT NULL,
    amount      numeric NOT NULL CONSTRAINT limit_uses_amount CHECK (amount >= 0),
    orders      bigint NOT NULL CONSTRAINT limit_uses_orders CHECK (orders >= 0),
    PRIMARY KEY (limit_id, card, begins_at)
) WITH (fillfactor = 50);

-- What an order was counted with, so that it can be taken away again if the order moves no money.
CREATE TABLE limit_reservations (
    shop_id     uuid NOT NULL,
    order_id    uuid NOT NULL,
    limit_ids   uuid[] NOT NULL,
    amount      bigint NOT NULL,
    card        bytea NOT NULL,                             -- keyed hash of the card number, empty where there was none
    at          timestamptz NOT NULL,
    PRIMARY KEY (shop_id, order_id)
);
CREATE INDEX limit_reservations_age ON limit_reservations USING brin (at); -- rows come and go in the order of time

-- The orders that ask for the same: payouts of the sum to the destination, or refunds of the sum of the payment. What is the same is
-- told by a keyed hash. Only kept where a limit of the rule duplicate is set.
CREATE TABLE order_fingerprints (
    shop_id     uuid NOT NULL,
    fingerprint bytea NOT NULL CONSTRAINT order_fingerprints_length CHECK (length(fingerprint) = 32),
    order_id    uuid NOT NULL,                              -- the newest
    earlier     uuid[] NOT NULL DEFAULT '{}',               -- those beside which the newest was allowed
    at          timestamptz NOT NULL,                       -- when the newest was made
    PRIMARY KEY (shop_id, fingerprint)
);
CREATE INDEX order_fingerprints_age ON order_fingerprints USING brin (at);

-- Payouts that an operator must release. The order is not there yet: the shop sends its request once more after the release, because
-- a card number is kept nowhere. A request that was released becomes one order.
CREATE TABLE payout_approvals (
    shop_id     uuid NOT NULL,
    id          uuid NOT NULL,
    reference   text NOT NULL,
    request_hash bytea NOT NULL,                            -- as the order's
    account_name text NOT NULL,
    amount      bigint NOT NULL,
    currency    text NOT NULL,
    destination text NOT NULL,                              -- masked
    state       text NOT NULL CONSTRAINT payout_approvals_state CHECK (state IN ('waiting', 'released', 'rejected', 'used')),
    requested_at timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,                       -- from then on the request is asked about anew
    order_id    uuid CONSTRAINT payout_approvals_used CHECK ((state = 'used') = (order_id IS NOT NULL)),
    seal        bytea NOT NULL DEFAULT '',                  -- see docs/integrity.md
    PRIMARY KEY (shop_id, reference)
);

-- A part of a window. Sums of the last 25 parts are never less than those of any 24 parts of time: a limit may be a part too strict.
-- +goose StatementBegin
CREATE FUNCTION limit_part(rule text) RETURNS interval LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN rule IN ('hour', 'declines', 'pause') THEN interval '150 seconds' ELSE interval '1 hour' END
$$;
CREATE FUNCTION limit_left(rule text, now timestamptz) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
    SELECT now - 25 * limit_part(rule) -- what began then or earlier has left the window
$$;

-- reserve_limits counts a new order with limits, and returns those that it goes beyond. It is the last statement of the transaction
-- that adds the order: whoever else counts with one of them waits until the commit. Who calls it rolls back if one is enforced. Rules
-- of declines count when orders end; here they only tell whether there is room.
CREATE FUNCTION reserve_limits(shop uuid, new_order uuid, counted uuid[], new_amount bigint, new_card bytea, now timestamptz)
RETURNS TABLE (limit_id uuid, used_amount numeric, used_orders bigint, free_at timestamptz) LANGUAGE plpgsql AS $$
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

-- use_limit counts an order with a limit that is locked, and forgets what has left its window.
CREATE FUNCTION use_limit(l limits, subject bytea, new_amount bigint, now timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM limit_uses u WHERE u.limit_id = l.id AND u.begins_at <= limit_left(l.rule, now);
    INSERT INTO limit_uses AS u (limit_id, card, begins_at, amount, orders) VALUES (l.id, subject, date_bin(limit_part(l.rule), now, 'epoch'), new_amount, 1)
    ON CONFLICT (limit_id, card, begins_at) DO UPDATE SET amount = u.amount + excluded.amount, orders = u.orders + 1;
END $$;

-- release_limits takes away orders that ended and moved no money, and counts those that an issuer declined. It is the last statement
-- before the commit, too.
CREATE FUNCTION release_limits(shops uuid[], ended uuid[], declined boolean[], now timestamptz) RETURNS void LANGUAGE plpgsql AS $$
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
-- +goose StatementEnd

-- Observations that contradict what is recorded. They change nothing and are shown to operators.
CREATE TABLE order_conflicts (
    shop_id     uuid NOT NULL,
    order_id    uuid NOT NULL,
    id          uuid NOT NULL,
    source      text NOT NULL,
    reported    text NOT NULL,
    reason      text NOT NULL,
    provider_data bytea,
    at          timestamptz NOT NULL,
    PRIMARY KEY (shop_id, order_id, id),
    FOREIGN KEY (shop_id, order_id) REFERENCES orders (shop_id, id)
);

-- Disputes -------------------------------------------------------------------------------------------------------
-- Money of a payment that moved without us. Each step of a dispute is a step of its order, whose history says who said what, and
-- whose notification tells the shop. See docs/disputes.md.
CREATE TABLE legal_dispute_steps (
    from_status text NOT NULL,                              -- '' is the beginning
    to_status   text NOT NULL,                              -- the same: a new fact, such as a date
    PRIMARY KEY (from_status, to_status)
);
INSERT INTO legal_dispute_steps (from_status, to_status) VALUES
    ('', 'open'),
    ('open', 'open'), ('open', 'needs_response'), ('open', 'under_review'),
    ('open', 'won'), ('open', 'lost'), ('open', 'accepted'), ('open', 'expired'), ('open', 'closed'),
    ('needs_response', 'needs_response'), ('needs_response', 'under_review'),
    ('needs_response', 'won'), ('needs_response', 'lost'), ('needs_response', 'accepted'), ('needs_response', 'expired'), ('needs_response', 'closed'),
    ('under_review', 'under_review'),
    ('open', 'refunding'), ('needs_response', 'refunding'), ('under_review', 'refunding'), ('refunding', 'open'), ('refunding', 'closed'),
    ('under_review', 'won'), ('under_review', 'lost'), ('under_review', 'accepted'), ('under_review', 'expired'), ('under_review', 'closed');

CREATE TABLE disputes (
    shop_id     uuid NOT NULL,
    id          uuid NOT NULL,
    order_id    uuid NOT NULL,
    kind        text NOT NULL CONSTRAINT disputes_kind CHECK (kind IN ('chargeback', 'second_chargeback', 'reversal', 'external_refund', 'late_success', 'duplicate_charge', 'surplus_capture', 'unauthorized_charge', 'inquiry')),
    status      text NOT NULL,
    amount      bigint NOT NULL CONSTRAINT disputes_amount CHECK (amount > 0), -- all of it, whatever is left of the order
    currency    text NOT NULL,
    overdrawn   bigint NOT NULL CONSTRAINT disputes_overdrawn CHECK (overdrawn BETWEEN 0 AND amount), -- what was more than was left when it was opened
    refunds_allowed boolean NOT NULL,                       -- an operator lets the shop refund the order while it is open
    reason_code text NOT NULL CONSTRAINT disputes_reason_code CHECK (reason_code ~ '^[A-Za-z0-9._-]{0,32}$'),
    provider_case text NOT NULL CONSTRAINT disputes_provider_case CHECK (provider_case ~ '^[A-Za-z0-9._-]{0,64}$'),
    due_at      timestamptz,                                -- until when somebody must answer
    source      text NOT NULL,                              -- on which road it was opened
    sequence    integer NOT NULL,                           -- steps so far
    opened_at   timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    closed_at   timestamptz CONSTRAINT disputes_closed CHECK ((status IN ('won', 'lost', 'accepted', 'expired', 'closed')) = (closed_at IS NOT NULL)),
    refund_id   uuid,                                       -- a refund that failed here, and that the provider carried out all the same
    seal        bytea NOT NULL,                             -- see docs/integrity.md
    PRIMARY KEY (shop_id, id),
    CONSTRAINT disputes_refund_once UNIQUE (shop_id, refund_id),
    FOREIGN KEY (shop_id, order_id) REFERENCES orders (shop_id, id)
);
CREATE INDEX disputes_order ON disputes (shop_id, order_id);
-- A case is of one dispute of its payment, unless that was opened by mistake.
CREATE UNIQUE INDEX disputes_case ON disputes (shop_id, order_id, provider_case) WHERE provider_case <> '' AND status <> 'closed';
CREATE INDEX disputes_open ON disputes (kind, due_at) WHERE closed_at IS NULL;

-- Which steps of an order are steps of a dispute.
CREATE TABLE dispute_steps (
    shop_id     uuid NOT NULL,
    dispute_id  uuid NOT NULL,
    sequence    integer NOT NULL,                           -- of the dispute
    order_id    uuid NOT NULL,
    order_sequence integer NOT NULL,
    from_status text NOT NULL,
    to_status   text NOT NULL,
    PRIMARY KEY (shop_id, dispute_id, sequence),
    CONSTRAINT dispute_steps_of_order UNIQUE (shop_id, order_id, order_sequence),
    CONSTRAINT dispute_steps_legal FOREIGN KEY (from_status, to_status) REFERENCES legal_dispute_steps (from_status, to_status),
    FOREIGN KEY (shop_id, dispute_id) REFERENCES disputes (shop_id, id),
    FOREIGN KEY (shop_id, order_id, order_sequence) REFERENCES order_transitions (shop_id, order_id, sequence)
);
-- A step leads from where the one before it led, to where the dispute is.
-- +goose StatementBegin
CREATE FUNCTION dispute_steps_check() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce((SELECT p.to_status FROM dispute_steps p WHERE p.shop_id = NEW.shop_id AND p.dispute_id = NEW.dispute_id AND p.sequence = NEW.sequence - 1), '') <> NEW.from_status
        OR (SELECT true FROM disputes d WHERE d.shop_id = NEW.shop_id AND d.id = NEW.dispute_id AND d.sequence = NEW.sequence AND d.status = NEW.to_status) IS NULL THEN
        PERFORM violated('dispute_steps_gapless', 'the steps of a dispute must follow one another, and end where the dispute is');
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER dispute_steps_check AFTER INSERT ON dispute_steps FOR EACH ROW EXECUTE FUNCTION dispute_steps_check();
CREATE TRIGGER dispute_steps_append_only BEFORE UPDATE OR DELETE ON dispute_steps FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER dispute_steps_no_truncate BEFORE TRUNCATE ON dispute_steps FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER disputes_append_only BEFORE DELETE ON disputes FOR EACH ROW EXECUTE FUNCTION append_only();

-- Orders that are not to be erased, and whose rows retention leaves alone, until an operator ends the hold.
CREATE TABLE order_holds (
    shop_id     uuid NOT NULL,
    order_id    uuid NOT NULL,
    reason      text NOT NULL,
    at          timestamptz NOT NULL,
    PRIMARY KEY (shop_id, order_id),
    FOREIGN KEY (shop_id, order_id) REFERENCES orders (shop_id, id)
);
CREATE TRIGGER order_holds_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON order_holds FOR EACH STATEMENT EXECUTE FUNCTION directory_changed();

-- Attempts of an order that are over: the account proved that nothing was sent, or that the payment was declined, so the order went to
-- another one. The present attempt is the order's own row, so that at most one may move money.
CREATE TABLE order_attempts (
    shop_id     uuid NOT NULL,
    order_id    uuid NOT NULL,
    number      integer NOT NULL CONSTRAINT order_attempts_number CHECK (number BETWEEN 1 AND 14),
    provider    text NOT NULL,
    account_id  uuid NOT NULL,
    account_name text NOT NULL,
    provider_order_id text NOT NULL,                        -- our name of the order there
    reason      text NOT NULL,                              -- why it is over, as a code; declined_by_provider or declined_by_issuer of a decline
    ended_at    timestamptz NOT NULL,
    chain       bytea NOT NULL DEFAULT '',                  -- over the chain of what came before and this row; the order's next step goes on from it
    failure_code text NOT NULL DEFAULT '',                  -- the provider's, of a decline
    PRIMARY KEY (shop_id, order_id, number),
    FOREIGN KEY (shop_id, order_id) REFERENCES orders (shop_id, id)
);
CREATE INDEX order_attempts_provider_order_id ON order_attempts (provider_order_id);
-- At most one decline of an order leads elsewhere.
CREATE UNIQUE INDEX order_attempts_one_cascade ON order_attempts (shop_id, order_id) WHERE reason LIKE 'declined\_by\_%';
CREATE TRIGGER order_attempts_append_only BEFORE UPDATE OR DELETE ON order_attempts FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER order_attempts_no_truncate BEFORE TRUNCATE ON order_attempts FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- Every call to a provider about an order. In partitions by month: see make_partitions.
CREATE TABLE provider_calls (
    shop_id     uuid NOT NULL,
    order_id    uuid NOT NULL,
    id          uuid NOT NULL,
    operation   text NOT NULL,
    outcome     text NOT NULL,                              -- a status of the provider's answer, or a kind of error
    started_at  timestamptz NOT NULL,
    duration_ms bigint NOT NULL,                            -- of the longest
    provider_data bytea,
    calls       integer NOT NULL DEFAULT 1 CONSTRAINT provider_calls_count CHECK (calls > 0), -- equal failures in a row
    last_at     timestamptz NOT NULL,                       -- when the last of them started
    PRIMARY KEY (shop_id, order_id, id)
) PARTITION BY RANGE (order_id);

-- Callbacks ------------------------------------------------------------------------------------------------------
-- Every authentic callback about an order, once, with what became of it. The order's row is locked before callback_keys is read and
-- this table written, so whoever waited for the lock finds the row of the one before. In partitions by month: see make_partitions.
CREATE TABLE callbacks (
    shop_id     uuid NOT NULL,
    order_id    uuid NOT NULL,
    dedupe_key  bytea NOT NULL,                             -- hash of provider, account and what was signed
    account_id  uuid NOT NULL,
    provider_order_id text NOT NULL,
    verdict     text NOT NULL CONSTRAINT callbacks_verdict CHECK (verdict IN ('apply', 'repeat', 'stale', 'conflict', 'verify')),
    reason      text NOT NULL DEFAULT '',
    reported    text NOT NULL DEFAULT '',
    provider_data bytea,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (shop_id, order_id, dedupe_key)
) PARTITION BY RANGE (order_id);

-- What callbacks were kept, whatever their order and month: a second one with the same key cannot be written. A trigger of callbacks
-- adds these rows.
CREATE TABLE callback_keys (
    dedupe_key  bytea NOT NULL,
    shop_id     uuid NOT NULL,
    order_id    uuid NOT NULL,
    verdict     text NOT NULL,
    received_at timestamptz NOT NULL,
    -- The key comes first: whoever asks does not know the shop yet.
    PRIMARY KEY (dedupe_key, shop_id)
);
CREATE INDEX callback_keys_age ON callback_keys USING brin (received_at); -- rows come and go in the order of time
-- +goose StatementBegin
CREATE FUNCTION callbacks_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO callback_keys (dedupe_key, shop_id, order_id, verdict, received_at) SELECT dedupe_key, shop_id, order_id, verdict, received_at FROM added;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER callbacks_added AFTER INSERT ON callbacks
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION callbacks_added();

-- Authentic callbacks that no order is known for. Nothing comes of them but a line in the operator's list.
CREATE TABLE orderless_callbacks (
    account_id  uuid NOT NULL,
    dedupe_key  bytea NOT NULL,
    provider_order_id text NOT NULL,
    reported    text NOT NULL DEFAULT '',
    provider_data jsonb NOT NULL DEFAULT '{}',
    received_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, dedupe_key)
);
CREATE INDEX orderless_callbacks_age ON orderless_callbacks (received_at);

-- Notifications --------------------------------------------------------------------------------------------------
-- Addresses that answered 410. Nothing is sent there until an operator resumes.
CREATE TABLE addresses_off (
    shop_id     uuid NOT NULL REFERENCES shops (id),
    url         text NOT NULL,
    at          timestamptz NOT NULL
);
CREATE UNIQUE INDEX addresses_off_key ON addresses_off (shop_id, md5(url)); -- an address may be longer than an index takes

-- Destinations, which are a scheme, host and port, where attempts fail.
CREATE TABLE failing_destinations (
    shop_id         uuid NOT NULL REFERENCES shops (id),
    destination     text NOT NULL,
    failures        integer NOT NULL,                       -- in a row
    recovering_since timestamptz,                           -- attempts succeed again, and what waited is sent
    PRIMARY KEY (shop_id, destination)
);

-- The place of each shop's newest notification in its event feed. Whoever raises it holds the row until the commit: places have no
-- gaps and follow the order of commits, so nothing is ever inserted before a place that was read.
CREATE TABLE feed_positions (
    shop_id         uuid PRIMARY KEY REFERENCES shops (id),
    position        bigint NOT NULL CONSTRAINT feed_positions_position CHECK (position > 0)
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0); -- a row a shop, updated with every notification: few rows, many versions

-- Times when an operator set the feeds back, because the database had lost what shops may have read. Cursors carry the epoch.
CREATE TABLE feed_epochs (
    epoch           bigint PRIMARY KEY,                     -- milliseconds since 1970, so that no restored database repeats one
    since           timestamptz NOT NULL
);

-- The place that a cursor of an older epoch is set back to.
CREATE TABLE feed_rewinds (
    shop_id         uuid NOT NULL REFERENCES shops (id),
    epoch           bigint NOT NULL,
    position        bigint NOT NULL,
    PRIMARY KEY (shop_id, epoch)
);

-- One row for each step that a shop is told of, written with the step itself. It never changes,
-- but for the payload, which retention removes when it is old.
CREATE TABLE notifications (
    shop_id         uuid NOT NULL,
    order_id        uuid NOT NULL,
    sequence        integer NOT NULL,                       -- of the transition it tells of
    id              uuid NOT NULL,                          -- the webhook-id
    type            text NOT NULL,
    payload         bytea,                                  -- exactly the bytes that are signed and sent, under the order's data key
    url             text NOT NULL DEFAULT '',               -- where it was to go when it was made; empty: for the feed only
    created_at      timestamptz NOT NULL,
    position        bigint NOT NULL,                        -- its place in the shop's event feed
    payload_digest  bytea,                                  -- SHA-256 of a payload that was removed
    PRIMARY KEY (shop_id, order_id, sequence),
    CONSTRAINT notifications_payload CHECK ((payload IS NULL) = (payload_digest IS NOT NULL))
);
CREATE UNIQUE INDEX notifications_feed ON notifications (shop_id, position);
CREATE INDEX notifications_payload_age ON notifications (created_at) WHERE payload IS NOT NULL;

-- The notifications that are still to be delivered. A row goes with the shop's answer, so the table and its indexes stay small.
CREATE TABLE deliveries (
    shop_id         uuid NOT NULL,
    order_id        uuid NOT NULL,
    sequence        integer NOT NULL,
    state           text NOT NULL CONSTRAINT deliveries_state CHECK (state IN ('pending', 'dead_lettered', 'held')),
    url             text NOT NULL CONSTRAINT deliveries_url CHECK (url <> ''), -- where it goes, or went last
    attempts        integer NOT NULL DEFAULT 0,             -- leases so far
    attempts_before integer NOT NULL DEFAULT 0,             -- of them, those before an operator last sent it again: retries are planned by the rest
    next_attempt_at timestamptz NOT NULL,
    leased_until    timestamptz,
    waits_for       text,                                   -- the destination where the last attempt failed
    failed_at       timestamptz,
    not_before      timestamptz,                            -- the shop's Retry-After
    created_at      timestamptz NOT NULL,                   -- the notification's
    PRIMARY KEY (shop_id, order_id, sequence)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0); -- vacuumed as open_orders is
CREATE INDEX deliveries_due ON deliveries (next_attempt_at) WHERE state = 'pending'; -- a sweep asks for what is due twice a second
CREATE INDEX deliveries_stopped ON deliveries (state, shop_id, order_id) WHERE state <> 'pending';
CREATE INDEX deliveries_waiting ON deliveries (shop_id, waits_for, next_attempt_at) WHERE state = 'pending' AND waits_for IS NOT NULL;

-- How each attempt ended. In partitions by month: see make_partitions. A notification that is not in deliveries any more was delivered by the attempt without an error.
CREATE TABLE notification_attempts (
    shop_id     uuid NOT NULL,
    order_id    uuid NOT NULL,
    sequence    integer NOT NULL,
    attempt     integer NOT NULL,
    at          timestamptz NOT NULL,
    duration_ms bigint NOT NULL,
    http_status integer NOT NULL DEFAULT 0,
    error       text NOT NULL DEFAULT '',
    moved_to    text NOT NULL DEFAULT '',                   -- where it went, if not to the notification's url
    PRIMARY KEY (shop_id, order_id, sequence, attempt)
) PARTITION BY RANGE (order_id);

-- A notification tells of a step, and deliveries and attempts are of a notification. One question a statement is cheaper than
-- foreign keys, which ask and lock for each row.
-- +goose StatementBegin
CREATE FUNCTION notifications_check() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM added a WHERE (
        SELECT true FROM order_transitions t WHERE t.shop_id = a.shop_id AND t.order_id = a.order_id AND t.sequence = a.sequence
    ) IS NULL) THEN
        PERFORM violated('notifications_transition', 'a notification tells of a transition');
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION notified_check() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM added a WHERE (
        SELECT true FROM notifications n WHERE n.shop_id = a.shop_id AND n.order_id = a.order_id AND n.sequence = a.sequence
    ) IS NULL) THEN
        PERFORM violated(regexp_replace(TG_TABLE_NAME, '_\d{4}_\d\d$', '') || '_notification', 'this must be of a notification'); -- a partition is named as its table
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER notifications_check AFTER INSERT ON notifications
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION notifications_check();
CREATE TRIGGER deliveries_check AFTER INSERT ON deliveries
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION notified_check();
CREATE TRIGGER notification_attempts_check AFTER INSERT ON notification_attempts
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION notified_check();

-- Idempotency ----------------------------------------------------------------------------------------------------
CREATE TABLE idempotency_keys (
    shop_id      uuid NOT NULL,
    key          text NOT NULL,                             -- keyed hash of what the shop sent
    request_hash bytea NOT NULL,                            -- keyed hash of method, path and body
    locked_until timestamptz NOT NULL,
    owner        uuid,                                      -- whose claim it is: a request that lost its lease does not know by time alone
    status       integer,                                   -- null while running
    header       jsonb,
    body         bytea,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (shop_id, key)
) WITH (fillfactor = 10);                                   -- the answer, which is added to the row, is far larger than the claim
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

-- Transaction reports --------------------------------------------------------------------------------------------
-- The provider's own list of transactions, asked for by a shop and read in steps.
CREATE TABLE transaction_reports (
    shop_id       uuid NOT NULL REFERENCES shops (id),
    id            uuid NOT NULL,
    account_id    uuid NOT NULL REFERENCES accounts (id),
    account_name  text NOT NULL,
    type          text NOT NULL CONSTRAINT transaction_reports_type CHECK (type IN ('payment', 'payout', 'refund')),
    status_filter text NOT NULL CONSTRAINT transaction_reports_status_filter CHECK (status_filter IN ('succeeded', 'processing', 'failed')),
    from_at       timestamptz NOT NULL,
    to_at         timestamptz NOT NULL,
    state         text NOT NULL CONSTRAINT transaction_reports_state CHECK (state IN ('created', 'processing', 'ready', 'failed')),
    task          text NOT NULL DEFAULT '',                 -- the provider's id of its export
    failure       text NOT NULL DEFAULT '',
    columns       text[] NOT NULL DEFAULT '{}',             -- of the provider's list, in its order
    row_count     integer NOT NULL DEFAULT 0,               -- the shop's rows
    polls         integer NOT NULL DEFAULT 0,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    next_poll_at  timestamptz,
    PRIMARY KEY (shop_id, id),
    CONSTRAINT transaction_reports_period CHECK (from_at < to_at)
);
CREATE INDEX transaction_reports_due ON transaction_reports (next_poll_at) WHERE next_poll_at IS NOT NULL;

-- What the provider's list says of the shop's own orders, by the list's own column names, with anything that looks like a card
-- number masked.
CREATE TABLE transaction_report_rows (
    shop_id      uuid NOT NULL,
    report_id    uuid NOT NULL,
    row          integer NOT NULL,
    order_id     uuid NOT NULL,                             -- the order that the row is about
    fields       bytea,                                     -- under the order's data key
    PRIMARY KEY (shop_id, report_id, row),
    FOREIGN KEY (shop_id, report_id) REFERENCES transaction_reports (shop_id, id),
    FOREIGN KEY (shop_id, order_id) REFERENCES orders (shop_id, id)
);

-- Audit ----------------------------------------------------------------------------------------------------------
-- What operators changed, each entry in the transaction that changed it. Append-only. Each entry has a seal over itself and over the
-- seal of the entry before it, and the entry of a shop or account has the seals of all its rows as they are from then on.
CREATE TABLE audit_log (
    id          uuid PRIMARY KEY,                           -- in the order of time
    seq         bigint NOT NULL CONSTRAINT audit_log_seq_key UNIQUE, -- from 1 on, without a gap
    at          timestamptz NOT NULL,
    actor       text NOT NULL,                              -- who: a user of the operating system, or payrelay itself
    actor_kind  text NOT NULL CONSTRAINT audit_log_actor_kind CHECK (actor_kind IN ('os_user', 'service')),
    host        text NOT NULL DEFAULT '',
    claimed_by  text NOT NULL DEFAULT '',                   -- a name that was given with --as: nobody has checked it
    action      text NOT NULL,                              -- such as 'key revoke'
    object_kind text NOT NULL,
    object_id   text NOT NULL,
    shop        text NOT NULL DEFAULT '',                   -- the name of the shop whose object it is
    before      json,                                       -- what changed, as it was; secrets as keyed fingerprints
    after       json,
    reason      text NOT NULL DEFAULT '',
    owner_id    uuid,                                       -- the shop or account whose rows were changed
    seals       json,                                       -- of all rows of the owner, by table and key
    seal        bytea NOT NULL CONSTRAINT audit_log_seal_length CHECK (length(seal) = 16)
);
CREATE INDEX audit_log_object ON audit_log (object_kind, object_id);
CREATE INDEX audit_log_owner ON audit_log (owner_id, seq) WHERE owner_id IS NOT NULL;
-- +goose StatementBegin
CREATE FUNCTION audit_log_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_log is append-only' USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'audit_log_append_only';
END $$;
-- +goose StatementEnd
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log FOR EACH STATEMENT EXECUTE FUNCTION audit_log_append_only();
-- Whoever may add an entry cannot use up the numbers of those to come.
-- +goose StatementBegin
CREATE FUNCTION audit_log_numbered() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.seq <> (SELECT coalesce(max(a.seq), 0) + 1 FROM audit_log a) THEN
        RAISE EXCEPTION 'an entry of the audit log has the number after the newest one' USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'audit_log_numbered';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER audit_log_numbered BEFORE INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION audit_log_numbered();

-- Retention ------------------------------------------------------------------------------------------------------
-- What is kept for a while is deleted by one process at a time, in small transactions. Each adds what it removed here. The run's end
-- moves the sums to the audit log, so an interrupted run is counted with the next one.
CREATE TABLE retention (
    one_row      boolean PRIMARY KEY DEFAULT true CONSTRAINT retention_one_row CHECK (one_row),
    leased_until timestamptz NOT NULL,
    last_run_at  timestamptz NOT NULL,                      -- when the last one removed everything that is old
    removed      jsonb NOT NULL DEFAULT '{}',               -- rows by table, since then
    attempts_removed_before timestamptz NOT NULL DEFAULT 'epoch' -- what is older may have lost its attempts
);
INSERT INTO retention (leased_until, last_run_at) VALUES ('epoch', now());

-- Partitions -----------------------------------------------------------------------------------------------------
-- What is written once and read by its order stands in partitions: a month of a table is the orders whose ids were made in it. Old
-- months are dropped with their disk space, which costs nothing.

-- +goose StatementBegin
CREATE FUNCTION first_id(day date) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT rpad(lpad(to_hex((day - date '1970-01-01')::bigint * 86400000), 12, '0'), 32, '0')::uuid -- the least UUIDv7 of a day in UTC
$$;
-- +goose StatementEnd

-- owns_tables reports whether whoever is connected has the rights of the tables' owner, whatever function asks.
-- +goose StatementBegin
CREATE FUNCTION owns_tables() RETURNS boolean LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT pg_has_role(session_user, relowner, 'USAGE') FROM pg_class WHERE oid = 'orders'::regclass
$$;
-- +goose StatementEnd

-- make_partitions makes what is missing of a month, and returns the names. Statement triggers are not inherited: each partition gets
-- its own, for whoever writes to it directly, and so are rights. There is no default partition: a row without a partition is an error.
-- The service calls it with its owner's rights, since only the owner of a table may add a partition. Who does not own the tables makes
-- those of the next months, and of months whose orders are there.
-- +goose StatementBegin
CREATE FUNCTION make_partitions(day date) RETURNS SETOF text LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
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

-- drop_partition drops a month of a table from which the service may delete rows anyway, and that nobody needs: no order of it is open
-- or under a hold. It has its owner's rights, as above; who does not own the tables drops months that are over.
-- +goose StatementBegin
CREATE FUNCTION drop_partition(part text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
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

-- +goose Down
DROP TABLE retention;
DROP TABLE orderless_callbacks, callback_keys, callbacks, provider_calls;
DROP FUNCTION make_partitions, drop_partition, owns_tables, first_id, callbacks_added;
DROP TABLE audit_log;
DROP FUNCTION audit_log_append_only, audit_log_numbered;
DROP TABLE transaction_report_rows, transaction_reports, idempotency_keys, notification_attempts, deliveries, notifications, feed_rewinds, feed_epochs, feed_positions, failing_destinations, addresses_off, order_attempts, order_conflicts, order_holds;
DROP TABLE dispute_steps, disputes, legal_dispute_steps;
DROP TABLE payout_approvals, order_fingerprints, limit_reservations, limit_uses, limits, paused_shops;
DROP TABLE imported_orders, mandate_decisions, mandate_runs, mandates, order_transitions, open_orders, order_names, order_references, orders;
DROP FUNCTION mandates_changed, dispute_steps_check, reserve_limits, release_limits, use_limit, limit_left, limit_part, notifications_check, notified_check, order_transitions_check, orders_added, orders_changed, append_only, violated;
DROP TABLE legal_transitions, service_keys, replicas, reencryptions, bin_table, routing_sets, account_demotions, account_health, account_shops, account_secrets, accounts, shop_key_uses, shop_keys, webhook_secrets, shops, directory;
DROP SEQUENCE shop_numbers;
DROP FUNCTION directory_changed;
