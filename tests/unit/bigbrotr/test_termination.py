"""SIGTERM unwinds a command, whatever it is in the middle of, and its exit code tells."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

_COMMAND = """
import asyncio, signal, sys, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from bigbrotr import __main__ as command

def blocked():
    print("ready", flush=True)
    time.sleep(600)

async def waiting():
    blocked_on = asyncio.get_running_loop().create_future()
    print("ready", flush=True)
    try:
        await blocked_on
    finally:
        await asyncio.sleep(0)  # the loop still runs for what is to be cleared away

def sharing():
    pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
    pool.submit(time.sleep, 0).result()
    pool.submit(time.sleep, 600)
    try:
        blocked()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)

def ignoring():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(waiting())

def run(arguments):
    try:
        {"blocked": blocked, "waiting": lambda: asyncio.run(waiting()), "sharing": sharing, "ignoring": ignoring}[
            arguments[0]
        ]()
    except KeyboardInterrupt:
        print("cleared", flush=True)
        return 130

if __name__ == "__main__":
    command.run = run
    command.main()
"""


@pytest.mark.parametrize(
    ("doing", "number", "code"),
    [
        ("blocked", signal.SIGTERM, 143),
        ("waiting", signal.SIGTERM, 143),
        ("sharing", signal.SIGTERM, 143),
        ("ignoring", signal.SIGTERM, 143),
        ("waiting", signal.SIGINT, 130),
    ],
)
def test_a_signal_unwinds_a_command(tmp_path: Path, doing: str, number: signal.Signals, code: int) -> None:
    script = tmp_path / "command.py"
    script.write_text(_COMMAND)
    with subprocess.Popen([sys.executable, str(script), doing], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        out, _ = process.communicate(timeout=30)
    assert (out, process.returncode) == ("cleared\n", code)
