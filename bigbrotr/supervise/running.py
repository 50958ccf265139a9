"""`services.json` in a data directory: the services that run for it, so that no command starts them twice."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from core.files import write_whole

FILE_NAME = "services.json"
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


def _is_alive(service: RunningService) -> bool:
    started = started_at_s(service.pid)
    return started is not None and abs(started - service.started_at_s) <= _START_TOLERANCE_S
