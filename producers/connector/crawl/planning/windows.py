"""Cuts what is to be read into windows of time, newest first: small ones where events are dense, else large ones.

Their bounds are multiples of a length (they are half to one and a half times as long), and each length is twice
another, so that the windows of all relays have bounds in common: copies of an event arrive at about the same time, and
sets that are compared (NIP-77) are the same.
"""

from __future__ import annotations

from collections.abc import Iterable

from producers.connector.relay_behavior import RelayBehavior
from producers.relay_client.page import FOREVER
from schemas.ranges import Range, merge

FIRST_S = 1_604_188_800
"""November 2020, when the first events were written. What is dated before it is read as one window."""
SMALLEST_S = 1 << 12
"""An hour and eight minutes: a failure repeats no more than that, and one relay's hour is no more than a set that
NIP-77 compares in a few messages."""
LARGEST_S = 1 << 25
"""A year and three weeks: a relay with nothing in it is asked about all of Nostr's time in a dozen windows."""
WHOLE_S = 1 << 40
"""All of time until now as one window: for filters that bring little each."""
_FIRST_LENGTH_S = 1 << 17
"""A day and a half: less than a page on most relays."""
_QUIET = 20
"""Events that fit a page of any relay. Larger windows cost it fewer questions, and larger pages show sooner how many
events fit one and in which order they come."""
_FEW, _MANY, _FLOOD = 4, 16, 64
"""Queries in a window: from a page with its confirmation to more than anybody wants to repeat."""


class Windows:
    """The windows of some ranges; the newest is taken first."""

    def __init__(self, ranges: Iterable[Range], behavior: RelayBehavior) -> None:
        """Cut ranges of seconds, remembering in `behavior` how long windows were last."""
        # Not merged: the future is a range of its own, whatever it touches.
        self._left = sorted(ranges)
        self._behavior = behavior
        self._measured = False

    def take(self) -> Range | None:
        """The next window; None when all were taken."""
        if not self._left:
            return None
        since, until = self._left.pop()
        low = since
        self._measured = FIRST_S <= until < FOREVER
        if self._measured:
            length_s = self._behavior.window_s or _FIRST_LENGTH_S
            low = until - until % length_s
            if length_s > SMALLEST_S and until - low < length_s // 2:
                # What is left above a bound may be minutes, and costs the questions of a whole window.
                low -= length_s
            low = max(since, low, FIRST_S)
        if self._behavior.window_s == WHOLE_S:
            low = since
        if since < low:
            self._left.append((since, low - 1))
        return low, until

    def report(self, queries: int, largest_page: int) -> None:
        """Note how many queries the last window took, and its largest page, for the length of the next."""
        if not self._measured:
            return
        was_s = length_s = self._behavior.window_s or _FIRST_LENGTH_S
        behavior = self._behavior
        # A page that is not full shows no order and is asked for twice in each window, so the next is to be full.
        unordered = queries <= _FEW and largest_page < behavior.limit and not (behavior.proven or behavior.unsorted)
        if not largest_page or unordered:
            length_s *= 16
        elif largest_page <= _QUIET:
            length_s *= 4
        elif largest_page > self._behavior.limit:
            # It sends everything at once, whatever is asked.
            length_s //= 2
        elif queries <= _FEW:
            length_s *= 2
        elif queries > _FLOOD:
            length_s //= 8
        elif queries > _MANY:
            length_s //= 2
        self._behavior.window_s = min(max(length_s, min(SMALLEST_S, was_s)), max(LARGEST_S, was_s))

    def divide(self, window: Range) -> bool:
        """Take a window back, to be cut into smaller ones; False if it is as small as they get."""
        since, until = window
        if not self._measured or until - since < SMALLEST_S:
            return False
        length_s = SMALLEST_S
        while 2 * length_s <= (until - since) // 2:
            length_s *= 2
        self._behavior.window_s = length_s
        self._left.append(window)
        return True

    def shorten(self, length_s: int) -> None:
        """Let the next windows have about this length."""
        self._behavior.window_s = 1 << max(0, min(length_s, LARGEST_S).bit_length() - 1)

    def clear(self) -> list[Range]:
        """What was not taken, which is dropped."""
        left, self._left = self._left, []
        return merge(left)

    @property
    def end(self) -> int | None:
        """The newest second that was not taken."""
        return self._left[-1][1] if self._left else None
