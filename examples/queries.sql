-- Questions that any archive answers: psql "$BIGBROTR_POSTGRES__DSN" -f examples/queries.sql

-- the five newest events, as they travel
SELECT event_json(events) FROM events ORDER BY created_at DESC LIMIT 5;

-- how many events of each kind, and of how many authors
SELECT kind, count(*) AS events, count(DISTINCT pubkey) AS authors FROM events GROUP BY kind ORDER BY events DESC;

-- how many relays had an event, and how many events so many relays had
SELECT cardinality(relay_ids) AS relays, count(*) AS events FROM sightings GROUP BY relays ORDER BY relays;

-- what was read of each relay, in ranges of seconds
SELECT relay, wire AS filter, read FROM coverage ORDER BY relay;

-- the ten names of tags that are used most, and with how many values
SELECT tag ->> 0 AS name, count(*) AS tags, count(DISTINCT tag ->> 1) AS values
FROM events CROSS JOIN LATERAL jsonb_array_elements(tags) AS tag
GROUP BY name ORDER BY tags DESC, name LIMIT 10;

-- how long after its own time an event was first seen, by kind, for events of the last day
SELECT kind, percentile_cont(0.5) WITHIN GROUP (ORDER BY seen_at_ms / 1000.0 - created_at) AS median_s
FROM event_sightings JOIN events USING (created_at, id)
WHERE created_at > extract(epoch FROM now() - interval '1 day')
GROUP BY kind ORDER BY kind;

-- what readers should see: what is not deleted, has not expired, and is not of authors who vanished
SELECT kind, count(*) AS visible FROM visible_events GROUP BY kind ORDER BY kind;

-- how the relays that were probed are, and how much of the last 30 days, as far as it is known, they were up
SELECT state, verdict, count(*) AS relays, round(100 * avg(uptime)::numeric, 2) AS percent_up
FROM relay_health JOIN relay_uptime USING (url) WHERE days = 30 GROUP BY state, verdict ORDER BY relays DESC;
