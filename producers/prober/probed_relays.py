"""The relays that this prober probes: those of its share of the registry, with what is known of their last probes."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence

from core.clock import CLOCK
from core.kafka.state_change import Change
from core.kafka.state_topic import StateTopic
from core.settings import Settings
from producers.prober.nip66.publication import Publication
from producers.prober.probing import Probing
from producers.prober.schedule import Schedule
from producers.prober.target import Target
from producers.prober.timing import Known
from producers.relay_share import RelayShare
from producers.targets import full_name
from schemas.records.document import Document
from schemas.records.probe import Checks, Observed, Verdict
from schemas.records.relay import RelayRecord
from schemas.relay_urls.relay_url import RelayUrlError, normalize

logger = logging.getLogger(__name__)


class _Health(Document):
    """Of a `RelayHealth`, what is scheduled by and published: the tallies of a year are many times as much."""

    probed_at_ms: int | None = None
    full_at_ms: int | None = None
    failures: int = 0
    verdict: Verdict | None = None
    checks: Checks = Checks()
    observed: Observed = Observed()


class ProbedRelays(RelayShare):
    """Keeps the schedule equal to what `relays` and `relays.health` say."""

    def __init__(self, settings: Settings, schedule: Schedule, probing: Probing, publication: Publication) -> None:
        """Share the relays with the other probers of the group."""
        self._publication = publication
        super().__init__(settings, settings.prober.group_id)
        self._schedule = schedule
        self._probing = probing
        self._health = StateTopic(settings, full_name(settings, "relays.health"), _health, self._heard)

    async def close(self) -> None:
        """Follow nothing more."""
        await self._health.close()
        await super().close()

    async def lost(self, held: Collection[int]) -> None:
        """End the probes of what was lost."""
        await self._probing.drop(self._schedule.keep(lambda host: self.is_of(host, held)))

    async def read(self, assigned: Collection[int], gained: Collection[int]) -> None:  # noqa: ARG002
        """Learn when the relays of the gained partitions were probed."""
        await self._health.assign(assigned)

    def take(self, partition: int, url: str, record: RelayRecord | None) -> None:  # noqa: ARG002
        """Probe a relay, or no more."""
        target = None if record is None else probed_target(record, allow_private=self._settings.prober.allow_private)
        if target is None:
            self._schedule.remove(url)
            self._probing.end(url)
        else:
            self._schedule.put(target, CLOCK.now_ms())

    def opened(self, gained: Collection[int]) -> None:  # noqa: ARG002
        """Tell people."""
        logger.info("probing %d relays of %d partitions", len(self._schedule), len(self.partitions))

    def check(self) -> None:
        """Raise what ended the following of health."""
        self._health.check()

    async def _heard(self, changes: Sequence[Change[_Health]]) -> None:
        for change in changes:
            url, health = change.key.decode(errors="replace"), change.value
            self._schedule.heard(url, _known(health))
            if health is not None and health.full_at_ms is not None:
                self._publication.remember(url, health.checks, health.observed, full_at_ms=health.full_at_ms)


def probed_target(record: RelayRecord, *, allow_private: bool) -> Target | None:
    """What is probed of a relay of the registry; None: it is not.

    Args:
        record: of `relays`.
        allow_private: whether relays that the registry lets have a private address are probed there.
    """
    if record.left_because is not None:
        return None
    record = record.model_copy(update={"allow_private": record.allow_private and allow_private})
    try:
        return Target(record, normalize(record.url, allow_private=record.allow_private))
    except RelayUrlError:
        return None


def _health(_key: bytes, value: bytes) -> _Health:
    return _Health.decode(value)


def _known(health: _Health | None) -> Known | None:
    if health is None or health.probed_at_ms is None:
        return None
    return Known(health.probed_at_ms, health.full_at_ms, health.failures, health.verdict)
