"""Set reconciliation by fingerprints of ranges, protocol version 1: the client's side, as NIP-77 carries it.

Two parties that hold sets of (created_at, id) find out what they do not share by comparing fingerprints of ranges and
splitting those that differ. Pure: bytes in, bytes out. What the other side sends may be anything; all work done for it
is bounded by what we hold and by the bounds given here.

Source: hoytech/negentropy, protocol version 1.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate

from schemas.negentropy.wire import (
    FINGERPRINT,
    ID_LIST,
    INFINITE,
    SKIP,
    Bound,
    Item,
    MessageReader,
    MessageWriter,
    NegentropyError,
    TooManyError,
    bound_between,
    fingerprint_of,
    seconds_between,
)
from schemas.ranges import Range

BUCKETS = 16
"""Into which a range that differs is split (the protocol's reference does the same)."""
DOUBLE_BUCKETS = 2 * BUCKETS
"""A range with fewer items is not split: its ids are listed."""
FRAME_LIMIT_BYTES = 60_000
"""Of a message that we send: twice that as hex is below the 131,072 bytes a frame may have at common relays."""
SMALLEST_FRAME_LIMIT_BYTES = 4_096
"""Smaller ones may not hold one split (the protocol's reference refuses them too)."""
_ROOM_BYTES = 200
"""Kept for the fingerprint of everything that does not fit any more (the protocol's reference does the same)."""
MOST_NEEDED = 10_000
"""Ids that a relay has and we do not. With more than this of them, asking page by page costs no more than asking by
id, and a relay could make us remember ids that it invents without end."""
MOST_ROUNDS = 100
"""Four halve the distance to any difference in 50,000 items; the rest is for long lists of ids, 1,800 a message."""


class Reconciliation:
    """One client's side of a conversation: `initiate`, then `answer` each message until it returns None.

    Attributes:
        need: ids that only the other side has, with the seconds, both included, in which it may have dated each.
        have: ids that only we have.
    """

    def __init__(
        self,
        items: Iterable[Item],
        *,
        frame_limit_bytes: int = FRAME_LIMIT_BYTES,
        most_needed: int = MOST_NEEDED,
        most_rounds: int = MOST_ROUNDS,
    ) -> None:
        """Reconcile these items.

        Args:
            items: (created_at in seconds, id of 32 bytes), in any order, each once.
            frame_limit_bytes: of a message of ours (as bytes, not as hex); 0 for no limit.
            most_needed: so many ids may the other side have more than we.
            most_rounds: so many messages may it send.
        """
        if frame_limit_bytes and frame_limit_bytes < SMALLEST_FRAME_LIMIT_BYTES:
            raise ValueError(f"frame_limit_bytes: must be 0 or at least {SMALLEST_FRAME_LIMIT_BYTES}")
        self._items = sorted(items)
        # Sums of the ids up to each place: any range's fingerprint is then one subtraction and one hash.
        self._sums = list(accumulate((int.from_bytes(item[1], "little") for item in self._items), initial=0))
        self._frame_limit = frame_limit_bytes
        self._most_needed = most_needed
        self._rounds_left = most_rounds
        self.need: dict[bytes, Range] = {}
        self.have: set[bytes] = set()

    def initiate(self) -> bytes:
        """The first message, for NEG-OPEN."""
        message = MessageWriter()
        self._split(message, 0, len(self._items), INFINITE)
        return message.value()

    def answer(self, received: bytes) -> bytes | None:
        """Take a message of the other side.

        Returns:
            What to send next; None when `need` and `have` are complete.

        Raises:
            NegentropyError: the message is malformed, of another version, or one too many.
            TooManyError: `need` has grown beyond what it may.
        """
        if self._rounds_left <= 0:
            raise NegentropyError("the relay goes on and on: no more messages are answered")
        self._rounds_left -= 1
        ranges = MessageReader(received)
        message = MessageWriter()
        # Ranges that are settled are told together, and those at the end not at all.
        skipped = False
        lower, lower_bound = 0, Bound(0, b"")
        while not ranges.ended:
            bound, mode = ranges.next()
            upper = bisect_left(self._items, (bound.timestamp, bound.prefix), lo=lower)
            settled = True
            if mode == FINGERPRINT:
                settled = ranges.fingerprint() == self._fingerprint(lower, upper)
            elif mode == ID_LIST:
                self._compare(lower, upper, ranges.ids(), lower_bound, bound)
            elif mode != SKIP:
                raise NegentropyError(f"unknown mode {mode}")
            if settled:
                skipped = True
            else:
                before = message.mark()
                if skipped:
                    message.skip(lower_bound)
                    skipped = False
                self._split(message, lower, upper, bound)
                if self._frame_limit and len(message) > self._frame_limit - _ROOM_BYTES:
                    message.back_to(before)
                    self._put_off(message, upper)
                    break
            lower, lower_bound = upper, bound
        return None if message.empty else message.value()

    def _put_off(self, message: MessageWriter, upper: int) -> None:
        """Leave everything from the range that did not fit to the next message.

        As in the reference, by a fingerprint of what lies above that range: it cannot fit all of it, and the relay
        splits. A fingerprint of nothing might fit a relay that has nothing there; a list asks it for its own.
        """
        if upper < len(self._items):
            message.fingerprint(INFINITE, self._fingerprint(upper, len(self._items)))
        else:
            message.ids(INFINITE, [])

    def _compare(self, lower: int, upper: int, listed: Iterable[bytes], begin: Bound, end: Bound) -> None:
        theirs = set(listed)
        ours = {item[1] for item in self._items[lower:upper]}
        self.have |= ours - theirs
        for event_id in theirs - ours:
            self.need.setdefault(event_id, seconds_between(begin, end, event_id))
        if len(self.need) > self._most_needed:
            raise TooManyError(f"the relay has more than {self._most_needed} ids that are not known here")

    def _split(self, message: MessageWriter, lower: int, upper: int, bound: Bound) -> None:
        count = upper - lower
        if count < DOUBLE_BUCKETS:
            message.ids(bound, [item[1] for item in self._items[lower:upper]])
            return
        size, longer = divmod(count, BUCKETS)
        start = lower
        for bucket in range(BUCKETS):
            end = start + size + (bucket < longer)
            last = bucket == BUCKETS - 1
            upper_bound = bound if last else bound_between(self._items[end - 1], self._items[end])
            message.fingerprint(upper_bound, self._fingerprint(start, end))
            start = end

    def _fingerprint(self, lower: int, upper: int) -> bytes:
        return fingerprint_of(self._sums[upper] - self._sums[lower], upper - lower)
