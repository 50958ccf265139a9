"""The interface of a table that stores a topic: decode, COPY into a temporary table, then merge by a statement.

All tables of a batch are written in one transaction. Rules of erasure are applied to what is prepared, and only then
is it written.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

from aiokafka import ConsumerRecord

from core.archive.connection import Connection
from sinks.tables.digest_table import DigestTable

T = TypeVar("T")
Record: TypeAlias = "ConsumerRecord[bytes | None, bytes | None]"
RelayNumbers: TypeAlias = Mapping[str, int]
"""The integer of each relay's URL."""
# A longer URL is no relay's, and beyond 2,704 bytes the unique index of `relays` would refuse it.
_MAX_URL_BYTES = 2048


class KeysOfTopic(NamedTuple):
    """What a compacted topic holds.

    Attributes:
        keys: those that have a value, in all partitions.
        partitions: whose rows are asked about.
        partition_count: of the topic.
    """

    keys: Collection[bytes]
    partitions: Collection[int]
    partition_count: int


class Decoded(NamedTuple, Generic[T]):
    """What a record holds.

    Attributes:
        item: as `prepare` and `write` take it.
        rows: how many rows it can become, which bounds a batch.
        seen_at_ms: when it was received from a relay, where the record says it (Unix milliseconds).
    """

    item: T
    rows: int = 0
    seen_at_ms: int | None = None


# Compared by identity: thousands of entries of a batch refer to one of three.
@dataclass(frozen=True, eq=False)
class TopicTable(Generic[T]):
    """The table, or the tables, that hold the records of a topic.

    Attributes:
        topic: logical name.
        name: of the table whose rows are found by `of_event`, and that `prepare` copies rows for.
        holds: one sentence on a row, for the reference in `docs/reference/tables.md`.
        decode: reads a record; None: it changes nothing. Raises ValueError, which names what is wrong, where the record
            can never be stored.
        write: stores items inside the batch's transaction, in key order, so that two instances wait for each other
            instead of deadlocking; repeated, it changes nothing. Gives the number of rows that changed.
        smallest: the least that an item can be at its place, which is the same time or relay: what is slow there, or
            locked, is met by it too. It is tried and rolled back (`sinks.writing.part_writer`).
        prepare: copies items into the temporary table `batch_<name>`, which has the columns of the table; None: there
            is no such table.
        relays: the URLs of which `prepare` and `write` need the integers.
        rows_per_event: a batch is full with this many times the rows of `sink.batch_events`; None: by its bytes alone.
        of_event: the columns by which a row is found when its event is erased; None: it says nothing of an event.
        digests: what the digest covers of it.
        delete_absent: deletes the rows of keys that are none of the topic's any more, of those in some of its
            partitions; gives their number. None: no tombstone deletes rows.
    """

    topic: str
    name: str
    holds: str
    decode: Callable[[Record], Decoded[T] | None]
    write: Callable[[Connection, Sequence[T], RelayNumbers], Awaitable[int]]
    smallest: Callable[[T], T]
    prepare: Callable[[Connection, Sequence[T], RelayNumbers], Awaitable[None]] | None = None
    relays: Callable[[T], Iterable[str]] | None = None
    rows_per_event: int | None = None
    of_event: tuple[str, ...] | None = None
    digests: tuple[DigestTable, ...] = ()
    delete_absent: Callable[[Connection, KeysOfTopic], Awaitable[int]] | None = None

    @property
    def staging(self) -> str:
        """The name of the temporary table."""
        return f"batch_{self.name}"


AnyTopicTable: TypeAlias = TopicTable[Any]


def check_url(url: str) -> None:
    """Raise ValueError where a URL cannot be stored."""
    if len(url.encode()) > _MAX_URL_BYTES or "\0" in url:
        raise ValueError(f"relay: must be a URL of at most {_MAX_URL_BYTES} bytes without U+0000")


def affected(status: str) -> int:
    """The number of rows in a command's status, such as `INSERT 0 5000`."""
    return int(status.rsplit(" ", 1)[1])
