"""A prober without sockets: a schedule on a clock of its own, and relays that take time and work or do not."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from core.settings.monitoring import ProberSettings
from producers.prober.schedule import Due, Schedule
from producers.prober.target import Target
from producers.prober.timing import Known, known_after
from schemas.records.probe import Checks, ProbeRecord, Verdict
from schemas.records.relay import RelayRecord, Report
from schemas.relay_urls.relay_url import normalize

STEP_MS = 1_000
START_MS = 1_700_000_000_000


def relay(url: str, *, report: Report | None = None) -> Target:
    """A relay of the registry."""
    found = normalize(url)
    record = RelayRecord(url=found.url, network=found.network, source="seed", report=report, updated_at_ms=START_MS)
    return Target(record, found)


def outcome(due: Due, at_ms: int, verdict: Verdict) -> ProbeRecord:
    """What is recorded of a probe."""
    url = due.target.url
    return ProbeRecord(
        url=url.url, network=url.network, is_full=due.full, verdict=verdict, checks=Checks(), probed_at_ms=at_ms
    )


@dataclass
class Simulated:
    """Probes relays for a while.

    Attributes:
        settings: of the prober.
        works: whether a relay is found to work at a time.
        takes_ms: how long a probe of it takes.
        begun: when probes of each relay began, and whether with all checks.
        health: what `relays.health` would have of them.
        most: the most that was probed at once, of each network and of each host.
    """

    settings: ProberSettings
    works: Callable[[str, int], bool] = lambda _url, _at_ms: True
    takes_ms: Callable[[str], int] = lambda _url: STEP_MS
    now_ms: int = START_MS
    begun: defaultdict[str, list[tuple[int, bool]]] = field(default_factory=lambda: defaultdict(list))
    most: Counter[str] = field(default_factory=Counter)
    health: dict[str, Known] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.schedule = Schedule(self.settings)
        self._ends: dict[str, tuple[int, Due, int]] = {}

    def restart(self, targets: Iterable[Target]) -> None:
        """Lose what is not written: probes under way, and the memory."""
        self._ends.clear()
        self.schedule = Schedule(self.settings)
        for url, known in self.health.items():
            self.schedule.heard(url, known)
        self.put(targets)

    def put(self, targets: Iterable[Target]) -> None:
        for target in targets:
            self.schedule.put(target, self.now_ms)

    def run(self, until_ms: int) -> None:
        """Probe up to a time from the start."""
        while self.now_ms < START_MS + until_ms:
            for url, (ends_ms, due, began_ms) in list(self._ends.items()):
                if ends_ms <= self.now_ms:
                    del self._ends[url]
                    verdict: Verdict = "works" if self.works(url, began_ms) else "broken"
                    record = outcome(due, began_ms, verdict)
                    self.schedule.probed(due.target, record)
                    self.health[url] = known_after(self.health.get(url), record)
                    self.schedule.ended(url)
            begun = self.schedule.take(self.now_ms)
            for due in begun:
                url = due.target.url.url
                assert url not in self._ends, "a relay is probed once at a time"
                self.begun[url].append((self.now_ms, due.full))
                self._ends[url] = (self.now_ms + self.takes_ms(url), due, self.now_ms)
            if begun:  # only then are there more than before, and most seconds of a month begin none
                at_once = Counter(str(due.target.url.network) for _, due, _ in self._ends.values())
                at_once.update(due.target.url.host for _, due, _ in self._ends.values())
                self.most |= at_once
            self.now_ms += STEP_MS

    def gaps_ms(self, url: str) -> list[int]:
        """Between the beginnings of two probes."""
        times = [at_ms for at_ms, _ in self.begun[url]]
        return [after - before for before, after in pairwise(times)]
