"""The check `nip11`: the relay information document, and what the same HTTP answer tells besides.

The answer is untrusted: it is bounded in bytes and time, never unpacked, and a redirect is not followed, since it leads
to another URL. Only another spelling of the same URL is asked too, as for the websocket.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

import aiohttp
from yarl import URL

from core.clock import CLOCK
from producers.addresses.address_guard import AddressRefusedError
from producers.fetching.body import leading_bytes
from producers.prober.checks.http_connector import OneRelayConnector
from producers.prober.checks.http_headers import USER_AGENT, charset, clock_difference_s, http_check
from producers.prober.checks.refusing import LOOKED_AT_BYTES, http_refusal
from producers.prober.checks.route import Route
from producers.prober.checks.words import failure, words
from producers.relay_client.dialling import patience
from producers.relay_client.spelling import dial_url, form_after
from schemas.nostr.relay_document import (
    NotADocumentError,
    RelayInformation,
    content_hash,
    document_text,
    parse_document,
)
from schemas.records.probe import Cause, HttpCheck, Nip11Check
from schemas.records.relay_document import RelayDocumentRecord

_HEADERS = {
    "User-Agent": USER_AGENT,
    "Accept": "application/nostr+json",
    # What is sent is what is counted: a small answer cannot become a large one here.
    "Accept-Encoding": "identity",
}
_MILLISECONDS = 1000


@dataclass(frozen=True, slots=True)
class Nip11Outcome:
    """What one HTTP request told of a relay.

    Attributes:
        check: the record.
        http: of the headers; None where no answer of HTTP came.
        clock_difference_s: the server's Date less our time; None where it is not known.
        document: for `relays.documents`; None where there is none.
        information: what it says.
    """

    check: Nip11Check
    http: HttpCheck | None = None
    clock_difference_s: float | None = None
    document: RelayDocumentRecord | None = None
    information: RelayInformation | None = None


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer of HTTP; `body` is a byte longer than what is taken where there is more."""

    status: int
    headers: Mapping[str, str]
    locations: list[str]
    body: bytes
    headers_ms: int
    took_ms: int
    at_s: float


async def check_nip11(
    route: Route, *, timeout_s: float, most_bytes: int, now_s: Callable[[], float] = CLOCK.now_s
) -> Nip11Outcome:
    """Ask a relay for its information document, in overlay networks through their proxy.

    Args:
        route: to the relay.
        timeout_s: for all of it; `patience` times that in overlay networks.
        most_bytes: of a document.
        now_s: the time of day.
    """
    timeout_s *= patience(route.url.network)
    began_s = now_s()
    try:
        async with (
            asyncio.timeout(timeout_s),
            aiohttp.ClientSession(
                connector=OneRelayConnector(route, timeout_s),
                headers=_HEADERS,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(total=None),  # the deadline is of all requests together
            ) as session,
        ):
            answer = await _ask_either(session, dial_url(route.record), most_bytes, now_s)
    except aiohttp.ClientResponseError as error:
        # Its text repeats the URL.
        return _failed(f"the answer is not HTTP: {words(error.message)}")
    except aiohttp.ClientOSError as error:
        return _failed(failure(error.__cause__ or error, timeout_s))
    except (aiohttp.ClientError, AddressRefusedError, OSError, ValueError) as error:
        # Some of what aiohttp raises of an odd answer is a bare ValueError.
        return _failed(failure(error, timeout_s))
    return _judged(answer, most_bytes, int(began_s * _MILLISECONDS))


def _failed(error: str) -> Nip11Outcome:
    return Nip11Outcome(Nip11Check(ok=False, error=words(error)))


async def _ask_either(
    session: aiohttp.ClientSession, spelling: str, most_bytes: int, now_s: Callable[[], float]
) -> _Answer:
    """Ask under one spelling and, where the server does not know that one, under another."""
    answer = await _ask(session, spelling, most_bytes, now_s)
    other = form_after(spelling, answer.status, answer.locations)
    return answer if other is None else await _ask(session, other, most_bytes, now_s)


async def _ask(session: aiohttp.ClientSession, spelling: str, most_bytes: int, now_s: Callable[[], float]) -> _Answer:
    loop = asyncio.get_running_loop()
    began = loop.time()
    url = URL(f"http{spelling.removeprefix('ws')}", encoded=True)
    async with session.get(url, allow_redirects=False) as response:
        at_s, headers_at = now_s(), loop.time()
        body = await leading_bytes(response, most_bytes if response.status == HTTPStatus.OK else LOOKED_AT_BYTES)
        return _Answer(
            status=response.status,
            headers=response.headers,
            locations=response.headers.getall("Location", []),
            body=body,
            headers_ms=round((headers_at - began) * _MILLISECONDS),
            took_ms=round((loop.time() - began) * _MILLISECONDS),
            at_s=at_s,
        )


def _judged(answer: _Answer, most_bytes: int, began_ms: int) -> Nip11Outcome:
    content_type = answer.headers.get("Content-Type", "")
    refusal = http_refusal(answer.status, answer.headers, answer.body)
    document, information, error = None, None, _problem(answer, refusal, most_bytes)
    if error is None:
        text = document_text(answer.body, charset(content_type))
        try:
            information = parse_document(text)
        except NotADocumentError as not_one:
            error = f"no relay information document: it {not_one}"
        else:
            document = RelayDocumentRecord(hash=content_hash(answer.body), text=text, first_seen_ms=began_ms)
    return Nip11Outcome(
        Nip11Check(
            ok=document is not None,
            took_ms=None if document is None else answer.took_ms,
            error=None if error is None else words(error),
            cause=refusal,
            status=answer.status,
            content_type=words(content_type) or None,
            document=None if document is None else document.hash,
        ),
        http_check(answer.headers, answer.headers_ms),
        clock_difference_s(answer.headers, answer.at_s),
        document,
        information,
    )


def _problem(answer: _Answer, refusal: Cause | None, most_bytes: int) -> str | None:
    """Why an answer is no document, as far as that is seen before it is read."""
    if refusal == "challenge_page":
        return f"a page that a browser is to solve (HTTP {answer.status})"
    if answer.locations and answer.status != HTTPStatus.OK:
        return f"a redirect to another URL, which is not followed (HTTP {answer.status})"
    if answer.status != HTTPStatus.OK:
        return f"the answer is HTTP {answer.status}"
    if answer.headers.get("Content-Encoding", "identity").strip().lower() not in ("identity", ""):
        return "the answer is compressed, which was not asked for"
    return f"the answer is larger than {most_bytes} bytes" if len(answer.body) > most_bytes else None
