"""Reads the present state (newest value of each key) of partitions of a compacted topic."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar, overload

from core.kafka.following import SILENT_S
from core.kafka.state_change import Change
from core.kafka.state_topic import StateTopic
from core.settings.model import Settings

T = TypeVar("T")


@overload
async def read_to_end(
    settings: Settings, topic: str, partitions: Collection[int] | None, *, silent_s: float = SILENT_S
) -> dict[bytes, bytes]: ...


@overload
async def read_to_end(
    settings: Settings,
    topic: str,
    partitions: Collection[int] | None,
    decode: Callable[[bytes, bytes], T],
    *,
    silent_s: float = SILENT_S,
) -> dict[bytes, T]: ...


async def read_to_end(
    settings: Settings,
    topic: str,
    partitions: Collection[int] | None,
    decode: Callable[[bytes, bytes], Any] | None = None,
    *,
    silent_s: float = SILENT_S,
) -> dict[bytes, Any]:
    """Read partitions of a compacted topic (full name) from their beginning to the end that they have now, or further.

    The newest value of each key wins and a tombstone removes it. Right also where compaction has removed the last
    records, where control records stand at the end, and for empty partitions, because it goes by the consumer's
    position and not by the records seen. While the broker is away it waits, visibly, and goes on where it was.

    Args:
        settings: of the process.
        topic: full name.
        partitions: to read; None: all.
        decode: as of `StateTopic`; without one, values are given as they stand.
        silent_s: as of `StateTopic`.
    """
    found: dict[bytes, Any] = {}

    async def take(changes: Sequence[Change[Any]]) -> None:
        for change in changes:
            if change.value is None:
                found.pop(change.key, None)
            else:
                found[change.key] = change.value

    state: StateTopic[Any] = StateTopic(settings, topic, decode or _verbatim, take, silent_s=silent_s)
    try:
        await state.assign(partitions)
    finally:
        await state.close()
    return found


def _verbatim(_key: bytes, value: bytes) -> bytes:
    return value
