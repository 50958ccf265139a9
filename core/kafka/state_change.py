"""A decoded record of a compacted topic: a key with its new value, or its tombstone."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from aiokafka.structs import ConsumerRecord

from core.waiting import brief

T = TypeVar("T")
_log = logging.getLogger(__name__)


class Change(NamedTuple, Generic[T]):
    """A key of a compacted topic with its new value, or None where it has a tombstone or an unreadable record."""

    partition: int
    offset: int
    key: bytes
    value: T | None


def change_of(record: ConsumerRecord[bytes, bytes], key: bytes, decode: Callable[[bytes, bytes], T]) -> Change[T]:
    """Decode a record. One that is unreadable hides what its key said before, as compaction will."""
    value: T | None = None
    if record.value is not None:
        try:
            value = decode(key, record.value)
        except ValueError as error:
            place = f"record {record.offset} of partition {record.partition} of {record.topic}"
            _log.warning("%s cannot be read, so that its key has no value: %s", place, brief(error))
    return Change(record.partition, record.offset, key, value)
