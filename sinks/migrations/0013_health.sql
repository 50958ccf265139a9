-- The health of relays: probes as they were made, information documents once each, and the newest record of each relay
-- in the topic `relays.health` as rows. State, not archive: it is replaced whole with each record.

CREATE TABLE probes (
    url text NOT NULL,
    probed_at_ms bigint NOT NULL,
    is_full boolean NOT NULL,
    attempts smallint NOT NULL,
    verdict text NOT NULL,
    cause text,
    detail text,
    open_ms integer,
    read_ms integer,
    document text,
    checks jsonb NOT NULL,
    observed jsonb NOT NULL,
    monitor text,
    PRIMARY KEY (url, probed_at_ms)
);
-- Old rows are found by it, to be deleted as new ones come.
CREATE INDEX probes_by_time ON probes (probed_at_ms);
COMMENT ON TABLE probes IS 'Probes of relays, a row each: the topic `raw.probes`. Kept for 28 days, as in the topic.';
COMMENT ON COLUMN probes.url IS 'The relay''s normalised URL.';
COMMENT ON COLUMN probes.probed_at_ms IS 'When its first attempt began, Unix milliseconds.';
COMMENT ON COLUMN probes.is_full IS 'All checks were due; else open and read.';
COMMENT ON COLUMN probes.attempts IS '2: the first attempt failed, and this is the outcome of the second.';
COMMENT ON COLUMN probes.verdict IS 'works; refused_by_policy: is a relay and serves somebody else; refuses_us: answers, and not to this address or program; not_nostr: speaks something else; broken: fails at a step.';
COMMENT ON COLUMN probes.cause IS 'What a verdict other than works is for: the policy, how we are refused, or the step that failed.';
COMMENT ON COLUMN probes.detail IS 'The same in words.';
COMMENT ON COLUMN probes.open_ms IS 'How long name, socket, TLS and handshake took, milliseconds; null: it failed.';
COMMENT ON COLUMN probes.read_ms IS 'How long the answer to a question took, milliseconds; null: none came, or it was not asked.';
COMMENT ON COLUMN probes.document IS 'SHA-256 of the information document (NIP-11), as in relay_documents; null: none was got or asked for.';
COMMENT ON COLUMN probes.checks IS 'The outcome of each check (schemas/records/probe.py); what was not tried, or is not known, is left out.';
COMMENT ON COLUMN probes.observed IS 'What the relay was seen to do; what was not seen either way is left out.';
COMMENT ON COLUMN probes.monitor IS 'Public key of the monitor, 64 hex digits; null: it has none.';

CREATE TABLE relay_documents (
    hash text PRIMARY KEY,
    text text NOT NULL,
    members jsonb,
    first_seen_ms bigint NOT NULL
);
COMMENT ON TABLE relay_documents IS 'Information documents (NIP-11) that relays gave, each once: the topic `relays.documents`.';
COMMENT ON COLUMN relay_documents.hash IS 'SHA-256 of its bytes as they were sent, 64 hex digits.';
COMMENT ON COLUMN relay_documents.text IS 'These bytes as text, U+FFFD in the place of U+0000.';
COMMENT ON COLUMN relay_documents.members IS 'What could be understood of it (schemas/nostr/relay_document.py); null: it is no JSON object.';
COMMENT ON COLUMN relay_documents.first_seen_ms IS 'When a prober met it first, as far as the topic still tells, Unix milliseconds.';

CREATE TABLE relay_health (
    url text PRIMARY KEY,
    network text NOT NULL,
    state text NOT NULL,
    since_ms bigint,
    verdict text,
    cause text,
    detail text,
    failures integer NOT NULL,
    probed_at_ms bigint,
    full_at_ms bigint,
    online_at_ms bigint,
    document text,
    duplicate_of text,
    checks jsonb NOT NULL,
    observed jsonb NOT NULL,
    advertised jsonb NOT NULL,
    learnt jsonb NOT NULL,
    honesty jsonb NOT NULL,
    hours jsonb NOT NULL,
    claims jsonb NOT NULL,
    judged_at_ms bigint NOT NULL
);
COMMENT ON TABLE relay_health IS 'The health of each relay that was probed, as it was last judged: the topic `relays.health`.';
COMMENT ON COLUMN relay_health.url IS 'The normalised URL.';
COMMENT ON COLUMN relay_health.network IS 'clearnet, tor, i2p or loki.';
COMMENT ON COLUMN relay_health.state IS 'online: works, or serves somebody else; refused: answers and does not serve us; offline: down after two attempts; unknown: not probed within the time that its schedule promises.';
COMMENT ON COLUMN relay_health.since_ms IS 'In this state since, Unix milliseconds.';
COMMENT ON COLUMN relay_health.verdict IS 'Of the newest probe, as in probes; null: never probed.';
COMMENT ON COLUMN relay_health.cause IS 'What that verdict is for.';
COMMENT ON COLUMN relay_health.detail IS 'The same in words.';
COMMENT ON COLUMN relay_health.failures IS 'Probes in a row that did not find it online.';
COMMENT ON COLUMN relay_health.probed_at_ms IS 'The newest probe, Unix milliseconds.';
COMMENT ON COLUMN relay_health.full_at_ms IS 'The newest probe with all checks, Unix milliseconds.';
COMMENT ON COLUMN relay_health.online_at_ms IS 'The newest probe that found it online, Unix milliseconds.';
COMMENT ON COLUMN relay_health.document IS 'SHA-256 of the information document that it gives now, as in relay_documents; null: none.';
COMMENT ON COLUMN relay_health.duplicate_of IS 'A URL of the same host that gives the same document.';
COMMENT ON COLUMN relay_health.checks IS 'The newest outcome of each check, as in probes.';
COMMENT ON COLUMN relay_health.observed IS 'What it was last seen to do, as in probes.';
COMMENT ON COLUMN relay_health.advertised IS 'Limits by its document: max_limit, max_subscriptions, max_subid_length, max_message_length; what is not known is left out.';
COMMENT ON COLUMN relay_health.learnt IS 'The same limits as connectors and probes met them; they take precedence.';
COMMENT ON COLUMN relay_health.honesty IS 'What connectors met of its answers: copies, repeated, forged, disagreements, filters_ignored, withheld.';
COMMENT ON COLUMN relay_health.hours IS 'The last 24 complete UTC hours and the one that runs: objects with hour (since 1970), up_s, down_s, probes, failures.';
COMMENT ON COLUMN relay_health.claims IS 'What other monitors said of it (NIP-66): objects with monitor (public key), at_s and rtt_open_ms, newest last.';
COMMENT ON COLUMN relay_health.judged_at_ms IS 'Of what decided the state, Unix milliseconds: the newest probe, or when none had come.';

CREATE TABLE relay_days (
    url text NOT NULL REFERENCES relay_health ON DELETE CASCADE,
    day date NOT NULL,
    up_s integer NOT NULL,
    down_s integer NOT NULL,
    probes integer NOT NULL,
    failures integer NOT NULL,
    open_counts integer[] NOT NULL,
    read_counts integer[] NOT NULL,
    PRIMARY KEY (url, day)
);
COMMENT ON TABLE relay_days IS 'What was seen of a relay in each of the last 400 UTC days; relay_uptime and relay_latency sum them.';
COMMENT ON COLUMN relay_days.url IS 'The normalised URL.';
COMMENT ON COLUMN relay_days.day IS 'The UTC day.';
COMMENT ON COLUMN relay_days.up_s IS 'Seconds for which a probe stands that found it online.';
COMMENT ON COLUMN relay_days.down_s IS 'Seconds for which it was offline, after two attempts. What no probe stands for is in neither.';
COMMENT ON COLUMN relay_days.probes IS 'How many there were.';
COMMENT ON COLUMN relay_days.failures IS 'Those of them that did not find it online.';
COMMENT ON COLUMN relay_days.open_counts IS 'Probes by how long opening took: the nth number counts 2^((n-1)/2) up to 2^(n/2) milliseconds. Of the last 90 days; latency_percentile reads it.';
COMMENT ON COLUMN relay_days.read_counts IS 'The same of the answer to a question.';

CREATE TABLE relay_outages (
    url text NOT NULL REFERENCES relay_health ON DELETE CASCADE,
    since_ms bigint NOT NULL,
    until_ms bigint,
    verdict text NOT NULL,
    cause text,
    detail text,
    probes integer NOT NULL,
    PRIMARY KEY (url, since_ms)
);
COMMENT ON TABLE relay_outages IS 'Times in which a relay was offline: the newest 50, with their evidence.';
COMMENT ON COLUMN relay_outages.url IS 'The normalised URL.';
COMMENT ON COLUMN relay_outages.since_ms IS 'The first probe that failed, Unix milliseconds.';
COMMENT ON COLUMN relay_outages.until_ms IS 'The probe that found it again, Unix milliseconds; null: it lasts.';
COMMENT ON COLUMN relay_outages.verdict IS 'Of the probe that confirmed it.';
COMMENT ON COLUMN relay_outages.cause IS 'The step that failed.';
COMMENT ON COLUMN relay_outages.detail IS 'The same in words.';
COMMENT ON COLUMN relay_outages.probes IS 'How many failed.';

CREATE TABLE relay_document_changes (
    url text NOT NULL REFERENCES relay_health ON DELETE CASCADE,
    at_ms bigint NOT NULL,
    before text,
    after text,
    PRIMARY KEY (url, at_ms)
);
COMMENT ON TABLE relay_document_changes IS 'Information documents that took the place of others: the newest 20 of each relay; relay_document_differences says what changed.';
COMMENT ON COLUMN relay_document_changes.url IS 'The normalised URL.';
COMMENT ON COLUMN relay_document_changes.at_ms IS 'The probe that met the new one, Unix milliseconds.';
COMMENT ON COLUMN relay_document_changes.before IS 'SHA-256 of the old one, as in relay_documents; null: there was none.';
COMMENT ON COLUMN relay_document_changes.after IS 'SHA-256 of the new one; null: there is none any more.';

CREATE VIEW relay_document_differences AS
SELECT change.url, change.at_ms, difference.member, difference.before, difference.after
FROM relay_document_changes AS change
LEFT JOIN relay_documents AS old ON old.hash = change.before
LEFT JOIN relay_documents AS new ON new.hash = change.after
CROSS JOIN LATERAL (
    SELECT coalesce(was.key, is_now.key) AS member, was.value AS before, is_now.value AS after
    FROM jsonb_each(coalesce(old.members, '{}')) AS was
    FULL JOIN jsonb_each(coalesce(new.members, '{}')) AS is_now ON is_now.key = was.key
    WHERE was.value IS DISTINCT FROM is_now.value
) AS difference;
COMMENT ON VIEW relay_document_differences IS 'What changed with each change of an information document: the members that differ, as far as both documents are kept.';
COMMENT ON COLUMN relay_document_differences.url IS 'The normalised URL.';
COMMENT ON COLUMN relay_document_differences.at_ms IS 'The probe that met the new one, Unix milliseconds.';
COMMENT ON COLUMN relay_document_differences.member IS 'Name of the member, as schemas/nostr/relay_document.py gives it.';
COMMENT ON COLUMN relay_document_differences.before IS 'Its value in the old document; null: it was not there.';
COMMENT ON COLUMN relay_document_differences.after IS 'Its value in the new one; null: it is not there.';

-- The share of the seconds that are known in which a relay was up. Days are whole UTC days, of which the last one runs;
-- 1 day is the last 24 complete hours and the one that runs, so that it never shrinks to minutes.
CREATE FUNCTION relay_uptime_at(as_of timestamptz) RETURNS TABLE (
    url text, days integer, uptime double precision, up_s bigint, down_s bigint, probes bigint, failures bigint
)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT health.url, period.days, summed.up_s / nullif(summed.up_s + summed.down_s, 0)::double precision,
        coalesce(summed.up_s, 0), coalesce(summed.down_s, 0), coalesce(summed.probes, 0), coalesce(summed.failures, 0)
    FROM relay_health AS health
    CROSS JOIN (VALUES (1), (7), (30), (90)) AS period (days)
    LEFT JOIN (
        SELECT each.url, each.days, sum(each.up_s)::bigint AS up_s, sum(each.down_s)::bigint AS down_s,
            sum(each.probes)::bigint AS probes, sum(each.failures)::bigint AS failures
        FROM (
            SELECT known.url, 1 AS days, tally.up_s, tally.down_s, tally.probes, tally.failures
            FROM relay_health AS known
            CROSS JOIN LATERAL jsonb_to_recordset(known.hours)
                AS tally (hour bigint, up_s bigint, down_s bigint, probes bigint, failures bigint)
            WHERE tally.hour BETWEEN floor(extract(epoch FROM as_of) / 3600) - 24
                AND floor(extract(epoch FROM as_of) / 3600)
            UNION ALL
            SELECT tally.url, span.days, tally.up_s, tally.down_s, tally.probes, tally.failures
            FROM relay_days AS tally
            JOIN (VALUES (7), (30), (90)) AS span (days)
                ON tally.day BETWEEN (as_of AT TIME ZONE 'UTC')::date - span.days + 1 AND (as_of AT TIME ZONE 'UTC')::date
        ) AS each
        GROUP BY each.url, each.days
    ) AS summed ON summed.url = health.url AND summed.days = period.days;
END;

CREATE VIEW relay_uptime AS SELECT * FROM relay_uptime_at(now());
COMMENT ON VIEW relay_uptime IS 'Uptime of each relay over the last 1, 7, 30 and 90 days, a row each; relay_uptime_at(timestamptz) gives it as of another time.';
COMMENT ON COLUMN relay_uptime.url IS 'The normalised URL.';
COMMENT ON COLUMN relay_uptime.days IS '1: the last 24 complete hours and the one that runs; 7, 30, 90: UTC days, of which the last one runs.';
COMMENT ON COLUMN relay_uptime.uptime IS 'up_s / (up_s + down_s), 0 to 1; null: nothing is known of this time.';
COMMENT ON COLUMN relay_uptime.up_s IS 'Seconds for which a probe stands that found it online.';
COMMENT ON COLUMN relay_uptime.down_s IS 'Seconds for which it was offline.';
COMMENT ON COLUMN relay_uptime.probes IS 'How many there were.';
COMMENT ON COLUMN relay_uptime.failures IS 'Those of them that did not find it online.';

-- The milliseconds that this share (0 to 1) of probes did not exceed, by nearest rank: the middle of a bucket, which is
-- wrong by 19 % at most (schemas/latency_buckets.py); null where there are none.
CREATE FUNCTION latency_percentile(counts bigint[], share double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT power(2, (each.number - 0.5) / 2)::double precision
    FROM (
        SELECT number, sum(amount) OVER (ORDER BY number) AS upto, sum(amount) OVER () AS total
        FROM unnest(counts) WITH ORDINALITY AS bucket (amount, number)
    ) AS each
    WHERE each.total > 0 AND each.upto >= greatest(1, ceil(share * each.total::double precision))
    ORDER BY each.number LIMIT 1
);

-- How long probes of a relay took. They are counted by day: 1 day is today and yesterday.
CREATE FUNCTION relay_latency_at(as_of timestamptz) RETURNS TABLE (
    url text, days integer,
    open_p50_ms double precision, open_p90_ms double precision, open_p99_ms double precision,
    read_p50_ms double precision, read_p90_ms double precision, read_p99_ms double precision
)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT times.url, times.days,
        latency_percentile(times.opened, 0.5), latency_percentile(times.opened, 0.9), latency_percentile(times.opened, 0.99),
        latency_percentile(times.read, 0.5), latency_percentile(times.read, 0.9), latency_percentile(times.read, 0.99)
    FROM (
        SELECT summed.url, summed.days, array_agg(summed.opened ORDER BY summed.number) AS opened,
            array_agg(summed.read ORDER BY summed.number) AS read
        FROM (
            SELECT tally.url, period.days, bucket.number,
                coalesce(sum(bucket.opened), 0)::bigint AS opened, coalesce(sum(bucket.read), 0)::bigint AS read
            FROM relay_days AS tally
            JOIN (VALUES (1, 2), (7, 7), (30, 30), (90, 90)) AS period (days, counted)
                ON tally.day BETWEEN (as_of AT TIME ZONE 'UTC')::date - period.counted + 1
                    AND (as_of AT TIME ZONE 'UTC')::date
            CROSS JOIN LATERAL unnest(tally.open_counts, tally.read_counts)
                WITH ORDINALITY AS bucket (opened, read, number)
            GROUP BY tally.url, period.days, bucket.number
        ) AS summed
        GROUP BY summed.url, summed.days
    ) AS times;
END;

CREATE VIEW relay_latency AS SELECT * FROM relay_latency_at(now());
COMMENT ON VIEW relay_latency IS 'How long probes of each relay took over the last 1, 7, 30 and 90 days, a row each; relay_latency_at(timestamptz) gives it as of another time.';
COMMENT ON COLUMN relay_latency.url IS 'The normalised URL.';
COMMENT ON COLUMN relay_latency.days IS 'UTC days, of which the last one runs; 1: today and yesterday.';
COMMENT ON COLUMN relay_latency.open_p50_ms IS 'Half of the probes opened within it, milliseconds, wrong by 19 % at most; null: none did.';
COMMENT ON COLUMN relay_latency.open_p90_ms IS 'Nine of ten did.';
COMMENT ON COLUMN relay_latency.open_p99_ms IS '99 of a hundred did.';
COMMENT ON COLUMN relay_latency.read_p50_ms IS 'Half of the questions were answered within it, milliseconds; null: none was.';
COMMENT ON COLUMN relay_latency.read_p90_ms IS 'Nine of ten were.';
COMMENT ON COLUMN relay_latency.read_p99_ms IS '99 of a hundred were.';
