"""Runs the probes that the schedule gives, and has each one written. A probe keeps its place until Kafka has it.

So probing rests while Kafka is away: no more outcomes wait for it than are probed at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol

from core.clock import CLOCK
from core.flag import Flag
from core.tasks import cancel, first_of
from producers.prober.means import Means
from producers.prober.probe import probe
from producers.prober.schedule import Due, Schedule
from schemas.records.probe import ProbeRecord
from schemas.records.relay_document import RelayDocumentRecord
from schemas.relay_urls.relay_url import RelayUrl

_LOOK_S = 0.5
"""Between two looks for what has become due: an interval is ten seconds at least."""


class Outlet(Protocol):
    """Takes the outcomes: `producers.prober.publication.Publication`."""

    async def publish(self, url: RelayUrl, probe: ProbeRecord, document: RelayDocumentRecord | None) -> None:
        """Write a probe; return once it is durable."""

    def check(self) -> None:
        """Raise what failed, if anything did."""


class Probing:
    """The probes under way."""

    def __init__(
        self,
        schedule: Schedule,
        means: Means,
        outlet: Outlet,
        *,
        written: Callable[[ProbeRecord, str | None], None] = lambda _record, _text: None,
    ) -> None:
        """Probe what the schedule gives; `run` does it.

        Args:
            schedule: of the relays.
            means: what probes are made with.
            outlet: takes the outcomes.
            written: called with each outcome that the outlet has, and the text of its document.
        """
        self._written = written
        self._schedule = schedule
        self._means = means
        self._outlet = outlet
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ended = Flag()
        self._failure: BaseException | None = None

    async def run(self) -> None:
        """Probe until cancelled.

        Raises:
            Exception: an outcome could not be written: our own broken state.
        """
        while True:
            self._ended.clear()
            self._outlet.check()
            if self._failure is not None:
                raise self._failure
            for due in self._schedule.take(CLOCK.now_ms()):
                url = due.target.url.url
                self._tasks[url] = asyncio.create_task(self._probe(due), name=url)
                self._tasks[url].add_done_callback(self._end)
            await first_of(self._ended, timeout_s=_LOOK_S)

    def end(self, url: str) -> None:
        """End the probe of a relay, if there is one, without an outcome; its socket closes in a moment."""
        if url in self._tasks:
            self._tasks[url].cancel()

    async def drop(self, urls: Iterable[str]) -> None:
        """End the probes of these relays, and return when their sockets are closed."""
        await cancel(*[self._tasks[url] for url in urls if url in self._tasks])

    async def drop_all(self) -> None:
        """End all probes, and return when their sockets are closed."""
        await cancel(*self._tasks.values())

    async def _probe(self, due: Due) -> None:
        target = due.target
        record, document = await probe(target, self._means, full=due.full)
        next_in_ms = self._schedule.probed(target, record)
        record = record.model_copy(update={"next_in_s": max(1, round(next_in_ms / 1000))})
        await self._outlet.publish(target.url, record, document)
        self._written(record, None if document is None else document.text)

    def _end(self, task: asyncio.Task[None]) -> None:
        url = task.get_name()
        del self._tasks[url]
        self._schedule.ended(url)
        if not task.cancelled():
            self._failure = self._failure or task.exception()
        self._ended.set()
