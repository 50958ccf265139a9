"""Holds back what a visit has read until late answers (events after EOSE) can be excluded.

An EOSE can come before the stored events: proxies say it at once and ask their upstreams meanwhile. So a visit holds
one question open past its EOSE, and what it reads before that has stayed silent for long enough is provisional.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from producers.connector.coverage.ledger import SAME_VISIT_S, Ledger
from producers.connector.coverage.progress import Progress
from producers.relay_client.page import BEGINNING, FOREVER, Seen
from producers.relay_client.page_subscription import PageSubscription
from schemas.nostr.filters import Filter
from schemas.ranges import Range, merge, subtract

HOLD_S = 10.0
"""Of silence past EOSE: proxies, which send EOSE first, were seen to take 0.3 to 6 s for stored events."""
SHORTEST_SILENCE_S = 2.0
LONGEST_SILENCE_S = 30.0
"""After which a question to a relay that answers late is closed; in between, twice the longest gap that was seen."""
_PROBED = 10
"""Events that the question that is held brings, about: some, so that a silence after them says something."""
_GRAIN_S = 0.05
"""A wait may end so much before its time by the clock of the event loop. Without this, a held question could stay open
after it was waited for, in the place of the next on a relay that takes two."""
NOW_S = 600
"""A range that ends so shortly before now may get events at any time: late ones prove nothing."""


class _Claim(NamedTuple):
    """What a page settled, as the ledger takes it."""

    name: str
    progress: Progress
    asked_s: int
    settles_withheld: bool


class Claims:
    """The claims of one visit to a relay, over all of its connections."""

    def __init__(self, ledger: Ledger, hold_s: float = HOLD_S) -> None:
        """Claim into a ledger, once a question has stayed open for so many seconds past its EOSE."""
        self.ledger = ledger
        self.hold_s = hold_s
        self._quiet_s = 0.0
        self._doubtful = False
        self._settled = False
        self._pending: list[_Claim] = []
        self._made: dict[str, list[Range]] = {}
        self.sample: list[Seen] = []
        """Some events that the relay has, not of now."""
        self.probe_since: int | None = None
        """The beginning of the range of which a question is held; None: of all time."""
        self.held: PageSubscription | None = None
        """The question that is open past its EOSE."""
        self._shown: dict[tuple[int, ...] | None, tuple[Filter, list[Seen]]] = {}
        """The last question of these kinds that was held, and what it brought before its EOSE."""
        self.progress = 0
        """Counts claims of new seconds."""

    @property
    def rest_s(self) -> float:
        """For how long silence is still to be waited for; 0: what was read counts."""
        held_s = self.held.since_last_s if self.held is not None and not self.held.late else 0.0
        rest_s = self.hold_s - self._quiet_s - held_s
        return rest_s if rest_s > _GRAIN_S else 0.0

    @property
    def reading(self) -> Mapping[str, Filter]:
        """The filters that are asked, by their hashes."""
        return self.ledger.reading

    def begin_visit(self) -> None:
        """Whether EOSE can be believed is to be seen anew."""
        self._quiet_s, self.held, self.probe_since = 0.0, None, None
        self._settled = False
        self._pending.clear()
        self._made.clear()
        self._shown.clear()

    def add(
        self, name: str, progress: Progress, asked_s: int, *, settles_withheld: bool = True, at_once: bool = False
    ) -> None:
        """Take in what a page of a filter settled.

        Args:
            name: hash of the filter.
            progress: of the crawl.
            asked_s: when it was asked.
            settles_withheld: as for the ledger.
            at_once: it does not depend on EOSE: the relay is waited for in any case, or has compared.
        """
        new = subtract(progress.read, [*self.ledger.read(name), (asked_s - SAME_VISIT_S, FOREVER)])
        self.progress += bool(new)
        # In the order of reading, newest first: the ledger goes by the end of what was read.
        claim = _Claim(name, progress, asked_s, settles_withheld)
        # The time may be over before one has looked for late answers, and at how lists of kinds are read.
        if (at_once and not self._pending) or (self._settled and not self.rest_s):
            self._claim(claim)
        else:
            self._pending.append(claim)

    def pending(self, name: str) -> list[Range]:
        """What was read of a filter and does not count yet."""
        return merge(part for claim in self._pending if claim.name == name for part in claim.progress.read)

    def narrow(self, events: Sequence[Seen]) -> None:
        """More came for the question that was to be held than fits it: hold one of fewer seconds."""
        seconds = sorted(seen.at for seen in events)
        if seconds:
            self.probe_since = seconds[-min(_PROBED, (len(seconds) + 1) // 2)]

    def hold(self, page: PageSubscription) -> None:
        """Keep an answered question open; what was silent before counts only if it brings the same as then."""
        self.held = page
        shown = page.asked, page.page().events
        before = self._shown.get(page.asked.kinds, shown)
        if not _same(before, shown):
            self._quiet_s = 0.0
        self._shown[page.asked.kinds] = shown

    def connection_lost(self) -> None:
        """The held question is gone; the silence until now counts if it had brought something before its EOSE."""
        # A relay that is late altogether shows nothing before its EOSE, however short its connections are.
        if self.held is not None and not self.held.late and self.held.events:
            self._quiet_s += self.held.since_last_s
        self.held = None
        if self._doubtful:
            # It has ended before that was cleared up.
            self.drop()

    def settle(self) -> None:
        """Claim what is pending: answers are whole, and those to come while silence lasts."""
        self._settled = True
        for claim in self._pending:
            self._claim(claim)
        self._pending.clear()

    def doubt(self) -> bool:
        """An answer may not have been whole: nothing that was claimed until now holds. Whether something was."""
        self._quiet_s, self._doubtful, self._settled = 0.0, True, False
        claimed = bool(self._made)
        for name, ranges in self._made.items():
            self.ledger.take_back(name, ranges)
        self._made.clear()
        return claimed

    def trust(self) -> None:
        """There was silence enough."""
        self._quiet_s, self._doubtful = self.hold_s, False

    def drop(self) -> None:
        """What does not count yet is to be read again."""
        self._doubtful = self._settled = False
        self._pending.clear()

    def _claim(self, claim: _Claim) -> None:
        self.ledger.add(claim.name, claim.progress, claim.asked_s, settles_withheld=claim.settles_withheld)
        read = [(since, min(until, claim.asked_s)) for since, until in claim.progress.read if since <= claim.asked_s]
        if read:
            self._made[claim.name] = merge([*self._made.get(claim.name, []), *read])


def _same(before: tuple[Filter, list[Seen]], now: tuple[Filter, list[Seen]]) -> bool:
    """Whether two questions brought the same events of the seconds that both asked for."""
    since = max(asked.since or BEGINNING for asked, _ in (before, now))
    until = min(asked.until or FOREVER for asked, _ in (before, now))
    one, other = ({seen.id for seen in events if since <= seen.at <= until} for _, events in (before, now))
    return one == other


def proves_late(page: PageSubscription, *, session: int, challenges: int, now_s: float) -> bool:
    """Whether events that came after a page's EOSE tell that the relay says it too early.

    Not where the question is older than the present session, reaches now, or was full at EOSE: answers may be held
    until AUTH, an event of now may be stored at any moment, and relays that ignore `limit` go on.
    """
    until = page.asked.until if page.asked.until is not None else FOREVER
    same = page.session == session and page.challenges == challenges
    return bool(page.late or page.taken_late) and same and until < now_s - NOW_S and not page.full


def silence_s(gap_s: float) -> float:
    """After how much silence a question is closed, where the longest gap before a late event was this."""
    return min(max(SHORTEST_SILENCE_S, 2 * gap_s), LONGEST_SILENCE_S)
