"""The sets of one relay: one for each filter that is asked and for each identity under which it was read.

Sets that are not in use now are kept for a while: other filters or another key open ranges of their own, and going back
finds the old.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from core.clock import TOLERANCE_S
from producers.connector.coverage.filter_ledger import FilterLedger
from producers.relay_client.page import FOREVER
from schemas.nostr.filters import Filter
from schemas.records.coverage import FilterCoverage

MOST_OLD_SETS = 8
"""That are not in use, the most recently used. More would make each record larger without end."""
LONGEST_WIRE_BYTES = 2048
"""Of a filter that is shown in the record; one with thousands of authors is known by its hash."""

_Key = tuple[str, str | None]


class FilterSets:
    """Finds the set of a filter and an identity, and says from when on each is read again."""

    def __init__(self, stored: Iterable[FilterCoverage], lookback_s: int) -> None:
        """Begin with what was stored; so far below its end each visit reads again."""
        sets = [FilterLedger(each) for each in stored]
        self._sets: dict[_Key, FilterLedger] = {(each.filter, each.identity): each for each in sets}
        self._lookback_s = lookback_s
        self._visited: dict[_Key, int | None] = {}
        """The end of what had been read when each was last begun to be visited."""

    def open(self, filter_hash: str, wanted: Filter, identity: str | None) -> None:
        """Use a set from now on: a new one, or one that was kept, which then begins to be visited."""
        key = (filter_hash, identity)
        if key not in self._sets:
            self._sets[key] = FilterLedger(FilterCoverage(filter=filter_hash, wire=_shown(wanted), identity=identity))
        elif key not in self._visited:
            self.begin_visit(self._sets[key])
        self._visited.setdefault(key, None)

    def of(self, filter_hash: str, identity: str | None) -> FilterLedger:
        """One that was opened."""
        return self._sets[filter_hash, identity]

    def wires(self) -> Iterator[dict[str, Any]]:
        """The filters, as far as the record shows them."""
        return (each.wire for each in self._sets.values())

    def keep(self, used: Iterable[str], identity: str | None) -> list[FilterLedger]:
        """All sets for the record: those of the filters that are used (hashes), and some of the others."""
        active = {(name, identity): self._sets[name, identity] for name in used}
        old = {key: each for key, each in self._sets.items() if key not in active and each.end_s is not None}
        self._sets = {**active, **dict(list(old.items())[:MOST_OLD_SETS])}
        return list(self._sets.values())

    def check(self, now_s: int) -> None:
        """Believe nothing that claims to be of later than now."""
        for each in self._sets.values():
            each.check(now_s)
        for key, end_s in list(self._visited.items()):
            if end_s is not None and end_s - 1 > now_s + TOLERANCE_S:
                # It was begun from an end that is not believed any more.
                self._visited[key] = None
                if key in self._sets:
                    self.begin_visit(self._sets[key])

    def begin_visit(self, coverage: FilterLedger) -> None:
        """Take back what each visit reads again: it is unread until that was done, however often the relay is lost."""
        if coverage.end_s is None:
            return
        key = (coverage.filter, coverage.identity)
        # One that was begun and did not get further is begun at the same second again.
        end_s = self._visited[key] = max(coverage.end_s, self._visited.get(key) or 0)
        coverage.forget([(end_s - self._lookback_s, FOREVER)])


def _shown(wanted: Filter) -> dict[str, Any]:
    wire = wanted.to_wire()
    return wire if len(orjson.dumps(wire)) <= LONGEST_WIRE_BYTES else {}
