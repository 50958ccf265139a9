"""Follows the compacted topic `erasures`: read to its end before anything is validated or written, then followed.

Every reader needs every rule, so each process follows the topic wholly. What acts on rules waits for `until_current`
first: it holds back where the rules may be old, at the start and after an outage of the broker.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence

from core import metrics
from core.kafka.state_change import Change
from core.kafka.state_topic import CURRENT_S, StateTopic
from core.settings.model import Settings
from schemas.records.erasure import Erasure, Erasures
from schemas.topics import physical

_log = logging.getLogger(__name__)

Take = Callable[[Sequence[Erasure]], Awaitable[None]]


def into(index: Erasures) -> Take:
    """Make the callback that a follower passes rules to, where they only go into an index."""

    async def take(rules: Sequence[Erasure]) -> None:
        for rule in rules:
            index.add(rule)

    return take


class ErasureFollower(StateTopic[Erasure]):
    """Passes every rule to `take`, at least once, those of a partition in order.

    Args:
        settings: of the process.
        take: called with one or more rules; the next are read when it has returned. What it raises ends `start`, or
            comes out of `check`: without it, erased events would come back.
        current_s: how old the rules may be.
    """

    def __init__(self, settings: Settings, take: Take, *, current_s: float = CURRENT_S) -> None:
        async def take_changes(changes: Sequence[Change[Erasure]]) -> None:
            if rules := _rules(changes):
                await take(rules)

        topic = physical(settings.kafka.topic_prefix, "erasures")
        super().__init__(settings, topic, _decode, take_changes, current_s=current_s)

    async def start(self) -> None:
        """Read what the topic has now, waiting for the broker as long as it takes; then follow it in a task."""
        await self.assign()

    def ready(self) -> str | None:
        """Return the reason while the rules are still being read, else None."""
        return None if self.is_current() else "reading what must not be stored, from the topic erasures"


def _decode(_key: bytes, value: bytes) -> Erasure:
    return Erasure.decode(value)


def _rules(changes: Sequence[Change[Erasure]]) -> list[Erasure]:
    """Give the rules. A rule whose key becomes null stays in force, because what it erased must not come back."""
    rules = []
    for change in changes:
        if change.value is not None:
            rules.append(change.value)
        else:
            # Skipped, because it says nothing; counted, because it may have been meant to say something.
            metrics.BAD_ERASURES.inc()
            _log.error("record %d of partition %d of erasures is not a valid erasure", change.offset, change.partition)
    return rules
