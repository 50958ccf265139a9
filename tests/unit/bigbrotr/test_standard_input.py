"""A thread that waits for standard input does not keep a command from ending."""

from __future__ import annotations

import asyncio
import os
import sys

import pytest

from bigbrotr.console.standard_input import interruptible_stdin


async def test_a_read_that_waits_ends_with_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    read_end, write_end = os.pipe()
    with os.fdopen(read_end) as stdin, os.fdopen(write_end, "wb", buffering=0) as writer:
        monkeypatch.setattr(sys, "stdin", stdin)
        with interruptible_stdin():
            writer.write(b"one\n")
            source = sys.stdin.buffer
            assert await asyncio.to_thread(source.readline) == b"one\n"
            waiting = asyncio.create_task(asyncio.to_thread(source.readline))
            await asyncio.sleep(0)
        async with asyncio.timeout(10):
            assert await waiting == b""
        assert sys.stdin is stdin


async def test_the_end_of_the_input_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    read_end, write_end = os.pipe()
    os.write(write_end, b"one\ntwo")
    os.close(write_end)
    with os.fdopen(read_end) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        with interruptible_stdin():
            assert sys.stdin.buffer.read() == b"one\ntwo"
