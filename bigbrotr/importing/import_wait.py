"""Waits until what was imported is validated and archived, and runs a processor and a sink for that if needed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from aiokafka import TopicPartition

from bigbrotr.console.progress import ImportProgress
from bigbrotr.errors import CommandFailedError
from bigbrotr.services import READINGS
from bigbrotr.status.lags import Lags
from bigbrotr.supervise import running
from bigbrotr.supervise.pipeline import Pipeline
from core import kafka, postgres
from core.settings import Settings
from core.waiting import until_it_works
from producers.files.importer import ImportReport
from schemas.topics import physical

NEEDED = tuple(name for name, reading in READINGS.items() if reading.import_step is not None)
_IMPORTED = "raw.bundles"
_POLL_S = 0.5
# A supervisor starts a service that died within a minute. Only when none is there for longer has it gone itself.
_GONE_AFTER_S = 90.0


@asynccontextmanager
async def needed_services(
    settings: Settings, config: Path | None, note: Callable[[str], None]
) -> AsyncIterator[Callable[[], None]]:
    """Have the services that an import needs run for the length of the block: those of a `run`, else ones of our own.

    Yields a check that raises CommandFailedError once services that were somebody else's have gone for good.
    """
    if {service.name for service in running.read(settings.data_dir)} >= set(NEEDED):
        yield _Presence(settings.data_dir).check
        return
    with running.only_one(settings.data_dir):
        pipeline = Pipeline(settings, config, names=NEEDED, on_event=note)
        try:
            await pipeline.start()
            yield pipeline.write_down
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
    done.
    """
    topic = physical(settings.kafka.topic_prefix, _IMPORTED)
    imported = {TopicPartition(topic, number): max(offsets) + 1 for number, offsets in report.offsets.items()}
    for reading in READINGS.values():
        if reading.import_step is None:
            continue
        targets = imported if _IMPORTED in reading.topics else (await lags.reader.bounds(*reading.topics)).ends
        left = {tp: target for tp, target in targets.items() if target}
        await _reached(left, partial(lags.reached, reading), progress, reading.import_step, check)


def _is_transient(error: BaseException) -> bool:
    return kafka.is_transient(error) or postgres.is_transient(error)


async def _reached(
    targets: Mapping[TopicPartition, int],
    reached: Callable[[], Awaitable[kafka.Offsets]],
    progress: ImportProgress,
    step: str,
    check: Callable[[], None],
) -> None:
    first: int | None = None
    while True:
        now = await until_it_works("Kafka and PostgreSQL", reached, _is_transient)
        left = kafka.lag(targets, {}, now)
        first = left if first is None else first
        progress.left(step, max(0, first - left), first, "records")
        if not left:
            return
        check()
        await asyncio.sleep(_POLL_S)
