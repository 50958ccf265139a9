-- What authors asked to be forgotten (NIP-09, NIP-40, NIP-62), and what must never come back.
--
-- Requests are only recorded. Whether an event is deleted, vanished or expired is decided when it is read
-- (event_flags), so the order in which events and requests arrived does not matter.

CREATE TABLE deletions_by_id (
    target_id bytea NOT NULL,
    requested_at bigint NOT NULL,
    request_id bytea NOT NULL,
    pubkey bytea NOT NULL,
    PRIMARY KEY (target_id, requested_at, request_id)
);
COMMENT ON TABLE deletions_by_id IS 'Events that a kind 5 names, perhaps another author''s or never seen: event_flags says which are deleted.';
CREATE INDEX deletions_by_id_request ON deletions_by_id (request_id);

CREATE TABLE deletions_by_address (
    address_sha256 bytea NOT NULL,
    requested_at bigint NOT NULL,
    request_id bytea NOT NULL,
    PRIMARY KEY (address_sha256, requested_at, request_id)
);
COMMENT ON TABLE deletions_by_address IS 'Addresses that a kind 5 of their author names, by the SHA-256 of kind:pubkey:d, which may be too long for an index.';
CREATE INDEX deletions_by_address_request ON deletions_by_address (request_id);

CREATE TABLE vanish_requests (
    pubkey bytea NOT NULL,
    requested_at bigint NOT NULL,
    request_id bytea NOT NULL,
    relays text[] NOT NULL,
    PRIMARY KEY (pubkey, requested_at, request_id)
);
COMMENT ON TABLE vanish_requests IS 'Requests to vanish (kind 62); binding_vanish_requests has those that are meant for this archive.';
CREATE INDEX vanish_requests_request ON vanish_requests (request_id);

CREATE TABLE own_urls (url text PRIMARY KEY);
COMMENT ON TABLE own_urls IS 'Relay URLs of this archive: the setting policy.own_urls, which the sink writes here when it starts.';

CREATE VIEW binding_vanish_requests AS
SELECT pubkey, requested_at, request_id
FROM vanish_requests
WHERE 'ALL_RELAYS' = ANY (relays) OR relays && ARRAY(SELECT url FROM own_urls);

CREATE TABLE expirations (
    created_at bigint NOT NULL,
    id bytea NOT NULL,
    expires_at bigint NOT NULL,
    PRIMARY KEY (created_at, id)
);
COMMENT ON TABLE expirations IS 'When an event expires, Unix seconds (its first expiration tag).';
CREATE INDEX expirations_expires_at ON expirations (expires_at);

-- jsonb cannot hold U+0000, so the tags of such an event cannot be looked into by SQL.
CREATE TABLE nul_tags (
    created_at bigint NOT NULL,
    id bytea NOT NULL,
    address_sha256 bytea,
    recipients bytea[] NOT NULL,
    PRIMARY KEY (created_at, id)
);
COMMENT ON TABLE nul_tags IS 'Of an event that is kept in events.raw: its address, and the keys in its p tags if it is a gift wrap.';

-- The address of a replaceable or addressable event, hashed; null for others. Columns of its row are handed over one by
-- one, because rows of other tables and of batches have them too.
CREATE FUNCTION event_address_sha256(kind integer, pubkey bytea, tags jsonb, created_at bigint, id bytea) RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE
    WHEN kind IN (0, 3) OR kind BETWEEN 10000 AND 19999
        THEN sha256(convert_to(kind || ':' || encode(pubkey, 'hex') || ':', 'UTF8'))
    WHEN kind BETWEEN 30000 AND 39999 AND tags IS NOT NULL
        -- Strict, because lax paths look into the strings of a tag for a tag. Only the first d counts, even an empty one.
        THEN sha256(convert_to(kind || ':' || encode(pubkey, 'hex') || ':'
            || coalesce(jsonb_path_query_first(tags, 'strict $[*] ? (@[0] == "d")') ->> 1, ''), 'UTF8'))
    WHEN kind BETWEEN 30000 AND 39999
        THEN (SELECT nul.address_sha256 FROM nul_tags AS nul
            WHERE nul.created_at = event_address_sha256.created_at AND nul.id = event_address_sha256.id)
END;

-- The keys that a gift wrap (kind 1059) is for, who may delete it as its author may (NIP-59); null for other kinds.
CREATE FUNCTION event_recipients(kind integer, tags jsonb, created_at bigint, id bytea) RETURNS bytea[]
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE
    WHEN kind <> 1059 THEN NULL
    WHEN tags IS NOT NULL THEN ARRAY(
        SELECT decode(tag ->> 1, 'hex') FROM jsonb_array_elements(tags) AS tag
        WHERE tag ->> 0 = 'p' AND tag ->> 1 ~ '^[0-9a-f]{64}$')
    ELSE (SELECT nul.recipients FROM nul_tags AS nul
        WHERE nul.created_at = event_recipients.created_at AND nul.id = event_recipients.id)
END;

-- Subqueries, not joins: a page of the newest events then costs some look-ups an event, whatever the planner believes.
CREATE VIEW event_flags AS
SELECT
    events.*,
    -- A deletion or a request to vanish cannot be deleted (NIP-09, NIP-62).
    CASE WHEN kind NOT IN (5, 62) THEN coalesce(
        (SELECT deletion.request_id FROM deletions_by_id AS deletion
            WHERE deletion.target_id = events.id AND (deletion.pubkey = events.pubkey
                OR deletion.pubkey = ANY (event_recipients(kind, tags, created_at, events.id)))
            ORDER BY deletion.requested_at, deletion.request_id LIMIT 1),
        CASE WHEN kind IN (0, 3) OR kind BETWEEN 10000 AND 19999 OR kind BETWEEN 30000 AND 39999 THEN
            (SELECT deletion.request_id FROM deletions_by_address AS deletion
                WHERE deletion.address_sha256 = event_address_sha256(kind, events.pubkey, tags, created_at, events.id)
                    AND deletion.requested_at >= events.created_at
                ORDER BY deletion.requested_at, deletion.request_id LIMIT 1)
        END
    ) END AS deleted_by,
    -- A request to vanish takes everything up to its own time but such requests, and gift wraps to its author.
    CASE WHEN kind <> 62 THEN coalesce(
        (SELECT vanish.request_id FROM binding_vanish_requests AS vanish
            WHERE vanish.pubkey = events.pubkey AND vanish.requested_at >= events.created_at
            ORDER BY vanish.requested_at, vanish.request_id LIMIT 1),
        CASE WHEN kind = 1059 THEN
            (SELECT vanish.request_id FROM binding_vanish_requests AS vanish
                WHERE vanish.pubkey = ANY (event_recipients(kind, tags, created_at, events.id))
                    AND vanish.requested_at >= events.created_at
                ORDER BY vanish.requested_at, vanish.request_id LIMIT 1)
        END
    ) END AS vanished_by,
    (SELECT expiration.expires_at FROM expirations AS expiration
        WHERE expiration.created_at = events.created_at AND expiration.id = events.id) AS expires_at
FROM events;
COMMENT ON VIEW event_flags IS 'Every event, the request that deletes it, the request by which its author vanished, and when it expires; null where none does.';

CREATE VIEW visible_events AS
SELECT created_at, id, id_prefix, pubkey_prefix, kind, id_form, pubkey, sig, tag_hashes, tags, content, raw
FROM event_flags
-- In one CASE: the planner takes that for half of the rows, and IS NULL of an expression for one in 200. Then it would
-- sort all events to find a page of the newest.
WHERE CASE WHEN deleted_by IS NULL AND vanished_by IS NULL
    THEN expires_at IS NULL OR expires_at > extract(epoch FROM now())::bigint ELSE false END;
COMMENT ON VIEW visible_events IS 'Events that are not deleted, not vanished and not expired now.';

CREATE FUNCTION event_json(event visible_events) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE
RETURN event_json(ROW (
    (event).created_at, (event).id, (event).id_prefix, (event).pubkey_prefix, (event).kind, (event).id_form,
    (event).pubkey, (event).sig, (event).tag_hashes, (event).tags, (event).content, (event).raw)::events);

-- Rules of erasure that were applied here: rows that they cover were deleted, and none is written again. They come from
-- the topic `erasures`, which says why and when; schemas/records/erasure.py says what each covers.

CREATE TABLE erased_ids (
    id bytea PRIMARY KEY,
    sightings_left boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE erased_ids IS 'Events that are erased whoever asked for it.';
COMMENT ON COLUMN erased_ids.sightings_left IS 'Nobody knows the event''s created_at: its sightings are still to be looked for.';
CREATE INDEX erased_ids_sightings_left ON erased_ids (id) WHERE sightings_left;

CREATE TABLE erased_author_ids (
    id bytea NOT NULL,
    pubkey bytea NOT NULL,
    PRIMARY KEY (id, pubkey)
);
COMMENT ON TABLE erased_author_ids IS 'Events that are erased if this key may delete them.';

CREATE TABLE erased_addresses (
    address_sha256 bytea PRIMARY KEY,
    until_s bigint NOT NULL
);
COMMENT ON TABLE erased_addresses IS 'Addresses (SHA-256 of kind:pubkey:d) of which versions up to a time are erased.';

CREATE TABLE erased_authors (
    pubkey bytea NOT NULL,
    cause text NOT NULL,
    until_s bigint NOT NULL,
    PRIMARY KEY (pubkey, cause)
);
COMMENT ON TABLE erased_authors IS 'Authors whose events up to a time are erased: all of them (operator, law), or what a request takes (vanish).';

-- Events that were archived before these tables existed have not been looked into yet: `bigbrotr migrate` goes on from
-- this key, and the sink does not start before the row is gone.
CREATE TABLE unread_requests (
    created_at bigint NOT NULL,
    id bytea NOT NULL
);
COMMENT ON TABLE unread_requests IS 'The key up to which old events were searched for requests; no row: all were.';
INSERT INTO unread_requests SELECT -1, '' WHERE EXISTS (SELECT FROM events);
