-- Monthly partitions: one for the past, a month each from January 2021 (the first full year of Nostr) to the months
-- ahead, one for the future. No DEFAULT partition: its rows would block a new month. Running it again adds what is
-- missing: rows that wait in the future partition move into their month.

CREATE FUNCTION add_months_ahead(ahead integer DEFAULT 24, as_of timestamptz DEFAULT now()) RETURNS integer
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
            EXECUTE format('WITH moved AS (DELETE FROM %I WHERE created_at < %s RETURNING *) INSERT INTO %I SELECT * FROM moved',
                parent || '_future', to_s, parent);
            EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%s) TO (MAXVALUE)',
                parent, parent || '_future', to_s);
        ELSE
            EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%s) TO (MAXVALUE) %s',
                parent || '_future', parent, to_s, storage);
        END IF;
    END LOOP;
    RETURN made;
END $$;

-- How many monthly partitions lie after the current month; readiness fails when few are left.
CREATE FUNCTION months_ahead(as_of timestamptz DEFAULT now()) RETURNS integer
LANGUAGE sql STABLE
RETURN (
    SELECT min(months)::integer
    FROM (
        SELECT count(*) FILTER (
            WHERE substring(child.relname FROM '_(\d{4}_\d\d)$') > to_char(as_of AT TIME ZONE 'UTC', 'YYYY_MM')
        ) AS months
        FROM pg_inherits
        JOIN pg_class AS child ON child.oid = inhrelid
        WHERE inhparent IN ('events'::regclass, 'sightings'::regclass)
        GROUP BY inhparent
    ) AS per_table
);
