"""A thread that waits for standard input does not keep a command from ending."""

from __future__ import annotations

import subprocess
import sys

READS_A_LINE_AND_WAITS = """
import asyncio, sys
from bigbrotr.console.standard_input import interruptible_stdin

async def main():
    before = sys.stdin
    with interruptible_stdin():
        source = sys.stdin.buffer
        print(await asyncio.to_thread(source.readline))
        waiting = asyncio.create_task(asyncio.to_thread(source.readline))
        await asyncio.sleep(0)
    print(await waiting, sys.stdin is before)

asyncio.run(main())
"""
READS_ALL = """
import sys
from bigbrotr.console.standard_input import interruptible_stdin

with interruptible_stdin():
    print(sys.stdin.buffer.read())
"""


def test_a_read_that_waits_ends_with_the_block() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", READS_A_LINE_AND_WAITS], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(b"one\n")
            process.stdin.flush()
            # The pipe stays open meanwhile: only the end of the block can end the read.
            assert process.wait(timeout=60) == 0
            assert process.stdout.read() == b"b'one\\n'\nb'' True\n"
        finally:
            process.kill()


def test_the_end_of_the_input_is_seen() -> None:
    done = subprocess.run(
        [sys.executable, "-c", READS_ALL], input=b"one\ntwo", capture_output=True, timeout=60, check=True
    )
    assert done.stdout == b"b'one\\ntwo'\n"
