"""The process that owns the servers of one data directory: starts, watches, restarts and stops them.

It runs for as long as somebody holds the stack. Holders share a lock that the kernel gives back when they die, however
they die; when the guard can have that lock for itself, nobody is left and it stops the servers. When the guard itself is
killed, the kernel ends the servers (PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import sys
import time
from logging.handlers import RotatingFileHandler
from pathlib import Path

from deploy.embedded import state
from deploy.embedded.files import write_private
from deploy.embedded.launch import SERVERS, read_launch
from deploy.embedded.lock import FileLock
from deploy.embedded.paths import DataPaths
from deploy.embedded.supervised import Supervised, end_left_over

_POLL_S = 0.1
_STOP_DEADLINE_S = 6.0  # both stop in one or two seconds; leaves a service's drain its share of the 15 s after Ctrl-C
_LOG_LIMIT_BYTES = 8 * 2**20
_LOG_CHECK_S = 5.0

log = logging.getLogger("embedded")


class Guard:
    """Watches the servers that are wanted in one run folder."""

    def __init__(self, paths: DataPaths) -> None:
        """`paths` names the data directory; its guard lock must be ours already."""
        self._paths = paths
        self._run = paths.run
        self._holders = FileLock(state.holders_lock(self._run))
        self._servers: dict[str, Supervised] = {}
        self._stopping = False
        self._written = ""
        self._log_checked = 0.0

    def stop(self, *_: object) -> None:
        """Have the loop end; a signal handler."""
        self._stopping = True

    def run(self) -> None:
        """Watch until nobody holds the stack or a signal asks to stop, then stop the servers."""
        for name in SERVERS:
            end_left_over(state.left_over(self._run, name))
        while not self._stopping and not self._abandoned():
            self._take_wanted()
            for server in self._servers.values():
                server.tick(time.monotonic())
            self._write_state()
            self._bound_logs()
            time.sleep(_POLL_S)
        log.info("stopping: %s", "asked to" if self._stopping else "nobody holds the stack")
        self._stopping = True
        self._write_state()
        for server in self._servers.values():
            server.ask_to_stop()
        deadline = time.monotonic() + _STOP_DEADLINE_S
        for server in self._servers.values():
            server.wait_stopped(deadline)
        self._write_state()

    def _abandoned(self) -> bool:
        return not state.keep_file(self._run).exists() and self._holders.try_acquire()

    def _take_wanted(self) -> None:
        for name in SERVERS:
            if name not in self._servers and (launch := read_launch(self._run, name)) is not None:
                self._servers[name] = Supervised(launch)

    def _write_state(self) -> None:
        content = json.dumps(
            {
                "guard": os.getpid(),
                "stopping": self._stopping,
                "servers": {name: server.state() for name, server in self._servers.items()},
            },
        )
        if content != self._written:
            write_private(state.state_file(self._run), content)
            self._written = content

    def _bound_logs(self) -> None:
        """Keep each server's log and one predecessor within a limit; they append, so that cutting the file is safe."""
        if time.monotonic() - self._log_checked < _LOG_CHECK_S:
            return
        self._log_checked = time.monotonic()
        for server in self._servers.values():
            path = Path(server.launch.log)
            if path.exists() and path.stat().st_size > _LOG_LIMIT_BYTES:
                shutil.copyfile(path, path.with_suffix(".log.1"))
                os.truncate(path, 0)


def main(data_dir: str) -> int:
    """Guard the stack of a data directory; returns at once when another guard does."""
    paths = DataPaths.of(Path(data_dir))
    handler = RotatingFileHandler(paths.run / "guard.log", maxBytes=2**20, backupCount=1)
    logging.basicConfig(level=logging.INFO, handlers=[handler], format="%(asctime)s %(levelname)s %(message)s")
    lock = FileLock(state.guard_lock(paths.run))
    if not lock.try_acquire():
        log.warning("another guard runs for %s", paths.root)
        return 0
    guard = Guard(paths)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, guard.stop)
    try:
        guard.run()
    except BaseException:
        log.exception("the guard failed")
        raise
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
