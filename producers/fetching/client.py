"""Fetches a document: one deadline for all redirects, a bound on its bytes, and no address that was not judged."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from core.clock import CLOCK
from core.waiting import brief
from producers.addresses.address_guard import AddressRefusedError, allowed_addresses
from producers.addresses.resolver import open_resolver
from producers.fetching.body import leading_bytes
from producers.fetching.http_url import HttpUrlError, http_url, redirected
from producers.relay_client.refusals import retry_after_s

TIMEOUT_S = 30.0
"""For name, connection, redirects and the last byte together: lists of relays are below 1 MiB."""
MOST_BYTES = 4 * 1024 * 1024
"""Of a document: 50,000 relay URLs with some words about each; Nostr has a few thousand."""
_MOST_REDIRECTS = 3
"""From an old address to a new one, to another host and to another path; more are a loop."""
_SHOWN = 100
"""Characters of what a server sent instead of HTTP."""
_LONGEST_ETAG = 200
"""Hashes and times are shorter."""
_REDIRECTS = (301, 302, 303, 307, 308)
_HEADERS = {
    "User-Agent": "bigbrotr (Nostr archive; reads lists of relays)",
    "Accept": "application/json, text/plain;q=0.9, */*;q=0.1",
    # What is sent is what is counted: a small answer cannot become a large one here.
    "Accept-Encoding": "identity",
}


class FetchError(Exception):
    """A document could not be fetched.

    Attributes:
        wait_s: the server asks to be left alone for so long.
    """

    def __init__(self, text: str, wait_s: float = 0.0) -> None:
        super().__init__(text)
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class Answer:
    """A document.

    Attributes:
        body: its bytes, as sent.
        content_type: what the server calls it, for messages only.
        etag: by which the server knows this version of it; None where it gave none.
    """

    body: bytes
    content_type: str
    etag: str | None


class HttpClient:
    """Fetches documents through a session of `open_client`."""

    def __init__(
        self, session: aiohttp.ClientSession, *, allow_private: bool, timeout_s: float, most_bytes: int
    ) -> None:
        self._session = session
        self._allow_private = allow_private
        self._timeout_s = timeout_s
        self._most_bytes = most_bytes

    async def get(self, url: str) -> Answer:
        """Fetch a document.

        Raises:
            FetchError: it cannot be had now.
        """
        answer = await self.get_changed(url, None)
        assert answer is not None, "without a version, there is none that it could be the same as"
        return answer

    async def get_changed(self, url: str, etag: str | None) -> Answer | None:
        """Fetch a document; None where it is still the version of `etag`.

        Raises:
            FetchError: it cannot be had now.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._follow(http_url(url, allow_private=self._allow_private), etag)
        except TimeoutError:
            raise FetchError(f"no complete answer within {self._timeout_s:g} s") from None
        except (AddressRefusedError, HttpUrlError) as error:
            raise FetchError(str(error)) from error
        except aiohttp.ClientResponseError as error:
            # Its text repeats the URL, which may hold a key.
            raise FetchError(f"the answer is not HTTP: {' '.join(error.message.split())[:_SHOWN]}") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # Some of what aiohttp raises of an odd answer is a bare ValueError.
            raise FetchError(brief(error)) from error

    async def _follow(self, url: URL, etag: str | None) -> Answer | None:
        for _ in range(_MOST_REDIRECTS + 1):
            found = await self._ask(url, etag)
            if not isinstance(found, str):
                return found
            try:
                url = redirected(url, found, allow_private=self._allow_private)
            except HttpUrlError as error:
                raise HttpUrlError(f"a redirect that is not followed: {error}") from error
        raise FetchError(f"more than {_MOST_REDIRECTS} redirects")

    async def _ask(self, url: URL, etag: str | None) -> Answer | str | None:
        """Send one request: the document, None where it is unchanged, or the place that it is at instead."""
        headers = {"If-None-Match": etag} if etag is not None else {}
        async with self._session.get(url, headers=headers, allow_redirects=False) as response:
            if response.status in _REDIRECTS and "Location" in response.headers:
                return response.headers["Location"]
            if response.status == HTTPStatus.NOT_MODIFIED and etag is not None:
                return None
            if response.status != HTTPStatus.OK:
                wait_s = retry_after_s(response.headers.get("Retry-After", ""), CLOCK.now_s())
                raise FetchError(f"the answer is HTTP {response.status}", wait_s or 0.0)
            if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                raise FetchError("the answer is compressed, which was not asked for")
            body = await leading_bytes(response, self._most_bytes)
            if len(body) > self._most_bytes:
                raise FetchError(f"the answer is larger than {self._most_bytes} bytes")
            return Answer(body, response.content_type, _etag(response.headers.get("ETag", "")))


@asynccontextmanager
async def open_client(
    nameservers: Sequence[str],
    *,
    allow_private: bool,
    timeout_s: float = TIMEOUT_S,
    most_bytes: int = MOST_BYTES,
) -> AsyncIterator[HttpClient]:
    """Open a client that reaches public addresses over TLS only, unless `allow_private`; proxies are not used.

    Args:
        nameservers: addresses; none: the system's.
        allow_private: as of `http_url`, for what hosts resolve to and for redirects too.
        timeout_s: for a document, from the name to the last byte, redirects included.
        most_bytes: of a document.
    """
    async with open_resolver(nameservers) as resolver:
        connector = aiohttp.TCPConnector(
            resolver=_JudgedAddresses(resolver.addresses, allow_private=allow_private),
            use_dns_cache=False,
            force_close=True,  # an hour lies between two requests, and each is to be judged anew
        )
        async with aiohttp.ClientSession(
            connector=connector,
            headers=_HEADERS,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None),  # `HttpClient.get` has one for all requests of a document
        ) as session:
            yield HttpClient(session, allow_private=allow_private, timeout_s=timeout_s, most_bytes=most_bytes)


class _JudgedAddresses(AbstractResolver):
    """Gives aiohttp the addresses that may be connected to; it connects to nothing else."""

    def __init__(self, resolve: Callable[[str], Awaitable[list[str]]], *, allow_private: bool) -> None:
        self._resolve = resolve
        self._allow_private = allow_private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        addresses = await allowed_addresses(host, allow_private=self._allow_private, resolve=self._resolve)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=_family(address),
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
            if family in (socket.AF_UNSPEC, _family(address))
        ]

    async def close(self) -> None:
        pass


def _etag(value: str) -> str | None:
    """The version that a server names, where it can be sent back as it is."""
    return value if 0 < len(value) <= _LONGEST_ETAG and value.isascii() and value.isprintable() else None


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET  # noqa: PLR2004
