-- Exact counts of what the archive holds, kept by the transactions that change it: the planner's estimate is refreshed
-- only now and then, and counting rows reads them all.
--
-- Triggers count, so whatever writes through the names `events` and `sightings` is counted: batches of the sink, rules of
-- erasure, statements of a person. They are called once a statement, with what it added and took away. What is done to
-- a partition under its own name is not seen: `bigbrotr audit` tells it, and docs/how-to/audit.md how to count again.

-- The triggers must see every row that is written from now on, and no transaction may have written before one of them
-- and after the other. In the order in which the sink writes.
LOCK TABLE events, sightings IN SHARE ROW EXCLUSIVE MODE;

CREATE TABLE month_counts (
    relation text NOT NULL,
    month date NOT NULL,
    slot smallint NOT NULL,
    amount bigint NOT NULL,
    PRIMARY KEY (relation, month, slot)
) WITH (fillfactor = 50);
COMMENT ON TABLE month_counts IS 'How many events, and pairs of event and relay, the archive holds: the sum of the slots.';
COMMENT ON COLUMN month_counts.relation IS '`events`; `sightings`: their pairs of event and relay.';
COMMENT ON COLUMN month_counts.month IS 'First day of the month of `created_at` (UTC); 9999-12-01 also for all later ones.';
COMMENT ON COLUMN month_counts.slot IS 'Which of the transactions at work counted here: each has a slot of its own, so none waits for another.';
COMMENT ON COLUMN month_counts.amount IS 'What was added less what was taken away; a slot alone may be below zero.';

CREATE TABLE uncounted_rows (since timestamptz NOT NULL DEFAULT now());
COMMENT ON TABLE uncounted_rows IS 'A row: month_counts lacks something, and `bigbrotr migrate` counts all rows; none: it is exact.';
COMMENT ON COLUMN uncounted_rows.since IS 'Since when that is known.';
INSERT INTO uncounted_rows SELECT WHERE EXISTS (SELECT FROM events) OR EXISTS (SELECT FROM sightings);

-- By whole days, of which there are few, and not by second.
CREATE FUNCTION month_of_day(day bigint) RETURNS date
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
-- 2,932,896 is the last day of the year 9999: dates of many languages end there, and ids commit to times far beyond.
RETURN date_trunc('month', timestamp '1970-01-01' + make_interval(days => least(day, 2932896)::integer))::date;

-- Adds to the counts of a table. A transaction takes the first slot that no other one has, and keeps it to its end.
CREATE FUNCTION add_counts(counted text, days bigint[], amounts bigint[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    free smallint := 0;
BEGIN
    -- The first number is arbitrary and belongs to this function alone.
    WHILE NOT pg_try_advisory_xact_lock(7110204, free) LOOP
        free := free + 1;
    END LOOP;
    INSERT INTO month_counts AS stored (relation, month, slot, amount)
    SELECT counted, month_of_day(day), free, sum(amount) FROM unnest(days, amounts) AS changed (day, amount)
    GROUP BY month_of_day(day) HAVING sum(amount) <> 0
    ON CONFLICT (relation, month, slot) DO UPDATE SET amount = stored.amount + excluded.amount;
END $$;

CREATE FUNCTION count_events() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM add_counts('events', array_agg(day), array_agg(amount))
        FROM (SELECT created_at / 86400 AS day, count(*) AS amount FROM added GROUP BY day) AS days;
    ELSIF TG_OP = 'UPDATE' THEN
        PERFORM add_counts('events', array_agg(day), array_agg(amount))
        FROM (
            SELECT created_at / 86400 AS day, 1 AS amount FROM added
            UNION ALL
            SELECT created_at / 86400, -1 FROM gone
        ) AS changed;
    ELSIF TG_OP = 'DELETE' THEN
        PERFORM add_counts('events', array_agg(day), array_agg(amount))
        FROM (SELECT created_at / 86400 AS day, -count(*) AS amount FROM gone GROUP BY day) AS days;
    ELSE
        DELETE FROM month_counts WHERE relation = 'events';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION count_sightings() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM add_counts('sightings', array_agg(day), array_agg(amount))
        FROM (SELECT created_at / 86400 AS day, sum(cardinality(relay_ids)) AS amount FROM added GROUP BY day) AS days;
    ELSIF TG_OP = 'UPDATE' THEN
        PERFORM add_counts('sightings', array_agg(day), array_agg(amount))
        FROM (
            SELECT day, sum(amount) AS amount
            FROM (
                SELECT created_at / 86400 AS day, cardinality(relay_ids) AS amount FROM added
                UNION ALL
                SELECT created_at / 86400, -cardinality(relay_ids) FROM gone
            ) AS changed
            GROUP BY day
        ) AS days;
    ELSIF TG_OP = 'DELETE' THEN
        PERFORM add_counts('sightings', array_agg(day), array_agg(amount))
        FROM (SELECT created_at / 86400 AS day, -sum(cardinality(relay_ids)) AS amount FROM gone GROUP BY day) AS days;
    ELSE
        DELETE FROM month_counts WHERE relation = 'sightings';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER count_added AFTER INSERT ON events REFERENCING NEW TABLE AS added EXECUTE FUNCTION count_events();
CREATE TRIGGER count_changed AFTER UPDATE ON events REFERENCING OLD TABLE AS gone NEW TABLE AS added EXECUTE FUNCTION count_events();
CREATE TRIGGER count_gone AFTER DELETE ON events REFERENCING OLD TABLE AS gone EXECUTE FUNCTION count_events();
CREATE TRIGGER count_none AFTER TRUNCATE ON events EXECUTE FUNCTION count_events();

CREATE TRIGGER count_added AFTER INSERT ON sightings REFERENCING NEW TABLE AS added EXECUTE FUNCTION count_sightings();
CREATE TRIGGER count_changed AFTER UPDATE ON sightings REFERENCING OLD TABLE AS gone NEW TABLE AS added EXECUTE FUNCTION count_sightings();
CREATE TRIGGER count_gone AFTER DELETE ON sightings REFERENCING OLD TABLE AS gone EXECUTE FUNCTION count_sightings();
CREATE TRIGGER count_none AFTER TRUNCATE ON sightings EXECUTE FUNCTION count_sightings();

-- Reads all rows. Counts and rows are of one moment, whatever is written meanwhile, because both are in one statement.
CREATE VIEW count_differences AS
WITH counted AS (
    SELECT relation, month, sum(amount)::bigint AS amount FROM month_counts GROUP BY relation, month
), stored AS (
    SELECT relation, month_of_day(day) AS month, sum(amount)::bigint AS amount
    FROM (
        SELECT 'events' AS relation, created_at / 86400 AS day, count(*) AS amount FROM events GROUP BY day
        UNION ALL
        SELECT 'sightings', created_at / 86400 AS day, sum(cardinality(relay_ids)) FROM sightings GROUP BY day
    ) AS days
    GROUP BY relation, month
)
SELECT relation, month, coalesce(counted.amount, 0) AS counted, coalesce(stored.amount, 0) AS stored
FROM counted FULL JOIN stored USING (relation, month)
WHERE coalesce(counted.amount, 0) <> coalesce(stored.amount, 0);
COMMENT ON VIEW count_differences IS 'Months of which month_counts says another number than the rows give; they are all read for it.';
COMMENT ON COLUMN count_differences.counted IS 'What month_counts says.';
COMMENT ON COLUMN count_differences.stored IS 'What the rows give.';

-- Of services that go on writing, too: what they add is added to the counts by them.
CREATE FUNCTION count_rows() RETURNS void
LANGUAGE sql
BEGIN ATOMIC
    DELETE FROM uncounted_rows;
    SELECT add_counts(relation, array_agg(month - date '1970-01-01'), array_agg(stored - counted))
    FROM count_differences GROUP BY relation;
END;

-- As in 0002, but rows that move from the future into their month are not counted again: nothing else can be written to
-- the table until the end, because a partition was detached.
CREATE OR REPLACE FUNCTION add_months_ahead(ahead integer DEFAULT 24, as_of timestamptz DEFAULT now()) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    first_month constant timestamp := '2021-01-01';
    last_month constant timestamp := date_trunc('month', as_of AT TIME ZONE 'UTC') + make_interval(months => ahead);
    parent text;
    storage text;
    month timestamp;
    from_s bigint;
    to_s bigint := 0;
    made integer := 0;
    had_future boolean;
BEGIN
    -- One owner at a time; the number is arbitrary and belongs to this function alone.
    PERFORM pg_advisory_xact_lock(7110201);
    FOREACH parent IN ARRAY ARRAY['events', 'sightings'] LOOP
        -- Sightings are updated as more relays show an event: room on the page keeps such an update off the index.
        storage := CASE parent WHEN 'sightings' THEN 'WITH (fillfactor = 70)' ELSE '' END;
        IF to_regclass(parent || '_past') IS NULL THEN
            EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (MINVALUE) TO (%s) %s',
                parent || '_past', parent, extract(epoch FROM first_month)::bigint, storage);
        END IF;
        IF to_regclass(parent || to_char(last_month, '_YYYY_MM')) IS NOT NULL THEN
            CONTINUE;
        END IF;
        had_future := to_regclass(parent || '_future') IS NOT NULL;
        IF had_future THEN
            EXECUTE format('ALTER TABLE %I DETACH PARTITION %I', parent, parent || '_future');
        END IF;
        month := first_month;
        WHILE month <= last_month LOOP
            from_s := extract(epoch FROM month)::bigint;
            to_s := extract(epoch FROM month + interval '1 month')::bigint;
            IF to_regclass(parent || to_char(month, '_YYYY_MM')) IS NULL THEN
                EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%s) TO (%s) %s',
                    parent || to_char(month, '_YYYY_MM'), parent, from_s, to_s, storage);
                made := made + 1;
            END IF;
            month := month + interval '1 month';
        END LOOP;
        IF had_future THEN
            EXECUTE format('ALTER TABLE %I DISABLE TRIGGER count_added', parent);
            EXECUTE format('WITH moved AS (DELETE FROM %I WHERE created_at < %s RETURNING *) INSERT INTO %I SELECT * FROM moved',
                parent || '_future', to_s, parent);
            EXECUTE format('ALTER TABLE %I ENABLE TRIGGER count_added', parent);
            EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%s) TO (MAXVALUE)',
                parent, parent || '_future', to_s);
        ELSE
            EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%s) TO (MAXVALUE) %s',
                parent || '_future', parent, to_s, storage);
        END IF;
    END LOOP;
    RETURN made;
END $$;
