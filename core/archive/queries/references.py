"""What refers to an event, of each class: how many, and the newest of them."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from core.archive.connection import Connection
from core.archive.event_query import Key
from core.archive.queries.cost import Deadline
from core.archive.queries.counting import Count, count
from core.archive.queries.newest import ANSWER_BYTES, newest, page, union
from core.archive.queries.view import View
from schemas.nostr.event import Event
from schemas.nostr.facts import address_of
from schemas.nostr.reading.references import ReferenceClass, classes_of, filters, is_direct

MOST_COUNTED = 1000
"""Of each class that are counted exactly: more reactions are many, and a count reads a row of each."""
_FEW = 100
"""Most events have fewer references: reading them all takes as long as counting one class."""
_FEW_BYTES = 1024 * 1024
"""Texts of these few; larger ones are counted without their texts."""


class Reference(NamedTuple):
    """An event that refers to another, and how.

    Attributes:
        event: that refers.
        classes: how.
        is_direct: of replies: to the event itself; None where it is no reply.
    """

    event: Event
    classes: list[ReferenceClass]
    is_direct: bool | None


async def count_references(
    connection: Connection, target: Event, view: View, *, deadline: Deadline
) -> dict[ReferenceClass, Count]:
    """Count what refers to an event and a view shows, by class.

    Raises:
        LateError: the deadline is over before it is known how many to expect.
    """
    address = address_of(target)
    found = [
        await newest(connection, each, view, limit=_FEW, deadline=deadline, answer_bytes=_FEW_BYTES)
        for each in filters(target.id, address)
    ]
    if all(each.is_all for each in found):
        counted = Counter(name for event in union(found) for name in classes_of(event, target.id, address))
        return {each: Count(counted[each], is_exact=True) for each in ReferenceClass}
    return {
        each: await count(
            connection,
            filters(target.id, address, frozenset({each})),
            view,
            exact_up_to=MOST_COUNTED,
            deadline=deadline,
        )
        for each in ReferenceClass
    }


async def read_references(
    connection: Connection,
    target: Event,
    view: View,
    *,
    classes: frozenset[ReferenceClass],
    limit: int,
    deadline: Deadline,
    below: Key | None = None,
    answer_bytes: int = ANSWER_BYTES,
) -> tuple[list[Reference], Key | None]:
    """Read a page of what refers to an event and a view shows, newest first, and the key to read on below, if there is.

    Args:
        connection: to the archive.
        target: what is referred to.
        view: what is shown.
        classes: how it may be referred to, at least one.
        limit: of the page.
        deadline: of the answer.
        below: the key that the page before gave.
        answer_bytes: of the texts of the events of the page, which ends early beyond.

    Raises:
        LateError: the deadline is over.
    """
    address = address_of(target)
    wanted = filters(target.id, address, classes)
    found = [
        await newest(
            connection,
            each,
            view,
            limit=limit,
            deadline=deadline,
            below=below,
            answer_bytes=answer_bytes // len(wanted),
        )
        for each in wanted
    ]
    events, following = page(found)
    if len(events) > limit:
        events = events[:limit]
        following = Key(events[-1].created_at, bytes.fromhex(events[-1].id))
    return [_reference(event, target.id, address) for event in events], following


def _reference(event: Event, event_id: str, address: str | None) -> Reference:
    found = classes_of(event, event_id, address)
    direct = is_direct(event, event_id, address) if ReferenceClass.REPLIES in found else None
    return Reference(event, found, direct)
