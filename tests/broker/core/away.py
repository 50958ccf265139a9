"""Servers that are away for a while: a broker whose process is stopped, and an address where none listens yet."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import psutil


@contextmanager
def paused(bootstrap_servers: str) -> Iterator[None]:
    """Stop the broker's process for the length of the block: connections stay open, and nothing answers."""
    port = int(bootstrap_servers.rsplit(":", 1)[1])
    (pid,) = {
        found.pid
        for found in psutil.net_connections("tcp")
        if found.status == psutil.CONN_LISTEN and found.laddr and found.laddr.port == port and found.pid
    }
    process = psutil.Process(pid)
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def free_port() -> int:
    """Name a port on loopback where no server listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
