"""What a relay has stored, found by a filter of NIP-01."""

from __future__ import annotations

import itertools
import json
import time
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from tests.relays.hostile import Event

_CONDITIONS = (("kinds", "kind"), ("authors", "author"), ("ids", "id"))


@dataclass(frozen=True, slots=True)
class Stored:
    """An event as it is sent. `withheld`: counted against the limit and then left out, as strfry does with kind 4."""

    id: str
    author: str
    created_at: int
    kind: int
    text: str
    stored_s: float
    withheld: bool = False

    @property
    def order(self) -> tuple[int, str]:
        """Newest first, ties by id (NIP-01)."""
        return -self.created_at, self.id


class Store:
    """Events in NIP-01's order."""

    def __init__(self, events: Iterable[Event] = (), withheld: Iterable[Event] = ()) -> None:
        self._sorted: list[Stored] = []
        for event in events:
            self.add(event)
        for event in withheld:
            self.add(event, withheld=True)

    def __iter__(self) -> Iterator[Stored]:
        return (event for event in self._sorted if not event.withheld)

    def add(self, event: Event, *, withheld: bool = False) -> Stored:
        """Store one more."""
        text = json.dumps(event, separators=(",", ":"), ensure_ascii=False)
        stored = Stored(
            event["id"], event["pubkey"], event["created_at"], event["kind"], text, time.time(), withheld=withheld
        )
        insort(self._sorted, stored, key=attrgetter("order"))
        return stored

    def find(self, wanted: Mapping[str, Any], most: int) -> list[Stored]:
        """Return the newest events that were asked for."""
        newest = bisect_left(self._sorted, -wanted.get("until", 2**63), key=_age)
        oldest = bisect_right(self._sorted, -wanted.get("since", 0), key=_age)
        fitting = (event for event in itertools.islice(self._sorted, newest, oldest) if _narrowed(wanted, event))
        return list(itertools.islice(fitting, most))


def fits(wanted: Mapping[str, Any], event: Stored) -> bool:
    """Whether an event was asked for."""
    return wanted.get("since", 0) <= event.created_at <= wanted.get("until", 2**63) and _narrowed(wanted, event)


def _age(event: Stored) -> int:
    return -event.created_at


def _narrowed(wanted: Mapping[str, Any], event: Stored) -> bool:
    # The events have no tags.
    if any(name.startswith("#") for name in wanted):
        return False
    return all(getattr(event, member) in wanted[name] for name, member in _CONDITIONS if name in wanted)
