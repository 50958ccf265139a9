"""Starts a stack: prepares what is missing, starts its guard, waits until the servers are ready, or reports why not."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType

from deploy.embedded.errors import EmbeddedError, Report
from deploy.embedded.lock import is_locked
from deploy.embedded.paths import DataPaths
from deploy.embedded.servers import kafka, postgres
from deploy.embedded.servers.kafka_properties import Properties
from deploy.embedded.servers.launch import SERVERS, launch_file
from deploy.embedded.state import ServerState, StackState, guard_lock, keep_file, read_state

POLL_S = 0.05
STOP_TIMEOUT_S = 20.0  # above the guard's own deadline for its servers
_READY_TIMEOUT_S = 90.0  # both are ready after 2 s; reading the logs after a kill, on a busy machine, takes longer
_TOO_MANY_FAILURES = 4  # once or twice may be bad luck: a port taken, a predecessor still ending
_LAST_WORDS = 1500  # characters of a log that say why its server ended, and fit on a screen


def running_guard(paths: DataPaths) -> StackState | None:
    """What the running guard says; None if none runs. Waits for one that is just starting or stopping.

    Raises EmbeddedError when it neither starts nor stops in time.
    """
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while is_locked(guard_lock(paths.run)):
        current = read_state(paths.run)
        if current is not None and not current.stopping and current.guard.process() is not None:
            return current
        if time.monotonic() > deadline:
            raise EmbeddedError(f"the guard of {paths.root} is stuck; its log is {paths.run / 'guard.log'}")
        time.sleep(POLL_S)
    return None


class Starting:
    """Servers that a guard was told to run: first their addresses are known, and then they are ready."""

    def __init__(self, paths: DataPaths, names: tuple[str, ...]) -> None:
        """Give them from now on the time that a start may take."""
        self._paths = paths
        self._names = names
        self._deadline_s = time.monotonic() + _READY_TIMEOUT_S

    def ready(self) -> bool:
        """Whether they take connections; it returns at once.

        Raises EmbeddedError where that takes too long, one does not start, or the guard has ended.
        """
        current = self._known()
        if current is not None and all(current.servers[name].ready for name in self._names):
            return True
        self._check_time()
        return False

    def wait_known(self) -> StackState:
        """Return what the guard says, once it knows them all; raises EmbeddedError as `ready` does."""
        while (current := self._known()) is None:
            self._check_time()
            time.sleep(POLL_S)
        return current

    def _known(self) -> StackState | None:
        paths = self._paths
        if not is_locked(guard_lock(paths.run)):
            words = _last_words(paths.run / "guard.out")
            raise EmbeddedError(f"the guard of {paths.root} ended while we waited for its servers: {words}")
        current = read_state(paths.run)
        if current is None or current.guard.process() is None:
            return None
        mine = {name: current.servers[name] for name in self._names if name in current.servers}
        _check_failures(paths, mine)
        return current if len(mine) == len(self._names) else None

    def _check_time(self) -> None:
        if time.monotonic() > self._deadline_s:
            raise EmbeddedError(
                f"the servers of {self._paths.root} are not ready after {_READY_TIMEOUT_S:.0f} s; "
                f"their logs are in {self._paths.run}",
            )


def start_or_attach(
    paths: DataPaths,
    names: tuple[str, ...],
    *,
    report: Report,
    kafka_properties: Properties = MappingProxyType({}),
) -> Starting:
    """Have the guard run these servers. Call it as a holder, and with the start lock held.

    A broker that runs already keeps the properties it has.

    Raises EmbeddedError.
    """
    running = running_guard(paths)
    if running is None:
        for name in SERVERS:
            launch_file(paths.run, name).unlink(missing_ok=True)
        keep_file(paths.run).unlink(missing_ok=True)  # of a stack that a reboot ended
    wanted = [name for name in names if running is None or name not in running.servers]
    # Side by side: each waits for programs of its own, at the first start for seconds, and the guard starts a server as
    # soon as it is told of it. Kafka's part is here, as Ctrl-C reaches only this thread, and it may be a long download.
    with ThreadPoolExecutor(2) as pool:
        beside = [pool.submit(_spawn_guard, paths)] if running is None else []
        if "postgres" in wanted:
            beside.append(pool.submit(lambda: postgres.prepare(paths, report).write(paths.run)))
        if "kafka" in wanted:
            kafka.prepare(paths, report, kafka_properties).write(paths.run)
        for one in beside:
            one.result()
    if running is None:
        report(f"starting {' and '.join(names)}")
    return Starting(paths, names)


def _spawn_guard(paths: DataPaths) -> None:
    """Start the guard in a session of its own: Ctrl-C is for the services, which still need the servers to drain."""
    with (paths.run / "guard.out").open("wb") as output:
        done = subprocess.run(  # noqa: S603 - our own command line
            [sys.executable, "-m", "deploy.embedded.guard", str(paths.root)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=Path(__file__).resolve().parents[2],
            env={name: value for name, value in os.environ.items() if not name.startswith("BIGBROTR_")},
            start_new_session=True,
            timeout=_READY_TIMEOUT_S,
            check=False,
        )
    if done.returncode != 0:
        raise EmbeddedError(f"the guard of {paths.root} does not start: {_last_words(paths.run / 'guard.out')}")


def _check_failures(paths: DataPaths, servers: dict[str, ServerState]) -> None:
    for name, server in servers.items():
        if server.failures >= _TOO_MANY_FAILURES:
            raise EmbeddedError(f"{name} does not start, {server.error}:\n{_last_words(paths.run / f'{name}.log')}")


def _last_words(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()[-_LAST_WORDS:] or "it said nothing"
    except OSError:
        return "it left no log"
