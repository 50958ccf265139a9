"""One server under the guard: started, found ready, started again with back-off when it dies, stopped."""

from __future__ import annotations

import logging
import subprocess
import time
from pathlib import Path

import psutil

from core.backoff import Backoff
from core.restarts import RestartDelays, describe_exit
from deploy.embedded.servers import kafka, postgres
from deploy.embedded.servers.launch import Launch
from deploy.embedded.servers.process import Identity, spawn
from deploy.embedded.state import ServerState

log = logging.getLogger("embedded")

_BACKOFF_FIRST_S = 0.2  # a server that was killed is back before most clients have noticed
_BACKOFF_LAST_S = 10.0  # while a disk is full, a try costs a second of CPU
_LOG_END_BYTES = 16 * 1024  # what a server writes in its last moments, stacks of Java included
_CAUSES = ("No space left on device", "PANIC:")  # how a full disk is named by both servers, and an end by PostgreSQL
_CAUSE_CHARACTERS = 300  # a line of it fits a status and a live view
_READY = {"kafka": kafka.is_ready, "postgres": postgres.is_ready}


def cause_in(log_file: Path) -> str | None:
    """Return the last line at the end of a server's log that names why it cannot go on; None where none does."""
    try:
        with log_file.open("rb") as file:
            file.seek(max(0, log_file.stat().st_size - _LOG_END_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return None
    named = (line for line in reversed(lines) if any(cause in line for cause in _CAUSES))
    return next((line.strip()[:_CAUSE_CHARACTERS] for line in named), None)


class Supervised:
    """The process of one launch."""

    def __init__(self, launch: Launch) -> None:
        """Nothing starts before the first tick."""
        self.launch = launch
        self._process: subprocess.Popen[bytes] | None = None
        self._identity: Identity | None = None
        self._ready = False
        self._started_s = 0.0
        self._next_start_s = 0.0
        # Without a random share: there is one guard, and nothing to spread out.
        self._delays = RestartDelays(Backoff(_BACKOFF_FIRST_S, _BACKOFF_LAST_S, draw=lambda: 1.0))
        self._starts = 0
        self._failures = 0
        self._error: str | None = None

    def tick(self, now_s: float) -> None:
        """See whether the process is there and ready; start it if it is due. `now_s` is of the monotonic clock."""
        if self._process is not None and self._process.poll() is not None:
            self._ended(self._process.returncode, now_s)
        if self._process is None:
            if now_s >= self._next_start_s:
                self._start(now_s)
        elif not self._ready and _READY[self.launch.name](self.launch, self._process.pid):
            self._ready, self._failures, self._error = True, 0, None
            log.info("%s is ready on port %d after %.1f s", self.launch.name, self.launch.port, now_s - self._started_s)

    def _start(self, now_s: float) -> None:
        self._started_s = now_s
        self._starts += 1
        try:
            self._process = spawn(self.launch)
            self._identity = Identity.of(self._process.pid)
        except (OSError, subprocess.SubprocessError, psutil.Error) as error:
            self._fail(now_s, f"it cannot be started: {error}", ran_s=0.0)
        else:
            log.info("%s started as process %d", self.launch.name, self._process.pid)

    def _ended(self, code: int, now_s: float) -> None:
        self._gone()
        why = cause_in(Path(self.launch.log))
        how = describe_exit(code) + (f": {why}" if why else "")
        self._fail(now_s, f"it ended with {how}; its log is {self.launch.log}", ran_s=now_s - self._started_s)

    def _gone(self) -> None:
        self._process, self._identity, self._ready = None, None, False

    def _fail(self, now_s: float, error: str, *, ran_s: float) -> None:
        self._error = error
        self._failures += 1
        delay_s = self._delays.next_s(ran_s)
        log.warning("%s: %s; next start in %.1f s", self.launch.name, error, delay_s)
        self._next_start_s = now_s + delay_s

    def ask_to_stop(self) -> None:
        """Signal the process to stop cleanly."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(self.launch.stop_signal)

    def wait_stopped(self, deadline_s: float) -> None:
        """Wait for its end until the deadline on the monotonic clock, then kill it."""
        if self._process is None:
            return
        try:
            self._process.wait(max(0.0, deadline_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            log.warning("%s did not stop in time and is killed", self.launch.name)
            self._process.kill()
            self._process.wait()
        self._gone()

    def state(self) -> ServerState:
        """What others may know of it, address included."""
        return ServerState(
            ready=self._ready,
            address=self.launch.address,
            process=self._identity,
            restarts=max(0, self._starts - 1),
            failures=self._failures,
            error=self._error,
        )
