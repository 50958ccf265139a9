"""Circuit breaker: with too many rejections the archive is at fault and not the records, and the sink must stop.

A record that cannot be stored goes to `unwritten`, and the rest goes on. Where most of a stretch is refused, a table,
a rule or this program is broken, and going on would drain the stream into a topic that keeps its records for days.
Only what this sink refuses is counted (`bad_row`): what the processor refuses never reaches it, so a hostile relay
cannot stop it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from aiokafka import TopicPartition

from core.archive.connection import Connection
from core.errors import OperatorError
from sinks.writing.batch import Batch, Rejected

# So many different messages and places are enough to see what is wrong.
_NAMED = 3
# As much of a message of the database as names the rule that was broken.
_MESSAGE = 200

_STORE = """
UPDATE sink_offsets SET refused = $4::bigint[] WHERE group_id = $1 AND topic = $2 AND partition = $3
"""


class StormError(OperatorError):
    """Too many rejections in a range of one partition. Nothing of the batch that exceeded the limit is committed."""


class _Refused(NamedTuple):
    """A refused record: its number among the records of its partition that this process took, and its offset."""

    number: int
    offset: int


@dataclass(slots=True)
class _Window:
    taken: int = 0
    refused: deque[_Refused] = field(default_factory=deque)


class RejectionBreaker:
    """Watches the refused among the last records of each partition.

    Args:
        inputs: a stretch is so many consecutive records of a partition.
        share: more than this share of them refused is too many; 1 is never reached.
    """

    def __init__(self, inputs: int, share: float) -> None:
        self._inputs = inputs
        self._most = inputs * share
        self._windows: dict[TopicPartition, _Window] = {}

    def resume(self, tp: TopicPartition, next_offset: int, refused: Iterable[int]) -> None:
        """Begin where an instance before this one ended: with the offsets that it had refused, as it stored them.

        Where compaction has made holes, these count as records: a stretch seems longer, never shorter.
        """
        known = deque(_Refused(offset - next_offset, offset) for offset in sorted(refused) if offset < next_offset)
        self._windows.pop(tp, None)
        if known:
            self._windows[tp] = _Window(0, known)

    def check(self, batch: Batch) -> dict[TopicPartition, list[int]]:
        """Give the refused offsets to store beside the batch's, of each partition where it refuses any.

        Raises:
            StormError: with this batch too many are refused; nothing of it may be committed, nor sent to `unwritten`.
        """
        stored = {}
        for tp, rejected in _by_partition(batch.rejected).items():
            window, most = self._followed(tp, batch, [each.record.offset for each in rejected])
            if most > self._most:
                raise StormError(self._message(tp, most, batch.advances[tp].expected, rejected))
            stored[tp] = [each.offset for each in window.refused]
        return stored

    def take(self, batch: Batch) -> None:
        """Keep a batch that was committed."""
        by_partition = _by_partition(batch.rejected)
        for tp in batch.offsets.keys() & (by_partition.keys() | self._windows.keys()):
            window, _ = self._followed(tp, batch, [each.record.offset for each in by_partition.get(tp, [])])
            if window.refused:
                self._windows[tp] = window
            else:
                self._windows.pop(tp, None)

    def _followed(self, tp: TopicPartition, batch: Batch, refused: Sequence[int]) -> tuple[_Window, int]:
        """The window after a batch, and the most refusals that lay within one stretch on the way."""
        before = self._windows.get(tp) or _Window()
        offsets = batch.offsets[tp]
        kept = deque(before.refused)
        most = 0
        for offset in sorted(refused):
            kept.append(_Refused(before.taken + bisect_left(offsets, offset), offset))
            _forget(kept, kept[-1].number - self._inputs)
            most = max(most, len(kept))
        taken = before.taken + len(offsets)
        _forget(kept, taken - 1 - self._inputs)
        return _Window(taken, kept), most

    def _message(self, tp: TopicPartition, most: int, next_offset: int, rejected: Sequence[Rejected]) -> str:
        messages = Counter(_first_line(each.detail) for each in rejected)
        places = ", ".join(str(each.record.offset) for each in rejected[:_NAMED])
        reasons = "; ".join(f"{count} times: {text}" for text, count in messages.most_common(_NAMED))
        return (
            f"{most} of the last {self._inputs} records of partition {tp.partition} of topic {tp.topic} cannot be "
            f"stored, so the archive is at fault and not its input. {reasons}. The first are at offsets {places}. "
            f"Nothing from offset {next_offset} on is taken: correct the cause and start the sink again. Those that "
            f"were refused before go in again by `bigbrotr rejections replay --stage sink`. If they are rightly "
            f"refused, let the sink go on with sink.storm_share (BIGBROTR_SINK__STORM_SHARE) at 1"
        )


async def store_refused(connection: Connection, group_id: str, refused: Mapping[TopicPartition, list[int]]) -> None:
    """Keep what `RejectionBreaker.check` gave, in the transaction that moves the offsets."""
    if refused:
        await connection.executemany(
            _STORE, [(group_id, tp.topic, tp.partition, offsets) for tp, offsets in sorted(refused.items())]
        )


def _by_partition(rejected: Iterable[Rejected]) -> dict[TopicPartition, list[Rejected]]:
    found: dict[TopicPartition, list[Rejected]] = {}
    for each in sorted(rejected, key=lambda rejected: rejected.record.offset):
        found.setdefault(TopicPartition(each.record.topic, each.record.partition), []).append(each)
    return found


def _forget(refused: deque[_Refused], up_to: int) -> None:
    while refused and refused[0].number <= up_to:
        refused.popleft()


def _first_line(text: str) -> str:
    return text.partition("\n")[0][:_MESSAGE]
