"""A stack whose servers may be killed and stopped: it belongs to the tests of this folder, which run one by one."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import psutil

from deploy.embedded.paths import DataPaths
from deploy.embedded.servers.kafka_properties import Properties
from deploy.embedded.servers.launch import SERVERS
from deploy.embedded.stack import Servers, running_stack
from deploy.embedded.state import ServerState, read_state
from tests.waiting import until

log = logging.getLogger(__name__)

PATIENCE_S = 120.0  # ends a test that would hang: both servers are back within 15 s, also on a busy machine
# What writes PostgreSQL's log in the background: by trade, with dirty pages, or by commits of its own that wait for it.
_WRITERS = ("walwriter", "background writer", "checkpointer", "autovacuum launcher")
_AT_TIMES = "autovacuum worker"


@dataclass(frozen=True)
class OwnStack:
    """The servers of one data directory, their addresses and their processes."""

    folder: Path
    servers: Servers

    def state(self, name: str) -> ServerState:
        """What the guard says of `kafka` or `postgres`."""
        current = read_state(DataPaths.of(self.folder).run)
        assert current is not None
        return current.servers[name]

    def tree(self, name: str) -> list[psutil.Process]:
        """A server's process and, after it, those that it has started; empty while it does not run."""
        identity = self.state(name).process
        process = identity.process() if identity is not None else None
        if process is None:
            return []
        with contextlib.suppress(psutil.NoSuchProcess):
            return [process, *process.children(recursive=True)]
        return []

    def send(self, name: str, number: signal.Signals) -> int:
        """Send a signal to every process of a server, the parent first; return to how many."""
        return send(self.tree(name), number)

    def kill(self, name: str) -> None:
        """End every process of a server at once, as a power cut would.

        They stand still first: a process of PostgreSQL that notices the end of another puts its affairs in order, and
        commits what that takes, with all that was committed before.
        """
        processes = self.tree(name)
        send(processes, signal.SIGSTOP)
        send(processes, signal.SIGKILL)

    def kill_a_backend(self, pick: Callable[[list[psutil.Process]], psutil.Process]) -> bool:
        """Kill one process of PostgreSQL that serves a client: it answers by ending all and recovering."""
        backends = [one for one in self.tree("postgres")[1:] if _role(one).startswith("bigbrotr")]
        return bool(backends) and send([pick(backends)], signal.SIGKILL) > 0

    def hold_back_the_log(self) -> bool:
        """Stop what writes PostgreSQL's log in the background; tell whether all of it stands still since the last call.

        Commits that do not wait for the log then stay in memory alone: they are seen, and a kill of the server loses
        them, as a power cut does at any time.
        """
        writers = [one for one in self.tree("postgres")[1:] if _role(one).startswith((*_WRITERS, _AT_TIMES))]
        stopped = [one for one in writers if _is_stopped(one)]
        send(writers, signal.SIGSTOP)
        return len(stopped) == len(writers) >= len(_WRITERS)

    async def until_ready(self, *names: str) -> None:
        """Wait until the guard has servers running again."""

        def all_run() -> bool:
            return all(self.state(name).ready and self.tree(name) for name in names)

        await until(all_run, lambda: f"every server runs: {[self.state(name) for name in names]}", PATIENCE_S)


@contextmanager
def own_stack(
    folder: Path, names: tuple[str, ...] = SERVERS, kafka_properties: Properties = MappingProxyType({})
) -> Iterator[OwnStack]:
    """Run servers for the length of the block; a server that is still stopped then goes on first."""
    with running_stack(folder, names=names, kafka_properties=kafka_properties) as servers:
        stack = OwnStack(folder, servers)
        try:
            yield stack
        finally:
            for name in names:
                stack.send(name, signal.SIGCONT)


def send(processes: list[psutil.Process], number: signal.Signals) -> int:
    """Send a signal to processes; some may end on their own when the first is gone."""
    reached = 0
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            os.kill(process.pid, number)
            reached += 1
    return reached


def _role(process: psutil.Process) -> str:
    """What a process of PostgreSQL does, as its title says: `postgres: walwriter`."""
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline()).partition("postgres: ")[2]
    return ""


def _is_stopped(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.status() == psutil.STATUS_STOPPED)
    return False
