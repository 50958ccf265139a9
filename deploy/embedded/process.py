"""Start a server so that it cannot outlive its guard, and stop it for certain."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.embedded.launch import Launch

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def environment() -> dict[str, str]:
    """Ours without what would change a server's behaviour: PostgreSQL's and Java's own variables."""
    return {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("PG", "JAVA_TOOL", "JDK_JAVA", "_JAVA", "LC_", "LANG"))
    } | {"LC_ALL": "C"}


@contextmanager
def data_handle(data: Path, uid: int | None) -> Iterator[tuple[str, tuple[int, ...]]]:
    """How a process of another user reaches a directory, and the descriptors it must inherit for that.

    The directory may lie below one that this user may not enter (root's home). An inherited descriptor leads into it
    all the same, by /proc/self/fd, and no permission of any folder is changed.
    """
    if uid is None or sys.platform != "linux":
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
            if os.getppid() != parent:  # it died before the kernel knew of our wish
                os._exit(1)

    return arrange


def spawn(launch: Launch) -> subprocess.Popen[bytes]:
    """Start a server; call it from the main thread, whose end is what the kernel takes for the guard's death (prctl(2))."""
    options = {} if launch.uid is None else {"user": launch.uid, "group": launch.gid, "extra_groups": []}
    with data_handle(Path(launch.data), launch.uid) as (reachable, inherited), Path(launch.log).open("ab") as log:
        return subprocess.Popen(  # noqa: S603
            [part.replace("{data}", reachable) for part in launch.argv],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=environment() | launch.env,
            pass_fds=inherited,
            preexec_fn=_die_with(os.getpid(), launch.death_signal),  # noqa: PLW1509 - the guard has one thread
            **options,  # type: ignore[call-overload]
        )
