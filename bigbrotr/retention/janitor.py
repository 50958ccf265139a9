"""The janitor service: trims `raw.bundles` periodically."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import ClassVar

from aiokafka.errors import OffsetOutOfRangeError

from bigbrotr.retention.trimming import TOPIC, Trim, report_lines, trim
from core import kafka, metrics
from core.kafka.topic_admin import TopicsError
from core.service import Service
from core.settings import Settings
from core.tasks import cancel
from core.waiting import until_it_works

logger = logging.getLogger(__name__)

EVERY_S = 3600.0
"""As often as the containers do. Kafka frees whole segments, so more often gives hardly any disk back sooner."""


class Janitor(Service):
    """A service, so that it reports waiting for Kafka, is not ready while it cannot trim, and ends with 0 when stopped.

    Args:
        settings: whose topic, group and keep time count.
        every_s: seconds between two passes.
        report: is told of each pass; unless given, the log is.
        dry_run: delete nothing.
    """

    name = "janitor"
    progress: ClassVar[Mapping[str, str]] = {"trimmed": "bigbrotr_trimmed_bundles_total"}

    def __init__(
        self,
        settings: Settings,
        every_s: float = EVERY_S,
        report: Callable[[Trim], None] | None = None,
        *,
        dry_run: bool = False,
    ) -> None:
        super().__init__(settings)
        self._every_s = every_s
        self._report = report or self._log
        self._dry_run = dry_run

    async def run(self) -> None:
        """Trim until it is to stop; a pass that runs then is cut off, as the next one repeats what it did not do."""
        passes = self.spawn(self._passes(), "passes")
        await self.stopping.wait()
        # Here, and not at the close: clients that are stopped while Kafka is away take longer than that has.
        await cancel(passes)

    async def _passes(self) -> None:
        while True:
            done = await until_it_works(f"Kafka to trim {TOPIC}", self._pass, _may_pass)
            if not self._dry_run:
                metrics.TRIMMED.inc(sum(done.deleted.values()))
            self._report(done)
            await asyncio.sleep(self._every_s)

    def _log(self, done: Trim) -> None:
        for line in report_lines(done, self.settings.processor.group_id, dry_run=self._dry_run):
            logger.info("%s", line)

    async def _pass(self) -> Trim:
        return await trim(self.settings, dry_run=self._dry_run)


def _may_pass(error: BaseException) -> bool:
    """Also while topics are made, or made anew between the question and the deletion."""
    return kafka.is_transient(error) or isinstance(error, TopicsError | OffsetOutOfRangeError)
