"""Restart policy: when a supervised process that ended is started again, and how its end is described."""

from __future__ import annotations

import signal

from core.backoff import Backoff

STEADY_S = 30.0
"""A process that ran for so long did start: its next end is a new failure, with short waits again."""


class RestartDelays:
    """The waits of one supervised process: they grow while it keeps ending soon, and begin anew once it has run."""

    def __init__(self, backoff: Backoff, *, steady_s: float = STEADY_S) -> None:
        """Take the waits from `backoff`, which is begun anew by a run of `steady_s`."""
        self._backoff = backoff
        self._steady_s = steady_s

    def next_s(self, ran_s: float) -> float:
        """How long to wait before the next start, in seconds.

        Args:
            ran_s: how long the process ran; 0 where it could not be started.
        """
        if ran_s >= self._steady_s:
            self._backoff.reset()
        return self._backoff.next_s()


def describe_exit(code: int | None) -> str:
    """Describe an exit code: `exit code 1`, `signal SIGKILL`, or `no exit code` where it never ran."""
    if code is None:
        return "no exit code"
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"
