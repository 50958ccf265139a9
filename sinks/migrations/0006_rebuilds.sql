-- What `bigbrotr rebuild` did here: a switch to an archive that is not whole, or begins late, must not happen unseen.

CREATE TABLE rebuilds (
    group_id text PRIMARY KEY,
    began_from text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
);
COMMENT ON TABLE rebuilds IS 'From where the topics were read into this archive for the sink''s group, and when what was there then had been.';
