"""Who is killed when: drawn from a seed, every part of the system at least once, at the worst moment or at any."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections import Counter
from functools import partial
from random import Random

from tests.faults.own_stack import OwnStack
from tests.faults.together import Offsets, assert_together, behind, stored_offsets
from tests.pipeline.fixtures import Run
from tests.pipeline.services import NAMES
from tests.pipeline.supervised import Supervised

log = logging.getLogger(__name__)

VICTIMS = (*NAMES, "kafka", "postgres", "postgres backend")
# A kill that does not wait for its moment comes within this time of the one before: then it often meets a recovery.
HASTE_S = 2.0
LIMIT_S = 240.0
POLL_S = 0.02


def drawn(count: int, rng: Random) -> list[str]:
    """Return `count` victims in an order of chance, each at least once."""
    chosen = [*VICTIMS, *rng.choices(VICTIMS, k=count - len(VICTIMS))]
    rng.shuffle(chosen)
    return chosen


class Killer:
    """Kills parts of one run. `done` counts the kills, `taken_back` the records whose commit a crash took back."""

    def __init__(self, run: Run[Supervised], stack: OwnStack, rng: Random) -> None:
        self.done: Counter[str] = Counter()
        self.taken_back = 0
        self._run = run
        self._stack = stack
        self._rng = rng

    async def kill(self, victim: str, step: int) -> None:
        """Kill once: after `step` more events and in the middle of work, or, as often, after a moment of chance."""
        run = self._run
        if self._rng.random() < 1 / 2:
            archived = 0

            async def moved() -> bool:
                nonlocal archived
                archived = archived or (await run.archive.counts())[0]
                return (await run.archive.counts())[0] >= archived + step

            await run.archive.until(f"{step} more events before {victim} is killed", moved, LIMIT_S)
            await run.archive.until(f"{victim} has work in hand", partial(self._in_the_middle, victim), LIMIT_S, POLL_S)
            how = "with work in hand"
        else:
            await asyncio.sleep(self._rng.random() * HASTE_S)
            how = "at any moment"
        run.services.check()
        log.warning("kill -9 %s %s", victim, how)
        await self._strike(victim)
        self.done[victim] += 1

    async def _strike(self, victim: str) -> None:
        if victim in NAMES:
            self._run.services.kill(victim)
            self._run.services.start(victim)
        elif victim == "kafka":
            await self._stack.until_ready("kafka")
            self._stack.kill("kafka")
        elif victim == "postgres":
            await self._lose_what_is_not_on_disk()
        else:
            await self._run.archive.until("a process of PostgreSQL serves us", self._kill_a_backend, LIMIT_S, POLL_S)

    async def _kill_a_backend(self) -> bool:
        return self._stack.kill_a_backend(self._rng.choice)

    async def _lose_what_is_not_on_disk(self) -> None:
        """Kill PostgreSQL with commits that are in memory only; afterwards rows and offsets must have gone together."""
        run, seen = self._run, Offsets()

        async def committed_while_held_back() -> bool:
            nonlocal seen
            before, now = seen, await stored_offsets(run.settings)
            held_back = self._stack.hold_back_the_log()
            seen = now if held_back else {}
            return held_back and bool(before) and sum(now.values()) > sum(before.values())

        async def is_there() -> bool:
            await stored_offsets(run.settings)
            return True

        await run.archive.until("a batch is committed in memory only", committed_while_held_back, LIMIT_S, POLL_S)
        # It would write again what is lost before anybody could look.
        run.services.send("sink", signal.SIGSTOP)
        self._stack.kill("postgres")
        await self._stack.until_ready("postgres")
        await run.archive.until("PostgreSQL answers", is_there, LIMIT_S)
        back = behind(await stored_offsets(run.settings), seen)
        run.services.send("sink", signal.SIGCONT)
        log.warning("the crash took back the commit of %d records", back)
        assert back > 0, "a commit was on disk all the same: this kill proves nothing"
        self.taken_back += back
        await self._stack.until_ready("kafka")
        await assert_together(run.settings)

    async def _in_the_middle(self, victim: str) -> bool:
        """Tell whether a victim has work in hand that is not durable yet: the worst moment to be killed at."""
        if victim in {"sink", "postgres", "postgres backend"}:
            return await self._run.archive.is_being_written()
        asked = "connector" if victim == "kafka" else victim
        details = await asyncio.to_thread(self._run.services.details, asked)
        return bool(details.get("unacknowledged_bytes") or details.get("bundles_in_flight"))
