"""The service `api`: serves the archive to programs and Nostr clients."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import ClassVar

from api.app import make_app
from api.clients import ClientAddresses
from api.context import Context
from api.live.feed import Feed
from api.live.tail import Tail
from api.metering import Metered
from api.rates import Rates
from api.reader import ArchiveReader
from api.readiness import ArchiveWatch
from api.server import ApiServer
from core import metrics, postgres
from core.archive.connection import reading_options, with_connection
from core.archive.queries.view import public_view
from core.archive.schema import check_version
from core.service import Service

logger = logging.getLogger(__name__)

_LATE_S = 5.0
"""The server ends a statement that takes too long; so much later we do, as where it is cut off."""


class ApiService(Service):
    """Answers requests until it is stopped; the database may be away meanwhile."""

    name: ClassVar[str] = "api"
    progress: ClassVar[Mapping[str, str]] = {
        "requests": "bigbrotr_api_requests_total",
        "unanswered": "bigbrotr_api_unanswered_queries_total",
        "websockets": "bigbrotr_api_websockets",
        "sent_bytes": "bigbrotr_api_sent_bytes_total",
    }

    _server: ApiServer
    _watch: ArchiveWatch
    _feed: Feed
    _tail: Tail

    async def start(self) -> None:
        """Wait for PostgreSQL, look at its tables, and listen.

        Raises:
            SchemaError: the tables are not those of this version.
            OperatorError: the address cannot be listened on.
        """
        api = self.settings.api
        options = reading_options(self.settings, patience_s=api.query_timeout_s)
        options |= {"command_timeout": api.query_timeout_s + _LATE_S}
        # One more than clients get, for the watch, which also keeps it open: none is made ahead of a question.
        pool = await postgres.pool(self.settings, **options, min_size=0, max_size=api.database_connections + 1)
        self._feed = Feed(api.live_bytes)
        self._tail = Tail(self.settings, self._feed)
        self.resources.push_async_callback(self._tail.close)
        reader = ArchiveReader(pool, api, self._tail.backlog.is_behind)
        # What a query finds has no reader any more: it is cut off, and all that is waited for is that it notices.
        self.resources.push_async_callback(reader.drain)
        self.resources.callback(pool.terminate)
        await with_connection(pool, check_version)
        context = Context(
            self.settings,
            reader,
            public_view(self.settings),
            ClientAddresses(api.trusted_proxies),
            Rates(api.requests_per_minute, api.clients),
        )
        self._watch = ArchiveWatch(pool)
        self.spawn(self._watch.run(), "archive watch")
        self.spawn(self._tail.run(), "new events")
        self._server = ApiServer(Metered(make_app(context, self._feed)), api, drain_s=self.settings.drain_s)
        self.resources.callback(self._server.close)
        logger.info("the archive is served at %s", self._server.url)

    async def run(self) -> None:
        """Serve until the process is to stop, then let answers that are under way end."""
        serving = self.spawn(self._server.serve(), "serving")
        await self.stopping.wait()
        self._server.stop()
        await serving

    def ready(self) -> str | None:
        """Say why the archive cannot be read; requests are answered all the same, by an error that says so."""
        return self._watch.problem

    def status(self) -> dict[str, object]:
        """Say where the archive is served, who follows new events, and why they are not read, if they are not.

        While `archive_is_behind`, queries have a share of the time only.

        `url` is as this machine reaches it, `public_url` as clients know it, where that is set.
        """
        return {
            "url": self._server.url,
            "public_url": self.settings.api.public_url,
            "connections": self._server.connections,
            "subscriptions": len(self._feed.subscriptions),
            "live_lag": self._tail.lag,
            "live_trouble": self._tail.trouble,
            "archive_is_behind": self._tail.backlog.is_behind(),
        }

    def tick(self) -> None:
        """Refresh the figures of what is followed."""
        metrics.LIVE_SUBSCRIPTIONS.set(len(self._feed.subscriptions))
        metrics.LIVE_KEPT.set(self._feed.ring.size_bytes)
        metrics.LIVE_LAG.set(self._tail.lag)
