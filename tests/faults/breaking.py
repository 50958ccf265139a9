"""Ways in which a server can be away: one context manager each; when its block ends, the trouble is over."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg
import psutil

from deploy.embedded.paths import DataPaths
from deploy.embedded.state import read_state
from tests.faults.own_stack import OwnStack, send
from tests.faults.small_disk import SmallDisk
from tests.proxy import Proxy


@asynccontextmanager
async def frozen(stack: OwnStack, name: str) -> AsyncIterator[None]:
    """A server does not run for a while: connections stay open, and nothing answers."""
    stack.send(name, signal.SIGSTOP)
    try:
        yield
    finally:
        stack.send(name, signal.SIGCONT)


@asynccontextmanager
async def dead(stack: OwnStack, name: str) -> AsyncIterator[None]:
    """A server is killed, and it is not started again for a while: connections are refused."""
    current = read_state(DataPaths.of(stack.folder).run)
    assert current is not None
    guard = psutil.Process(current.guard.pid)
    send([guard], signal.SIGSTOP)
    try:
        stack.kill(name)
        yield
    finally:
        send([guard], signal.SIGCONT)


@asynccontextmanager
async def cut(lines: Sequence[Proxy]) -> AsyncIterator[None]:
    """Nothing comes through any more, and neither side is told; later the connections turn out to be broken."""
    for each in lines:
        each.hold()
    try:
        yield
    finally:
        for each in lines:
            await each.restore()


@asynccontextmanager
async def full(disk: SmallDisk, log_of: str | None = None) -> AsyncIterator[None]:
    """There is no room on a disk. `log_of` is the address of a database whose log lies there: it needs more now."""
    disk.fill()
    try:
        if log_of is not None:
            await _begin_the_next_part_of_the_log(log_of)
        yield
    finally:
        disk.free()


async def _begin_the_next_part_of_the_log(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    with contextlib.suppress(asyncpg.PostgresError, OSError):
        await connection.execute("SELECT pg_switch_wal()")
    connection.terminate()
