"""Services that run for a data directory: `services.json` names them, and a lock lets one process start them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from bigbrotr.errors import CommandFailedError
from core.files import write_whole

FILE_NAME = "services.json"
LOCK_NAME = "supervisor.lock"
_START_TOLERANCE_S = 2.0  # psutil derives start times from boot time and clock ticks: two readings may differ slightly


@dataclass(frozen=True)
class RunningService:
    """One service process: `port` serves /status, /metrics, /healthz and /readyz on loopback."""

    name: str
    pid: int
    port: int
    started_at_s: float


def started_at_s(pid: int) -> float | None:
    """When a process started (Unix seconds), or None where there is no such process or it only waits to be reaped."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None


def write(data_dir: Path, services: list[RunningService]) -> None:
    """Replace the file in one step, so that a reader never sees half of it."""
    write_whole(data_dir / FILE_NAME, json.dumps([asdict(service) for service in services], indent=2) + "\n")


def remove(data_dir: Path) -> None:
    """Record that nothing runs any more."""
    with contextlib.suppress(FileNotFoundError):
        (data_dir / FILE_NAME).unlink()


def read(data_dir: Path) -> list[RunningService]:
    """Name the services that run for a data directory and are alive.

    A file left by a killed supervisor does no harm: a process id counts only with the start time written beside it.
    """
    try:
        entries = json.loads((data_dir / FILE_NAME).read_bytes())
        services = [RunningService(**entry) for entry in entries]
    except (OSError, ValueError, TypeError):
        return []
    return [service for service in services if _is_alive(service)]


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
        services = ", ".join(f"{service.name} (pid {service.pid})" for service in read(data_dir))
        raise CommandFailedError(
            f"services run already for {data_dir}{': ' if services else ''}{services}. "
            f"See them with `bigbrotr --data-dir {data_dir} status`, or choose another --data-dir"
        )
    try:
        yield
    finally:
        lock.release()


def _is_alive(service: RunningService) -> bool:
    started = started_at_s(service.pid)
    return started is not None and abs(started - service.started_at_s) <= _START_TOLERANCE_S
