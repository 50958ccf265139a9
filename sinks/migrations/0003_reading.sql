-- What people read the archive with.

-- The number under which a tag is found: tag_hashes @> ARRAY[tag_hash('p', '…')].
CREATE FUNCTION tag_hash(name text, value text) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN ('x' || encode(substr(sha256(convert_to(name || ':' || value, 'UTF8')), 1, 8), 'hex'))::bit(64)::bigint;

-- The number under which an id or a key is found: id_prefix = key_prefix(id) AND id = …
CREATE FUNCTION key_prefix(key bytea) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN ('x' || encode(substr(key, 1, 8), 'hex'))::bit(64)::bigint;

-- An event as it travels. One with U+0000 is given by its own bytes, as it was received.
CREATE FUNCTION event_json(event events) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE
    WHEN (event).raw IS NOT NULL THEN convert_from((event).raw, 'UTF8')::json
    ELSE json_build_object(
        'id', encode((event).id, 'hex'),
        'pubkey', encode((event).pubkey, 'hex'),
        'created_at', (event).created_at,
        'kind', (event).kind,
        'tags', (event).tags,
        'content', (event).content,
        'sig', encode((event).sig, 'hex')
    )
END;

-- The event with this id (64 hexadecimal digits), or nothing.
CREATE FUNCTION event_by_id(wanted text) RETURNS SETOF events
LANGUAGE sql STABLE STRICT PARALLEL SAFE ROWS 1
BEGIN ATOMIC
    SELECT * FROM events
    WHERE id_prefix = key_prefix(decode(wanted, 'hex')) AND id = decode(wanted, 'hex');
END;

-- One line for each relay that had an event, and when it was first seen to have it.
CREATE VIEW event_sightings AS
SELECT sightings.created_at, sightings.id, relays.url AS relay, pair.seen_at_ms
FROM sightings
CROSS JOIN LATERAL unnest(sightings.relay_ids, sightings.seen_ats_ms) AS pair (relay_id, seen_at_ms)
JOIN relays ON relays.id = pair.relay_id;
