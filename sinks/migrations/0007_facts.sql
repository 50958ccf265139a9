-- How each relay wants to be asked, of the record whose ranges and gaps are in the other tables of coverage. A list that
-- is replaced whole and read whole, so no table of its own. Old rows have none until the relay's next record.

ALTER TABLE coverage_relays ADD COLUMN facts jsonb NOT NULL DEFAULT '[]';
COMMENT ON COLUMN coverage_relays.facts IS 'What was learnt of how the relay wants to be asked: objects with name, value, evidence (its words, shortened) and at_s.';
