"""The connections of aiohttp to one relay: it opens none itself, so that it reaches nothing that was not judged."""

from __future__ import annotations

import asyncio

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.tracing import Trace

from producers.prober.checks.route import Route

MOST_RECEIVED_BYTES = 1024 * 1024
"""Of one answer with all that is around it: eight times the largest document, as if each byte were a chunk. Interim
answers and the extensions of chunks have no bound in HTTP, and aiohttp reads them as fast as they come."""


class _BoundedAnswer(ResponseHandler):
    """Closes the connection of a server that sends more, and does not ask it to agree to that."""

    _received_bytes = 0

    def data_received(self, data: bytes) -> None:
        """Count what comes in before it is parsed."""
        self._received_bytes += len(data)
        if self._received_bytes <= MOST_RECEIVED_BYTES:
            super().data_received(data)
        elif self.transport is not None:
            self.set_exception(aiohttp.ClientPayloadError(f"more than {MOST_RECEIVED_BYTES} bytes came for one answer"))
            self.transport.abort()

    def close(self) -> None:
        """Cut the connection: with TLS, asyncio would wait half a minute for the server to say that it ends."""
        transport = self.transport
        super().close()
        if transport is not None:
            transport.abort()


class OneRelayConnector(aiohttp.BaseConnector):
    """Connects to one relay, whatever URL is asked for, and anew for each request."""

    def __init__(self, route: Route, timeout_s: float) -> None:
        """Prepare; `timeout_s` is that of `Route.open`."""
        super().__init__(force_close=True, limit=1)
        self._route = route
        self._timeout_s = timeout_s

    async def _create_connection(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - the signature is aiohttp's
    ) -> ResponseHandler:
        """The one method that aiohttp has connectors for other networks implement."""
        del req, traces, timeout
        url = self._route.url
        opened = await self._route.open(self._timeout_s)
        try:
            loop = asyncio.get_running_loop()
            _, protocol = await loop.create_connection(
                lambda: _BoundedAnswer(loop),
                sock=opened,
                ssl=self._route.tls if url.scheme == "wss" else None,
                server_hostname=url.host if url.scheme == "wss" else None,
            )
        except BaseException:
            opened.close()
            raise
        return protocol
