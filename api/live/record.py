"""What a record of the topic `events` means for what is kept and delivered."""

from __future__ import annotations

from typing import NamedTuple

from aiokafka import ConsumerRecord

from api.live.ring import LiveEvent
from schemas.nostr.event import encode_event
from schemas.nostr.judge import CREATED_AT_END
from schemas.nostr.kinds import MAX_KIND
from schemas.records import event_record

_KEY_BYTES = 32


class New(NamedTuple):
    """An event at its offset."""

    partition: int
    offset: int
    live: LiveEvent


class Erased(NamedTuple):
    """That an event (64 hex digits) was erased."""

    event_id: str


def read_record(record: ConsumerRecord[bytes, bytes]) -> New | Erased:
    """Read a record.

    Raises:
        ValueError: names what is wrong.
    """
    if record.value is None:
        if record.key is None or len(record.key) != _KEY_BYTES:
            raise ValueError("the key of a tombstone is no id of 32 bytes")
        return Erased(record.key.hex())
    event = event_record.decode(record.value).event
    # Others cannot be archived, and cannot be looked up there.
    if not 0 <= event.created_at < CREATED_AT_END or event.kind > MAX_KIND:
        raise ValueError("created_at or kind is outside of what is accepted")
    # A copy: what orjson returns keeps the buffer that it was written into, 4 KB at least.
    text = bytes(memoryview(encode_event(event)))
    return New(record.partition, record.offset, LiveEvent(event, text))
