"""Drops erased events from validation, and derives the rules of erasure that an event asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from core.clock import CLOCK
from core.settings import PolicySettings
from schemas.nostr.event import Event
from schemas.nostr.facts import expiration
from schemas.nostr.judge import Judgement
from schemas.nostr.kinds import DELETION_KIND, VANISH_KIND
from schemas.reasons import Reason, Verdict
from schemas.records.erasure import Cause, Erasure, Erasures
from schemas.records.erasure_requests import requested


@dataclass(slots=True)
class Erasing:
    """The present rules of erasure, and the operator's policy for events.

    Attributes:
        index: grows as rules arrive, whatever the policy.
        asking_kinds: kinds whose requests for erasure are applied.
        expire: whether an event that had expired when its copy was received is dropped.
        own_urls: normalised, for requests to vanish.
    """

    index: Erasures = field(default_factory=Erasures)
    asking_kinds: frozenset[int] = frozenset()
    expire: bool = False
    own_urls: frozenset[str] = frozenset()

    @classmethod
    def of(cls, policy: PolicySettings) -> Self:
        """Make it of the settings, without rules."""
        kinds = {DELETION_KIND: policy.deletion, VANISH_KIND: policy.vanish}
        return cls(
            asking_kinds=frozenset(kind for kind, wish in kinds.items() if wish == "erase"),
            expire=policy.expiration == "erase",
            own_urls=frozenset(policy.own_urls),
        )

    @property
    def active(self) -> bool:
        """Whether any copy may have to be dropped."""
        return self.expire or len(self.index) > 0

    def cause(self, judgement: Judgement, seen_at_ms: int) -> Cause | None:
        """Return why a copy is dropped, whatever its verdict is, or None. Goes by the time at which it was received."""
        cause = self.rule(judgement)
        if cause is None and (expires_ms := self.expires_ms(judgement)) is not None and expires_ms <= seen_at_ms:
            return Cause.EXPIRATION
        return cause

    def rule(self, judgement: Judgement) -> Cause | None:
        """Return why a rule drops every copy of an event, or None."""
        event = _named(judgement)
        return None if event is None else self.index.covers(event)

    def expires_ms(self, judgement: Judgement) -> int | None:
        """Return the `seen_at` from which on copies of an event are dropped, or None where none is for that.

        None is as long as the event has not expired: a copy of later than now was received by a clock that was ahead.
        """
        event = _named(judgement) if self.expire else None
        expires_s = None if event is None else expiration(event)
        return None if expires_s is None or expires_s * 1000 > CLOCK.now_ms() else expires_s * 1000

    def listens(self, judgement: Judgement) -> bool:
        """Whether an event asks for erasure, which its signature must confirm. Costs nothing, unlike `rules`."""
        event = judgement.event
        return event is not None and judgement.verdict is Verdict.ACCEPTED and event.kind in self.asking_kinds

    def rules(self, event: Event, seen_at_ms: int) -> list[Erasure]:
        """State what an event that is listened to asks for, without the rules that are known already.

        Only once its signature was checked: the targets of a mebibyte take 0.07 s. An event that is erased itself is
        still heard, so that the order of arrival does not matter.
        """
        return [rule for rule in requested(event, self.own_urls, seen_at_ms) if not self.index.has(rule)]


def _named(judgement: Judgement) -> Event | None:
    """The event that was validated. A text under an id that is not its own says nothing about the event of that id."""
    return None if judgement.reason is Reason.ID_MISMATCH else judgement.event
