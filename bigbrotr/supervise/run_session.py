"""The common part of `demo` and `run`: prepare the servers, run the services, show them, stop them in order."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import io
import logging
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from bigbrotr.console.display import Display
from bigbrotr.errors import CommandFailedError
from bigbrotr.status.collect import Collector
from bigbrotr.status.snapshot import Snapshot
from bigbrotr.supervise import running
from bigbrotr.supervise.bounded_log import BoundedLog
from bigbrotr.supervise.pipeline import Pipeline
from core import log
from core.settings import Settings

LOCK_NAME = "supervisor.lock"
SHOW_EVERY_S = 1.0
SHOW_STOP_EVERY_S = 0.3  # each service takes about this long to stop, and a person has asked for it and looks
_KEPT_NOTES = 4  # the live view has room for these

# Closing the terminal is as good as Ctrl-C: the view is not visible any more, and no key could stop it.
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


Until = Callable[[Snapshot], Awaitable[bool]]
"""Whether a snapshot is the last one that is needed."""


class _LogStream(io.TextIOBase):
    """A log file of bounded size as a stream for the `logging` module."""

    def __init__(self, path: Path) -> None:
        self._log = BoundedLog(path)

    def write(self, text: str) -> int:
        self._log.write(text.encode("utf-8", "backslashreplace"))
        return len(text)


def log_to_file(settings: Settings) -> None:
    """Keep this process's log out of the live view, in `logs/supervisor.log` of the data directory."""
    log.configure(settings, "supervisor")
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(_LogStream(settings.data_dir / "logs" / "supervisor.log"))


@contextmanager
def only_one(data_dir: Path) -> Iterator[None]:
    """Be the only one that runs services for a data directory, for the length of the block.

    Raises:
        CommandFailedError: somebody else does, or the directory cannot be written to.
    """
    from deploy.embedded.lock import FileLock  # noqa: PLC0415 - so that `--help` of a command stays quick

    lock = FileLock(data_dir / LOCK_NAME)
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        ours = lock.try_acquire()
    except OSError as error:
        raise CommandFailedError(
            f"the data directory {data_dir} cannot be used, {error.strerror}: choose another by --data-dir or "
            "BIGBROTR_DATA_DIR"
        ) from None
    if not ours:
        services = ", ".join(f"{service.name} (pid {service.pid})" for service in running.read(data_dir))
        raise CommandFailedError(
            f"services run already for {data_dir}{': ' if services else ''}{services}. "
            f"See them with `bigbrotr --data-dir {data_dir} status`, or choose another --data-dir"
        )
    try:
        yield
    finally:
        lock.release()


@asynccontextmanager
async def stop_on_signals() -> AsyncIterator[StopWish]:
    """Turn the first SIGINT, SIGTERM or SIGHUP into a request to stop, and a second one into one to stop at once."""
    wish = StopWish()
    loop = asyncio.get_running_loop()
    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, wish.note)
    try:
        yield wish
    finally:
        for number in _STOP_SIGNALS:
            loop.remove_signal_handler(number)


class StopWish:
    """Whether a stop was requested, since when (`time.monotonic`), and whether without waiting."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.at_once = asyncio.Event()
        self.asked_at_s: float | None = None

    def note(self) -> None:
        """Take note of a signal."""
        if self.asked.is_set():
            self.at_once.set()
            return
        self.asked_at_s = time.monotonic()
        self.asked.set()


class Session:
    """A running pipeline with its display.

    Args:
        settings: with the servers filled in.
        config: the settings file of the command line, handed on to the services.
        shown: where snapshots and notes go.
        exact: count rows even where that takes long.
    """

    def __init__(self, settings: Settings, config: Path | None, shown: Display, *, exact: bool = False) -> None:
        self._notes: list[str] = []
        self._exact = exact
        self._shown = shown
        self.pipeline = Pipeline(settings, config, on_event=self._happened)
        self._settings = settings

    def _happened(self, text: str) -> None:
        at = dt.datetime.now(dt.UTC).strftime("%H:%M:%S")
        self._notes = [*self._notes, f"{at} {text}"][-_KEPT_NOTES:]
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
            async with Collector(self._settings, exact=self._exact) as collector:
                await self._watch(collector, until, wish)
                if before_stop is not None:
                    await before_stop()
                self._shown.note("stopping: " + ", then ".join(self.pipeline.names))
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
        with contextlib.suppress(OSError):  # the terminal may be gone; the work is not
            self._shown.update(snapshot)
        return snapshot

    async def _keep_showing(self, collector: Collector) -> None:
        while True:
            await self._show(collector)
            await asyncio.sleep(SHOW_STOP_EVERY_S)

    async def _stop(self, collector: Collector, wish: StopWish) -> list[str]:
        """Stop the services in order, and show how they end, unless somebody wants it at once."""
        stopping = asyncio.create_task(self.pipeline.stop(wish.asked_at_s))
        hurry = asyncio.create_task(wish.at_once.wait())
        showing = asyncio.create_task(self._keep_showing(collector))
        await asyncio.wait({stopping, hurry}, return_when=asyncio.FIRST_COMPLETED)
        for task in (hurry, showing):
            task.cancel()
        await asyncio.gather(hurry, showing, return_exceptions=True)
        if not stopping.done():
            stopping.cancel()
            await asyncio.wait({stopping})
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
