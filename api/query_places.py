"""Who queries the archive next: places for all clients, of which those come first who have used least of them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from math import ceil

from api.query_time import QueryTime
from api.read_errors import BusyError, ClientBusyError
from core.settings.serving import ApiSettings

_ALL = 1.0
"""Share of the time that queries may take where nothing else needs it."""
_LOOK_S = 1.0
"""Between two looks at what waits while the archive is behind: by then it may be so no longer."""


class QueryPlaces:
    """The places of queries.

    Args:
        settings: how many there are, and how long one waits.
        is_behind: whether the archive is behind what was received. Then what archives comes first: all clients
            together have `api.share_while_behind` of the time only.
        clock: seconds that never go back.
    """

    def __init__(
        self, settings: ApiSettings, is_behind: Callable[[], bool], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._is_behind = is_behind
        self._clock = clock
        self._was_behind = False
        self._time = QueryTime(_ALL, settings.clients, clock)
        self._charged_at = clock()
        self._running: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._line: list[tuple[float, int, str]] = []
        """The clients that wait and may have a place more, each once, by how much they owe."""
        self._in_line: set[str] = set()
        self._numbers = count()
        self._look: asyncio.TimerHandle | None = None

    async def enter(self, client: str) -> None:
        """Wait for a place. Its time is charged until `leave`.

        Raises:
            BusyError: there was none in `api.queue_s`.
            ClientBusyError: the same, because of what the client itself uses.
        """
        patience_s = self._settings.queue_s
        if self._wait_s(client) > patience_s:
            raise self._refusal(client)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append(turn)
        self._line_up(client)
        self._admit()
        try:
            await asyncio.wait({turn}, timeout=patience_s)
        except asyncio.CancelledError:
            if turn.done():
                self.leave(client)
            else:
                self._give_up(client, turn)
            raise
        if not turn.done():
            self._give_up(client, turn)
            raise self._refusal(client)

    def leave(self, client: str) -> None:
        """Give a place back, that the next may have it."""
        self._charge()
        self._running[client] -= 1
        if not self._running[client]:
            del self._running[client]
        self._line_up(client)
        self._admit()

    def _refusal(self, client: str) -> BusyError:
        most = self._settings.client_queries
        if self._running[client] >= most:
            return ClientBusyError(f"{most} of your queries run already; wait for an answer first")
        if (wait_s := self._wait_s(client)) > 0:
            return ClientBusyError(
                "the archive catches up with what was received, and your queries have had their share meanwhile; "
                f"try again in {ceil(wait_s)} s",
                wait_s,
            )
        return BusyError("the archive answers others; try again in a moment")

    def _give_up(self, client: str, turn: asyncio.Future[None]) -> None:
        self._waiting[client].remove(turn)
        if not self._waiting[client]:
            del self._waiting[client]

    def _line_up(self, client: str) -> None:
        may_have_more = self._running[client] < self._settings.client_queries
        if client in self._waiting and may_have_more and client not in self._in_line:
            heappush(self._line, (self._time.place(client), next(self._numbers), client))
            self._in_line.add(client)

    def _admit(self) -> None:
        """Give free places to those who come first."""
        # While the archive is behind one after another: the share is then one of time and of a core alike.
        most = 1 if self._notice() else self._settings.database_connections
        while self._line and self._running.total() < most:
            place, _, client = self._line[0]
            is_next = client in self._waiting and self._time.due(client) <= place
            if is_next and not self._may_begin(client):
                return  # Nor may all others in line, who took as much at least.
            heappop(self._line)
            self._in_line.remove(client)
            if is_next:
                self._begin(client)
            self._line_up(client)
        if self._line and self._was_behind:
            # The query that runs may go on for long after the archive has caught up, and others need not wait for it.
            self._look_again(_LOOK_S)

    def _may_begin(self, client: str) -> bool:
        if not self._was_behind or self._time.is_within_share(client):
            return True
        if (wait_s := self._time.wait_s(client)) > 0:
            self._look_again(wait_s)
        return wait_s == 0

    def _begin(self, client: str) -> None:
        self._charge()
        turn = self._waiting[client].popleft()
        if not self._waiting[client]:
            del self._waiting[client]
        self._running[client] += 1
        turn.set_result(None)

    def _charge(self) -> None:
        """Charge those who query for the time since this was last done; who does it at once shares the time."""
        now = self._clock()
        each_s = (now - self._charged_at) / max(1, self._running.total())
        self._charged_at = now
        for client, queries in self._running.items():
            self._time.charge(client, each_s * queries)

    def _wait_s(self, client: str) -> float:
        """Seconds until a client may query because of what it took."""
        return self._time.wait_s(client) if self._notice() else 0.0

    def _notice(self) -> bool:
        """Whether the archive is behind; if that is news, time is shared accordingly from now on."""
        if (is_behind := self._is_behind()) != self._was_behind:
            self._was_behind = is_behind
            self._time.set_rate(self._settings.share_while_behind if is_behind else _ALL)
        return is_behind

    def _look_again(self, wait_s: float) -> None:
        if self._look is not None:
            self._look.cancel()
        self._look = asyncio.get_running_loop().call_later(min(wait_s, _LOOK_S), self._admit)
