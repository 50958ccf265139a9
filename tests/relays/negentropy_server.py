"""The relay's side of negentropy, protocol version 1, with the reference's rules for frames that become too large."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

from schemas.negentropy.client import BUCKETS, DOUBLE_BUCKETS
from schemas.negentropy.wire import (
    FINGERPRINT,
    ID_LIST,
    INFINITE,
    SKIP,
    Bound,
    Item,
    MessageReader,
    MessageWriter,
    bound_between,
    fingerprint_of,
)

ROOM_BYTES = 200


class NegentropyServer:
    """Answers messages about a set of (created_at, id)."""

    def __init__(self, items: Iterable[Item], frame_limit_bytes: int = 0) -> None:
        self._items = sorted(items)
        self._limit = frame_limit_bytes

    def answer(self, received: bytes) -> bytes:
        ranges = MessageReader(received)
        message = MessageWriter()
        pending: Bound | None = None
        lower, below = 0, Bound(0, b"")
        while not ranges.ended:
            bound, mode = ranges.next()
            upper = bisect_left(self._items, (bound.timestamp, bound.prefix), lo=lower)
            before = message.mark()
            if mode == SKIP or (mode == FINGERPRINT and ranges.fingerprint() == self.fingerprint(lower, upper)):
                pending = pending or below
            else:
                if pending is not None:
                    message.skip(below)
                    pending = None
                if mode == FINGERPRINT:
                    self._split(message, lower, upper, bound)
                else:
                    assert mode == ID_LIST
                    ranges.ids()
                    upper = self._list(message, lower, upper, bound)
                    before = message.mark()
            if self._full(len(message)):
                message.back_to(before)
                message.fingerprint(INFINITE, self.fingerprint(upper, len(self._items)))
                break
            lower, below = upper, bound
        return message.value()

    def fingerprint(self, lower: int, upper: int) -> bytes:
        ids = [item[1] for item in self._items[lower:upper]]
        return fingerprint_of(sum(int.from_bytes(each, "little") for each in ids), len(ids))

    def _full(self, length: int) -> bool:
        return self._limit > 0 and length > self._limit - ROOM_BYTES

    def _list(self, message: MessageWriter, lower: int, upper: int, bound: Bound) -> int:
        ids: list[bytes] = []
        for place in range(lower, upper):
            if self._full(len(message) + sum(map(len, ids))):
                bound, upper = Bound(*self._items[place]), place
                break
            ids.append(self._items[place][1])
        message.ids(bound, ids)
        return upper

    def _split(self, message: MessageWriter, lower: int, upper: int, bound: Bound) -> None:
        count = upper - lower
        if count < DOUBLE_BUCKETS:
            message.ids(bound, [item[1] for item in self._items[lower:upper]])
            return
        start = lower
        for bucket in range(BUCKETS):
            end = start + count // BUCKETS + (bucket < count % BUCKETS)
            last = bucket == BUCKETS - 1
            until = bound if last else bound_between(self._items[end - 1], self._items[end])
            message.fingerprint(until, self.fingerprint(start, end))
            start = end
