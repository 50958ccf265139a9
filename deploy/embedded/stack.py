"""Use, attach to and stop the embedded Kafka and PostgreSQL of a data directory.

A stack is its guard process. A process that uses the servers holds the stack by a shared lock: the first holder starts
it, the next ones attach, and it stops when the last one has released it or has died.
"""

from __future__ import annotations

import logging
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from core.settings import Settings
from deploy.embedded.errors import EmbeddedError, Report
from deploy.embedded.lock import FileLock, is_locked, locked
from deploy.embedded.paths import DataPaths
from deploy.embedded.reach import PARTITIONS, Servers, filled_in, refuse_credentials
from deploy.embedded.servers.kafka_properties import Properties
from deploy.embedded.servers.launch import SERVERS
from deploy.embedded.servers.process import end_left_over
from deploy.embedded.starting import POLL_S, STOP_TIMEOUT_S, Starting, running_guard, start_or_attach
from deploy.embedded.state import guard_lock, holders_lock, keep_file, read_state, start_lock

__all__ = [
    "PARTITIONS",
    "Ready",
    "Servers",
    "attach",
    "ensure_servers",
    "filled_in",
    "running_stack",
    "server_notes",
    "starting_servers",
    "stop",
]

log = logging.getLogger("embedded")

_OPEN_BROKER = (
    "the embedded Kafka that runs was started by an earlier version, and lets every user of this machine in: stop all "
    "that uses it, or say `bigbrotr embedded stop`, and the next start gives it a password"
)
_TURN_TIMEOUT_S = 900.0  # the process before us may be fetching 45 MB over a slow line


Ready = Callable[[], bool]
"""Whether the servers take connections; it returns at once. Raises EmbeddedError where they will not."""


@contextmanager
def ensure_servers(settings: Settings, *, report: Report = log.info) -> Iterator[Settings]:
    """Settings with both servers filled in, which run for the length of the block at least.

    Servers that the settings name are used as they are. For the rest, the stack of `settings.data_dir` is attached to
    if it runs, else started for as long as a process holds it. Where the embedded Kafka is used and no number of
    partitions is set, there are 4.

    Raises EmbeddedError (ArtifactsMissingError when a program can neither be found nor fetched), SettingsError where
    the settings have a password for a PostgreSQL, or a protocol for a Kafka, that they do not name.
    """
    with starting_servers(settings, report=report) as (filled, ready):
        _wait_until(ready)
        yield filled


@contextmanager
def starting_servers(settings: Settings, *, report: Report = log.info) -> Iterator[tuple[Settings, Ready]]:
    """As `ensure_servers`, but the block begins once the addresses are known: it asks whether the servers are ready."""
    given = {"kafka": settings.kafka.bootstrap_servers, "postgres": settings.postgres.dsn}
    wanted = tuple(name for name in SERVERS if given[name] is None)
    if not wanted:
        yield settings, lambda: True
        return
    refuse_credentials(settings)
    with _held(settings.data_dir, wanted, report) as (servers, starting):
        yield filled_in(settings, servers), starting.ready


@contextmanager
def running_stack(
    data_dir: Path,
    *,
    names: tuple[str, ...] = SERVERS,
    keep: bool = False,
    report: Report = log.info,
    kafka_properties: Properties = MappingProxyType({}),
) -> Iterator[Servers]:
    """Hold the stack of a data directory, started if need be, for the length of the block.

    With `keep`, its servers run on after the block, until they are told to stop. A broker that is started gets
    `kafka_properties` beside its own or in their place.

    When the last holder leaves the block, the servers have stopped. Raises EmbeddedError.
    """
    with _held(data_dir, names, report, kafka_properties) as (servers, starting):
        _wait_until(starting.ready)
        if keep:
            keep_file(DataPaths.of(data_dir).run).touch()
        yield servers


@contextmanager
def _held(
    data_dir: Path, names: tuple[str, ...], report: Report, kafka_properties: Properties = MappingProxyType({})
) -> Iterator[tuple[Servers, Starting]]:
    paths = DataPaths.of(data_dir)
    holder = FileLock(holders_lock(paths.run))
    try:
        try:
            paths.make()
            holder.acquire(shared=True, timeout_s=STOP_TIMEOUT_S)  # waits while a guard is stopping its servers
            with locked(start_lock(paths.run), timeout_s=_TURN_TIMEOUT_S):
                starting = start_or_attach(paths, names, report=report, kafka_properties=kafka_properties)
                servers = Servers.of(starting.wait_known())
            if servers.broker is not None and servers.broker.password is None:
                report(_OPEN_BROKER)
        except (OSError, subprocess.SubprocessError) as error:
            raise EmbeddedError(f"the servers of {paths.root} cannot be started: {error}") from error
        yield servers, starting
    finally:
        holder.release()
        _wait_if_last(paths)


def attach(data_dir: Path) -> Servers | None:
    """How to reach the servers that run for a data directory now, without holding them; None if none do."""
    paths = DataPaths.of(data_dir)
    current = running_guard(paths) if paths.run.is_dir() else None
    return Servers.of(current) if current is not None else None


def server_notes(data_dir: Path) -> dict[str, str]:
    """What a person may want to know of the servers that run for a data directory: restarts, or why one is away."""
    current = read_state(DataPaths.of(data_dir).run)
    if current is None or current.guard.process() is None:
        return {}
    notes = {
        name: server.error or (f"restarts: {server.restarts}" if server.restarts else "")
        for name, server in current.servers.items()
    }
    return {name: note for name, note in notes.items() if note}


def stop(data_dir: Path) -> bool:
    """Stop the stack of a data directory, even while processes use it; False if none runs.

    Raises EmbeddedError when it does not stop in time.
    """
    paths = DataPaths.of(data_dir)
    if not paths.run.is_dir():
        return False
    keep_file(paths.run).unlink(missing_ok=True)
    current = running_guard(paths)
    process = current.guard.process() if current is not None else None
    if process is None:
        return False
    process.send_signal(signal.SIGTERM)
    _wait_unlocked(paths)
    return True


def _wait_until(ready: Ready) -> None:
    while not ready():
        time.sleep(POLL_S)


def _wait_unlocked(paths: DataPaths) -> None:
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while is_locked(guard_lock(paths.run)):
        if time.monotonic() > deadline:
            raise EmbeddedError(f"the guard of {paths.root} does not stop; its log is {paths.run / 'guard.log'}")
        time.sleep(POLL_S)


def _wait_if_last(paths: DataPaths) -> None:
    """Wait until the servers have ended, if no other process holds them: the caller may remove the data directory."""
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while time.monotonic() < deadline and paths.run.is_dir() and is_locked(guard_lock(paths.run)):
        probe = FileLock(holders_lock(paths.run))
        unheld = probe.try_acquire()
        others = not unheld and probe.try_acquire(shared=True)  # refused only while the guard stops, having it alone
        probe.release()
        if others or keep_file(paths.run).exists():
            return
        time.sleep(POLL_S)
    current = read_state(paths.run)
    if current is not None and current.guard.process() is None:  # else another holder has started the next guard
        for server in current.servers.values():
            end_left_over(server.process)
