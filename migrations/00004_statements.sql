-- +goose Up
CREATE TABLE statements (
    shop_id       uuid NOT NULL REFERENCES shops (id),
    id            uuid NOT NULL,
    account_id    uuid NOT NULL REFERENCES accounts (id),
    account_name  text NOT NULL,
    type          text NOT NULL CONSTRAINT statements_type CHECK (type IN ('payment', 'payout', 'refund')),
    status_filter text NOT NULL CONSTRAINT statements_status_filter CHECK (status_filter IN ('succeeded', 'processing', 'failed')),
    from_at       timestamptz NOT NULL,
    to_at         timestamptz NOT NULL,
    state         text NOT NULL CONSTRAINT statements_state CHECK (state IN ('created', 'processing', 'ready', 'failed')),
    task          text NOT NULL DEFAULT '',                 -- the provider's id of its export
    failure       text NOT NULL DEFAULT '',
    columns       text[] NOT NULL DEFAULT '{}',             -- of the provider's list, in its order
    row_count     integer NOT NULL DEFAULT 0,               -- the shop's rows
    polls         integer NOT NULL DEFAULT 0,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    next_poll_at  timestamptz,
    PRIMARY KEY (shop_id, id),
    CONSTRAINT statements_period CHECK (from_at < to_at)
);
CREATE INDEX statements_due ON statements (next_poll_at) WHERE next_poll_at IS NOT NULL;

-- What the provider's list says of the shop's own orders, by the list's own column names, with anything that looks like a card
-- number masked.
CREATE TABLE statement_rows (
    shop_id      uuid NOT NULL,
    statement_id uuid NOT NULL,
    row          integer NOT NULL,
    order_id     uuid NOT NULL,                             -- the order that the row is about
    fields       jsonb NOT NULL,
    PRIMARY KEY (shop_id, statement_id, row),
    FOREIGN KEY (shop_id, statement_id) REFERENCES statements (shop_id, id),
    FOREIGN KEY (shop_id, order_id) REFERENCES orders (shop_id, id)
);

-- +goose Down
DROP TABLE statement_rows, statements;
