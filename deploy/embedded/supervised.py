"""One server under the guard: started, found ready, started again with back-off when it dies, stopped."""

from __future__ import annotations

import contextlib
import logging
import signal
import subprocess
import time

import psutil

from deploy.embedded import kafka, postgres
from deploy.embedded.launch import Launch
from deploy.embedded.process import spawn
from deploy.embedded.state import Identity

log = logging.getLogger("embedded")

_BACKOFF_FIRST_S = 0.2  # a server that was killed is back before most clients notice
_BACKOFF_LAST_S = 10.0
_STEADY_S = 30.0  # having run for so long, its next end is a new trouble and not the old one
_LEFT_OVER_S = 5.0  # the kernel has already told it to end
_READY = {"kafka": kafka.is_ready, "postgres": postgres.is_ready}


class Supervised:
    """The process of one launch."""

    def __init__(self, launch: Launch) -> None:
        """Nothing starts before the first tick."""
        self.launch = launch
        self._process: subprocess.Popen[bytes] | None = None
        self._created_s = 0.0
        self._ready = False
        self._started_s = 0.0
        self._next_start_s = 0.0
        self._backoff_s = _BACKOFF_FIRST_S
        self._starts = 0
        self._error: str | None = None

    def tick(self, now_s: float) -> None:
        """See whether the process is there and ready; start it if it is due. `now_s` is of the monotonic clock."""
        if self._process is not None and self._process.poll() is not None:
            self._ended(now_s)
        if self._process is None and now_s >= self._next_start_s:
            self._start(now_s)
        elif self._process is not None and not self._ready and _READY[self.launch.name](self.launch):
            self._ready = True
            log.info("%s is ready on port %d after %.1f s", self.launch.name, self.launch.port, now_s - self._started_s)

    def _start(self, now_s: float) -> None:
        self._started_s, self._ready = now_s, False
        self._starts += 1
        try:
            self._process = spawn(self.launch)
            self._created_s = psutil.Process(self._process.pid).create_time()
        except (OSError, subprocess.SubprocessError, psutil.Error) as error:
            self._fail(now_s, f"it cannot be started: {error}")
        else:
            log.info("%s started as process %d", self.launch.name, self._process.pid)

    def _ended(self, now_s: float) -> None:
        assert self._process is not None
        code = self._process.returncode
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        self._process, self._ready = None, False
        if now_s - self._started_s > _STEADY_S:
            self._backoff_s = _BACKOFF_FIRST_S
        self._fail(now_s, f"it ended with {how}; its log is {self.launch.log}")

    def _fail(self, now_s: float, error: str) -> None:
        self._error = error
        log.warning("%s: %s; next start in %.1f s", self.launch.name, error, self._backoff_s)
        self._next_start_s = now_s + self._backoff_s
        self._backoff_s = min(2 * self._backoff_s, _BACKOFF_LAST_S)

    def ask_to_stop(self) -> None:
        """Tell the process to stop cleanly."""
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
        self._process, self._ready = None, False

    def state(self) -> dict[str, object]:
        """What others may know of it, address included."""
        return {
            "ready": self._ready,
            "address": self.launch.address,
            "pid": self._process.pid if self._process is not None else None,
            "created_s": self._created_s,
            "restarts": max(0, self._starts - 1),
            "error": self._error,
        }


def end_left_over(identity: Identity | None) -> None:
    """End a server that a killed guard left behind, if the kernel has not done so yet."""
    if identity is None:
        return
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(identity.pid)
        if process.create_time() != identity.created_s:
            return
        try:
            process.wait(_LEFT_OVER_S)
        except psutil.TimeoutExpired:
            log.warning("process %d of an earlier guard is killed", identity.pid)
            process.kill()
            process.wait(_LEFT_OVER_S)
