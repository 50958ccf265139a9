"""A child hears its parent's commands, and ends when the parent is gone, also where another process holds the pipe."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from core.parent import PARENT_VARIABLE, parent_pid

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_S = 60.0
CHILD = """if True:
    import asyncio
    from core.parent import ParentPipe

    async def main():
        parent = ParentPipe()
        print("up", flush=True)
        await parent.line.wait()
        print("line", flush=True)
        await parent.closed.wait()
        print("closed", flush=True)

    asyncio.run(main())
"""
# The pipe stays open when it is killed: a process that lives on holds its other end.
PARENT = f"""if True:
    import os, subprocess, sys, time
    read, write = os.pipe()
    subprocess.Popen([sys.executable, "-c", {CHILD!r}], stdin=read)
    holder = subprocess.Popen(["sleep", "60"], pass_fds=[write], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    print(holder.pid, file=sys.stderr, flush=True)
    time.sleep(60)
"""


def test_lines_and_the_end_of_the_pipe_are_heard() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CHILD], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == "up\n"
        child.stdin.write("enough\n")
        child.stdin.flush()
        assert child.stdout.readline() == "line\n"
        child.stdin.close()
        assert child.stdout.readline() == "closed\n"
        assert child.wait(PATIENCE_S) == 0


@pytest.mark.slow
def test_a_parent_that_is_killed_is_missed_although_the_pipe_is_open() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stderr is not None
        assert parent.stdout is not None
        holder = int(parent.stderr.readline())
        assert parent.stdout.readline() == "up\n"
        try:
            parent.kill()
            assert parent.stdout.read() == "line\nclosed\n"
        finally:
            subprocess.run(["kill", str(holder)], check=True)


@pytest.mark.parametrize(("text", "pid"), [("12", 12), ("", None), ("x", None), ("\u0663", None)])
def test_a_parent_is_named_by_its_number(text: str, pid: int | None) -> None:
    assert parent_pid({PARENT_VARIABLE: text}) == pid
    assert parent_pid({}) is None
