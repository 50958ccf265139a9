"""Reads the stored events of a REQ."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from core.archive.connection import Connection
from core.archive.queries.cost import Deadline
from core.archive.queries.newest import ANSWER_BYTES, TooCostlyError, newest, order
from core.archive.queries.positions import written_offsets
from core.archive.queries.view import View
from core.settings import Settings
from schemas.nostr.event import encode_event
from schemas.nostr.filters import Filter
from schemas.topics import physical


class Stored(NamedTuple):
    """The stored events of a REQ.

    Attributes:
        texts: JSON of each event, in NIP-01's order.
        hints: of NIP-67: whether there is more.
        offsets: where in the topic `events` the archive that was read ends.
    """

    texts: list[bytes]
    hints: list[str]
    offsets: dict[int, int]


async def stored(
    connection: Connection,
    filters: Sequence[Filter],
    view: View,
    settings: Settings,
    clock: Callable[[], float] = time.monotonic,
) -> Stored:
    """Read what is stored, all of it as of one moment: the connection is in a transaction for that.

    Args:
        connection: in a transaction.
        filters: alternatives.
        view: what the client may see.
        settings: of the process.
        clock: seconds, for `api.query_timeout_s`.

    Raises:
        TooCostlyError: a filter asks for too much, or all together do.
        LateError: all together take too long.
    """
    deadline = Deadline(settings.api.query_timeout_s, clock)
    # First, because it keeps a switch to other tables out to the end of the transaction (`hold_archive`): offsets of
    # another archive than the events would make a seam.
    topic = physical(settings.kafka.topic_prefix, "events")
    offsets = await written_offsets(connection, settings.sink.group_id, topic)
    texts: dict[tuple[int, str], bytes] = {}
    size = 0
    is_all = True
    asked = [(each, settings.api.page_events if each.limit is None else each.limit) for each in filters]
    for wanted, limit in asked:
        if size > ANSWER_BYTES:
            raise TooCostlyError("the filters together find too many bytes; give each its own REQ, or lower limits")
        if limit:
            most = min(limit, settings.api.page_events)
            found = await newest(connection, wanted, view, limit=most, deadline=deadline)
            is_all = is_all and found.is_all
            for event in found.events:
                if (key := order(event)) not in texts:
                    texts[key] = encode_event(event)
                    size += len(texts[key])
    hints = ["more"] if not is_all else ["finish"] if all(limit for _, limit in asked) else []
    return Stored([texts[key] for key in sorted(texts)], hints, offsets)
