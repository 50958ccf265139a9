"""Decides which ends and beginnings of connections are logged: changes of a relay's state, not every try."""

from __future__ import annotations

from producers.connector.reconnects import MINIMUM_UPTIME_S

_NEW = "new"


class StateChanges:
    """One relay's. A relay that accepts and drops, or is dead for weeks, is told of once."""

    def __init__(self) -> None:
        """Nothing was told yet."""
        self._away: str | None = _NEW

    def ended(self, state: str) -> bool:
        """Take that a connection or a try has ended in a state; whether that is a change."""
        changed = state != self._away
        self._away = state
        return changed

    def lasts(self, connected_s: float) -> bool:
        """Take for how long a connection is open; whether the relay counts as back by it, which it did not before."""
        if self._away is None or connected_s < MINIMUM_UPTIME_S:
            return False
        self._away = None
        return True
