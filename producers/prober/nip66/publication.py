"""Publishes what probes find to the relays of the settings (NIP-66), as the monitor."""

from __future__ import annotations

import asyncio
import logging

from core import metrics
from core.settings import Settings
from core.tasks import run_until_first
from producers.prober.nip66.announcing import announcements, frequency_s
from producers.prober.nip66.destination import Destination
from producers.prober.nip66.facts import Facts, FactsBook, after
from producers.prober.nip66.reachable import is_online, is_public
from producers.prober.nip66.relay_event import relay_event
from producers.relay_client.dialling import Dialling
from schemas.records.probe import Checks, Observed, ProbeRecord

logger = logging.getLogger(__name__)
STALE = 1.5
"""Times the frequency: consumers look back so far at least, and what is older is renewed soon."""
_COUNTED_S = 5.0
"""Between two looks at what waits, for the gauge."""


class Publication:
    """Give it each probe by `probed`; `run` publishes until cancelled. Without key or relays it does nothing."""

    def __init__(self, settings: Settings, dialling: Dialling) -> None:
        """Prepare; nothing is opened yet.

        Args:
            settings: of the process: `monitor`, and by which checks relays are probed.
            dialling: how the relays that are published to are connected to.
        """
        monitor, prober = settings.monitor, settings.prober
        self._frequency_s = frequency_s(monitor, prober)
        self._interval_s = prober.interval_s
        self._allow_private = monitor.allow_private
        self._book = FactsBook()
        self._secret = b""
        self.destinations: tuple[Destination, ...] = ()
        """The relays that are published to."""
        if monitor.key is not None:
            self._secret = bytes.fromhex(monitor.key.get_secret_value())
            announced = announcements(monitor, prober)
            self.destinations = tuple(
                Destination(url, monitor.key, announced, dialling, stale_s=STALE * self._frequency_s)
                for url in monitor.relays
            )
        elif monitor.relays or prober.write:
            # No error: settings are shared by services and hosts, and the key is with one of them.
            logger.warning("monitor.relays or prober.write is set, and monitor.key is not: no event is written")

    def remember(self, url: str, checks: Checks, observed: Observed, *, full_at_ms: int) -> None:
        """Take from `relays.health` what an earlier process found, until this one has found something itself.

        Args:
            url: of a relay.
            checks: the newest outcome of each.
            observed: the newest of each.
            full_at_ms: when the newest full probe was.
        """
        if self.destinations:
            self._book.remember(url, Facts(checks=checks, observed=observed, full_at_s=full_at_ms // 1000))

    def probed(self, record: ProbeRecord, document: str | None) -> None:
        """Publish what a probe found, if it found the relay online and its event is due.

        Args:
            record: of the probe.
            document: text of the information document that it was given.
        """
        if not self.destinations:
            return
        facts, at_s = after(self._book.of(record.url), record, document), record.probed_at_ms // 1000
        is_told = is_online(record) and (self._allow_private or is_public(record))
        if is_told and self._is_due(facts.published_at_s, at_s):
            facts = facts.model_copy(update={"published_at_s": at_s})
            event = relay_event(record, facts).signed(self._secret, at_s)
            for destination in self.destinations:
                destination.put(event)
        self._book.note(record.url, facts)

    async def run(self) -> None:
        """Publish until cancelled."""
        await run_until_first(self._count_waiting(), *(each.run() for each in self.destinations))

    def status(self) -> list[dict[str, object]]:
        """For a person: each relay that is published to."""
        return [each.status() for each in self.destinations]

    def _is_due(self, published_at_s: int | None, at_s: int) -> bool:
        """Whether the next probe would come too late for the frequency that is promised; or the clock was set back."""
        if published_at_s is None or at_s < published_at_s:
            return True
        return at_s + self._interval_s > published_at_s + self._frequency_s

    async def _count_waiting(self) -> None:
        while True:
            metrics.MONITOR_EVENTS_WAITING.set(sum(len(each.outbox) for each in self.destinations))
            await asyncio.sleep(_COUNTED_S)
