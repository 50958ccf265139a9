"""A range that is still to be read, how it is asked for, and what a page leaves of it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple

from producers.connector.coverage.progress import Gap, Progress
from producers.connector.crawl.planning.steps import Query
from producers.connector.relay_behavior import RelayBehavior
from producers.relay_client.page import BEGINNING, FOREVER, Seen
from schemas.records.coverage import GapReason


class Mode(Enum):
    """Which question is asked about a range."""

    OPEN = auto()
    """The filter as it is."""
    CHECK = auto()
    """With known kinds, after the open question showed nothing more."""
    EXPLICIT = auto()
    """With known kinds to the end of the window, because the open question was seen to hide events."""


@dataclass(slots=True)
class PendingRange:
    """A range still to be read.

    Attributes:
        known: events in it that a page has shown already, and another must show again.
        probe: `until` is asked for with one second more, to see whether the relay takes it as exclusive.
        found: a check has shown what the open question had not.
        cut: an answer about it broke off, so that it will not count as read.
        above: how many events the page had that ended where this begins.
    """

    since: int
    until: int
    known: dict[str, Seen] = field(default_factory=dict)
    mode: Mode = Mode.OPEN
    probe: bool = False
    found: bool = False
    cut: GapReason | None = None
    above: int = 0

    def knows_top(self) -> bool:
        """Whether events of its newest second are known."""
        return any(seen.at == self.until for seen in self.known.values())

    def fresh(self, events: Iterable[Seen]) -> list[Seen]:
        """Those that no page has shown before."""
        return [seen for seen in events if seen.id not in self.known]

    def settled(self) -> Progress:
        """All of it was seen."""
        if self.cut is not None:
            return self.unread(self.cut)
        return Progress(read=[(self.since, self.until)])

    def unread(self, reason: GapReason) -> Progress:
        """Nothing is concluded about any of it."""
        return Progress(gaps=[Gap(self.since, self.until, reason)])

    def asked_until(self, behavior: RelayBehavior, *, trusted: bool) -> int:
        """The bound to send: one second more where the relay takes it as exclusive, or may do so."""
        exclusive = behavior.exclusive_until
        # Where the newest come first, a known event at the bound answers the question by itself.
        telling = trusted and self.mode is not Mode.CHECK and not self.probe and self.knows_top()
        return self.until if exclusive is False or (exclusive is None and telling) else min(self.until + 1, FOREVER)

    def query(self, behavior: RelayBehavior, kinds: tuple[int, ...] | None, *, trusted: bool) -> Query:
        """What to ask, naming kinds or none; `trusted`: the relay sends the newest first."""
        until = self.asked_until(behavior, trusted=trusted)
        return Query(
            since=None if self.since <= BEGINNING or behavior.ignores_since else self.since,
            until=until if until < FOREVER else None,
            limit=behavior.limit,
            kinds=kinds,
        )


class Outcome(NamedTuple):
    """What follows from a page for the range that was asked about.

    Attributes:
        progress: what it settled.
        left: what is still to be read of the range, the newest last.
        full_second: a second with more events than a page, and those shown of it.
    """

    progress: Progress
    left: Sequence[PendingRange] = ()
    full_second: tuple[int, list[Seen]] | None = None


def apart(pending: PendingRange, inside: list[Seen]) -> Outcome:
    """Ask for a range by parts; one second is not for pages to read."""
    if pending.since < pending.until:
        return Outcome(Progress(), _parts(pending, inside))
    if pending.cut is not None:
        return Outcome(pending.unread(pending.cut))
    return Outcome(Progress(), full_second=(pending.since, list(_known(pending, inside).values())))


def _parts(pending: PendingRange, inside: list[Seen]) -> list[PendingRange]:
    """A range that does not fit a page, in parts with about as many of the shown events each; the newest last.

    A page of one second only makes that second a part of its own.
    """
    seconds = sorted(seen.at for seen in inside)
    if seconds[0] == seconds[-1]:
        cuts = [seconds[0] - 1, seconds[0]]
    else:
        cuts = [min(seconds[len(seconds) // 2], pending.until - 1)]
    known = _known(pending, inside)
    bounds = [pending.since, *[cut + 1 for cut in cuts if pending.since <= cut < pending.until], pending.until + 1]
    return [
        PendingRange(
            low,
            high - 1,
            {each.id: each for each in known.values() if low <= each.at < high},
            cut=pending.cut,
        )
        for low, high in itertools.pairwise(bounds)
    ]


def _known(pending: PendingRange, inside: list[Seen]) -> dict[str, Seen]:
    return {**pending.known, **{seen.id: seen for seen in inside}}
