"""Filters of NIP-01 as conditions in SQL on `events`, so that every index of the table serves them.

Ids and authors are found by their 8-byte prefixes and tags by their hashes, each rechecked against the row. The tags
of a row that keeps its bytes (`raw`) cannot be looked into by SQL: there the hash alone decides, and the reader
rechecks with `Filter.matches`. Of an event with more tags than are indexed (`MORE_TAGS`) the tags themselves decide;
its bytes, if it keeps them, are canonical, so that a tag has one spelling in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from schemas.lookup import MORE_TAGS, key_prefix, tag_hash
from schemas.nostr.filters import Filter

BIGINT_MAX = 2**63 - 1
"""Later times and larger limits than a bigint holds mean the same as the largest that it holds."""


class Key(NamedTuple):
    """The key of a row: `created_at` in Unix seconds, `id` 32 bytes."""

    created_at: int
    id: bytes


class Parameters:
    """The values of a statement, and the `$n` under which each goes."""

    def __init__(self) -> None:
        self.values: list[Any] = []

    def add(self, value: Any, cast: str) -> str:
        """Take a value; returns its place, cast to a type of PostgreSQL."""
        self.values.append(value)
        return f"${len(self.values)}::{cast}"


def condition(wanted: Filter, parameters: Parameters, *, oldest: Key | None = None, exact_tags: bool = True) -> str:
    """What a row of `events` must fulfil to be asked for. The filter's own `limit` is not in it.

    Args:
        wanted: the filter.
        parameters: takes the values.
        oldest: where a limit was translated into the last row that it lets through (`nth_newest`): that row.
        exact_tags: look into the tags of each row that their hashes find, not only of those with more tags than are
            indexed. It costs time for every tag of an event, and leaves out what one of 2^64 hashes may find too much.
    """
    parts: list[str] = []
    if wanted.since is not None:
        parts.append(f"created_at >= {parameters.add(min(wanted.since, BIGINT_MAX), 'bigint')}")
    if wanted.until is not None:
        parts.append(f"created_at <= {parameters.add(min(wanted.until, BIGINT_MAX), 'bigint')}")
    if wanted.ids is not None:
        parts.append(_by_prefix("id", wanted.ids, parameters))
    if wanted.authors is not None:
        parts.append(_by_prefix("pubkey", wanted.authors, parameters))
    if wanted.kinds is not None:
        parts.append(f"kind = ANY({parameters.add(list(wanted.kinds), 'integer[]')})")
    for letter, values in wanted.tags.items():
        parts.append(_has_tag(letter, values, parameters, exact=exact_tags))
    if oldest is not None:
        at = parameters.add(oldest.created_at, "bigint")
        parts.append(f"created_at >= {at}")
        # Of equal times NIP-01 has the lowest id first.
        parts.append(f"(created_at > {at} OR id <= {parameters.add(oldest.id, 'bytea')})")
    return " AND ".join(parts) or "TRUE"


def estimated(wanted: Filter, parameters: Parameters) -> str:
    """What a row fulfils that is likely to be asked for, without rechecks: the planner multiplies what each leaves out.

    For an estimate of how many there are, never to read any.
    """
    parts = [condition(Filter(kinds=wanted.kinds, since=wanted.since, until=wanted.until), parameters)]
    for column, values in (("id", wanted.ids), ("pubkey", wanted.authors)):
        if values is not None:
            prefixes = parameters.add([key_prefix(bytes.fromhex(value)) for value in values], "bigint[]")
            parts.append(f"{column}_prefix = ANY({prefixes})")
    for letter, values in wanted.tags.items():
        parts.append(_meets([tag_hash(letter, each) for each in values]))
    return " AND ".join(parts)


def any_of(conditions: Sequence[str]) -> str:
    """Rows that fulfil one condition at least; none of them: all rows."""
    return f"({' OR '.join(f'({each})' for each in conditions)})" if conditions else "TRUE"


def nth_newest(relation: str, where: str, limit: int, parameters: Parameters) -> str:
    """The statement that finds the last row that a `limit` from 1 lets through; no row: it lets all through.

    So a limit becomes a bound of the key, and neither we nor the server hold the keys of what is within it.
    """
    skipped = parameters.add(min(limit, BIGINT_MAX) - 1, "bigint")
    return (
        f"SELECT created_at, id FROM {relation} WHERE {where} "  # noqa: S608 - made of our own parts and $n alone
        f"ORDER BY created_at DESC, id OFFSET {skipped} LIMIT 1"
    )


def _by_prefix(column: str, values: Sequence[str], parameters: Parameters) -> str:
    keys = [bytes.fromhex(value) for value in values]
    prefixes = parameters.add([key_prefix(key) for key in keys], "bigint[]")
    return f"{column}_prefix = ANY({prefixes}) AND {column} = ANY({parameters.add(keys, 'bytea[]')})"


def _has_tag(letter: str, values: Sequence[str], parameters: Parameters, *, exact: bool) -> str:
    hashes = [tag_hash(letter, each) for each in values]
    name = parameters.add(letter, "text")
    # PostgreSQL has no text with U+0000; only rows with `raw` can hold such a value.
    texts = parameters.add([value for value in values if "\0" not in value], "text[]")
    in_columns = (
        f"EXISTS (SELECT FROM jsonb_array_elements(tags) AS tag WHERE tag ->> 0 = {name} AND tag ->> 1 = ANY({texts}))"
    )
    # Up to the quotation mark that ends the value. No other place can hold it: inside of a string quotes are escaped.
    spellings = parameters.add([orjson.dumps([letter, value]).removesuffix(b"]") for value in values], "bytea[]")
    in_raw = f"EXISTS (SELECT FROM unnest({spellings}) AS spelling WHERE position(spelling IN raw) > 0)"
    by_hash, found = _meets(hashes), _meets([*hashes, MORE_TAGS])
    if exact:
        return f"{found} AND CASE WHEN raw IS NULL THEN {in_columns} ELSE {by_hash} OR {in_raw} END"
    return f"{found} AND ({by_hash} OR CASE WHEN raw IS NULL THEN {in_columns} ELSE {in_raw} END)"


def _meets(hashes: Sequence[int]) -> str:
    # Literally: a plan that is kept for all values would not know whether a tag is rare.
    return f"tag_hashes && '{{{','.join(map(str, hashes))}}}'::bigint[]"
