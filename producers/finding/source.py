"""One API: its latest answer, which of its relays are to be published, and when it is asked again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from core.backoff import Backoff
from core.clock import boot_ns
from core.settings import FinderSource
from producers.fetching.client import FetchError, HttpClient
from producers.fetching.http_url import http_url
from producers.finding.answers import AnswerError, compiled, relays_of
from schemas.relay_urls.relay_url import RelayUrl

AGAIN_S = 24 * 3600.0
"""After which a relay that is still listed is published again: `relays.found` keeps records for a week."""
_FIRST_WAIT_S, _LONGEST_WAIT_S = 60.0, 24 * 3600.0
"""After failures: a restart of the API takes minutes, and one that is gone for good is asked once a day."""


class Source:
    """Asks one API. What it keeps is bounded by the number of relays that are taken of an answer."""

    def __init__(self, settings: FinderSource, key: str, *, allow_private: bool) -> None:
        """Prepare.

        Args:
            settings: of the source.
            key: where they stand, for messages.
            allow_private: lets the API have a private address.

        Raises:
            ValueError: URL or expression cannot be used; the message names which, and why.
        """
        try:
            self._expression = compiled(settings.expression)
        except ValueError as error:
            raise ValueError(f"expression: is no JMESPath: {str(error).splitlines()[0]}") from None
        self._url = settings.url
        self.host = http_url(settings.url, allow_private=allow_private).host or ""
        """The rest of a URL may hold a key: it is shown nowhere."""
        self.name = f"{key} ({self.host})"
        self.interval_s = settings.interval_s
        """Between two requests that succeed."""
        self._backoff = Backoff(_FIRST_WAIT_S, max(_LONGEST_WAIT_S, settings.interval_s))
        self._etag: str | None = None
        self._listed: Sequence[RelayUrl] = ()
        self._published_ns: dict[str, int] = {}
        self._outcome = "not asked yet"

    async def ask(self, client: HttpClient) -> bool:
        """Ask for the list; False where it is the same as the last time.

        Raises:
            FetchError, AnswerError: there is none; `failed` gives how long to wait.
        """
        answer = await client.get_changed(self._url, self._etag)
        if answer is None:
            self._outcome = "unchanged"
        else:
            # In a thread: an answer of 4 MiB may take a second.
            relays = await asyncio.to_thread(relays_of, answer.body, answer.content_type, self._expression)
            self._etag = answer.etag
            self._listed = tuple(relays.relays.values())
            self._outcome = f"{len(relays.relays)} relays, {len(relays.refused)} entries that are none"
        self._backoff.reset()
        return answer is not None

    def due(self) -> list[RelayUrl]:
        """The listed relays that were not published within a day."""
        now_ns = boot_ns()
        again_ns = int(AGAIN_S * 1_000_000_000)
        return [
            url
            for url in self._listed
            if (at_ns := self._published_ns.get(url.url)) is None or now_ns - at_ns >= again_ns
        ]

    def published(self, relays: Sequence[RelayUrl]) -> None:
        """Remember that Kafka has acknowledged them; those that are not listed any more are forgotten."""
        listed = {url.url for url in self._listed}
        now_ns = boot_ns()
        self._published_ns |= {url.url: now_ns for url in relays}
        self._published_ns = {url: at_ns for url, at_ns in self._published_ns.items() if url in listed}

    def failed(self, error: FetchError | AnswerError) -> float:
        """Remember a failure and give the seconds to wait: as the API asks, and longer with each failure in a row."""
        self._outcome = str(error)
        return max(self._backoff.next_s(), error.wait_s if isinstance(error, FetchError) else 0.0)

    def status(self) -> dict[str, Any]:
        """How it went the last time."""
        return {
            "name": self.name,
            "outcome": self._outcome,
            "relays": len(self._listed),
            "published": len(self._published_ns),
            "failures": self._backoff.failures,
        }
