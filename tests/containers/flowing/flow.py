"""Events that are published while a stack runs, and the account of what its archive must hold afterwards."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import Any

from core.kafka.topics import describe_topics
from schemas.digest import Digest, Tally
from tests.containers.engine import docker
from tests.containers.stack import Stack

RELAY_SERVICES = ("relay-1", "relay-2", "relay-3")
RELAYS = tuple(f"ws://{name}:7777" for name in RELAY_SERVICES)
# A live subscription asks for three days back, so a connector takes all of them as they are published.
SPAN_S = 86_400
STOP_S = 30  # the filler takes 3 s at most to hear the last answers


class Flow:
    """Fillers of a stack's relays, one after another, each with events of its own."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.offered = Digest()
        """All that relays have taken, by the last reports of the fillers that have ended."""
        self.per_relay: Counter[str] = Counter()
        self._fillers = 0
        self._running: str | None = None

    def begin(self, stored: int, per_s: float) -> None:
        """Publish events of the last day as fast as relays take them, then new ones at this rate until `end`."""
        assert self._running is None, "a flow was not ended"
        self._fillers += 1
        name = f"{self.stack.project}-flow-{self._fillers}"
        words = [word for url in RELAYS for word in ("--url", url)]
        words += ["--events", str(stored), "--span-s", str(SPAN_S), "--base-time-s", str(int(time.time()))]
        # A seed of its own has authors of its own: no event of it is one of another flow, or replaces one.
        words += ["--seed", str(self._fillers), "--trickle-per-s", str(per_s)]
        filler = ("filler", "python", "-m", "deploy.demo.filler", *words)
        self.stack.compose.do("run", "--detach", "--no-deps", "--name", name, *filler)
        self._running = name

    def end(self) -> None:
        """End the filler, and count what the relays took of it."""
        name, self._running = self._running, None
        assert name is not None, "no flow was begun"
        docker("stop", "--time", str(STOP_S), name, timeout_s=2 * STOP_S)
        said = docker("logs", name)
        docker("rm", name)
        report = _last_report(said)
        assert report["refused"] == 0, report["refusals"]
        parts = (Tally(report[each], int(report["digest"][each], 16)) for each in ("events", "pairs"))
        self.offered.merge(Digest(*parts))
        self.per_relay += Counter(report["per_relay"])

    async def assert_archived(self, limit_s: float = 120.0) -> None:
        """Wait until everything is archived that the relays took, and assert that nothing else is."""
        archive = self.stack.archive
        await archive.until_counts(self.offered.events, self.offered.pairs, limit_s)
        found = Counter(url for _, url in await archive.sightings())
        assert found == self.per_relay, f"archived are {found}, taken were {self.per_relay}"
        digest = await archive.digest()
        assert digest == self.offered, f"archived is {digest}, taken was {self.offered}"
        topics = {state.name: state for state in await describe_topics(self.stack.settings("reader"))}
        refused = {name: sum(topics[name].end_offsets.values()) for name in ("rejections", "quarantine")}
        assert not any(refused.values()), f"of what relays have checked was refused: {refused}\n{self._refusals()}"

    def _refusals(self) -> str:
        listed = self.stack.run("bigbrotr", "rejections", "list", "--limit", "10")
        return f"{listed.stdout}{listed.stderr}"


def _last_report(said: str) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(said.splitlines()[-1])
    assert report.get("ended"), f"the filler did not say how it ended: {said[-2000:]}"
    return report
