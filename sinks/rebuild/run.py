"""Runs a rebuild: creates the tables, applies the rules of erasure, then reads the records in parallel processes."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection as Channel
from multiprocessing.process import BaseProcess
from typing import NamedTuple, Protocol

from aiokafka import TopicPartition

from core import postgres
from core.archive.connection import Connection
from core.settings import Settings
from sinks.migrate import migrate
from sinks.rebuild import target
from sinks.rebuild.source import BEGINNING, Start, first_offsets, floors, identities, shares
from sinks.rebuild.target import RebuildError
from sinks.rebuild.worker import Report, work

# How often the workers are listened to.
_LISTEN_S = 0.1
# A worker that is told to end holds nothing that needs an ordered end: its batch is rolled back.
_END_S = 5.0


class Plan(NamedTuple):
    """What is to be filled, and how.

    Attributes:
        settings: those of the live archive but for the database or the schema to fill.
        start: from where a new target is read; None: from the beginning, an old one from where it is.
        again: read from `start` although the target was read into before.
        jobs: processes that share the partitions.
    """

    settings: Settings
    start: Start | None
    again: bool
    jobs: int


def default_jobs() -> int:
    """One process for each core: while one waits, a database on this machine uses its core."""
    return os.cpu_count() or 1


class Watcher(Protocol):
    """Receives the progress and notices of a rebuild."""

    def progress(self, done: int, total: int) -> None:
        """Hear, some times a second, how many of the records are committed."""

    def note(self, text: str) -> None:
        """Receive a notice for people."""


class Rebuilt(NamedTuple):
    """What a rebuild did.

    Attributes:
        records: how many it read.
        seconds: how long that took, the start of its processes not counted.
        floors: what it could not bring back, a sentence each.
    """

    records: int
    seconds: float
    floors: list[str]


async def rebuild(live: Settings, plan: Plan, watcher: Watcher) -> Rebuilt:
    """Fill a schema or database up to where the topics end now; from where an earlier run of it was ended.

    Args:
        live: the settings of the running archive, which is left alone.
        plan: what to fill.
        watcher: told of the progress.

    Raises:
        RebuildError: it cannot be done as asked; the message states why. LiveError: the target is the live archive.
        MigrationError: the target is of a newer version, or its tables cannot be made.
        PositionError: what the target holds does not fit these topics.
    """
    pool = await postgres.pool(plan.settings, writable=True, min_size=1, max_size=1, command_timeout=None)
    try:
        async with pool.acquire() as connection:
            await target.refuse_live(connection, live)
            if request := (await migrate(connection)).request:
                watcher.note(request)
            async with target.reserved(connection):
                return await _fill(connection, plan, watcher)
    finally:
        pool.terminate()


async def _fill(connection: Connection, plan: Plan, watcher: Watcher) -> Rebuilt:
    group_id = plan.settings.sink.group_id
    found = await identities(plan.settings)
    missing = floors(found)
    for each in missing:
        watcher.note(each)
    try:
        first = await first_offsets(plan.settings, found, plan.start or BEGINNING)
    except ValueError as error:
        raise RebuildError(f"--from: {error}") from error
    stored = await target.begin(connection, group_id, found, first, plan.start, again=plan.again)
    begun = {tp: offset.next_offset for tp, offset in stored.items()}
    ends = {tp: identity.end for tp, identity in found.items() if begun[tp] < identity.end}
    total = sum(end - begun[tp] for tp, end in ends.items())
    workers = [_Worker(plan.settings, {tp: ends[tp] for tp in share}) for share in shares(ends, plan.jobs)]
    try:
        seconds = await _listen(workers, begun, total, watcher)
    finally:
        for worker in workers:
            worker.end()
    await target.finish(connection, group_id)
    return Rebuilt(total, seconds, missing)


class _Worker:
    """A process and the end of the pipe from which its reports are read."""

    def __init__(self, settings: Settings, ends: dict[TopicPartition, int]) -> None:
        # Forks of a fresh process that has imported what they need: a fork of this one would take over its loop and
        # connections, and fresh interpreters would each take most of a second.
        context = get_context("forkserver")
        context.set_forkserver_preload([work.__module__])
        self._channel: Channel
        self._channel, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(target=work, args=(settings, ends, theirs), daemon=True)
        self._process.start()
        theirs.close()
        self.is_ready = False
        self.done = False

    def hear(self) -> dict[TopicPartition, int]:
        """The newest offsets that it has told of.

        Raises RebuildError where it failed or ended unasked.
        """
        offsets: dict[TopicPartition, int] = {}
        # A process that is killed with something unread in its pipe resets it.
        with suppress(EOFError, ConnectionError):
            while not self.done and self._channel.poll():
                report: Report = self._channel.recv()
                self.is_ready = True
                if report.failure is not None:
                    raise RebuildError(f"{report.failure}; the same command goes on from what is committed")
                offsets |= report.offsets
                self.done = report.done
        if not self.done and not self._process.is_alive():
            raise RebuildError(
                f"a process of the rebuild ended with code {self._process.exitcode}; the same command goes on from "
                "what is committed"
            )
        return offsets

    def begin(self) -> None:
        """Let it read; that it has ended is heard."""
        with suppress(ConnectionError):
            self._channel.send(None)

    def end(self) -> None:
        """End the process, whatever it does."""
        self._process.terminate()
        self._process.join(_END_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


async def _listen(workers: list[_Worker], begun: Mapping[TopicPartition, int], total: int, watcher: Watcher) -> float:
    """Return when all are done, with the seconds since they began, which they do together."""
    reached = dict(begun)
    while not all(worker.is_ready for worker in workers):
        for worker in workers:
            worker.hear()
        await asyncio.sleep(_LISTEN_S)
    began_s = time.monotonic()
    for worker in workers:
        worker.begin()
    while not all(worker.done for worker in workers):
        for worker in workers:
            reached |= worker.hear()
        # Beyond its end a partition counts no more: what came after the start is read along, but is not guaranteed.
        watcher.progress(min(total, sum(reached.values()) - sum(begun.values())), total)
        await asyncio.sleep(_LISTEN_S)
    watcher.progress(total, total)
    return time.monotonic() - began_s
