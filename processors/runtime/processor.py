"""Faust's app and the validate agent together, and the watch over them.

The app is started directly and not by `faust.Worker`: signals, logging, health and exit codes are ours, and no web
server exists. A crash of any part of Faust, a lane that fails, a revoke that drains for too long and a consumer that
stands still beside work are all raised by `watch`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import faust

from core import kafka, metrics
from core.settings import Settings
from core.waiting import until_it_works
from processors.runtime.app import create_app
from processors.runtime.clients import Clients
from processors.runtime.context import Context
from processors.runtime.continuity import Continuity
from processors.runtime.lanes import Validator, attach
from processors.runtime.room import Room
from processors.runtime.stall import StallDetector, work_and_progress
from processors.validate.outputs import Outputs
from processors.validate.verify import Verifier
from schemas.judge import Policy

log = logging.getLogger(__name__)

# Often enough for dashboards and the stall detector; three small requests each.
_LAG_EVERY_S = 5.0
# A broker that takes longer for three small requests is away.
_LAG_TIMEOUT_S = 20.0
# Between two answers there is `_LAG_EVERY_S`; a broker that is silent for this long is reported as away.
_SILENT_S = 10.0
# A crash in Faust's consumer thread sets flags of the main loop without waking it.
_LOOK_EVERY_S = 0.25


class DrainError(RuntimeError):
    """Open bundles were not acknowledged within `processor.drain_s` of a revoke."""


class FaustCrashError(RuntimeError):
    """A part of Faust, or the agent, failed."""


class Processor:
    """One member of the consumer group on `raw.bundles`. Make it in the running loop.

    Args:
        settings: of the process.
        clients: started.
    """

    def __init__(self, settings: Settings, clients: Clients) -> None:
        self._settings = settings
        self._offsets = clients.offsets
        self._erasures = clients.erasures
        self._verifier = Verifier(settings.processor.verify_threads)
        self._context = Context(
            policy=Policy(archive_ephemeral=settings.processor.archive_ephemeral),
            erasing=clients.erasing,
            until_current=self._erasures.until_current,
            partitions=clients.partitions,
            bundles_in_flight=settings.processor.bundles_in_flight,
            seen_ids_per_partition=settings.processor.seen_ids_per_partition,
            verifier=self._verifier,
            outputs=Outputs(clients.producer, settings.kafka.topic_prefix, clients.partitions),
            room=Room(settings.kafka.in_flight_bytes),
            continuity=Continuity(self._offsets.committed, self._offsets.earliest),
            is_flowing=self._is_flowing,
        )
        self.validator = Validator(self._context)
        self._app = self._make_app()
        self._lag: dict[int, int] = {}
        self._answered_at = time.monotonic()
        self._revoking_since: float | None = None

    async def start(self) -> None:
        """Join the group, waiting for the broker."""
        await until_it_works("Kafka to let the processor join its group", self._start_app, kafka.is_transient)

    async def watch(self, stopping: asyncio.Event) -> None:
        """Return when `stopping` is set.

        Raises:
            FaustCrashError: Faust or the agent failed.
            DrainError: a revoke waited too long for open bundles.
            StalledError: bundles wait, the broker answers, and nothing is done.
            Exception: what a lane failed on.
        """
        stop = asyncio.create_task(stopping.wait(), name="stop")
        lag = asyncio.create_task(self._watch_lag(), name="lag")
        failure = self.validator.failure
        try:
            waited: set[asyncio.Future[Any]] = {stop, lag, failure}
            while not stop.done():
                await asyncio.wait(waited, timeout=_LOOK_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
                self._look()
                if lag.done():
                    lag.result()
        finally:
            stop.cancel()
            lag.cancel()

    async def drain(self) -> None:
        """Finish the bundles that are open, commit, leave the group. Keeps no deadline: the caller does.

        Raises:
            Exception: as `watch`; what is not acknowledged is then not committed.
        """
        stopped = asyncio.create_task(self._app.stop(), name="faust-stop")
        await asyncio.wait({stopped, self.validator.failure}, return_when=asyncio.FIRST_COMPLETED)
        self._look()
        stopped.result()

    async def abandon(self) -> None:
        """End Faust's thread without a drain: what is open will be read again."""
        self.validator.revoked()
        if not self._app.should_stop:
            await self._app.crash(FaustCrashError("abandoned without a drain"))

    def close(self) -> None:
        """Let the threads go."""
        self._verifier.close()

    def ready(self) -> str | None:
        """Tell why no bundles are being judged, or None."""
        if not self.validator.has_assignment:
            return "no partitions of raw.bundles are assigned yet"
        silent_s = time.monotonic() - self._answered_at
        if silent_s > _SILENT_S:
            return f"waiting for Kafka, which has not answered for {silent_s:.0f} s"
        if (reading := self._erasures.ready()) is not None:
            return reading
        return "the consumer group rebalances" if self._app.rebalancing else None

    def status(self) -> dict[str, object]:
        """Tell what is assigned, open and waiting."""
        return {
            "partitions": sorted(self.validator.assigned),
            "bundles_done": self._context.progress,
            "bundles_in_flight": self.validator.in_flight,
            "bytes_in_flight": self._context.room.used_bytes,
            "seen_keys": self.validator.seen_keys,
            "erasures": len(self._context.erasing.index),
            "lag": {str(partition): records for partition, records in self._lag.items()},
        }

    def _make_app(self) -> faust.App:
        app = create_app(self._settings)
        attach(app, self._settings.kafka.topic_prefix, self.validator)
        return app

    async def _start_app(self) -> None:
        # An app that failed to start cannot be started again.
        if self._app.started:
            self._app = self._make_app()
        await self._app.start()
        self._look()

    def _is_flowing(self) -> bool:
        return bool(self._app.flow_control.is_active()) and not self._app.should_stop

    def _look(self) -> None:
        if self.validator.failure.done():
            self.validator.failure.result()
        self._erasures.check()
        if self._app.crashed:
            raise FaustCrashError(f"Faust crashed: {self._app.crash_reason!r}") from self._app.crash_reason
        in_flight = self.validator.in_flight
        if not self._app.rebalancing or not in_flight:
            self._revoking_since = None
            return
        now = time.monotonic()
        if self._revoking_since is None:
            self._revoking_since = now
        elif now - self._revoking_since > self._settings.processor.drain_s:
            raise DrainError(
                f"{in_flight} bundles are not acknowledged {self._settings.processor.drain_s:g} s after a revoke"
            )

    async def _watch_lag(self) -> None:
        """Refresh the lag; raise when there is some and nothing moves although the broker answers."""
        stall = StallDetector()
        while True:
            await asyncio.sleep(_LAG_EVERY_S)
            try:
                async with asyncio.timeout(_LAG_TIMEOUT_S):
                    standing = await self._offsets.standing()
                self._answered_at = time.monotonic()
            except Exception as error:
                if not kafka.is_transient(error):
                    raise
                log.warning("the broker does not tell offsets: %r", error)
                stall.interrupt()
                continue
            self._lag = standing.lag
            mine = self.validator.assigned
            metrics.LAG.clear()
            for partition in mine:
                metrics.LAG.labels("raw.bundles", partition).set(standing.lag[partition])
            stall.observe(*work_and_progress(standing, mine, self._context.progress))
