-- What each relay has sent, of the record whose ranges and gaps are in the other tables of coverage. Old rows have none until
-- the relay's next record.

ALTER TABLE coverage_relays ADD COLUMN copies_received bigint NOT NULL DEFAULT 0;
ALTER TABLE coverage_relays ADD COLUMN copies_repeated bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN coverage_relays.copies_received IS 'Copies of events that the relay has sent, of those that were asked for.';
COMMENT ON COLUMN coverage_relays.copies_repeated IS 'Those of them that it had sent before, byte for byte, as far as its connector remembered.';
