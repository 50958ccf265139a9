-- An event has room for 78,000 tags, and each costs an entry of the index. Of new events 5,000 are indexed, and 0 in their
-- place says that there are more: who looks for a tag looks for 0 too, and compares the tags of what is found. Older rows
-- keep the numbers of all their tags, and both are right.

COMMENT ON COLUMN events.tag_hashes IS 'tag_hash(name, value) of the first value of each single-letter tag; of more than 5,000 distinct ones the first 5,000, and 0.';
