"""What relays of this connector are known to bear (`relays.health`), followed as it changes."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from core.kafka.state_change import Change
from core.kafka.state_topic import StateTopic
from core.settings import Settings
from producers.targets import full_name
from schemas.records.document import Document
from schemas.records.relay_health import Limits

_UNKNOWN = Limits()


class _Health(Document):
    """The limits in a `RelayHealth`: of all else, which are most of its bytes, nothing is needed here."""

    advertised: Limits = _UNKNOWN
    learnt: Limits = _UNKNOWN


class KnownLimits:
    """The limits of the relays of some partitions, by URL; what was met takes precedence over what is advertised."""

    def __init__(self, settings: Settings) -> None:
        """Know nothing yet; `assign` begins to read."""
        self._topic = StateTopic(settings, full_name(settings, "relays.health"), _limits, self.take)
        self._partitions: dict[int, dict[bytes, Limits]] = {}

    def of(self, url: str) -> Limits:
        """The limits of a relay, as they are known now."""
        key = url.encode()
        return next((known[key] for known in self._partitions.values() if key in known), _UNKNOWN)

    async def assign(self, partitions: Collection[int]) -> None:
        """Follow these partitions; return when what Kafka has of them now is known."""
        self._partitions = {number: self._partitions.get(number, {}) for number in partitions}
        await self._topic.assign(partitions)

    async def take(self, changes: Sequence[Change[Limits]]) -> None:
        """Take in new records."""
        for change in changes:
            known = self._partitions.get(change.partition)
            if known is None:
                continue
            if change.value is None or change.value == _UNKNOWN:
                known.pop(change.key, None)
            else:
                known[change.key] = change.value

    def check(self) -> None:
        """Raise what ended the following, if anything did."""
        self._topic.check()

    async def close(self) -> None:
        """Follow no more."""
        await self._topic.close()


def _limits(_key: bytes, value: bytes) -> Limits:
    health = _Health.decode(value)
    met = {name: number for name, number in health.learnt if number is not None}
    return health.advertised.model_copy(update=met)
