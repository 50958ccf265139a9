"""From records of topics to rows: batches, one transaction each, with the offsets that it covers."""
