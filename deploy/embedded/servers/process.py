"""Starts a server so that it cannot outlive its guard, and ensures that one of an earlier guard has ended."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil

from deploy.embedded.servers.launch import Launch
from deploy.embedded.servers.postgres_user import Account

log = logging.getLogger("embedded")

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_LEFT_OVER_S = 7.0  # PostgreSQL gives its children 5 s when it is told to stop at once
_CLOCK_STEP_S = 2.0  # start times are told by the wall clock: a correction of it moves them a little
_HANDED_ON = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH")
# Java reads file names in the encoding of the locale: it must be UTF-8, whatever the user's language is.
_LOCALE = "C.UTF-8"


class Identity(NamedTuple):
    """A process that no other can be taken for: numbers are used again, but not with the same start."""

    pid: int
    created_s: float

    @classmethod
    def of(cls, pid: int) -> Identity:
        """The identity of a running process; raises psutil.NoSuchProcess."""
        return cls(pid, psutil.Process(pid).create_time())

    def process(self) -> psutil.Process | None:
        """The process if it still runs; one that only waits to be reaped does not."""
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created_s) < _CLOCK_STEP_S
            if same and process.status() != psutil.STATUS_ZOMBIE:
                return process
        return None


def server_environment() -> dict[str, str]:
    """What a server gets of our environment: nothing that could be a secret or would change what it does."""
    return {name: os.environ[name] for name in _HANDED_ON if name in os.environ} | {"LC_ALL": _LOCALE}


@contextmanager
def data_handle(data: Path, account: Account) -> Iterator[tuple[str, tuple[int, ...]]]:
    """How a process of this account reaches a directory, and the descriptors it must inherit for that.

    The directory may lie below one that another user may not enter, such as root's home. An inherited descriptor leads
    into it all the same, by /proc/self/fd, and no permission of any folder is changed.
    """
    if account.uid is None or sys.platform != "linux":
        yield str(data), ()
        return
    descriptor = os.open(data, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}", (descriptor,)
    finally:
        os.close(descriptor)


def _die_with(parent: int, death_signal: int) -> Callable[[], None]:
    def arrange() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, death_signal)
            if os.getppid() != parent:  # it died before the kernel knew of our request
                os._exit(1)

    return arrange


def spawn(launch: Launch) -> subprocess.Popen[bytes]:
    """Start a server; raises OSError.

    Call it from the main thread, whose end is what the kernel takes for the guard's death (prctl(2)). The signal is
    asked for after the change of user, which would cancel it.
    """
    account = Account(launch.name, launch.uid, launch.gid)
    with data_handle(Path(launch.data), account) as (reachable, inherited), Path(launch.log).open("ab") as output:
        return subprocess.Popen(  # noqa: S603 - our own command line
            [part.replace("{data}", reachable) for part in launch.argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env=server_environment(),
            pass_fds=inherited,
            preexec_fn=_die_with(os.getpid(), launch.death_signal),  # noqa: PLW1509 - the guard has one thread
            **account.popen(),
        )


def end_left_over(identity: Identity | None) -> None:
    """Wait for the end of a server whose guard was killed: the kernel has told it to end; kill it if it does not."""
    process = identity.process() if identity is not None else None
    if process is None:
        return
    with contextlib.suppress(psutil.NoSuchProcess):
        try:
            process.wait(_LEFT_OVER_S)
        except psutil.TimeoutExpired:
            log.warning("process %d of an earlier guard does not end and is killed", process.pid)
            process.kill()
            process.wait(_LEFT_OVER_S)
