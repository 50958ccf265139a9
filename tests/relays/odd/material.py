"""Events for the relays: recent ones, some of all of Nostr's time, several in a second, and of kinds few know."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.relays.hostile import Event
from tests.relays.liars import written

HOUR_S = 3_600
DAY_S = 86_400
ORDINARY = (1, 7, 30_023)
REGISTERED = (1, 6, 7, 1111, 1311, 9802, 30_023, 31_922, 34_550, 38_383)
"""Kinds that NIPs define."""
RARE = (30_402, 30_311, 1_621, 30_818, 2_003, 39_089)
SCARCE = (1_063, 1_985, 30_078, 31_990, 9_041, 30_617)
"""As well; the first left to one relay, so that no other one reminds a client of them, the second to a few."""
PRIVATE = (4, 1059)
"""Direct messages and gift wraps, which are asked for apart from others by clients that know strfry."""
INVENTED = range(50_000, 50_240)
UNHEARD_OF = 54_321
_STEEPNESS = 6
"""Of the ages in `history`: half of the events lie in the last sixty-fourth of the time."""
_STEP_S = 20
_AUTHORS = itertools.count(100)


@dataclass
class Writer:
    """Writes a relay's events, each with an author that no other relay has unless told."""

    author: int = field(default_factory=lambda: next(_AUTHORS))
    now_s: int = field(default_factory=lambda: int(time.time()))
    _number: int = 0

    def recent(
        self, count: int, *, step_s: int = 400, kinds: Sequence[int] = ORDINARY, newest_s: int = HOUR_S
    ) -> list[Event]:
        """Evenly spread, the newest so many seconds ago."""
        return [self._write(newest_s + number * step_s, kinds[number % len(kinds)]) for number in range(count)]

    def history(self, count: int, *, days: int = 700, kinds: Sequence[int] = ORDINARY) -> list[Event]:
        """Most of them recent, the oldest so many days old."""
        ages = [HOUR_S + 60 * at + int(days * DAY_S * (at / count) ** _STEEPNESS) for at in range(count)]
        return [self._write(age_s, kinds[at % len(kinds)]) for at, age_s in enumerate(ages)]

    def bursts(self, seconds: int, each: int, *, kinds: Sequence[int] = ORDINARY, step_s: int = 5_000) -> list[Event]:
        """So many seconds, with so many events in each, of one kind after another."""
        return [
            self._write(2 * HOUR_S + second * step_s, kinds[at % len(kinds)])
            for second in range(seconds)
            for at in range(each)
        ]

    def groups(self, count: int, kinds: Sequence[int]) -> list[Event]:
        """One event of each kind within a few minutes, again and again, further back each time."""
        return [event for newest_s in _group_ages(count) for event in self._group(newest_s, len(kinds), kinds)]

    def before_groups(self, count: int, each: int, kinds: Sequence[int]) -> list[Event]:
        """So many events right after each group of `groups`: a page that begins with them does not reach the group."""
        return [
            event for newest_s in _group_ages(count) for event in self._group(newest_s - each * _STEP_S, each, kinds)
        ]

    def _group(self, newest_s: int, count: int, kinds: Sequence[int]) -> list[Event]:
        return self.recent(count, newest_s=newest_s, step_s=_STEP_S, kinds=kinds)

    def _write(self, age_s: int, kind: int) -> Event:
        self._number += 1
        return written(self.now_s - age_s, kind, self.author, self._number)


def _group_ages(count: int) -> list[int]:
    """Days, then months apart, so that small windows meet some of the groups and large ones the others."""
    return [DAY_S * (1 + at * at) for at in range(count)]
