"""What a visit has read, and from when on that counts.

An EOSE can come before the stored events: proxies say it at once and ask their upstreams meanwhile. So a visit holds
one question open past its EOSE, and what it reads before that has stayed silent for long enough is provisional.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from producers.relays.ledger import SAME_VISIT_S, Ledger
from producers.relays.pages import FOREVER, Progress
from producers.relays.subscriptions import PageSubscription
from schemas.filters import Filter
from schemas.ranges import Range, merge, subtract

HOLD_S = 10.0
"""Of silence past EOSE: proxies were seen to take 0.3 to 6 s (nostr-facts section 16)."""
SHORTEST_SILENCE_S = 2.0
LONGEST_SILENCE_S = 30.0
"""After which a question to a relay that answers late is closed; in between, twice the longest gap that was seen."""
NOW_S = 600
"""A range that ends so shortly before now may get events at any time: late ones prove nothing."""


class _Claim(NamedTuple):
    """What a page settled, as the ledger takes it."""

    name: str
    progress: Progress
    asked_s: int
    settles_withheld: bool


class Claims:
    """What one visit says of a relay, over all of its connections."""

    def __init__(self, ledger: Ledger, hold_s: float = HOLD_S) -> None:
        """Claim into a ledger, once a question has stayed open for so many seconds past its EOSE."""
        self.ledger = ledger
        self.hold_s = hold_s
        self._quiet_s = 0.0
        self._prompt = False
        self._pending: list[_Claim] = []
        self._made: dict[str, list[Range]] = {}
        self.held: PageSubscription | None = None
        """The question that is open past its EOSE."""
        self.progress = 0
        """Counts claims of new seconds."""

    @property
    def rest_s(self) -> float:
        """For how long silence is still to be waited for; 0: what was read counts."""
        held_s = self.held.since_last_s if self.held is not None and not self.held.late else 0.0
        return max(0.0, self.hold_s - self._quiet_s - held_s)

    @property
    def waiting(self) -> bool:
        """Whether something was read that does not count yet."""
        return bool(self._pending) and self.rest_s > 0

    @property
    def reading(self) -> Mapping[str, Filter]:
        """The filters that are asked, by their hashes."""
        return self.ledger.reading

    def begin_visit(self) -> None:
        """Whether EOSE can be believed is to be seen anew."""
        self._quiet_s, self._prompt, self.held = 0.0, False, None
        self._pending.clear()
        self._made.clear()

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
        if at_once or not self.rest_s:
            self._claim(_Claim(name, progress, asked_s, settles_withheld))
        else:
            self._pending.append(_Claim(name, progress, asked_s, settles_withheld))

    def pending(self, name: str) -> list[Range]:
        """What was read of a filter and does not count yet."""
        return merge(part for claim in self._pending if claim.name == name for part in claim.progress.read)

    def answered(self, page: PageSubscription) -> bool:
        """Look at an answered question; whether it is to be held open."""
        # A relay that is late altogether shows nothing before its EOSE, however short its connections are.
        self._prompt = self._prompt or page.events > 0
        if self.held is not None or not self.rest_s or page.eose is None or page.closed is not None or page.full:
            return False
        self.held = page
        return True

    def connection_lost(self) -> None:
        """The held question is gone; the silence until now counts if the relay has answered promptly at all."""
        if self.held is not None and not self.held.late and self._prompt:
            self._quiet_s += self.held.since_last_s
        self.held = None

    def settle(self) -> PageSubscription | None:
        """Claim what is pending if the silence was long enough; the question that need not be held any more."""
        if self.rest_s:
            return None
        held, self.held = self.held, None
        self._quiet_s = self.hold_s
        for claim in self._pending:
            self._claim(claim)
        self._pending.clear()
        return held

    def doubt(self) -> None:
        """An answer may not have been whole: nothing that was claimed until now holds."""
        self._quiet_s = 0.0
        for name, ranges in self._made.items():
            self.ledger.take_back(name, ranges)
        self._made.clear()

    def trust(self) -> None:
        """The doubt was groundless: what is pending counts."""
        self._quiet_s = self.hold_s
        self.settle()

    def drop(self) -> None:
        """What does not count yet is to be read again."""
        self._pending.clear()

    def _claim(self, claim: _Claim) -> None:
        self.ledger.add(claim.name, claim.progress, claim.asked_s, settles_withheld=claim.settles_withheld)
        read = [(since, min(until, claim.asked_s)) for since, until in claim.progress.read if since <= claim.asked_s]
        if read:
            self._made[claim.name] = merge([*self._made.get(claim.name, []), *read])


def proves_late(page: PageSubscription, *, session: int, challenges: int, now_s: float) -> bool:
    """Whether events that came after a page's EOSE tell that the relay says it too early.

    Not where the question is older than the present session, reaches now, or was full at EOSE: answers may be held
    until AUTH, an event of now may be stored at any moment, and relays that ignore `limit` go on.
    """
    until = page.asked.until if page.asked.until is not None else FOREVER
    same = page.session == session and page.challenges == challenges
    return bool(page.late) and same and until < now_s - NOW_S and not page.full


def silence_s(gap_s: float) -> float:
    """After how much silence a question is closed, where the longest gap before a late event was this."""
    return min(max(SHORTEST_SILENCE_S, 2 * gap_s), LONGEST_SILENCE_S)
