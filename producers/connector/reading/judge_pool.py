"""Threads that judge copies of all relays: in chunks, a few of each relay in turn, so that none delays another.

While both lanes wait, each has its share of every chunk.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple, Protocol

from producers.connector.lanes import PRIORITY_SHARE
from schemas.nostr.judge import Policy, judge
from schemas.reasons import Reason

THREADS = 2
"""Signatures checked at the same time: 20,000 copies a second and core, of which a connector has one or two."""
CHUNK = 64
"""Copies that a thread is given at once: a hand-over costs as much as two signatures."""
PER_RELAY = 16
"""Of these, from one relay while others wait: a turn of some hundred relays takes no more than a second then."""
DELAY_S = 0.05
"""For so long less than a chunk waits for more: at most 20 hand-overs a second where samples are few. Only a relay that
rests for the bytes of a few large copies waits for it."""
SWITCH_S = 0.0005
"""Python's switch interval for a process with a pool. After each signature a thread waits so long for an event loop
that never rests; with the default of 5 ms the first copies of a relay would take seconds beside others that are read.
"""
FORGED = frozenset({Reason.NOT_JSON, Reason.BAD_FIELD, Reason.ID_MISMATCH, Reason.BAD_SIGNATURE})
"""What no honest relay sends on purpose. What is refused by policy, or quarantined, is what an author has signed."""
_POLICY = Policy(archive_ephemeral=True)
"""So that signatures of ephemeral events are checked as well: whether they are archived is not asked here."""


class Judged(NamedTuple):
    """A copy, and why it is taken for forged, if it is."""

    event: bytes
    forged: Reason | None


class Judging(Protocol):
    """One relay, of which copies wait."""

    def next_copies(self, most: int) -> list[bytes]:
        """Give copies that wait, the oldest first; they are judged now."""

    @property
    def waiting(self) -> int:
        """Copies that were not given yet."""

    @property
    def priority(self) -> bool:
        """Whether it is of the priority lane."""

    def judged(self, verdicts: Sequence[Judged]) -> None:
        """Hear of copies that were given."""


class JudgePool:
    """The threads of a connector. Called from one event loop."""

    def __init__(self, threads: int = THREADS, priority_share: float = PRIORITY_SHARE) -> None:
        """Prepare; threads start with the first copies. `priority_share`: of a chunk, for the priority lane."""
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="judge")
        self._free = threads
        self._kept = max(1, int(CHUNK * priority_share))
        self._regular: deque[Judging] = deque()
        self._priority: deque[Judging] = deque()
        self._waiting = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, relay: Judging) -> None:
        """Have one copy more of a relay judged, soon; it counts as waiting already."""
        if relay.waiting == 1:
            (self._priority if relay.priority else self._regular).append(relay)
        self._waiting += 1
        self._start()

    def close(self) -> None:
        """Let the threads go without waiting for what they were asked."""
        if self._timer is not None:
            self._timer.cancel()
        self._free = 0
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _start(self) -> None:
        while self._free and self._waiting >= CHUNK:
            self._submit()
        if self._free and self._waiting and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(DELAY_S, self._waited)

    def _waited(self) -> None:
        self._timer = None
        if self._free and self._waiting:
            self._submit()
        self._start()

    def _submit(self) -> None:
        chunk: list[tuple[Judging, list[bytes]]] = []
        room = _take(self._priority, self._kept, chunk)
        room = _take(self._regular, CHUNK - self._kept + room, chunk)
        _take(self._priority, room, chunk)
        copies = [copy for _, copies in chunk for copy in copies]
        self._free -= 1
        self._waiting -= len(copies)
        judging = asyncio.get_running_loop().run_in_executor(self._pool, _judge, copies)
        judging.add_done_callback(partial(self._done, chunk))

    def _done(self, chunk: list[tuple[Judging, list[bytes]]], judging: asyncio.Future[list[Reason | None]]) -> None:
        if judging.cancelled():
            return
        verdicts = iter(judging.result())
        self._free += 1
        for relay, copies in chunk:
            relay.judged([Judged(copy, next(verdicts)) for copy in copies])
        self._start()


def _take(line: deque[Judging], room: int, chunk: list[tuple[Judging, list[bytes]]]) -> int:
    """Take copies of a lane into a chunk, a few of each relay in turn; the room that is left."""
    while room and line:
        relay = line.popleft()
        copies = relay.next_copies(min(PER_RELAY, room))
        chunk.append((relay, copies))
        room -= len(copies)
        if relay.waiting:
            line.append(relay)
    return room


def _judge(copies: Sequence[bytes]) -> list[Reason | None]:
    reasons = (judge(copy, _POLICY).reason for copy in copies)
    return [reason if reason in FORGED else None for reason in reasons]
