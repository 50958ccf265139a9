-- What was read of each relay: the newest record of the topic `coverage`, as rows. State, not archive: it is replaced
-- whole with each record, and tells of the archive what no row of an event can tell, which times are complete.

CREATE TABLE coverage_relays (
    relay_id integer PRIMARY KEY REFERENCES relays,
    cursor_s bigint,
    updated_at_ms bigint NOT NULL,
    withdrawn boolean NOT NULL
);
COMMENT ON TABLE coverage_relays IS 'The record that the other tables of coverage hold, a relay each; the view coverage is for reading.';
COMMENT ON COLUMN coverage_relays.cursor_s IS 'The relay was followed up to this second.';
COMMENT ON COLUMN coverage_relays.updated_at_ms IS 'When the record was made: an older one changes nothing.';
COMMENT ON COLUMN coverage_relays.withdrawn IS 'The record was removed from the topic; older ones must not come back.';

CREATE TABLE coverage_filters (
    set_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    relay_id integer NOT NULL REFERENCES coverage_relays,
    filter text NOT NULL,
    identity text NOT NULL,
    wire jsonb,
    UNIQUE (relay_id, filter, identity)
);
COMMENT ON COLUMN coverage_filters.filter IS 'Hash of the filter.';
COMMENT ON COLUMN coverage_filters.identity IS 'Public key that had answered AUTH when it was read; empty for nobody.';
COMMENT ON COLUMN coverage_filters.wire IS 'The filter as it is sent, {} for everything; null where it is not known.';

CREATE TABLE coverage_ranges (
    set_id bigint NOT NULL REFERENCES coverage_filters ON DELETE CASCADE,
    since_s bigint NOT NULL,
    until_s bigint NOT NULL,
    read_at_s bigint NOT NULL,
    PRIMARY KEY (set_id, since_s),
    CONSTRAINT ranges_are_in_order CHECK (since_s <= until_s)
);
COMMENT ON TABLE coverage_ranges IS 'Seconds that were read completely, both bounds included, and when.';

CREATE TABLE coverage_gaps (
    set_id bigint NOT NULL REFERENCES coverage_filters ON DELETE CASCADE,
    since_s bigint NOT NULL,
    until_s bigint NOT NULL,
    reason text NOT NULL,
    tries integer NOT NULL,
    retry_at_s bigint,
    PRIMARY KEY (set_id, since_s, until_s, reason),
    CONSTRAINT gaps_are_in_order CHECK (since_s <= until_s)
);
COMMENT ON TABLE coverage_gaps IS 'Seconds that are known not to be complete, why, how often they were asked for, and when they are again.';

-- A line for each relay, filter and identity; `read` holds every second that was read, however many ranges they are in.
CREATE VIEW coverage AS
SELECT relays.url AS relay, filters.set_id, filters.filter, filters.wire, nullif(filters.identity, '') AS identity,
    state.cursor_s, state.updated_at_ms,
    coalesce(
        (SELECT range_agg(int8range(since_s, until_s, '[]')) FROM coverage_ranges WHERE set_id = filters.set_id),
        '{}'
    ) AS read
FROM coverage_relays AS state
JOIN coverage_filters AS filters USING (relay_id)
JOIN relays ON relays.id = state.relay_id;

-- The seconds from one moment to another, which is not included; both are UTC.
CREATE FUNCTION seconds_between(beginning timestamp, ending timestamp) RETURNS int8range
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN int8range(extract(epoch FROM beginning)::bigint, extract(epoch FROM ending)::bigint);

-- A storm of refusals is told from a bad record by the ones before it, also after a restart.
ALTER TABLE sink_offsets ADD COLUMN refused bigint[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN sink_offsets.refused IS 'Offsets of the last records that could not be stored, in order.';
