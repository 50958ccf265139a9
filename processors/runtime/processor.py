"""Runs the Faust app with its lanes, and supervises them.

The app is started directly and not by `faust.Worker`: signals, logging, health and exit codes are ours, and no web
server exists. A crash of any part of Faust, a lane that fails, a revoke that drains for too long and a consumer that
stands still beside work are all raised by `watch`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import faust

from core import kafka
from core.byte_limiter import ByteLimiter
from core.flag import Flag
from core.settings import Settings
from core.tasks import first_of
from core.waiting import until_it_works
from processors.runtime.app import create_app
from processors.runtime.clients import Clients
from processors.runtime.context import Context
from processors.runtime.continuity import Continuity
from processors.runtime.handler import Handler, Progress, State
from processors.runtime.lag import LagWatch
from processors.runtime.lanes import Lanes, attach
from processors.runtime.outputs import BatchPublisher, OutputPublisher
from processors.runtime.spec import ProcessorSpec
from schemas.topics import physical

# A broker is asked every 5 s (`LagWatch`); one that is silent for this long is reported as away.
_SILENT_S = 10.0
# A crash in Faust's consumer thread sets flags of the main loop without waking it.
_LOOK_EVERY_S = 0.25


class DrainError(RuntimeError):
    """Open records were not acknowledged within `drain_s` of a revoke."""


class FaustCrashError(RuntimeError):
    """A part of Faust, or an agent, failed."""


class Processor:
    """One member of a consumer group. Make it in the running loop.

    Args:
        settings: of the process.
        spec: what it reads and writes.
        handler: what it does with a record.
        clients: started, of the same spec.
        state: what must be known before a record is handled.
        publisher: takes what follows from a record; None: in batches of each record's own.
    """

    def __init__(
        self,
        settings: Settings,
        spec: ProcessorSpec,
        handler: Handler,
        clients: Clients,
        state: Sequence[State] = (),
        *,
        publisher: OutputPublisher | None = None,
    ) -> None:
        self._settings = settings
        self._spec = spec
        sources = {physical(settings.kafka.topic_prefix, name): name for name in spec.sources}
        self._context = Context(
            handler=handler,
            state=state,
            publisher=publisher or BatchPublisher(clients.producer),
            records_in_flight=spec.records_in_flight,
            room=ByteLimiter(spec.in_flight_bytes),
            continuity=Continuity(clients.offsets.committed, clients.offsets.earliest),
            is_flowing=self._is_flowing,
        )
        self._sources = tuple(sources)
        self._lanes = Lanes(self._context)
        self.lag = LagWatch(clients.offsets, sources, lambda: self._lanes.assigned, self._context.done.__getitem__)
        """Of the whole group; to be run beside the processor."""
        self._app = self._make_app()
        self._revoking_since: float | None = None
        self._drained = False

    @property
    def in_flight(self) -> int:
        """Records taken and not yet acknowledged."""
        return self._lanes.in_flight

    async def start(self) -> None:
        """Join the group, waiting for the broker."""
        await until_it_works(f"Kafka to let the {self._spec.name} join its group", self._start_app, kafka.is_transient)

    async def watch(self, stopping: Flag) -> None:
        """Return when `stopping` is set.

        Raises:
            FaustCrashError: Faust or an agent failed.
            DrainError: a revoke waited too long for open records.
            Exception: what a lane failed on.
        """
        while not stopping.is_set():
            await first_of(stopping, self._lanes.failure, timeout_s=_LOOK_EVERY_S)
            self._look()

    async def drain(self) -> None:
        """Finish the records that are open, commit, leave the group. Keeps no deadline: the caller does.

        Raises:
            Exception: as `watch`; what is not acknowledged is then not committed.
        """
        stopped = asyncio.create_task(self._app.stop(), name="faust-stop")
        await first_of(stopped, self._lanes.failure)
        self._look()
        stopped.result()
        self._drained = True

    async def close(self) -> None:
        """End Faust's thread without a drain where there was none: what is open will be read again."""
        if self._drained:
            return
        self._lanes.revoked()
        if not self._app.should_stop:
            await self._app.crash(FaustCrashError("abandoned without a drain"))

    def ready(self) -> str | None:
        """Return why no records are being handled, or None."""
        if not self._lanes.has_assignment:
            return f"no partitions of {', '.join(self._spec.sources)} are assigned yet"
        if (silent_s := self.lag.silent_s) > _SILENT_S:
            return f"waiting for Kafka, which has not answered for {silent_s:.0f} s"
        for state in self._context.state:
            if (reading := state.ready()) is not None:
                return reading
        return "the consumer group rebalances" if self._app.rebalancing else None

    def status(self) -> dict[str, object]:
        """Return what is assigned, open and waiting, as the handler words it."""
        context = self._context
        return context.handler.status(
            Progress(
                assigned=self._lanes.assigned,
                done=dict(context.done),
                in_flight=self.in_flight,
                bytes_in_flight=context.room.used_bytes,
                lag=self.lag.lag,
            )
        )

    def _make_app(self) -> faust.App:
        app = create_app(self._settings, self._spec)
        attach(app, self._sources, self._lanes)
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
        if self._lanes.failure.done():
            self._lanes.failure.result()
        for state in self._context.state:
            state.check()
        if self._app.crashed:
            raise FaustCrashError(f"Faust crashed: {self._app.crash_reason!r}") from self._app.crash_reason
        in_flight = self.in_flight
        if not self._app.rebalancing or not in_flight:
            self._revoking_since = None
            return
        now = time.monotonic()
        if self._revoking_since is None:
            self._revoking_since = now
        elif now - self._revoking_since > self._spec.drain_s:
            raise DrainError(f"{in_flight} records are not acknowledged {self._spec.drain_s:g} s after a revoke")
