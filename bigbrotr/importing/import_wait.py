"""Waits until what was imported is validated and archived, and runs a processor and a sink for that if needed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from aiokafka import TopicPartition

from bigbrotr.console.progress import ImportProgress
from bigbrotr.errors import CommandFailedError
from bigbrotr.importing.sent_lines import SentLines
from bigbrotr.services import READINGS
from bigbrotr.status.lags import Lags
from bigbrotr.supervise import running
from bigbrotr.supervise.pipeline import Pipeline
from core import kafka, postgres
from core.settings import Settings
from core.waiting import until_it_works
from producers.files.import_report import ImportReport
from schemas.topics import physical

NEEDED = tuple(name for name, reading in READINGS.items() if reading.import_step is not None)
_IMPORTED, _EVENTS = "raw.bundles", "events"
# Twice as often as the processor commits what it has done. A look costs some milliseconds.
_POLL_S = kafka.COMMIT_INTERVAL_S / 2
# A supervisor starts a service that died within a minute. Only when none is there for longer has it gone itself.
_GONE_AFTER_S = 90.0


class NeededServices(NamedTuple):
    """The services that an import needs.

    Attributes:
        begin: to be called once servers, topics and tables are there.
        check: raises CommandFailedError once services that were somebody else's have gone for good.
    """

    begin: Callable[[], None]
    check: Callable[[], None]


@asynccontextmanager
async def needed_services(
    settings: Settings, config: Path | None, note: Callable[[str], None]
) -> AsyncIterator[NeededServices]:
    """Have the services that an import needs run for the length of the block: those of a `run`, else ones of our own.

    Those of our own load their programs at once, beside whatever the block does before it lets them begin.
    """
    if {service.name for service in running.read(settings.data_dir)} >= set(NEEDED):
        yield NeededServices(lambda: None, _Presence(settings.data_dir).check)
        return
    with running.only_one(settings.data_dir):
        pipeline = Pipeline(settings, config, names=NEEDED, on_event=note)
        try:
            await pipeline.load()
            yield NeededServices(pipeline.begin, pipeline.write_down)
        except BaseException:
            await pipeline.kill()
            raise
        await pipeline.stop()


class _Presence:
    """Whether the services of a `run` are still there."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._seen_at = asyncio.get_running_loop().time()

    def check(self) -> None:
        now = asyncio.get_running_loop().time()
        if {service.name for service in running.read(self._data_dir)} >= set(NEEDED):
            self._seen_at = now
        elif now - self._seen_at > _GONE_AFTER_S:
            raise CommandFailedError(
                f"{' and '.join(f'the {name}' for name in NEEDED)} that were running have gone; what was imported is "
                "safe in Kafka and is archived at the next start"
            )


async def settled(
    settings: Settings, lags: Lags, report: ImportReport, progress: ImportProgress, check: Callable[[], None]
) -> None:
    """Wait until every service that an import needs has done its part, in order of the flow.

    That is the imported bundles of the first, and of each later one all that its topics hold once the one before is
    done. Progress is told in events: imported ones of the first, records of the topic `events` of a later one.
    """
    sent = SentLines(physical(settings.kafka.topic_prefix, _IMPORTED), report.bundles)
    for reading in READINGS.values():
        if reading.import_step is None:
            continue
        if _IMPORTED in reading.topics:
            work = _Work(sent.ends, lambda now: sent.total - sent.passed(now))
        else:
            ends = (await lags.reader.bounds(*reading.topics)).ends
            topic = physical(settings.kafka.topic_prefix, _EVENTS)
            work = _Work(ends, partial(kafka.lag, {tp: end for tp, end in ends.items() if tp.topic == topic}, {}))
        await _done(work, partial(lags.reached, reading), partial(progress.left, reading.import_step), check)


def _is_transient(error: BaseException) -> bool:
    return kafka.is_transient(error) or postgres.is_transient(error)


class _Work(NamedTuple):
    """What a service has to do: how far it must be, and how many events it lacks where it is now."""

    targets: Mapping[TopicPartition, int]
    events_left: Callable[[kafka.Offsets], int]


async def _done(
    work: _Work,
    reached: Callable[[], Awaitable[kafka.Offsets]],
    tell: Callable[[int, int], None],
    check: Callable[[], None],
) -> None:
    first: int | None = None
    while True:
        now = await until_it_works("Kafka and PostgreSQL", reached, _is_transient)
        left = work.events_left(now)
        first = left if first is None else first
        tell(max(0, first - left), first)
        if not kafka.lag(work.targets, {}, now):
            return
        check()
        await asyncio.sleep(_POLL_S)
