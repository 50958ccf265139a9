-- The archive: events and sightings on monthly range partitions, relays by small integer, the offsets of what was read.
--
-- An event's id commits to created_at, so a unique key on (created_at, id) is as strong as one on id, and gives time
-- pruning, retention by dropping a partition, and hot indexes that stay small. Identifiers and keys are bytea; looking
-- them up goes through the first 8 bytes as a bigint (id_prefix, pubkey_prefix), rechecked against the row.
--
-- The place of what comes later: current versions of replaceable events and counters, kept per Kafka partition, are
-- tables of their own beside these, written in the same transaction.

DO $$
BEGIN
    IF current_setting('server_encoding') <> 'UTF8' THEN
        RAISE EXCEPTION 'the archive needs a database whose encoding is UTF8, this one has %',
            current_setting('server_encoding')
            USING HINT = 'CREATE DATABASE … ENCODING ''UTF8'' TEMPLATE template0';
    END IF;
END $$;

CREATE TABLE relays (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    url text NOT NULL UNIQUE
);
COMMENT ON TABLE relays IS 'Relay URLs by small integer, so that no URL is repeated in a sighting.';

CREATE TABLE events (
    created_at bigint NOT NULL,
    id bytea NOT NULL,
    id_prefix bigint NOT NULL,
    pubkey_prefix bigint NOT NULL,
    kind integer NOT NULL,
    id_form smallint NOT NULL,
    pubkey bytea NOT NULL,
    sig bytea NOT NULL,
    tag_hashes bigint[] NOT NULL,
    tags jsonb,
    content text,
    raw bytea,
    PRIMARY KEY (created_at, id),
    CONSTRAINT identifiers_have_their_length
        CHECK (octet_length(id) = 32 AND octet_length(pubkey) = 32 AND octet_length(sig) = 64),
    CONSTRAINT rebuilt_from_columns_or_from_raw
        CHECK ((raw IS NULL AND tags IS NOT NULL AND content IS NOT NULL)
            OR (raw IS NOT NULL AND tags IS NULL AND content IS NULL))
) PARTITION BY RANGE (created_at);
COMMENT ON TABLE events IS 'Verified events, one row each; event_json(events) gives an event as it travels.';
COMMENT ON COLUMN events.created_at IS 'The event''s own time, Unix seconds, as signed.';
COMMENT ON COLUMN events.id_form IS 'Which serialization the id fits: 0 as NIP-01 has it, 1 with U+007F escaped.';
COMMENT ON COLUMN events.tag_hashes IS 'tag_hash(name, value) of the first value of each single-letter tag.';
COMMENT ON COLUMN events.raw IS 'Exact bytes of an event with U+0000, which text and jsonb refuse; null for every other.';

CREATE INDEX events_id_prefix ON events (id_prefix);
CREATE INDEX events_author_kind_time ON events (pubkey_prefix, kind, created_at);
CREATE INDEX events_kind_time ON events (kind, created_at);
CREATE INDEX events_tag_hashes ON events USING gin (tag_hashes);

CREATE TABLE sightings (
    created_at bigint NOT NULL,
    id bytea NOT NULL,
    relay_ids integer[] NOT NULL,
    seen_ats_ms bigint[] NOT NULL,
    PRIMARY KEY (created_at, id),
    CONSTRAINT a_time_for_each_relay CHECK (cardinality(relay_ids) = cardinality(seen_ats_ms))
) PARTITION BY RANGE (created_at);
COMMENT ON TABLE sightings IS 'Which relays had an event, and when each was first seen to (Unix milliseconds): the view event_sightings lists it.';

CREATE TABLE sink_offsets (
    group_id text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    next_offset bigint NOT NULL,
    cluster_id text NOT NULL,
    topic_id uuid,
    last_timestamp_ms bigint,
    PRIMARY KEY (group_id, topic, partition)
);
COMMENT ON TABLE sink_offsets IS 'The next offset to read, moved by the transaction that writes what lies before it.';

-- Merges two lists of (relay, first seen) into one, ordered by relay, with the smaller time where both have a relay.
CREATE FUNCTION merge_sightings(
    IN relay_ids_a integer[], IN seen_a bigint[], IN relay_ids_b integer[], IN seen_b bigint[],
    OUT relay_ids integer[], OUT seen_ats_ms bigint[]
) LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT ROW (array_agg(relay ORDER BY relay), array_agg(seen ORDER BY relay))
    FROM (
        SELECT relay, min(seen) AS seen
        FROM unnest(relay_ids_a || relay_ids_b, seen_a || seen_b) AS pairs (relay, seen)
        GROUP BY relay
    ) AS first
);
