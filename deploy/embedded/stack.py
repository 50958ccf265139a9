"""Start, attach to, hold and stop the embedded Kafka and PostgreSQL of a data directory.

A stack is its guard process. Whoever uses the servers holds the stack by a shared lock: the first holder starts it, the
next ones attach, and it stops when the last one has let go or has died.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from core.settings import Settings
from deploy.embedded import kafka, postgres, state
from deploy.embedded.errors import EmbeddedError
from deploy.embedded.launch import SERVERS, launch_file
from deploy.embedded.lock import FileLock, is_locked, locked
from deploy.embedded.paths import DataPaths
from deploy.embedded.process import environment

log = logging.getLogger("embedded")

PARTITIONS = 4  # one node and few cores gain nothing from more, and each costs files and a seen-set
_POLL_S = 0.05
_READY_TIMEOUT_S = 90.0  # both are ready after 2 s; reading the logs after a kill, on a busy machine, takes longer
_START_TIMEOUT_S = 900.0  # another process may be downloading 45 MB over a slow line
_STOP_TIMEOUT_S = 20.0  # above the guard's own deadline for its servers

Report = Callable[[str], None]
"""Is told, in a few words, what takes time."""


@dataclass(frozen=True)
class Servers:
    """How to reach the servers of a running stack; None for one that it does not run."""

    bootstrap_servers: str | None
    dsn: SecretStr | None


@contextmanager
def ensure_servers(settings: Settings, *, keep: bool = False, report: Report = log.info) -> Iterator[Settings]:
    """Settings with both servers filled in, which run for the length of the block at least.

    Servers that the settings name are used as they are. For the rest, the stack of `settings.data_dir` is attached to
    if it runs, else started for as long as somebody needs it; with `keep`, until it is told to stop. Where the embedded
    Kafka is used and nobody has chosen a number of partitions, there are 4.

    Raises EmbeddedError (ArtifactsMissingError when a program can neither be found nor fetched).
    """
    wanted = tuple(
        name
        for name, given in (("kafka", settings.kafka.bootstrap_servers), ("postgres", settings.postgres.dsn))
        if given is None
    )
    if not wanted:
        yield settings
        return
    with running_stack(settings.data_dir, servers=wanted, keep=keep, report=report) as servers:
        yield _filled_in(settings, servers, wanted)


def _filled_in(settings: Settings, servers: Servers, wanted: tuple[str, ...]) -> Settings:
    update = {}
    if "kafka" in wanted:
        chosen: dict[str, object] = {"bootstrap_servers": servers.bootstrap_servers}
        if "partitions" not in settings.kafka.model_fields_set:
            chosen["partitions"] = PARTITIONS
        update["kafka"] = settings.kafka.model_copy(update=chosen)
    if "postgres" in wanted:
        update["postgres"] = settings.postgres.model_copy(update={"dsn": servers.dsn})
    return settings.model_copy(update=update)


@contextmanager
def running_stack(
    data_dir: Path, *, servers: tuple[str, ...] = SERVERS, keep: bool = False, report: Report = log.info
) -> Iterator[Servers]:
    """Hold the stack of a data directory, started if need be, for the length of the block.

    Raises EmbeddedError when it does not become ready.
    """
    paths = DataPaths.of(data_dir)
    paths.make()
    holder = FileLock(state.holders_lock(paths.run))
    holder.acquire(shared=True, timeout_s=_START_TIMEOUT_S)  # waits while a guard is stopping its servers
    try:
        with locked(state.start_lock(paths.run), timeout_s=_START_TIMEOUT_S):
            if keep:
                state.keep_file(paths.run).touch()
            reached = _start_or_attach(paths, servers, keep=keep, report=report)
        yield reached
    finally:
        holder.release()
        _wait_if_last(paths)


def _start_or_attach(paths: DataPaths, servers: tuple[str, ...], *, keep: bool, report: Report) -> Servers:
    """The servers, ready. Call it with the start lock held."""
    alive = is_locked(state.guard_lock(paths.run))
    running = state.read_state(paths.run) if alive else None
    for name in SERVERS:
        if not alive:
            launch_file(paths.run, name).unlink(missing_ok=True)
        if name in servers and not (running and name in running.servers):
            _prepare(name, paths, report)
    guard = None
    if not alive:
        if not keep:
            state.keep_file(paths.run).unlink(missing_ok=True)
        guard = _spawn_guard(paths)
    return _wait_ready(paths, servers, guard)


def _prepare(name: str, paths: DataPaths, report: Report) -> None:
    if name == "kafka":

        def progress(done: int, total: int) -> None:
            report(f"fetching Apache Kafka: {done / 1e6:.0f} of {total / 1e6:.0f} MB")

        kafka.prepare(paths, progress).write(paths.run)
    else:
        postgres.prepare(paths).write(paths.run)


def _spawn_guard(paths: DataPaths) -> subprocess.Popen[bytes]:
    """Start the guard in a session of its own: Ctrl-C is for the services, which still need the servers to drain."""
    with (paths.run / "guard.out").open("wb") as output:
        return subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "deploy.embedded.guard", str(paths.root)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=Path(__file__).resolve().parents[2],
            env=environment(),
            start_new_session=True,
        )


def _wait_ready(paths: DataPaths, servers: tuple[str, ...], guard: subprocess.Popen[bytes] | None) -> Servers:
    deadline = time.monotonic() + _READY_TIMEOUT_S
    while True:
        if guard is not None and guard.poll() is not None:
            raise EmbeddedError(
                f"the guard of {paths.root} ended with exit code {guard.returncode}: {_last_words(paths, 'guard.out')}"
            )
        current = state.read_state(paths.run)
        if current is not None and (guard is None or current.guard == guard.pid):
            mine = [current.servers[name] for name in servers if name in current.servers]
            if len(mine) == len(servers) and all(server.ready for server in mine):
                return _servers(current)
            failing = next((server for server in mine if server.error and server.restarts > 2), None)  # noqa: PLR2004 - once may be bad luck
            if failing is not None and guard is not None:
                _stop_guard(paths)
                raise EmbeddedError(
                    f"{failing.name} does not start: {failing.error}: {_last_words(paths, f'{failing.name}.log')}"
                )
        if time.monotonic() > deadline:
            raise EmbeddedError(
                f"the servers of {paths.root} are not ready after {_READY_TIMEOUT_S:.0f} s; their logs are in {paths.run}"
            )
        time.sleep(_POLL_S)


def _last_words(paths: DataPaths, name: str) -> str:
    try:
        return (paths.run / name).read_text(encoding="utf-8", errors="replace").strip()[-1500:]
    except OSError:
        return "it left no log"


def _servers(current: state.StackState) -> Servers:
    broker, database = current.servers.get("kafka"), current.servers.get("postgres")
    return Servers(broker.address if broker else None, SecretStr(database.address) if database else None)


def attach(data_dir: Path) -> Servers | None:
    """How to reach the servers that run for a data directory now, without holding them; None if none do."""
    paths = DataPaths.of(data_dir)
    if not paths.run.is_dir() or not is_locked(state.guard_lock(paths.run)):
        return None
    current = state.read_state(paths.run)
    return None if current is None or current.stopping else _servers(current)


def stop(data_dir: Path) -> bool:
    """Stop the stack of a data directory, whoever uses it; False if none runs.

    Raises EmbeddedError when it does not stop in time.
    """
    paths = DataPaths.of(data_dir)
    if not paths.run.is_dir():
        return False
    state.keep_file(paths.run).unlink(missing_ok=True)
    if not is_locked(state.guard_lock(paths.run)):
        return False
    _stop_guard(paths)
    return True


def _stop_guard(paths: DataPaths) -> None:
    current = state.read_state(paths.run)
    if current is not None:
        os.kill(current.guard, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_TIMEOUT_S
    while is_locked(state.guard_lock(paths.run)):
        if time.monotonic() > deadline:
            raise EmbeddedError(
                f"the guard of {paths.root} has not stopped after {_STOP_TIMEOUT_S:.0f} s; its log is {paths.run / 'guard.log'}"
            )
        time.sleep(_POLL_S)


def _wait_if_last(paths: DataPaths) -> None:
    """Wait until the servers have stopped, if nobody else holds them: the caller may remove the data directory next."""
    deadline = time.monotonic() + _STOP_TIMEOUT_S
    while time.monotonic() < deadline and is_locked(state.guard_lock(paths.run)):
        probe = FileLock(state.holders_lock(paths.run))
        nobody = probe.try_acquire()
        others = not nobody and probe.try_acquire(
            shared=True
        )  # refused only while the guard has it to itself and stops
        probe.release()
        if others or state.keep_file(paths.run).exists():
            return
        time.sleep(_POLL_S)
