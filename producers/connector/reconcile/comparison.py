"""Reads seconds of a relay by difference with the archive: only what lacks there is fetched (NIP-77)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from producers.connector.reconcile.archive_ids import NOTHING, ArchiveIds
from producers.connector.reconcile.held_events import HeldEvents
from producers.connector.reconcile.reconcile import (
    IDS_AT_ONCE,
    UNTIL_END_S,
    Reconciled,
    ReconcileRefused,
    Refusal,
    fetch,
    reconcile,
)
from producers.relay_client.client import RelayClient
from producers.relay_client.refusals import HOUR_S, MINUTE_S
from schemas.nostr.filters import Filter
from schemas.ranges import Range, merge

logger = logging.getLogger(__name__)

_DAY_S = 24 * HOUR_S
_LEFT_ALONE_S = {
    # What its software cannot do or its operator does not want changes with a restart, not from window to window.
    Refusal.UNSUPPORTED: _DAY_S,
    Refusal.MALFORMED: _DAY_S,
    Refusal.BLOCKED: _DAY_S,
    Refusal.SILENT: HOUR_S,
    Refusal.AUTH_REQUIRED: HOUR_S,
    Refusal.RATE_LIMITED: MINUTE_S,
    Refusal.CLOSED: MINUTE_S,
    # The next window may be smaller.
    Refusal.TOO_MANY: 0.0,
}
"""How long a relay that refused is paged through before it is asked again."""
_LASTING = frozenset({Refusal.UNSUPPORTED, Refusal.MALFORMED, Refusal.BLOCKED, Refusal.SILENT})
"""Refusals of relays that do not compare at all; some have no words for it."""
MOST_TOO_MANY = 6
"""Refusals for the number of events, in a row: from a day and a half, where windows begin, it takes five to the
smallest. Each costs a reading of the archive, which all relays share, and a relay can invent events without end; so
then it is paged through for an hour, and asked once an hour until it has compared."""
FIRST_ANSWER_S = 10.0
"""For a relay that has never compared: many say nothing to a verb that they do not know. One that compares a window
has its answer in the time of a page, and the longer time-out from then on."""
MOST_WITHHELD_IN = 16
"""Ranges of one window in which events are withheld; the nearest are joined beyond it. All of a relay's gaps are 1,000,
and a relay that withholds kinds does so in every window."""


class Instead(StrEnum):
    """What to do where seconds cannot be read by difference."""

    PAGE = "page"
    SPLIT = "split"
    """Ask for fewer seconds: the relay or the archive has too many events in these."""


@dataclass(frozen=True, slots=True)
class Compared:
    """Seconds that were read by difference: of what the relay said it has, all is known but what it withheld.

    Attributes:
        held: events that the archive had.
        shared: how many of them the relay has too.
        fetched: events that only the relay had, and gave.
        withheld: how many events it said it has, and did not give.
        withheld_in: in which seconds they lie; not read, other than the rest. At most `MOST_WITHHELD_IN`, apart.
        rounds: messages of the relay that the comparison took.
        compared_bytes: of both sides' messages.
    """

    held: int
    shared: int
    fetched: int
    withheld: int
    withheld_in: list[Range]
    rounds: int
    compared_bytes: int


class Comparing:
    """One relay's comparisons with the archive; that a relay refuses them is kept as long as the relay is."""

    def __init__(
        self,
        relay: str,
        archive: ArchiveIds,
        held: HeldEvents,
        idle_s: float,
        *,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Compare the relay of this normalised URL.

        Args:
            relay: its URL.
            archive: what is archived.
            held: takes what both have.
            idle_s: it refuses by so many seconds of silence.
            now_s: a clock that only runs.
        """
        self._relay = relay
        self._archive = archive
        self._held = held
        self._idle_s = idle_s
        self._now_s = now_s
        self._not_before_s = 0.0
        self._too_many = 0
        self._refuses = False
        self._has_compared = False
        self.refusal: str | None = None
        """What it said when it last refused, for a status page."""

    @property
    def possible(self) -> bool:
        """Whether there is an archive to compare with, and a relay that has not just refused."""
        return self._archive.configured and self._now_s() >= self._not_before_s

    @property
    def hopeful(self) -> bool:
        """Whether the relay may compare now or later: it has not refused since in a way that will last."""
        return self._archive.configured and not self._refuses

    async def compare(
        self,
        client: RelayClient,
        base: Filter,
        since: int | None,
        until: int | None,
        *,
        limit: int,
        withheld: bool = False,
    ) -> Compared | Instead:
        """Read the seconds from `since` to `until`, both included, by difference.

        What lacks is only fetched where that takes fewer questions than pages would; one second always is.

        Args:
            client: an open one, being read.
            base: the filter; its own bounds are left out.
            since: None for the beginning.
            until: None for the end.
            limit: of events that the relay gives at a time.
            withheld: the relay has named events of these seconds and not given them, so pages do not tell whether it
                has them still: compare, although they were fewer.

        Raises:
            RelayError: the connection has ended.
        """
        if not self.possible or until is None or until >= UNTIL_END_S:
            return Instead.PAGE
        answer = await self._archive.window(base, since, until, self._relay)
        archived = answer or NOTHING
        wanted = since == until or (withheld and answer is not None)
        # With nothing to compare a page brings the events where a comparison brings their ids. But of one second there
        # may be more than any page brings.
        if not archived.held and not wanted:
            return Instead.PAGE
        if not archived.complete:
            return Instead.SPLIT
        try:
            patience_s = self._idle_s if self._has_compared else min(self._idle_s, FIRST_ANSWER_S)
            found = await reconcile(client, base, since, until, archived.held, idle_s=patience_s)
            self._has_compared = True
            if not wanted and _pages_are_fewer(found, limit):
                return Instead.PAGE
            await self._held.report([item for item in found.shared if item[1] not in archived.sighted])
            missing = await fetch(client, base, list(found.need), limit=limit, idle_s=self._idle_s)
        except ReconcileRefused as refused:
            return self._refused(refused)
        self._too_many, self._refuses = 0, False
        return Compared(
            held=len(archived.held),
            shared=len(found.shared),
            fetched=len(found.need) - len(missing),
            withheld=len(missing),
            withheld_in=few([found.need[event_id] for event_id in missing]),
            rounds=found.rounds,
            compared_bytes=found.sent_bytes + found.received_bytes,
        )

    def _refused(self, refused: ReconcileRefused) -> Instead:
        self.refusal = str(refused)
        logger.info("%s: not compared with the archive: %s", self._relay, refused)
        left_alone_s = _LEFT_ALONE_S[refused.reason]
        self._refuses = refused.reason in _LASTING
        if refused.reason is Refusal.TOO_MANY:
            self._too_many += 1
            if self._too_many < MOST_TOO_MANY:
                return Instead.SPLIT
            left_alone_s = HOUR_S
        self._not_before_s = self._now_s() + left_alone_s
        return Instead.PAGE


def few(ranges: Iterable[Range]) -> list[Range]:
    """These ranges as at most `MOST_WITHHELD_IN`, with as little as possible between them."""
    apart = merge(ranges)
    between = sorted(
        ((low, high) for (_, low), (high, _) in pairwise(apart)), key=lambda distance: distance[1] - distance[0]
    )
    return merge([*apart, *between[: max(0, len(apart) - MOST_WITHHELD_IN)]])


def _pages_are_fewer(found: Reconciled, limit: int) -> bool:
    """Whether everything that the relay has comes in fewer pages than there are slices of what lacks."""
    return len(found.need) * limit > (len(found.need) + len(found.shared)) * min(limit, IDS_AT_ONCE)
