"""Rates over the last seconds, and the time since the first snapshot, from the snapshots that come by."""

from __future__ import annotations

from bigbrotr.status.snapshot import Rates, Snapshot, rates

_RATE_OVER_S = 5.0  # shorter and the figures jump with each batch of the sink


class Pace:
    """Give it each snapshot once, by `rates`."""

    def __init__(self) -> None:
        self._kept: list[Snapshot] = []
        self._began_at_s: float | None = None
        self.uptime_s = 0.0
        """From the first snapshot to the last one."""

    def rates(self, snapshot: Snapshot) -> Rates:
        """The rates from the oldest kept snapshot to this one."""
        if self._began_at_s is None:
            self._began_at_s = snapshot.at_s
        self.uptime_s = snapshot.at_s - self._began_at_s
        self._kept = [kept for kept in self._kept if snapshot.at_s - kept.at_s <= _RATE_OVER_S]
        before = self._kept[0] if self._kept else None
        self._kept.append(snapshot)
        return rates(before, snapshot)
