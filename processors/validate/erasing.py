"""What the validate agent drops because it is erased, and which rules it publishes because an event asks for them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from core.settings import PolicySettings
from schemas.erasure import Cause, Erasure, Erasures
from schemas.erasure_requests import requested
from schemas.event import Event
from schemas.facts import expiration
from schemas.judge import Judgement
from schemas.kinds import DELETION_KIND, VANISH_KIND
from schemas.reasons import Reason


@dataclass(slots=True)
class Erasing:
    """The rules known now, and what the operator wants of events.

    Attributes:
        index: grows as rules arrive, whatever the policy.
        asking_kinds: kinds whose events are obeyed.
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
        """Tell why a copy is dropped, whatever was judged of it, or None. Goes by its time, never by the clock.

        A copy whose id is not its own says nothing about the event of that id.
        """
        event = judgement.event
        if event is None or judgement.reason is Reason.ID_MISMATCH:
            return None
        cause = self.index.covers(event)
        if cause is None and self.expire:
            expires_s = expiration(event)
            if expires_s is not None and expires_s * 1000 <= seen_at_ms:
                return Cause.EXPIRATION
        return cause

    def rules(self, event: Event, seen_at_ms: int) -> list[Erasure]:
        """State what an accepted event asks for, without the rules that are known already.

        An event that is erased itself is still heard, so that the order of arrival does not matter.
        """
        if event.kind not in self.asking_kinds:
            return []
        return [rule for rule in requested(event, self.own_urls, seen_at_ms) if not self.index.has(rule)]
