"""What is known of relays beside probes, and goes into their records: what connectors met, and what monitors claim."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from processors.assess.claims import credible, merged
from processors.assess.documents import Documents
from processors.assess.honesty import honesty
from processors.assess.limits import by_facts, learnt
from schemas.records.coverage import Coverage
from schemas.records.relay_health import Claim, Honesty, Limits, RelayHealth


class Met(NamedTuple):
    """What connectors met of one relay."""

    limits: Limits
    honesty: Honesty


NOTHING = Met(Limits(), Honesty())


def met_in(coverage: Coverage) -> Met:
    """What a record of `coverage` tells of its relay."""
    return Met(by_facts(coverage.facts), honesty(coverage))


class Beside:
    """What is known beside probes.

    Claims wait here for the next record of their relay: each of them writing one would be most of the work. A process
    that ends forgets those of an hour, and monitors repeat them within one.

    Args:
        documents: limits of information documents.
    """

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._met: dict[int, dict[str, Met]] = {}
        self._claims: dict[str, tuple[Claim, ...]] = {}

    def met(self, partition: int, url: str, met: Met | None) -> bool:
        """Take the newest that connectors say of a relay; whether its limits are news."""
        known = self._met.setdefault(partition, {})
        before = known.pop(url, None)
        if met is not None:
            known[url] = met
        return (before or NOTHING).limits != (met or NOTHING).limits

    def claimed(self, url: str, claims: Iterable[Claim], now_s: int) -> None:
        """Take what monitors say of a relay until its record is written."""
        self._claims[url] = merged(self._claims.get(url, ()), credible(claims, now_s))

    def forget(self, url: str) -> None:
        """Drop the claims of a relay whose record is no longer ours to write."""
        self._claims.pop(url, None)

    def keep(self, partitions: frozenset[int]) -> None:
        """Drop what connectors met of the relays of all other partitions."""
        self._met = {number: known for number, known in self._met.items() if number in partitions}

    def with_claims(self, health: RelayHealth) -> RelayHealth:
        """Add the claims that wait, which wait no longer."""
        waiting = self._claims.pop(health.url, None)
        return health if waiting is None else health.model_copy(update={"claims": merged(health.claims, waiting)})

    def added(self, health: RelayHealth, document: str | None, partition: int) -> RelayHealth:
        """Return a record with limits and honesty as they are known now.

        Args:
            health: of the relay.
            document: hash of the document that its limits are of so far.
            partition: of the relay.
        """
        advertised = self._documents.limits(health.document)
        if advertised is None:
            advertised = health.advertised if health.document == document else Limits()
        met = self._met.get(partition, {}).get(health.url, NOTHING)
        return health.model_copy(
            update={
                "advertised": advertised,
                "learnt": learnt(met.limits, health.observed, advertised),
                "honesty": met.honesty,
            }
        )
