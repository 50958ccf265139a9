"""The common part of `demo` and `run`: start the services, show them, stop them in order."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from bigbrotr.console.display import Display
from bigbrotr.services import FLOW
from bigbrotr.status.collect import Collector
from bigbrotr.status.snapshot import Snapshot
from bigbrotr.supervise.pipeline import Pipeline
from bigbrotr.supervise.stop_wish import StopWish
from core.settings import Settings
from core.tasks import cancel, first_of
from core.tasks import running as running_beside

SHOW_EVERY_S = 1.0
SHOW_STOP_EVERY_S = 0.3  # each service takes about this long to stop, and a person has asked for it and looks
_KEPT_NOTES = 4  # the live view has room for these

Until = Callable[[Snapshot], Awaitable[bool]]
"""Whether a snapshot is the last one that is needed."""


class ShownPipeline:
    """A running pipeline with its display.

    Args:
        settings: with the servers filled in.
        config: the settings file of the command line, handed on to the services.
        shown: where snapshots and notes go.
        names: of the services.
    """

    def __init__(self, settings: Settings, config: Path | None, shown: Display, *, names: Sequence[str] = FLOW) -> None:
        self._notes: list[str] = []
        self._shown = shown
        self.pipeline = Pipeline(settings, config, names=names, on_event=self._happened)
        self._settings = settings
        self._api_url: str | None = None

    def _happened(self, text: str) -> None:
        at = dt.datetime.now(dt.UTC).strftime("%H:%M:%S")
        self._notes = [*self._notes, f"{at} {text}"][-_KEPT_NOTES:]
        with _unless_gone():
            self._shown.note(text)
        logging.getLogger(__name__).warning("%s", text)

    async def conduct(
        self, until: Until, wish: StopWish, before_stop: Callable[[], Awaitable[None]] | None = None
    ) -> list[str]:
        """Start the services, show them until the condition holds or a signal asks to stop, and stop them in order.

        Args:
            until: asked with each snapshot.
            wish: set by signals.
            before_stop: awaited while everything still runs; it must be quick.

        Returns:
            Sentences about services that did not end as they should.
        """
        try:
            await self.pipeline.start()
            async with Collector(self._settings) as collector:
                await self._watch(collector, until, wish)
                with _unless_gone():
                    self._shown.stopping(_order(self.pipeline.names))
                if before_stop is not None:
                    await before_stop()
                return await self._stop(collector, wish)
        except BaseException:
            await self.pipeline.kill()
            raise

    async def _watch(self, collector: Collector, until: Until, wish: StopWish) -> None:
        """Show the pipeline every second until a condition holds or somebody wants it to end."""
        while not wish.asked.is_set():
            self.pipeline.write_down()
            if await until(await self._show(collector)):
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(wish.asked.wait(), SHOW_EVERY_S)

    async def _show(self, collector: Collector) -> Snapshot:
        snapshot = await collector.snapshot(self.pipeline.services(), self._notes)
        with _unless_gone():
            if snapshot.api_url is not None and snapshot.api_url != self._api_url:
                self._api_url = snapshot.api_url
                self._shown.note(f"the archive is served at {self._api_url}")
            self._shown.update(snapshot)
        return snapshot

    async def _keep_showing(self, collector: Collector) -> None:
        while True:
            await self._show(collector)
            await asyncio.sleep(SHOW_STOP_EVERY_S)

    async def _stop(self, collector: Collector, wish: StopWish) -> list[str]:
        """Stop the services in order, and show how they end, unless somebody wants it at once."""
        stopping = asyncio.create_task(self.pipeline.stop(wish.asked_at_s))
        async with running_beside(self._keep_showing(collector)):
            await first_of(stopping, wish.at_once)
        if not stopping.done():
            await cancel(stopping)
            await self.pipeline.kill()
            return ["stopped at once, undrained: what was not archived yet is read again at the next start"]
        with contextlib.suppress(TimeoutError):  # the last view stays on the terminal
            async with asyncio.timeout(SHOW_EVERY_S):
                await self._show(collector)
        return [
            f"{name} ended with exit code {code}: what it had not finished is read again at the next start"
            for name, code in stopping.result().items()
            if code
        ]


def _order(names: Sequence[str]) -> str:
    """Say in which order services are stopped."""
    flow = ", then ".join(name for name in names if name in FLOW)
    beside = ", ".join(name for name in names if name not in FLOW)
    return f"stopping: {flow}" + (f"; beside them {beside}" if beside else "")


def _unless_gone() -> contextlib.AbstractContextManager[None]:
    """The terminal may be gone; the work is not."""
    return contextlib.suppress(OSError)
