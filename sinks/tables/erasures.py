"""The tables with the rules of erasure that were applied; `sinks.erasure` writes them (`erased_rows`, `rules`)."""

from __future__ import annotations

from sinks.tables.digest_table import whole_rows

RULES = (
    whole_rows("erased_ids", ("id",)),
    whole_rows("erased_author_ids", ("id", "pubkey")),
    whole_rows("erased_addresses", ("address_sha256", "until_s")),
    whole_rows("erased_authors", ("pubkey", "cause", "until_s")),
)
