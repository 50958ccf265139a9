-- The registry of relays: the newest record of each relay in the topic `relays`, a row each. State, not archive: it is
-- replaced whole with each record. Numbers of the table `relays` are for what is repeated; here a URL is there once.

CREATE TABLE registry (
    url text PRIMARY KEY,
    spelling text NOT NULL,
    network text NOT NULL,
    state text NOT NULL,
    lane text NOT NULL,
    allowed boolean NOT NULL,
    allow_private boolean NOT NULL,
    duplicate_of text,
    sources text[] NOT NULL,
    first_seen_ms bigint,
    admitted_at_ms bigint,
    authors smallint NOT NULL,
    places text[] NOT NULL,
    command_action text,
    command_target text,
    command_reason text,
    command_at_ms bigint,
    report_state text,
    report_tries integer,
    report_detail text,
    report_at_ms bigint,
    history jsonb NOT NULL,
    updated_at_ms bigint NOT NULL
);
COMMENT ON TABLE registry IS 'Relays that were admitted or denied, as the registry last said: the topic `relays`.';
COMMENT ON COLUMN registry.url IS 'The normalised URL.';
COMMENT ON COLUMN registry.spelling IS 'The URL as it was first given, which is how it is dialled.';
COMMENT ON COLUMN registry.network IS 'clearnet, tor, i2p or loki.';
COMMENT ON COLUMN registry.state IS 'candidate: never answered yet; confirmed: has spoken Nostr; silent: does not answer; refused: answers and will not serve; denied: not to be connected to.';
COMMENT ON COLUMN registry.lane IS 'priority: always read; regular: read in turn; ignored: known and not read.';
COMMENT ON COLUMN registry.allowed IS 'False: no connector may connect.';
COMMENT ON COLUMN registry.allow_private IS 'The operator''s own relay: may have a private address.';
COMMENT ON COLUMN registry.duplicate_of IS 'The URL of the same relay that is read instead.';
COMMENT ON COLUMN registry.sources IS 'Who named it: api, event, operator, seed.';
COMMENT ON COLUMN registry.first_seen_ms IS 'When it was named first, Unix milliseconds; null: not known.';
COMMENT ON COLUMN registry.admitted_at_ms IS 'When connectors were first told of it, Unix milliseconds; null: they were not.';
COMMENT ON COLUMN registry.authors IS 'How many authors of events have named it; 8: or more.';
COMMENT ON COLUMN registry.places IS 'Where events or lists have named it, such as `10002 r`; at most 8.';
COMMENT ON COLUMN registry.command_action IS 'The newest command: add, remove or deny; null: there was none.';
COMMENT ON COLUMN registry.command_target IS 'The URL of that command, or of deny the host or domain.';
COMMENT ON COLUMN registry.command_reason IS 'Why, in words.';
COMMENT ON COLUMN registry.command_at_ms IS 'When it was given, Unix milliseconds.';
COMMENT ON COLUMN registry.report_state IS 'What its connector reported last: confirmed, silent or refused; null: nothing.';
COMMENT ON COLUMN registry.report_tries IS 'Failures in a row by then.';
COMMENT ON COLUMN registry.report_detail IS 'What ended the last connection.';
COMMENT ON COLUMN registry.report_at_ms IS 'When that was, Unix milliseconds.';
COMMENT ON COLUMN registry.history IS 'When states began: objects with state and at_ms, newest last, at most 16.';
COMMENT ON COLUMN registry.updated_at_ms IS 'When the record was made, Unix milliseconds.';
