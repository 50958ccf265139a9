"""Commands as processes, with the settings of one test as variables."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import IO, Any, NamedTuple

import pytest

from core.settings import Settings
from tests.environment import environment

LIMIT_S = 100  # far above what is normal: it only ends a command that hangs


class Done(NamedTuple):
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str

    def json(self) -> Any:
        """Read what stands on stdout."""
        return json.loads(self.stdout)


Command = Callable[..., Awaitable[Done]]


@asynccontextmanager
async def started(
    settings: Settings,
    *arguments: str,
    output: int | IO[bytes] = asyncio.subprocess.PIPE,
    more: Mapping[str, str] | None = None,
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A command that runs until it is told to stop; gone after the block, and its services with it.

    `output` takes what it writes to both streams, `more` are variables beside those of the settings.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bigbrotr", *arguments),
        env=environment(settings, **(more or {})),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=output,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.fixture
def command(settings: Settings) -> Command:
    """Run a command, with more variables if need be, and wait for its end."""

    async def call(*arguments: str, stdin: bytes = b"", **extra: str) -> Done:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bigbrotr", *arguments),
            env=environment(settings, **extra),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            out, err = await asyncio.wait_for(process.communicate(stdin), LIMIT_S)
        except TimeoutError:
            process.kill()
            raise
        assert process.returncode is not None
        return Done(process.returncode, out.decode(), err.decode())

    return call
