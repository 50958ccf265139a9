-- Relays in the order of their uptime, latency and time in a state, for lists that are read page by page: without, each
-- page computes the uptime of all relays.

-- What share of the known seconds a relay was down, in millionths, of the hours that its newest record tells; null where
-- it tells nothing. Not as of now: an index holds it.
CREATE FUNCTION downtime_ppm(hours jsonb) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (
    SELECT (sum(tally.down_s) * 1000000 / nullif(sum(tally.up_s) + sum(tally.down_s), 0))::bigint
    FROM jsonb_to_recordset(hours) AS tally (up_s bigint, down_s bigint)
);

-- How long the newest successful opening took, milliseconds; null: the newest failed, or there was none.
CREATE FUNCTION opened_ms(checks jsonb) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN jsonb_typeof(checks #> '{open,took_ms}') = 'number' AND checks #> '{open,ok}' = 'true'
    THEN (checks #>> '{open,took_ms}')::numeric::bigint END;

CREATE INDEX relay_health_downtime ON relay_health (downtime_ppm(hours), url);
CREATE INDEX relay_health_opened ON relay_health (opened_ms(checks), url);
CREATE INDEX relay_health_since ON relay_health ((-since_ms), url);
CREATE INDEX registry_first_seen ON registry ((-first_seen_ms), url);
