"""Children that die are started again, with longer and longer waits; a stop is obeyed, or enforced."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from bigbrotr.supervise.supervisor import ChildState, Supervisor
from core.backoff import Backoff
from core.restarts import describe_exit
from tests.waiting import until

FOREVER = "import time; print('up', flush=True); time.sleep(3600)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(3600)"
)
DYING = "import sys; print('cannot go on', flush=True); sys.exit(7)"


def quick() -> Backoff:
    return Backoff(initial_s=0.01, max_s=0.02)


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def runs(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


async def test_a_child_that_dies_is_started_again_and_that_is_told(tmp_path: Path) -> None:
    told: list[str] = []
    supervisor = Supervisor(tmp_path, on_event=told.append, backoff=quick)
    child = await supervisor.start("sink", python(DYING), os.environ)
    await until(lambda: child.restarts >= 2 and child.exit_code == 7, "two restarts")
    await supervisor.stop("sink", 5)
    assert child.state is ChildState.STOPPED
    assert told[0].startswith("sink ended with exit code 7; starts again in ")
    assert child.last_line == "cannot go on"
    assert (tmp_path / "sink.log").read_text().count("cannot go on") >= 2


async def test_a_killed_child_comes_back_as_another_process(tmp_path: Path) -> None:
    changes: list[int | None] = []
    supervisor = Supervisor(tmp_path, on_change=lambda: changes.append(child_pid()), backoff=quick)

    def child_pid() -> int | None:
        return supervisor.children["sink"].pid

    child = await supervisor.start("sink", python(FOREVER), os.environ)
    first = child.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until(lambda: child.restarts == 1 and child.state is ChildState.RUNNING, "a restart")
    assert child.pid not in {first, None}
    assert describe_exit(child.exit_code) == "signal SIGKILL"
    assert await supervisor.stop("sink", 5) == -signal.SIGTERM
    assert changes[-1] is None


async def test_a_stop_during_the_wait_starts_nothing(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path, backoff=lambda: Backoff(initial_s=3600, max_s=3600))
    child = await supervisor.start("sink", python(DYING), os.environ)
    await until(lambda: child.state is ChildState.WAITING, "the wait for a restart")
    async with asyncio.timeout(5):
        assert await supervisor.stop("sink", 5) == 7
    assert child.restarts == 0


async def test_a_child_that_does_not_obey_is_killed_with_all_it_started(tmp_path: Path) -> None:
    code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {STUBBORN!r}])\n{STUBBORN}"
    supervisor = Supervisor(tmp_path, backoff=quick)
    child = await supervisor.start("sink", python(code), os.environ)
    log = tmp_path / "sink.log"
    await until(lambda: log.exists() and log.read_text().count("up") == 2, "both processes are up")
    assert child.pid is not None
    family = [psutil.Process(child.pid), *psutil.Process(child.pid).children(recursive=True)]
    try:
        assert len(family) == 2
        assert await supervisor.stop("sink", 0.2) == -signal.SIGKILL
        await until(lambda: not any(map(runs, family)), "the end of both processes")
    finally:
        for one in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()


async def test_ctrl_c_on_the_terminal_is_not_for_the_children(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path, backoff=quick)
    child = await supervisor.start("sink", python(FOREVER), os.environ)
    assert child.pid is not None
    assert os.getpgid(child.pid) != os.getpgid(0)
    assert os.getsid(child.pid) == child.pid
    await supervisor.kill_all()
    assert child.state is ChildState.STOPPED


async def test_a_program_that_is_not_there_is_an_error_at_once(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path, backoff=quick)
    with pytest.raises(OSError, match="no-such-program"):
        await supervisor.start("sink", [str(tmp_path / "no-such-program")], os.environ)
    await supervisor.kill_all()
