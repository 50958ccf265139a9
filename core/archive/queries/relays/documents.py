"""Information documents (NIP-11) that a relay gave: the present one, and what changed with each that came."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from core.archive.connection import Connection

_PRESENT = """
SELECT hash, text, members::text AS members, first_seen_ms
FROM relay_documents WHERE hash = (SELECT document FROM relay_health WHERE url = $1)
"""
_CHANGES = """
SELECT at_ms, before, after FROM relay_document_changes WHERE url = $1 ORDER BY at_ms DESC
"""
_DIFFERENCES = """
SELECT at_ms, member, before::text AS before, after::text AS after
FROM relay_document_differences WHERE url = $1 ORDER BY at_ms, member
"""


class PresentDocument(NamedTuple):
    """The document that a relay gives now.

    Attributes:
        hash: SHA-256 of its bytes.
        text: as it was sent.
        members: what could be understood of it; None: it is no JSON object.
        first_seen_ms: when a prober met it first, at this relay or another, Unix milliseconds.
    """

    hash: str
    text: str
    members: dict[str, Any] | None
    first_seen_ms: int


class MemberChange(NamedTuple):
    """A member that differs; None: it was not there, or it is not."""

    member: str
    before: Any
    after: Any


class DocumentSuccession(NamedTuple):
    """A document that took the place of another, by their hashes; None: there was none, or there is none any more.

    Attributes:
        at_ms: when a probe met the new one, Unix milliseconds.
        members: that differ, as far as both are kept.
    """

    at_ms: int
    before: str | None
    after: str | None
    members: list[MemberChange]


async def read_documents(connection: Connection, url: str) -> tuple[PresentDocument | None, list[DocumentSuccession]]:
    """Read the present document of a relay (normalised URL), and the changes that are kept, newest first."""
    row = await connection.fetchrow(_PRESENT, url)
    present = None
    if row is not None:
        members = None if row["members"] is None else orjson.loads(row["members"])
        present = PresentDocument(row["hash"], row["text"], members, row["first_seen_ms"])
    differences: dict[int, list[MemberChange]] = {}
    for at_ms, member, before, after in await connection.fetch(_DIFFERENCES, url):
        values = (None if value is None else orjson.loads(value) for value in (before, after))
        differences.setdefault(at_ms, []).append(MemberChange(member, *values))
    changes = [
        DocumentSuccession(change["at_ms"], change["before"], change["after"], differences.get(change["at_ms"], []))
        for change in await connection.fetch(_CHANGES, url)
    ]
    return present, changes
