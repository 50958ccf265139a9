"""How a relay stands with us, from how its connections end, and when the registry is to be told.

confirmed: it has spoken Nostr. silent: it cannot be connected to, or what answers does not speak Nostr. refused: it
answers and will not serve us, or sends what we do not take.
"""

from __future__ import annotations

from typing import Literal

from producers.relay_client.refusals import RelayError
from schemas.records.relay import LONGEST_DETAIL, Report

Standing = Literal["confirmed", "silent", "refused"]

MOST_REPORTS = 10
"""An hour, of one relay: one that answers and refuses in turn has no more to say than that."""
_HOUR_MS = 3_600_000
_REFUSED = {"refused", "auth_required", "restricted", "over_budget"}
"""States of `RelayError`: the relay's words or status, or our budget for what is forged or worthless."""
_UNTOLD = {
    *("resting", "learning", "failed", "no_proxy", "over_quota"),  # our doing
    *("rate_limited", "flood", "frame_too_large", "unfinished"),  # a relay's that asks for patience, or says too much
}
"""States that say nothing of whether a relay speaks."""


class RelayStanding:
    """One relay's."""

    def __init__(self, told: Report | None) -> None:
        """Go on from what the registry was told last."""
        self.state: Standing | None = told.state if told is not None else None
        self.failures = told.tries if told is not None else 0
        """In a row, of one state; 0 for a relay that is confirmed."""
        self._detail = ""
        self._told = (self.state, self.failures)
        self._times_ms: list[int] = []

    def spoke(self) -> None:
        """Take that it has spoken Nostr."""
        self.state, self.failures, self._detail = "confirmed", 0, ""

    def ended(self, error: RelayError, *, spoke: bool, challenged: bool = False) -> None:
        """Take how a connection or a try has ended.

        Args:
            error: why.
            spoke: whether EVENT, EOSE or CLOSED came.
            challenged: whether AUTH was demanded.
        """
        state = _standing(error.state, spoke=spoke, challenged=challenged)
        if state is None:
            return
        if state == "confirmed":
            self.spoke()
            return
        self.failures = self.failures + 1 if state == self.state else 1
        self.state, self._detail = state, str(error)

    def report(self, now_ms: int, *, on_tiers: bool) -> Report | None:
        """Return what the registry is to be told now, which counts as told then; None: nothing is new.

        Args:
            now_ms: Unix time.
            on_tiers: each failure of a silent relay is news, since it moves to another tier.
        """
        told_state, told_failures = self._told
        moved = on_tiers and self.state == "silent" and self.failures != told_failures
        if self.state is None or (self.state == told_state and not moved):
            return None
        if len(self._times_ms) == MOST_REPORTS and now_ms - self._times_ms[0] < _HOUR_MS:
            return None
        self._times_ms = [*self._times_ms[1 - MOST_REPORTS :], now_ms]
        self._told = (self.state, self.failures)
        return Report(state=self.state, tries=self.failures, detail=self._detail[:LONGEST_DETAIL], at_ms=now_ms)


def _standing(state: str, *, spoke: bool, challenged: bool) -> Standing | None:
    """What an end says of a relay; None: nothing."""
    if state in _REFUSED or (challenged and not spoke):
        return "refused"
    if spoke:
        return "confirmed"
    return None if state in _UNTOLD else "silent"
