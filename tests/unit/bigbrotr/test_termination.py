"""SIGTERM ends a command at once, with what shares its work; what must not stay behind is removed."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

_COMMAND = """
import asyncio, multiprocessing, signal, sys, time
from bigbrotr import __main__ as command
from bigbrotr.console.termination import removed_at_termination

def blocked():
    time.sleep(600)

async def waiting():
    try:
        await asyncio.get_running_loop().create_future()
    except asyncio.CancelledError:
        await asyncio.sleep(600)  # as a library that waits for a server before it lets go

def run(arguments):
    worker = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(600,))
    worker.start()
    doing = {"blocked": blocked, "waiting": lambda: asyncio.run(waiting())}[arguments[0]]
    with removed_at_termination(lambda: print("not wanted any more", flush=True)):
        pass
    with removed_at_termination(lambda: print("removed", flush=True)):
        print(worker.pid, flush=True)
        doing()

if __name__ == "__main__":
    command.run = run
    command.main()
"""


@pytest.mark.slow
@pytest.mark.parametrize("doing", ["blocked", "waiting"])
def test_sigterm_ends_a_command_at_once(tmp_path: Path, doing: str) -> None:
    script = tmp_path / "command.py"
    script.write_text(_COMMAND)
    with subprocess.Popen([sys.executable, str(script), doing], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        worker = psutil.Process(int(process.stdout.readline()))
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=30)
    assert (out, process.returncode) == ("removed\n", 143)
    psutil.wait_procs([worker], timeout=30, callback=None)
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
