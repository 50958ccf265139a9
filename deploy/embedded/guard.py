"""The process that owns the servers of one data directory: starts, watches, restarts and stops them.

It runs for as long as a process holds the stack. Holders share a lock that the kernel takes back when they die, however
they die; when the guard can take that lock exclusively, no holder is left and it stops the servers. When the guard
itself is killed, the kernel ends the servers (PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import sys
import time
from logging.handlers import RotatingFileHandler
from pathlib import Path

from deploy.embedded.lock import FileLock
from deploy.embedded.paths import DataPaths
from deploy.embedded.servers.launch import SERVERS, read_launch
from deploy.embedded.servers.process import Identity, end_left_over
from deploy.embedded.state import StackState, guard_lock, holders_lock, keep_file, read_state
from deploy.embedded.supervised import Supervised

_POLL_S = 0.1  # short against every start and stop; a round costs some 20 microseconds
_STOP_DEADLINE_S = 6.0  # both stop within a second; leaves the services' drains their share of the 15 s after Ctrl-C
_LOG_LIMIT_BYTES = 8 * 2**20  # days of warnings; twice that is kept for each server
_LOG_CHECK_S = 5.0

log = logging.getLogger("embedded")


class Guard:
    """Watches the servers that are wanted for one data directory."""

    def __init__(self, paths: DataPaths) -> None:
        """`paths` names the data directory, whose guard lock must be ours already."""
        self._run = paths.run
        self._identity = Identity.of(os.getpid())
        self._holders = FileLock(holders_lock(self._run))
        self._servers: dict[str, Supervised] = {}
        self._told_to_stop = False
        self._told: StackState | None = None
        self._logs_checked_s = 0.0

    def stop(self, *_: object) -> None:
        """Have the loop end; a signal handler."""
        self._told_to_stop = True

    def run(self) -> None:
        """Watch until no process holds the stack or a signal asks to stop, then stop the servers."""
        before = read_state(self._run)
        self._tell(stopping=False)
        for server in before.servers.values() if before is not None else ():
            end_left_over(server.process)
        while not self._told_to_stop and not self._abandoned():
            self._take_wanted()
            for supervised in self._servers.values():
                supervised.tick(time.monotonic())
            self._tell(stopping=False)
            self._bound_logs()
            time.sleep(_POLL_S)
        log.info("stopping: %s", "asked to" if self._told_to_stop else "no process holds the stack")
        self._tell(stopping=True)
        for supervised in self._servers.values():
            supervised.ask_to_stop()
        deadline = time.monotonic() + _STOP_DEADLINE_S
        for supervised in self._servers.values():
            supervised.wait_stopped(deadline)
        self._tell(stopping=True)

    def _abandoned(self) -> bool:
        return not keep_file(self._run).exists() and self._holders.try_acquire()

    def _take_wanted(self) -> None:
        for name in SERVERS:
            if name not in self._servers and (launch := read_launch(self._run, name)) is not None:
                self._servers[name] = Supervised(launch)

    def _tell(self, *, stopping: bool) -> None:
        current = StackState(
            guard=self._identity,
            stopping=stopping,
            servers={name: one.state() for name, one in self._servers.items()},
        )
        if current == self._told:
            return
        try:
            current.write(self._run)
        except OSError as error:  # a full disk must not end the guard, and with it the servers
            log.warning("the state cannot be written: %s", error)
        else:
            self._told = current

    def _bound_logs(self) -> None:
        """Keep each server's log and one predecessor within a limit; they append, so that cutting the file is safe."""
        if time.monotonic() - self._logs_checked_s < _LOG_CHECK_S:
            return
        self._logs_checked_s = time.monotonic()
        for supervised in self._servers.values():
            path = Path(supervised.launch.log)
            try:
                if path.stat().st_size > _LOG_LIMIT_BYTES:
                    shutil.copyfile(path, path.with_name(path.name + ".1"))
                    os.truncate(path, 0)
            except OSError as error:
                log.warning("%s cannot be kept within its limit: %s", path, error)


def main(data_dir: str) -> int:
    """Guard the stack of a data directory from the background.

    Returns once the guard lock is taken: 0 in the starter's process, from which the guard has forked, so that it leaves
    no zombie to its starter; 1 when another guard has the lock.
    """
    paths = DataPaths.of(Path(data_dir))
    lock = FileLock(guard_lock(paths.run))
    if not lock.try_acquire():
        return 1
    if os.fork() > 0:
        return 0
    handler = RotatingFileHandler(paths.run / "guard.log", maxBytes=2**20, backupCount=1)
    logging.basicConfig(level=logging.INFO, handlers=[handler], format="%(asctime)s %(levelname)s %(message)s")
    guard = Guard(paths)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, guard.stop)
    try:
        guard.run()
    except Exception:
        log.exception("the guard failed")
        raise
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
