"""What runs, what waits and what is archived, as plain values."""
