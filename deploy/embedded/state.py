"""State file of a stack's guard, and the lock and signal files by which other processes talk to it."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from core.files import read_json, write_whole
from deploy.embedded.servers.process import Identity


def holders_lock(run: Path) -> Path:
    """Shared by all processes that use the servers; exclusively the guard's once none does."""
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


def _state_file(run: Path) -> Path:
    return run / "state.json"


class ServerState(BaseModel):
    """One server as the guard sees it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ready: bool
    address: str
    """As the launch has it. A guard of an earlier version tells of a broker without a password."""
    process: Identity | None
    restarts: int
    """In the life of this guard."""
    failures: int
    """Since it was last ready."""
    error: str | None
    """Why it ended last, until it is ready again."""


class StackState(BaseModel):
    """The stack as its guard sees it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    guard: Identity
    stopping: bool
    servers: dict[str, ServerState]

    def write(self, run: Path) -> None:
        """Write it; raises OSError."""
        write_whole(_state_file(run), self.model_dump_json(), private=True)


def read_state(run: Path) -> StackState | None:
    """What a guard last wrote; it is valid only while that guard runs."""
    try:
        return StackState.model_validate(read_json(_state_file(run)))
    except ValidationError:  # none yet, or one of another version of ours
        return None
