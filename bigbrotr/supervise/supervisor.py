"""Supervisor: starts services as child processes, restarts one that dies, and stops them one by one.

Each child leads a session of its own, so that a Ctrl-C on the terminal reaches only the supervisor, which then stops
the children in the order of the flow. A child ends with a supervisor that is killed by its own watch (`core.parent`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from bigbrotr.supervise.bounded_log import BoundedLog
from core.backoff import Backoff
from core.flag import Flag
from core.restarts import RestartDelays, describe_exit

__all__ = ["Child", "ChildState", "Supervisor", "describe_exit"]

_READ_BYTES = 65536  # one pipe buffer on Linux
_LAST_PIPE_READ_S = 1.0  # a grandchild may keep the pipe open; the log of a dead child is complete long before
_KILL_WAIT_S = 5.0  # a killed process is gone in milliseconds unless the kernel holds it in I/O


class ChildState(StrEnum):
    """What a supervised process is doing."""

    RUNNING = "running"
    WAITING = "waiting"  # died, to be started again after a pause
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass
class Child:
    """One supervised process, as the views show it. Times ending in `_at` are `time.monotonic()` seconds."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    stdin: int
    state: ChildState = ChildState.STOPPED
    pid: int | None = None
    restarts: int = 0
    exit_code: int | None = None
    started_at: float = 0.0
    restart_at: float = 0.0
    last_line: str = ""
    stopping: Flag = field(default_factory=Flag)


def _default_backoff() -> Backoff:
    # Half a second is not noticed by a person; a minute does not flood a log when the cause stays for days.
    return Backoff(initial_s=0.5, max_s=60.0)


class Supervisor:
    """Keeps a set of named processes running until each is told to stop.

    `on_change` is called, without arguments, whenever a child starts, dies or stops, so that the caller can write down
    who runs. `on_event` gets one sentence for people about each death and restart.
    """

    def __init__(
        self,
        logs_dir: Path,
        *,
        on_change: Callable[[], None] = lambda: None,
        on_event: Callable[[str], None] = lambda _text: None,
        backoff: Callable[[], Backoff] = _default_backoff,
    ) -> None:
        self.children: dict[str, Child] = {}
        self._logs_dir = logs_dir
        self._on_change = on_change
        self._on_event = on_event
        self._backoff = backoff
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def start(
        self, name: str, argv: Sequence[str], env: Mapping[str, str], stdin: int = asyncio.subprocess.DEVNULL
    ) -> Child:
        """Start a process under `name` and keep it running; returns once it was started the first time.

        Args:
            name: of its log, and in views.
            argv: the command line.
            env: all of its environment.
            stdin: a descriptor that stays open for as long as the process may be started again.

        Raises:
            OSError: the program cannot be started at all.
        """
        child = Child(name, list(argv), dict(env), stdin)
        self.children[name] = child
        process = await self._spawn(child)
        self._tasks[name] = asyncio.create_task(self._keep(child, process), name=f"supervise-{name}")
        return child

    async def stop(self, name: str, timeout_s: float) -> int | None:
        """Ask a child to end with SIGTERM, kill it after `timeout_s`, and return its exit code (negative: a signal)."""
        child, task = self.children[name], self._tasks[name]
        child.stopping.set()
        if child.state is ChildState.RUNNING:
            child.state = ChildState.STOPPING
            self._signal(child, signal.SIGTERM)
        self._on_change()
        done, _ = await asyncio.wait({task}, timeout=timeout_s)
        if not done:
            self._on_event(f"{name} did not stop within {timeout_s:.0f} s and was killed")
            self._signal(child, signal.SIGKILL)
            await asyncio.wait({task}, timeout=_KILL_WAIT_S)
        return child.exit_code

    async def kill_all(self) -> None:
        """End whatever still runs, at once: the last resort of an error path."""
        for child in self.children.values():
            child.stopping.set()
            self._signal(child, signal.SIGKILL)
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=_KILL_WAIT_S)

    def _signal(self, child: Child, number: signal.Signals) -> None:
        if child.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                # start_new_session made the child the leader of a group: nothing that it started survives it.
                os.killpg(child.pid, number)

    async def _spawn(self, child: Child) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            *child.argv,
            env=dict(child.env),
            stdin=child.stdin,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        child.pid = process.pid
        child.started_at = time.monotonic()
        child.state = ChildState.STOPPING if child.stopping.is_set() else ChildState.RUNNING
        if child.stopping.is_set():
            self._signal(child, signal.SIGTERM)
        self._on_change()
        return process

    async def _keep(self, child: Child, process: asyncio.subprocess.Process | None) -> None:
        delays = RestartDelays(self._backoff())
        log = BoundedLog(self._logs_dir / f"{child.name}.log")
        while True:
            ran_s = 0.0
            if process is not None:
                await self._follow(child, process, log)
                ran_s = time.monotonic() - child.started_at
            if child.stopping.is_set():
                break
            delay_s = delays.next_s(ran_s)
            child.state, child.restart_at = ChildState.WAITING, time.monotonic() + delay_s
            self._on_event(f"{child.name} ended with {describe_exit(child.exit_code)}; starts again in {delay_s:.1f} s")
            self._on_change()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(child.stopping.wait(), delay_s)
                break
            child.restarts += 1
            try:
                process = await self._spawn(child)
            except OSError as error:  # out of processes or memory: as passing as any other death
                process, child.last_line = None, f"cannot start: {error}"
        child.state, child.pid = ChildState.STOPPED, None
        self._on_change()

    async def _follow(self, child: Child, process: asyncio.subprocess.Process, log: BoundedLog) -> None:
        pump = asyncio.create_task(_pump(child, process, log))
        child.exit_code = await process.wait()
        await asyncio.wait({pump}, timeout=_LAST_PIPE_READ_S)
        pump.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await pump
        child.pid = None


async def _pump(child: Child, process: asyncio.subprocess.Process, log: BoundedLog) -> None:
    assert process.stdout is not None
    while chunk := await process.stdout.read(_READ_BYTES):
        log.write(chunk)
        lines = chunk.splitlines()
        if lines and lines[-1].strip():
            child.last_line = lines[-1].decode("utf-8", "replace")[:500]  # enough for a view; the log has it whole
