"""The counts of events and sightings by month, which triggers keep (`0010_counts.sql`), as the digest covers them."""

from __future__ import annotations

from sinks.tables.digest_table import DigestTable, all_values

MONTH_COUNTS = DigestTable(
    "month_counts",
    # Slots differ from archive to archive, as the transactions did.
    """SELECT relation, extract(epoch FROM month)::bigint AS month_s, sum(amount)::bigint AS amount
    FROM month_counts GROUP BY relation, month HAVING sum(amount) <> 0""",
    all_values,
    "month_s",
)
