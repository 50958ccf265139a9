"""Turns of the event loop for connections that were sent more than a turn deals with: by lane, in line.

Without it each connection would have a turn in each round of the loop, and a priority relay among a few hundred others
that are read at full speed as little of the loop as any of these.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

ROUND = 4
"""Turns in a round of the loop, a millisecond each: sockets and timers wait no longer, and to look at them costs a
hundredth of that."""


class Turn:
    """One that waits in line."""

    __slots__ = ("work",)

    def __init__(self, work: Callable[[], None]) -> None:
        """Have this called."""
        self.work: Callable[[], None] | None = work

    def cancel(self) -> None:
        """Have nothing called."""
        self.work = None


class Turns:
    """Those of a process, on one event loop."""

    def __init__(self, priority_share: float) -> None:
        """Nothing waits. `priority_share`: of the turns while both lanes wait, those of the priority lane."""
        self._share = priority_share
        self._credit = 0.0
        self._lines: tuple[deque[Turn], deque[Turn]] = (deque(), deque())
        self._round: asyncio.Handle | None = None

    def lane(self, *, priority: bool = False) -> LaneTurns:
        """The turns of a lane."""
        return LaneTurns(self, priority=priority)

    def take(self) -> bool:
        """Whether a turn may be taken now, out of line: nothing waits, and it is the first in this round."""
        if self._round is not None:
            return False
        self._next_round()
        return True

    def soon(self, work: Callable[[], None], *, priority: bool) -> Turn:
        """Have something called when its turn comes; it is short, and raises nothing."""
        turn = Turn(work)
        self._lines[priority].append(turn)
        if self._round is None:
            self._next_round()
        return turn

    def _next_round(self) -> None:
        self._round = asyncio.get_running_loop().call_soon(self._have_turns)

    def _have_turns(self) -> None:
        self._round = None
        # One that waits alone has a turn in each round, as if it were called by the loop itself.
        left = min(ROUND, sum(map(len, self._lines)))
        while left and (line := self._line()):
            if (work := line.popleft().work) is not None:
                work()
                left -= 1
        if any(self._lines) and self._round is None:
            self._next_round()

    def _line(self) -> deque[Turn]:
        """The lane that is next; an empty one where nothing waits."""
        regular, priority = self._lines
        if not (regular and priority):
            return regular or priority
        self._credit += self._share
        if self._credit < 1:
            return regular
        self._credit -= 1
        return priority


class LaneTurns:
    """Turns of connections of one lane."""

    __slots__ = ("_turns", "priority")

    def __init__(self, turns: Turns, *, priority: bool) -> None:
        """Among others of `turns`."""
        self._turns = turns
        self.priority = priority

    def take(self) -> bool:
        """Whether a turn may be taken now."""
        return self._turns.take()

    def soon(self, work: Callable[[], None]) -> Turn:
        """Have something called when its turn comes."""
        return self._turns.soon(work, priority=self.priority)
