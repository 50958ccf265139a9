"""The handler of a process with two agents: the registry, which takes what is found, and the one that assesses probes.

Claims of monitors come with what is found, by the processor, and are the other agent's: of a record that has some,
nothing is the registry's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from aiokafka import TopicPartition

from processors.assess.handler import AssessHandler
from processors.registry.handler import RegistryHandler
from processors.runtime.handler import Handled, Progress, SourceRecord

V = TypeVar("V")


class JointHandler:
    """Gives each agent the records of its topic, and its share of what is told.

    Args:
        registry: of what is found.
        assess: of probes.
        found: full name of the registry's topic; the other one's is what is left.
    """

    def __init__(self, registry: RegistryHandler, assess: AssessHandler, found: str) -> None:
        self._registry = registry
        self._assess = assess
        self._found = found

    async def handle(self, record: SourceRecord) -> Handled:
        """Take one record."""
        return await (self._registry if record.topic == self._found else self._assess).handle(record)

    def assigned(self, partitions: frozenset[TopicPartition]) -> None:
        """Begin an assignment."""
        found = frozenset(tp for tp in partitions if tp.topic == self._found)
        self._registry.assigned(found)
        self._assess.assigned(partitions - found)

    def revoked(self) -> None:
        """End the assignment."""
        self._registry.revoked()
        self._assess.revoked()

    def status(self, progress: Progress) -> dict[str, object]:
        """Return what the registry says, and beside it what the other agent says."""
        return {
            **self._registry.status(self._part(progress, of_registry=True)),
            "assess": self._assess.status(self._part(progress, of_registry=False)),
        }

    def _part(self, progress: Progress, *, of_registry: bool) -> Progress:
        """The part that is about one agent's topic; what is in flight is of both."""

        def mine(tp: TopicPartition) -> bool:
            return (tp.topic == self._found) == of_registry

        return replace(
            progress,
            assigned=frozenset(tp for tp in progress.assigned if mine(tp)),
            done={topic: done for topic, done in progress.done.items() if (topic == self._found) == of_registry},
            lag={tp: lag for tp, lag in progress.lag.items() if mine(tp)},
        )
