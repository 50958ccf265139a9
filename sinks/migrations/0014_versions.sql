-- Versions of replaceable and addressable events: which event is the current one of its address (NIP-01).
--
-- Triggers write them, in the transaction that writes or deletes the events. So what a sink of an earlier version writes
-- during an upgrade has its rows too, and so has what a person deletes. What is done to a partition under its own name is
-- not seen; `bigbrotr audit` tells it.

CREATE TABLE address_versions (
    created_at bigint NOT NULL,
    id bytea NOT NULL,
    address_sha256 bytea NOT NULL,
    PRIMARY KEY (created_at, id)
);
COMMENT ON TABLE address_versions IS 'Every replaceable and addressable event, and its address: all versions that are archived.';
COMMENT ON COLUMN address_versions.created_at IS 'Of the event, Unix seconds.';
COMMENT ON COLUMN address_versions.id IS 'Of the event.';
COMMENT ON COLUMN address_versions.address_sha256 IS 'SHA-256 of kind:pubkey:d, which may be too long for an index: event_address_sha256 of the event.';
-- Without the id, which would make it two thirds larger: few versions share a second.
CREATE INDEX address_versions_address ON address_versions (address_sha256, created_at DESC);

CREATE VIEW current_versions AS
SELECT DISTINCT ON (address_sha256) address_sha256, created_at, id
FROM address_versions
ORDER BY address_sha256, created_at DESC, id;
COMMENT ON VIEW current_versions IS 'The newest version of each address, of equal times the lowest id (NIP-01); event_flags says whether it is hidden, and it stays the current one then.';
COMMENT ON COLUMN current_versions.address_sha256 IS 'SHA-256 of kind:pubkey:d.';
COMMENT ON COLUMN current_versions.created_at IS 'Of the event, Unix seconds.';
COMMENT ON COLUMN current_versions.id IS 'Of the event.';

-- Whether an event is the current version of its address; also true of one that has no address, or is not listed yet.
CREATE FUNCTION is_current_version(created_at bigint, id bytea) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce((
    SELECT own.id = (
        SELECT newest.id FROM address_versions AS newest WHERE newest.address_sha256 = own.address_sha256
            -- Found by the index, however many versions there are.
            AND newest.created_at = (
                SELECT max(each.created_at) FROM address_versions AS each WHERE each.address_sha256 = own.address_sha256)
        ORDER BY newest.id LIMIT 1)
    FROM address_versions AS own
    WHERE own.created_at = is_current_version.created_at AND own.id = is_current_version.id
), true);

-- Whether events of a kind have an address.
CREATE FUNCTION has_address(kind integer) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN kind IN (0, 3) OR kind BETWEEN 10000 AND 19999 OR kind BETWEEN 30000 AND 39999;

-- The address of an event whose columns hold its tags, hashed; null where they do not, and for kinds without addresses.
-- A function of its own, because PostgreSQL puts it into the calling statement, which the one below is too large for:
-- 0.4 and 5.6 microseconds an event.
CREATE FUNCTION columns_address_sha256(kind integer, pubkey bytea, tags jsonb) RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE
    WHEN kind IN (0, 3) OR kind BETWEEN 10000 AND 19999
        THEN sha256(convert_to(kind || ':' || encode(pubkey, 'hex') || ':', 'UTF8'))
    WHEN kind BETWEEN 30000 AND 39999 AND tags IS NOT NULL
        -- Strict, because lax paths look into the strings of a tag for a tag. Only the first d counts, even an empty one.
        THEN sha256(convert_to(kind || ':' || encode(pubkey, 'hex') || ':'
            || coalesce(jsonb_path_query_first(tags, 'strict $[*] ? (@[0] == "d")') ->> 1, ''), 'UTF8'))
END;

-- As in 0004.
CREATE OR REPLACE FUNCTION event_address_sha256(kind integer, pubkey bytea, tags jsonb, created_at bigint, id bytea) RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE
    WHEN kind BETWEEN 30000 AND 39999 AND tags IS NULL
        THEN (SELECT nul.address_sha256 FROM nul_tags AS nul
            WHERE nul.created_at = event_address_sha256.created_at AND nul.id = event_address_sha256.id)
    ELSE columns_address_sha256(kind, pubkey, tags)
END;

CREATE FUNCTION keep_versions() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        -- The order of the key, as everything that the sink writes.
        INSERT INTO address_versions (created_at, id, address_sha256)
        SELECT created_at, id, coalesce(
            columns_address_sha256(kind, pubkey, tags), event_address_sha256(kind, pubkey, tags, created_at, id))
        FROM added
        WHERE has_address(kind) ORDER BY created_at, id
        ON CONFLICT DO NOTHING;
    ELSIF TG_OP = 'DELETE' THEN
        DELETE FROM address_versions AS stored USING gone
        WHERE has_address(gone.kind) AND stored.created_at = gone.created_at AND stored.id = gone.id;
    ELSE
        DELETE FROM address_versions;
    END IF;
    RETURN NULL;
END $$;

-- Waits for transactions that write events: what they wrote is older, and all others meet the triggers.
CREATE TRIGGER version_added AFTER INSERT ON events REFERENCING NEW TABLE AS added EXECUTE FUNCTION keep_versions();
CREATE TRIGGER version_gone AFTER DELETE ON events REFERENCING OLD TABLE AS gone EXECUTE FUNCTION keep_versions();
CREATE TRIGGER version_none AFTER TRUNCATE ON events EXECUTE FUNCTION keep_versions();

CREATE TABLE unlisted_versions (
    created_at bigint NOT NULL,
    id bytea NOT NULL
);
COMMENT ON TABLE unlisted_versions IS 'The key up to which older events have their rows in address_versions, and `bigbrotr migrate` goes on from there; no row: all have.';
INSERT INTO unlisted_versions SELECT -1, '' WHERE EXISTS (SELECT FROM events);
