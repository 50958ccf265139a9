"""The services of one pipeline as child processes: started, recorded in services.json, stopped in flow order."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import asyncpg
from aiokafka.errors import KafkaError

from bigbrotr.services import FLOW, READINGS, STOP_TIMES
from bigbrotr.status.lags import Lags, open_lags
from bigbrotr.status.snapshot import ServiceState
from bigbrotr.supervise import children, running
from bigbrotr.supervise.gate import Gate
from bigbrotr.supervise.supervisor import ChildState, Supervisor, describe_exit
from core.settings import Settings, SettingsError

CHILD_DRAIN_S = 2.2  # a service then ends by itself, with an exit code that says so, before it would be killed
_LEAST_S = 1.0  # whatever went before, a service gets this long: most need a tenth of it
_POLL_S = 0.1
_REACH_S = 1.0  # both servers are on this machine or near; the connector drains meanwhile


class Pipeline:
    """Runs the named services on servers that are there already."""

    def __init__(
        self,
        settings: Settings,
        config: Path | None,
        *,
        names: Sequence[str] = FLOW,
        on_event: Callable[[str], None] = lambda _text: None,
    ) -> None:
        self._settings = settings
        self._config = config
        self._gate = Gate()
        self._written: list[running.RunningService] | None = None
        self.names = [name for name in STOP_TIMES if name in names]
        self._supervisor = Supervisor(settings.data_dir / "logs", on_change=self.write_down, on_event=on_event)

    async def start(self) -> None:
        """Start every service; each waits by itself for what it needs."""
        await self.load()
        self.begin()

    async def load(self) -> None:
        """Start every service as far as it can be without its servers; `begin` lets it go on."""
        for name in self.names:
            file = children.port_file(self._settings, name)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.unlink(missing_ok=True)
            env = children.service_env(self._settings, self._config, name, os.environ)
            env["BIGBROTR_DRAIN_S"] = str(min(self._settings.drain_s, CHILD_DRAIN_S))
            await self._supervisor.start(name, children.service_argv(name), env, self._gate.descriptor)

    def begin(self) -> None:
        """Let the services begin their work: servers, topics and tables are there."""
        self._gate.open()

    def services(self) -> list[ServiceState]:
        """The services as the supervisor knows them, without their health."""
        states = []
        for child in self._supervisor.children.values():
            port = children.read_port(self._settings, child.name) if child.state is ChildState.RUNNING else None
            note = ""
            if child.state is ChildState.WAITING:
                wait_s = max(0.0, child.restart_at - time.monotonic())
                note = f"{describe_exit(child.exit_code)}, again in {wait_s:.0f} s: {child.last_line}"
            states.append(ServiceState(child.name, child.state, child.pid, port, None, child.restarts, note))
        return states

    def write_down(self) -> None:
        """Write services.json if it has changed: what runs now, for `status` and for commands that need a service.

        A port is known a moment after its service has started, so call it now and then.
        """
        entries = []
        for state in self.services():
            started = running.started_at_s(state.pid) if state.pid is not None else None
            if state.pid is not None and started is not None:
                entries.append(running.RunningService(state.name, state.pid, state.port or 0, started))
        if entries != self._written:
            running.write(self._settings.data_dir, entries)
            self._written = entries

    async def stop(self, asked_at_s: float | None = None) -> dict[str, int | None]:
        """Stop in flow order, each once it has nothing left to read or its time is up; the exit codes, by service.

        Those outside of the flow are stopped beside it.

        Args:
            asked_at_s: of `time.monotonic`, when somebody wanted the end; now, unless given.
        """
        asked_at_s = time.monotonic() if asked_at_s is None else asked_at_s
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
            beside = [name for name in self.names if name not in FLOW]
            stops = {name: group.create_task(self._stop_one(name, asked_at_s)) for name in beside}
            lags = await self._reach(stack)
            codes: dict[str, int | None] = {}
            for name in self.names:
                times, reading = STOP_TIMES[name], READINGS.get(name)
                if name in stops:
                    continue
                if lags is not None and reading is not None:
                    await _until_zero(partial(lags.unread, reading), asked_at_s + times.told_at_s)
                codes[name] = await self._stop_one(name, asked_at_s)
            codes |= {name: await stop for name, stop in stops.items()}
        self._end()
        return codes

    async def _stop_one(self, name: str, asked_at_s: float) -> int | None:
        left_s = asked_at_s + STOP_TIMES[name].killed_at_s - time.monotonic()
        return await self._supervisor.stop(name, max(_LEAST_S, left_s))

    async def _reach(self, stack: AsyncExitStack) -> Lags | None:
        """Connect to the servers; where one is away or refuses, nothing can be drained and there is no wait for it."""
        try:
            async with asyncio.timeout(_REACH_S):
                return await stack.enter_async_context(open_lags(self._settings))
        except (TimeoutError, OSError, SettingsError):
            return None

    async def kill(self) -> None:
        """End every service at once: an error path, or a person who does not want to wait."""
        await self._supervisor.kill_all()
        self._end()

    def _end(self) -> None:
        self._gate.close()
        running.remove(self._settings.data_dir)


async def _until_zero(count: Callable[[], Awaitable[int]], deadline: float) -> None:
    """Wait until there is nothing left or the deadline (of `time.monotonic`) has passed."""
    try:
        async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
            while await count():  # noqa: ASYNC110 - other processes move the offsets, no event of ours tells of it
                await asyncio.sleep(_POLL_S)
    except (TimeoutError, KafkaError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError, SettingsError):
        return  # a server that goes away now, or lets none in any more, cannot be drained into
