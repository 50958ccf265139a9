"""Two processes that hand a partition to each other at any moment, one of them late with what it wrote."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field

import pytest

from processors.assess.assessor import Assessor
from processors.assess.book import Entry, entry_of
from processors.assess.documents import Documents
from processors.assess.writes import Write
from schemas.partition import relay_partition
from schemas.records.probe import ProbeRecord
from schemas.records.relay_health import RelayHealth
from tests.unit.processors.assess.material import START_MS, URL, folded, history

STEPS = ("handle", "handle", "handle", "take", "take", "hear", "hear", "settle", "assign", "replace")
PLACE = relay_partition("relay.example", 4)


def entry(value: bytes) -> Entry:
    return entry_of(RelayHealth.decode(value), value, "relay.example", PLACE)


@dataclass
class Process:
    """A member of the group: what it sent and Kafka has not taken yet, and how far it has read its own topic."""

    assessor: Assessor = field(default_factory=lambda: Assessor(4, Documents()))
    sent: deque[tuple[bytes, int, int]] = field(default_factory=deque)
    follows: bool = False
    read: int = 0

    def send(self, writes: list[Write], generation: int, offset: int) -> None:
        self.sent += [(write.value, generation, offset) for write in writes if write.topic == "relays.health"]


class Cluster:
    """One partition of `raw.probes` and of `relays.health`, and two processes of which one owns both."""

    def __init__(self, probes: list[ProbeRecord]) -> None:
        self.probes, self.log = probes, list[bytes]()
        self.committed = self.next = self.generation = 0
        self.both = (Process(), Process())
        self.owner = self.both[0]
        self.assign(self.owner)

    def assign(self, process: Process) -> None:
        """Give a process the partition; it reads its topic first, and probes from where the group has committed."""
        self.owner.assessor.own(())
        self.owner, self.next = process, self.committed
        self.generation += 1
        process.assessor.own([PLACE])
        process.assessor.keep([PLACE])
        process.follows = True
        while process.read < len(self.log):
            self.hear(process)

    def handle(self) -> None:
        if self.next < len(self.probes):
            writes = self.owner.assessor.probed(self.probes[self.next])
            self.next += 1
            self.owner.send(writes, self.generation, self.next)
            if not any(generation == self.generation for _, generation, _ in self.owner.sent):
                self.committed = self.next

    def take(self, process: Process) -> None:
        """Let Kafka take what a process sent first; the owner then commits what it belongs to."""
        if process.sent:
            value, generation, offset = process.sent.popleft()
            self.log.append(value)
            if generation == self.generation:
                self.committed = max(self.committed, offset)

    def hear(self, process: Process) -> None:
        if process.follows and process.read < len(self.log):
            process.assessor.heard(URL, entry(self.log[process.read]))
            process.read += 1

    def settle(self) -> None:
        self.owner.send(self.owner.assessor.due(START_MS), 0, 0)

    def replace(self, process: Process) -> None:
        """Kill a process; what it sent may be lost."""
        process.sent.clear()
        process.assessor, process.follows, process.read = Assessor(4, Documents()), False, 0
        if process is self.owner:
            self.assign(process)

    def step(self, chance: random.Random) -> None:
        process = chance.choice(self.both)
        match chance.choice(STEPS):
            case "handle":
                self.handle()
            case "take":
                self.take(process)
            case "hear":
                self.hear(process)
            case "settle":
                self.settle()
            case "assign" if chance.random() < 0.5:
                self.assign(process)
            case "replace" if chance.random() < 0.3:
                self.replace(process)

    def finish(self) -> None:
        """Let Kafka take all, that of the process without the partition last, and have the owner work to the end."""
        for process in sorted(self.both, key=lambda each: each is not self.owner):
            while process.sent:
                self.take(process)
        for _ in range(2 * len(self.probes)):
            self.handle()
            self.settle()
            while self.owner.sent:
                self.take(self.owner)
            while self.owner.read < len(self.log):
                self.hear(self.owner)


@pytest.mark.parametrize("seed", range(40))
def test_any_order_of_handing_over_and_writing_ends_with_the_fold_of_all_probes(seed: int) -> None:
    chance, cluster = random.Random(seed), Cluster(history(seed, 1))
    for _ in range(150):
        cluster.step(chance)
    cluster.finish()
    assert not cluster.owner.assessor.has_ready
    assert RelayHealth.decode(cluster.log[-1]) == folded(cluster.probes)
