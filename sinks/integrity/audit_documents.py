"""Audits information documents of relays: what can be understood of a text is derived again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, NamedTuple

import orjson

from core.archive.connection import Connection
from sinks.tables.topic_tables.relay_documents import members

_ROWS = "SELECT hash, text, members FROM relay_documents ORDER BY hash"
# Texts of at most 128 KiB each.
_PREFETCH = 64


class WrongDocument(NamedTuple):
    """A document (its hash) whose row does not fit, and how."""

    hash: str
    detail: str


async def wrong_documents(connection: Connection, most: int) -> list[WrongDocument]:
    """Give the first documents whose members do not follow from their text, at most so many."""
    found: list[WrongDocument] = []
    cursor = await connection.cursor(_ROWS)
    while len(found) < most and (rows := await cursor.fetch(_PREFETCH)):
        found += await asyncio.to_thread(audit_documents, [tuple(row) for row in rows])
    return found[:most]


def audit_documents(rows: Iterable[tuple[Any, ...]]) -> list[WrongDocument]:
    """Compare rows, each a hash, a text and its members as JSON."""
    return [
        WrongDocument(hash_, "members: are not what the text says, or text is not what was sent")
        for hash_, text, stored in rows
        if orjson.loads(stored or "null") != orjson.loads(orjson.dumps(members(text)))
    ]
