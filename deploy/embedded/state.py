"""What the guard of a stack tells others, and the files that they use to tell it something."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from deploy.embedded.files import read_json


class Identity(NamedTuple):
    """A process that no other can be taken for: numbers are used again, start times are not."""

    pid: int
    created_s: float


def holders_lock(run: Path) -> Path:
    """Shared by everybody who uses the servers; exclusively the guard's once nobody does."""
    return run / "holders.lock"


def guard_lock(run: Path) -> Path:
    """Held by the guard for as long as it lives."""
    return run / "guard.lock"


def start_lock(run: Path) -> Path:
    """Held by the one process that starts or extends the stack."""
    return run / "start.lock"


def keep_file(run: Path) -> Path:
    """While it exists, the guard keeps the servers without any holder (`embedded start`)."""
    return run / "keep"


def state_file(run: Path) -> Path:
    """What the guard last wrote."""
    return run / "state.json"


class ServerState(NamedTuple):
    """One server as the guard sees it."""

    name: str
    ready: bool
    address: str
    pid: int | None
    restarts: int
    error: str | None


class StackState(NamedTuple):
    """The stack as its guard sees it."""

    guard: int
    stopping: bool
    servers: dict[str, ServerState]


def read_state(run: Path) -> StackState | None:
    """What the guard last wrote; it speaks for the present only while the guard lock is held."""
    content = read_json(state_file(run))
    if not content:
        return None
    servers = {
        name: ServerState(name, server["ready"], server["address"], server["pid"], server["restarts"], server["error"])
        for name, server in content["servers"].items()
    }
    return StackState(content["guard"], content["stopping"], servers)


def left_over(run: Path, name: str) -> Identity | None:
    """The process that an earlier guard last started as this server."""
    server = read_json(state_file(run)).get("servers", {}).get(name, {})
    return Identity(server["pid"], server["created_s"]) if server.get("pid") else None
