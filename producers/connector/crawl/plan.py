"""What is to be read of one relay now: a planner for each filter, resumed after a lost connection."""

from __future__ import annotations

from collections.abc import Callable

from producers.connector.coverage.claims import Claims
from producers.connector.crawl.planning.planner import Planner
from producers.connector.crawl.planning.windows import WHOLE_S
from producers.connector.known_filters import RelayKnownFilters
from producers.connector.relay_model import Model
from schemas.ranges import Range, merge, subtract

_RESUMED_S = 600
"""For so long a plan is gone on with over other connections; then what is new is read first again."""


class Plan:
    """Made for each reading of what is due, and dropped when it was read or when that has changed."""

    def __init__(
        self, model: Model, known_filters: RelayKnownFilters, claims: Claims, *, compares: Callable[[], bool]
    ) -> None:
        """Nothing is planned yet.

        Args:
            model: of the relay.
            known_filters: what the relay may be asked for.
            claims: what was read, and what is pending.
            compares: whether the relay may be asked for a difference now.
        """
        self._model = model
        self._known_filters = known_filters
        self._claims = claims
        self._ledger = claims.ledger
        self._compares = compares
        self.planners: dict[str, Planner] = {}
        """By the hashes of the filters that are asked."""
        self.made_s = 0
        """When it was said what is due."""

    @property
    def position(self) -> int | None:
        """The second down to which the relay is read; None when it is read."""
        positions = [planner.position for planner in self.planners.values() if planner.position is not None]
        return max(positions, default=None)

    def begin(self, identity: str | None, now_s: int) -> None:
        """Plan what is due, read as this public key, or resume what a lost connection has left."""
        same = identity == self._ledger.identity and self.planners.keys() == self._ledger.reading.keys()
        if same and self.position is not None and now_s - self.made_s < _RESUMED_S:
            return
        if identity != self._ledger.identity:
            self._claims.drop()
            self._ledger.assume(identity)
        self.made_s = now_s
        self.planners = {
            name: Planner(
                self._ranges(name, now_s), self._model.behavior, wanted, self._known_filters, compares=self._compares
            )
            for name, wanted in self._ledger.reading.items()
        }

    def drop(self) -> None:
        """All of it was read, or something else is due now."""
        self.planners = {}

    def _ranges(self, name: str, now_s: int) -> list[Range]:
        """What is to be read of a filter."""
        *due, future = self._ledger.backlog(name, now_s)
        due = subtract(due, self._claims.pending(name))
        # Where a filter is read in one window, the future is part of it.
        return merge([*due, future]) if self._model.behavior.window_s == WHOLE_S else [*due, future]
