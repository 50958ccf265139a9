"""Which relays are to be probed now. Pure: it is told the time, and what was probed.

Of those that are due, the one comes first that would be a whole interval late soonest: relays that work before silent
ones, and yet each in its turn, since time brings every one to the front. What this process has seen itself holds until
`relays.health` knows something newer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import count
from typing import NamedTuple

from core.settings.monitoring import ProberSettings
from producers.prober.target import Target
from producers.prober.timing import Known, is_full, known_after, wait_ms
from producers.prober.turns import Entry, Turns
from schemas.records.probe import ProbeRecord
from schemas.relay_urls.relay_url import Network

_VOID_ENTRIES = 1_000
"""Entries that no longer hold and are kept, beside two for each relay: taking them out costs time."""

UNKNOWN = "unknown"
"""In place of a verdict on relays that were never probed."""


class Due(NamedTuple):
    """A probe to begin with; `full`: with all checks."""

    target: Target
    full: bool


class Standing(NamedTuple):
    """How the schedule stands.

    Attributes:
        verdicts: relays by the newest verdict on them, `UNKNOWN` where there is none.
        due: relays that are due and wait for their turn.
        late_ms: how long the one that waits longest has waited.
    """

    verdicts: Counter[str]
    due: int
    late_ms: int


@dataclass(slots=True)
class _Relay:
    target: Target
    met_at_ms: int
    due_at_ms: int = 0
    wait_ms: int = 0
    ticket: int | None = None
    """None while it is probed."""


class Schedule:
    """The relays of one process."""

    def __init__(self, settings: ProberSettings) -> None:
        """Begin without relays."""
        self._settings = settings
        self._relays: dict[str, _Relay] = {}
        self._known: dict[str, Known] = {}
        self._tickets = count()
        self._waiting: list[Entry] = []
        most = dict.fromkeys(Network, settings.at_once_overlay) | {Network.CLEARNET: settings.at_once}
        self._turns = Turns(most, self._holds)

    def __len__(self) -> int:
        return len(self._relays)

    @property
    def under_way(self) -> int:
        """Relays that are being probed."""
        return len(self._turns)

    def put(self, target: Target, now_ms: int) -> None:
        """Probe a relay from now on, or go on with it under another record."""
        url = target.url.url
        relay = self._relays.setdefault(url, _Relay(target, now_ms))
        relay.target = target
        self._settle(url, relay)

    def remove(self, url: str) -> None:
        """Probe a relay no more. What is known of it is kept: it may come back."""
        self._relays.pop(url, None)

    def keep(self, wanted: Callable[[str], bool]) -> list[str]:
        """Remove the relays of all hosts but those that are wanted, and return their URLs."""
        gone = [url for url, relay in self._relays.items() if not wanted(relay.target.url.host)]
        for url in gone:
            self.remove(url)
        return gone

    def heard(self, url: str, known: Known | None) -> None:
        """Take what `relays.health` has of a relay; None: nothing any more."""
        mine, relay = self._known.get(url), self._relays.get(url)
        if known is None:
            if relay is None:
                self._known.pop(url, None)
        elif mine is None or known.probed_at_ms > mine.probed_at_ms:
            self._known[url] = known
            if relay is not None:
                self._settle(url, relay)

    def probed(self, target: Target, probe: ProbeRecord) -> int:
        """Take the outcome of a probe of ours; return how many ms after its beginning the next one is due."""
        url = target.url.url
        known = self._known[url] = known_after(self._known.get(url), probe)
        return wait_ms(target.record, known, self._settings)

    def take(self, now_ms: int) -> list[Due]:
        """Give the probes that are to begin now; each is under way until `ended`."""
        while self._waiting and self._waiting[0].at_ms <= now_ms:
            entry = heappop(self._waiting)
            if self._holds(entry):
                relay = self._relays[entry.url]
                self._turns.wait(entry._replace(at_ms=relay.due_at_ms + relay.wait_ms))
        taken = []
        for entry in self._turns.give():
            relay = self._relays[entry.url]
            relay.ticket = None
            known = self._known.get(entry.url)
            taken.append(Due(relay.target, is_full(relay.target.record, known, now_ms, self._settings)))
        return taken

    def ended(self, url: str) -> None:
        """Take that a probe has ended, whatever came of it."""
        self._turns.free(url)
        if (relay := self._relays.get(url)) is not None:
            self._settle(url, relay)

    def standing(self, now_ms: int) -> Standing:
        """How it stands; looks at each relay."""
        verdicts: Counter[str] = Counter()
        due, late_ms = 0, 0
        for url, relay in self._relays.items():
            known = self._known.get(url)
            verdicts[UNKNOWN if known is None else known.verdict or UNKNOWN] += 1
            if relay.ticket is not None and relay.due_at_ms <= now_ms:
                due += 1
                late_ms = max(late_ms, now_ms - relay.due_at_ms)
        return Standing(verdicts, due, late_ms)

    def _settle(self, url: str, relay: _Relay) -> None:
        """Let a relay wait for its time, unless it does already, or is being probed."""
        if url in self._turns:
            return
        record, known = relay.target.record, self._known.get(url)
        wait = wait_ms(record, known, self._settings)
        due_at_ms = relay.met_at_ms if known is None else known.probed_at_ms + wait
        if relay.ticket is not None and (due_at_ms, wait) == (relay.due_at_ms, relay.wait_ms):
            return
        relay.due_at_ms, relay.wait_ms, relay.ticket = due_at_ms, wait, next(self._tickets)
        where = relay.target.url
        heappush(self._waiting, Entry(due_at_ms, relay.ticket, url, where.host, where.network))
        if len(self._waiting) > 2 * len(self._relays) + _VOID_ENTRIES:
            self._waiting = [entry for entry in self._waiting if self._holds(entry)]
            heapify(self._waiting)

    def _holds(self, entry: Entry) -> bool:
        """Whether an entry is the one that its relay waits by."""
        relay = self._relays.get(entry.url)
        return relay is not None and relay.ticket == entry.ticket
