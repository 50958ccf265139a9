"""How one server is started, signalled and stopped: what the guard needs to know of it, as a private file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from core.files import read_json, write_whole

SERVERS = ("kafka", "postgres")


class Launch(BaseModel):
    """The command line of a server and how to treat its process."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """kafka or postgres."""
    argv: list[str]
    """The program and its arguments; `{data}` stands for the data directory as the process can reach it."""
    data: str
    """The data directory."""
    log: str
    """The file that takes what the server writes to its standard output and error."""
    address: str
    """How clients reach it, password included: a `BrokerAddress` as text, or a DSN."""
    port: int
    """Where it listens."""
    uid: int | None = None
    """The user it runs as, where that is another than ours."""
    gid: int | None = None
    """That user's group."""
    stop_signal: int
    """Asks it to stop cleanly."""
    death_signal: int
    """What the kernel sends it when the guard dies and cannot repeat a signal: it must end it for certain."""

    def write(self, folder: Path) -> None:
        """Leave it where the guard finds it."""
        write_whole(launch_file(folder, self.name), json.dumps(self.model_dump()), private=True)


def launch_file(folder: Path, name: str) -> Path:
    """The file of one server's launch; it exists while somebody wants that server."""
    return folder / f"{name}.launch.json"


def read_launch(folder: Path, name: str) -> Launch | None:
    """The launch of a server that somebody wants, else None."""
    content: dict[str, Any] = read_json(launch_file(folder, name))
    return Launch.model_validate(content) if content else None
