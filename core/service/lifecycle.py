"""The lifecycle of one service: health endpoints first, then start, run, drain and close, and its exit code.

Exit codes: 0 stopped (or done) with everything drained; 1 the service failed; 2 its settings, or a server that they
name, cannot be used; 3 a deadline passed or a second signal came, so something may be left undone, which the next start
repeats.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from enum import StrEnum

from core import metrics, waiting
from core.errors import OperatorError
from core.flag import Flag
from core.service import gc_tuning
from core.service.abandoned_lookups import pass_over_abandoned_lookups
from core.service.base import Service, UndrainedError
from core.service.health import HealthServer
from core.service.progress import log_progress
from core.service.signals import StopSignals
from core.service.watchdog import Watchdog
from core.settings.errors import SettingsError
from core.tasks import cancel, first_of

logger = logging.getLogger(__name__)

OK, FAILED, SETTINGS, UNDRAINED = 0, 1, 2, 3

# Closing connections that have nothing left to send; longer than a TCP close and a group's leave request take.
CLOSE_S = 5.0
_TICK_S = 1.0


class Phase(StrEnum):
    """What the process is doing, as `/status` shows it."""

    STARTING = "starting"
    RUNNING = "running"
    DRAINING = "draining"
    CLOSING = "closing"


class Lifecycle:
    """One run of one service. `request_stop` may be called from any thread, any number of times."""

    def __init__(self, service: Service, watchdog: Watchdog, close_s: float = CLOSE_S) -> None:
        self.service = service
        self.phase = Phase.STARTING
        self._watchdog = watchdog
        self._close_s = close_s
        self._loop: asyncio.AbstractEventLoop | None = None
        self._started_ms = time.time_ns() // 1_000_000
        self._stop_requested = False
        self._has_started = False
        self._lag_s = 0.0

    def request_stop(self, why: str) -> None:
        """Begin the drain, with its deadline counted from now, even while the event loop is blocked."""
        if self._stop_requested:
            return
        self._stop_requested = True
        self._watchdog.arm(self.service.settings.drain_s, "the drain", UNDRAINED)
        logger.info("stopping: %s", why)
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended by itself meanwhile
                self._loop.call_soon_threadsafe(self.service.stopping.set)

    async def run(self, signals: StopSignals) -> int:
        """Run the service through its lifecycle and return the exit code."""
        self._loop = asyncio.get_running_loop()
        pass_over_abandoned_lookups(self._loop)
        signals.attach()
        if self._stop_requested:  # in the moment before the loop ran
            self.service.stopping.set()
        heartbeat = asyncio.create_task(self._beat(), name="heartbeat")
        health = HealthServer(self.service.settings.http, self)
        code = FAILED
        try:
            await health.start()
            await self._work()
            code = OK
        except UndrainedError as error:
            logger.warning("%s leaves work to its next start: %s", self.service.name, error)
            code = UNDRAINED
        except SettingsError as error:
            # What a person must correct is a sentence: where in the code it was found is of no use for that.
            logger.error("%s cannot run: in the settings: %s", self.service.name, error)  # noqa: TRY400
            code = SETTINGS
        except OperatorError as error:
            logger.error("%s failed: %s", self.service.name, error)  # noqa: TRY400 - the sentence says it all
        except Exception:
            logger.exception("%s failed", self.service.name)
        self.phase = Phase.CLOSING
        self._watchdog.arm(self._close_s, "closing", code or UNDRAINED)
        for what, closing in (("connections", self.service.close()), ("health server", health.stop())):
            try:
                await closing
            except Exception:
                logger.exception("closing the %s failed", what)
                code = code or FAILED
        await cancel(heartbeat)
        self._watchdog.rest()
        return code

    async def _work(self) -> None:
        service = self.service
        if not await self._first(asyncio.create_task(service.start(), name="start"), service.stopping):
            logger.info("stopped before the service had started")
            return
        self._has_started = True
        self.phase = Phase.RUNNING
        service.spawn(self._tick(), "tick")
        service.spawn(gc_tuning.settle_and_collect(), "garbage")
        if service.progress:
            service.spawn(log_progress(service.progress), "progress")
        logger.info("%s is running", service.name)
        run = asyncio.create_task(service.run(), name="run")
        await self._first(run, service.stopping, cut_short=False)
        self.phase = Phase.DRAINING
        if not self._stop_requested:
            self._watchdog.arm(service.settings.drain_s, "the drain", UNDRAINED)
        service.stopping.set()
        await self._first(asyncio.create_task(self._drain(run), name="drain"))
        logger.info("%s is drained", service.name)

    async def _drain(self, run: asyncio.Task[None]) -> None:
        await run
        await self.service.drain()

    async def _first(self, work: asyncio.Task[None], *stop: Flag, cut_short: bool = True) -> bool:
        """Wait for the work, for a request to stop, or for a background task that fails.

        Returns:
            True when the work is done; False when it was cut short, or with `cut_short=False` left to go on, by it.

        Raises:
            Exception: what the work or the background task raised.
        """
        background = self.service.background
        await first_of(work, background.failed, *stop)
        if work.done():
            if work.cancelled():  # aiokafka is known to let out a cancellation of its own
                raise RuntimeError(f"{work.get_name()} was cancelled by something else")
            work.result()
        elif cut_short or background.failed.is_set():
            work.cancel()
            # A request to stop has its deadline already; a background task that failed has none that work could miss.
            await asyncio.wait({work}, timeout=self._close_s if background.failed.is_set() else None)
            background.check()
            if work.done() and not work.cancelled():
                work.result()
            return False
        background.check()
        return work.done()

    async def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._watchdog.beat(loop)
            due = loop.time() + _TICK_S
            await asyncio.sleep(_TICK_S)
            self._lag_s = max(0.0, loop.time() - due)
            metrics.LOOP_LAG.set(self._lag_s)

    async def _tick(self) -> None:
        while True:
            self.service.tick()
            await asyncio.sleep(_TICK_S)

    def alive(self) -> bool:
        """Return whether the event loop ran recently; an idle service is alive."""
        age_s = self._watchdog.age_s()
        return age_s is not None and age_s < self._watchdog.stall_s

    def reasons(self) -> list[str]:
        """Return why the service is not ready; empty when it is."""
        reasons = waiting.reasons()
        if self.phase is not Phase.RUNNING:
            return [str(self.phase), *reasons]
        own = self.service.ready()
        return reasons if own is None else [own, *reasons]

    def status(self) -> dict[str, object]:
        """Build the document of `/status`; under `details` the service's own part, once it has started."""
        reasons = self.reasons()
        return {
            "service": self.service.name,
            "pid": os.getpid(),
            "phase": self.phase,
            "ready": not reasons,
            "reasons": reasons,
            "started_at_ms": self._started_ms,
            "loop_lag_s": round(self._lag_s, 4),
            "metrics": metrics.values(),
            "details": self.service.status() if self._has_started else {},
        }
