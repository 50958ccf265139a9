-- What the comments of these columns say had changed, or could be said in plainer words. Data are untouched.

COMMENT ON COLUMN events.raw IS 'Canonical JSON of an event with U+0000, which text and jsonb refuse; null for every other. Older rows hold the text as it was received.';
COMMENT ON TABLE erased_ids IS 'Events that are erased, for any cause.';
COMMENT ON COLUMN erased_ids.sightings_left IS 'The event''s created_at is not known: its sightings are still to be looked for.';
COMMENT ON COLUMN coverage_filters.identity IS 'Public key that had answered AUTH when it was read; empty without AUTH.';
