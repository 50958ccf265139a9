"""The finder service: asks each configured API for relays, and publishes those that are new to `relays.found`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import ClassVar

from core import metrics
from core.clock import CLOCK
from core.kafka import ProducerRecord, Publisher, open_publisher
from core.service import Service
from core.settings import Settings, SettingsError
from core.settings.errors import key_and_variable
from core.tasks import cancel
from producers.fetching.client import FetchError, HttpClient, open_client
from producers.finding.answers import AnswerError
from producers.finding.source import Source
from producers.targets import full_name
from schemas.records.relay_found import RelayFound
from schemas.relay_urls.registrable_domain import domain_partition
from schemas.relay_urls.relay_url import RelayUrl

logger = logging.getLogger(__name__)


class FinderService(Service):
    """Ready whatever the APIs do: they are a fallback, and another one may answer."""

    name = "finder"
    progress: ClassVar[Mapping[str, str]] = {
        "asked": "bigbrotr_finder_answers_total",
        "found": "bigbrotr_finder_relays_total",
    }
    _publisher: Publisher
    _client: HttpClient
    _partitions: int

    def __init__(self, settings: Settings) -> None:
        """Prepare; `start` connects to Kafka.

        Raises:
            SettingsError: a source has a URL that nothing is fetched from, or an expression that is none.
        """
        super().__init__(settings)
        self._topic = full_name(settings, "relays.found")
        self._sources = []
        for number, source in enumerate(settings.finder.sources):
            try:
                self._sources.append(
                    Source(source, f"finder.sources[{number}]", allow_private=settings.finder.allow_private)
                )
            except ValueError as error:
                raise SettingsError(f"{key_and_variable(['finder', 'sources', number])}, {error}") from None

    async def start(self) -> None:
        """Wait for the broker and the topic."""
        finder = self.settings.finder
        self._client = await self.resources.enter_async_context(
            open_client(
                self.settings.connector.nameservers,
                allow_private=finder.allow_private,
                timeout_s=finder.timeout_s,
                most_bytes=finder.max_bytes,
            )
        )
        self._publisher = await open_publisher(self.settings)
        self.resources.push_async_callback(self._publisher.close)
        self._partitions = await self._publisher.partition_count(self._topic)

    async def run(self) -> None:
        """Ask until it is to stop. A request that is open then is cut off: the next start asks anew."""
        if not self._sources:
            logger.info("no API is configured: list some in %s", key_and_variable(["finder", "sources"]))
        asking = [self.spawn(self._ask_again_and_again(source), source.name) for source in self._sources]
        await self.stopping.wait()
        await cancel(*asking)

    def status(self) -> dict[str, object]:
        """Each API with the outcome of its last request."""
        return {"sources": [source.status() for source in self._sources]}

    async def _ask_again_and_again(self, source: Source) -> None:
        while True:
            wait_s = await self._ask(source)
            await asyncio.sleep(wait_s)

    async def _ask(self, source: Source) -> float:
        """Ask once, publish, and give the seconds until the next time."""
        try:
            changed = await source.ask(self._client)
        except (FetchError, AnswerError) as error:
            metrics.FINDER_ANSWERS.labels("failed").inc()
            wait_s = source.failed(error)
            logger.warning("%s gives no relays, and is asked again in %.0f s: %s", source.name, wait_s, error)
            return wait_s
        metrics.FINDER_ANSWERS.labels("changed" if changed else "unchanged").inc()
        relays = source.due()
        now_ms = CLOCK.now_ms()
        await self._publisher.deliver(self._record(source, url, now_ms) for url in relays)
        source.published(relays)
        metrics.FINDER_RELAYS.inc(len(relays))
        return source.interval_s

    def _record(self, source: Source, url: RelayUrl, now_ms: int) -> ProducerRecord:
        found = RelayFound(
            url=url.url, spelling=url.spelling or url.url, source="api", places=(source.host,), first_seen_ms=now_ms
        )
        return ProducerRecord(
            self._topic, found.encode(), url.url.encode(), domain_partition(url.host, self._partitions)
        )
