"""Records are taken in portions, and what is erased by a later record of the same portion is not shown."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiokafka import ConsumerRecord

from api.live.archive import Archive
from api.live.backlog import Backlog
from api.live.feed import Feed, LiveEvent
from api.live.intake import PORTION_BYTES, Intake
from core.settings import Settings
from schemas.nostr.event import encode_event
from schemas.nostr.filters import Filter
from schemas.records import event_record
from tests.broker.sinks.material import event

pytestmark = pytest.mark.broker


def record(offset: int, number: int, value: bytes | None) -> ConsumerRecord[bytes, bytes]:
    """A record about an event."""
    return ConsumerRecord("events", 0, offset, 0, 0, bytes.fromhex(event(number).id), value, 0, 0, 0, ())


def written(offset: int, number: int, content: str | None = None) -> ConsumerRecord[bytes, bytes]:
    """The record of an event."""
    text = encode_event(event(number)._replace(content=content or ""))
    return record(offset, number, event_record.encode(text, None, 1, {}))


@pytest.fixture
async def archive(settings: Settings) -> AsyncIterator[Archive]:
    made = Archive(settings, "events")
    yield made
    await made.close()


async def test_what_is_erased_at_once_is_not_shown_and_long_events_come_too(archive: Archive) -> None:
    feed = Feed(100 * PORTION_BYTES)
    feed.begin({0: 0})
    taken: list[LiveEvent] = []
    feed.subscribe({0: 0}, [Filter()], taken.append)
    long = "x" * (PORTION_BYTES // 2)
    await Intake(feed, archive, Backlog(0), sink_s=0).take(
        [
            written(0, 1),
            written(1, 2),
            record(2, 1, None),
            *(written(number, number, long) for number in range(3, 8)),
            written(8, 8, "x" * PORTION_BYTES),
            written(9, 9),
        ]
    )
    assert [each.event.id for each in taken] == [event(number).id for number in range(2, 10)]
    assert feed.ring.positions == {0: 10}
    await Intake(feed, archive, Backlog(0), sink_s=0).take([])
