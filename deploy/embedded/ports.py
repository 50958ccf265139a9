"""Ports for the servers: free, on the loopback, and the same at every start of a data directory."""

from __future__ import annotations

import json
import random
import socket
from pathlib import Path

from core.files import read_json, write_whole
from deploy.embedded.errors import EmbeddedError

LOOPBACK = "127.0.0.1"
_LOWEST = 15_000  # above what well-known services use
_EPHEMERAL_DEFAULT = 32_768  # Linux's default; below it no client socket lands on a port while its server restarts
_ATTEMPTS = 200


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of the loopback now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # as the servers do: connections in TIME_WAIT are no hindrance
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _first_ephemeral() -> int:
    try:
        low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError):
        return _EPHEMERAL_DEFAULT
    return (
        low if low > _LOWEST + 1_000 else 65_536
    )  # an unusual setting leaves no room below: then anything free will do


def choose(taken: set[int]) -> int:
    """A free port that is not among `taken`; raises EmbeddedError if there is none."""
    highest = _first_ephemeral() - 1
    for _ in range(_ATTEMPTS):
        port = random.randint(_LOWEST, highest)  # noqa: S311 - no secret
        if port not in taken and is_free(port):
            return port
    raise EmbeddedError(f"no free port between {_LOWEST} and {highest} on {LOOPBACK}")


def keep_or_choose(path: Path, names: tuple[str, ...]) -> dict[str, int]:
    """The ports of these names as written in the file at `path`, each replaced by a free one if it is taken or absent.

    Call it only while none of the named servers runs.
    """
    known = {name: port for name, port in read_json(path).items() if isinstance(port, int)}
    for name in names:
        if name not in known or not is_free(known[name]):
            known[name] = choose(set(known.values()))
    write_whole(path, json.dumps(known), private=True)
    return {name: known[name] for name in names}
