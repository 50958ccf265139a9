"""An event as a row of the table `events`; `core.archive.rows` gives it back."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from string import ascii_letters

import orjson

from core.archive.rows import EventRow
from schemas.lookup import MORE_TAGS, first_int64, key_prefix
from schemas.nostr.event import Event, encode_event

MOST_INDEXED = 5_000
"""Distinct tags of an event that are indexed. An event of a mebibyte has room for 78,000, which cost 3 MB of index each
time; lists of contacts, the longest that people make, rarely have more than this."""

_LETTERS = frozenset(ascii_letters)


def indexed_tags(tags: Sequence[Sequence[str]]) -> list[int]:
    """The hashes by which an event is found: of its first `MOST_INDEXED` distinct tags, and `MORE_TAGS` if it has more.

    Who looks for a tag looks for `MORE_TAGS` too, and compares the tags of what is found.
    """
    hashes = tag_hashes(tags)
    return hashes if len(hashes) <= MOST_INDEXED else [*hashes[:MOST_INDEXED], MORE_TAGS]


def tag_hashes(tags: Sequence[Sequence[str]]) -> list[int]:
    """The distinct hashes of the first value of each tag whose name is one ASCII letter (NIP-01's indexed tags)."""
    # Written out, and without a cache, by measurement: a call costs as much as half a hash, and most values are new.
    return list(
        {
            first_int64(sha256(f"{tag[0]}:{tag[1]}".encode()).digest())[0]: None
            for tag in tags
            if len(tag) > 1 and tag[0] in _LETTERS
        }
    )


def event_row(event: Event, id_form: int) -> EventRow:
    """The row of a verified event; `raw` is its canonical text, kept only where the columns cannot hold the event.

    Raises ValueError where a string is not Unicode text (lone surrogates), which belongs into quarantine.
    """
    id_hex, pubkey_hex, created_at, kind, tags, content, sig_hex = event
    event_id = bytes.fromhex(id_hex)
    pubkey = bytes.fromhex(pubkey_hex)
    try:
        tags_json = orjson.dumps(tags).decode()
    except TypeError as error:
        raise ValueError(f"tags: {error}") from error
    has_nul = "\0" in content or ("\\u0000" in tags_json and _nul_in(tags))
    return EventRow(
        created_at,
        event_id,
        key_prefix(event_id),
        key_prefix(pubkey),
        kind,
        id_form,
        pubkey,
        bytes.fromhex(sig_hex),
        indexed_tags(tags),
        None if has_nul else tags_json,
        None if has_nul else content,
        encode_event(event) if has_nul else None,
    )


def _nul_in(tags: Sequence[Sequence[str]]) -> bool:
    return any("\0" in item for tag in tags for item in tag)
