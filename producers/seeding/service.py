"""The seeder service: reads the list of seeds at its start and again once a day, and publishes what is new in it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from math import inf
from typing import ClassVar

from core import metrics
from core.backoff import Backoff
from core.clock import CLOCK
from core.kafka import Publisher, open_publisher
from core.service import Service
from core.settings import Settings, SettingsError
from core.settings.errors import key_and_variable
from core.tasks import cancel
from core.waiting import until_it_works
from producers.fetching.client import FetchError
from producers.fetching.http_url import HttpUrlError, http_url
from producers.operator.listed_relays import RelayList
from producers.operator.relay_commands import adding, listing, send_commands
from producers.operator.relay_lists import RelayListError
from producers.seeding.seed_list import read_seed_list

logger = logging.getLogger(__name__)

_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 3600.0
"""Between two tries to read a list: its server may start beside us, and one that is gone is not asked often."""
_NAMED = 20
"""Entries that are no relay URL and are named in the log; the others are counted."""


class SeederService(Service):
    """Not ready while its list cannot be read: an archive without seeds and events finds nothing."""

    name = "seeder"
    progress: ClassVar[Mapping[str, str]] = {"seeds": "bigbrotr_seeds_total"}
    _publisher: Publisher

    def __init__(self, settings: Settings) -> None:
        """Prepare; `start` connects to Kafka.

        Raises:
            SettingsError: `seeder.list` is a URL that nothing is fetched from.
        """
        super().__init__(settings)
        place, seeder = settings.seeder.list, settings.seeder
        self._listed: int | None = None
        if place is not None and "://" in place:
            try:
                http_url(place, allow_private=seeder.allow_private)
            except HttpUrlError as error:
                raise SettingsError(
                    f"{key_and_variable(['seeder', 'list'])}, {error}: give https://host/path or the path of a file; "
                    f"{key_and_variable(['seeder', 'allow_private'])} allows a server of your own"
                ) from None

    async def start(self) -> None:
        """Wait for the broker."""
        self._publisher = await open_publisher(self.settings)
        self.resources.push_async_callback(self._publisher.close)

    async def run(self) -> None:
        """Publish until it is to stop. A pass that runs then is cut off: the next one publishes what is missing."""
        passes = self.spawn(self._passes(), "passes")
        await self.stopping.wait()
        await cancel(passes)

    def status(self) -> dict[str, object]:
        """How many relays the list has; None until they are published."""
        return {"seeds": self._listed}

    async def _passes(self) -> None:
        seeder = self.settings.seeder
        while True:
            found = await until_it_works(
                "the list of seeds (seeder.list)",
                lambda: read_seed_list(self.settings),
                lambda error: isinstance(error, FetchError | OSError | RelayListError),
                backoff=Backoff(_FIRST_WAIT_S, _LONGEST_WAIT_S),
            )
            seeds = adding(
                found.relays.values(), source="seed", allow_private=seeder.allow_private, now_ms=CLOCK.now_ms()
            )
            # A service waits for Kafka without a limit. Without its news, a command is found by the registry too.
            report = await send_commands(self.settings, self._publisher, seeds, listing, timeout_s=inf)
            self._listed = len(found.relays)
            metrics.SEEDS.inc(report.written)
            _log(found, report.written)
            await asyncio.sleep(seeder.interval_s)


def _log(found: RelayList, published: int) -> None:
    for refused in found.refused[:_NAMED]:
        logger.warning("%s: %.80r: %s", refused.place, refused.text, refused.reason)
    logger.info(
        "%d of %d seeds are new and published; %d entries are no relay URL",
        published,
        len(found.relays),
        len(found.refused),
    )
