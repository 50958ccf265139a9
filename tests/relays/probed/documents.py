"""Relays that work, and whose information documents are odd, or none."""

from __future__ import annotations

import gzip
import json
import time
from email.utils import formatdate
from functools import lru_cache, partial
from http import HTTPStatus

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from tests.relays.probed.case import Case, Step, at
from tests.relays.probed.member import Member, Page, Raw, write_on

LONGEST_BYTES = 64 * 1024
"""The default of `prober.nip11_max_bytes`."""
AHEAD_S = 3600
"""Of a clock that is wrong by more than any answer takes."""
_BOMB_BYTES = 60 * 1024 * 1024
"""Packed, it is just short enough to be taken."""
_PIECE_BYTES = 256 * 1024
"""Two hundred of these are sent in a second, if all are taken."""
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/nostr+json\r\n"
_REDIRECTS = (301, 302, 303, 307, 308)


def paged(page: Page, **facts: object) -> Case:
    """A relay whose document is this; by `facts` what is found of it."""
    return Case(
        at(lambda: Member(page=page)), "works", facts={f"checks.nip11.{name}": value for name, value in facts.items()}
    )


def taken(body: bytes, content_type: str = "application/nostr+json") -> Case:
    """It is a document."""
    return paged(Page(body, content_type=content_type), ok=True, error=None, status=200)


def none(body: bytes, error: str, content_type: str = "application/nostr+json", **headers: str) -> Case:
    """It is none."""
    page = Page(
        body, content_type=content_type, headers={key.replace("_", "-"): value for key, value in headers.items()}
    )
    return paged(page, ok=False, error=error, status=200, document=None)


def bare(raw: Raw, error: str, short: Step | None = None) -> Case:
    """A GET that is dealt with on the bare connection."""
    facts = {"checks.nip11.ok": False, "checks.nip11.error": error, "checks.nip11.document": None}
    return Case(at(lambda: Member(raw=raw)), "works", short=short, facts=facts)


def saying(text: bytes) -> Raw:
    """Say this, and hang up."""

    async def say(_member: Member, connection: ServerConnection) -> None:
        connection.transport.write(text)
        connection.transport.close()

    return say


class Fast(Member):
    """Its clock is ahead."""

    async def _handshake(self, connection: ServerConnection, request: Request) -> Response | None:  # type: ignore[override]
        self.page = Page(b"{}", headers={"Date": formatdate(time.time() + AHEAD_S, usegmt=True)})
        return await super()._handshake(connection, request)


class Asking(Member):
    """Answers only with a User-Agent that says who it is."""

    async def _handshake(self, connection: ServerConnection, request: Request) -> Response | None:  # type: ignore[override]
        if not request.headers.get("User-Agent", "").startswith("bigbrotr"):
            return connection.respond(HTTPStatus.FORBIDDEN, "")
        return await super()._handshake(connection, request)


@lru_cache
def bomb() -> bytes:
    """More spaces than a probe is to hold, packed."""
    return gzip.compress(b" " * _BOMB_BYTES, mtime=0)


def odd_shapes() -> dict[str, object]:
    """Members as relays have them, and as none may."""
    return {
        "a number of NIPs": {"supported_nips": 11},
        "NIPs by name": {"supported_nips": ["1", "5A", "NIP-42", None, -1, 2.0]},
        "an npub": {"pubkey": "npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg"},
        "unset": {"pubkey": "unset", "limitation": None, "fees": []},
        "words for truth": {"limitation": {"auth_required": "false", "payment_required": "no", "max_limit": "500"}},
        "numbers beyond": {"limitation": {"max_limit": 10**30, "max_subscriptions": -1, "min_pow_difficulty": 1.5}},
        "nested": {"name": [{"name": {}}], "limitation": [1, 2], "retention": [{"kinds": [[0, 9]], "time": None}]},
        "half a surrogate": {"name": "\ud800", "description": "a\x00b"},
        "long": {"name": "n" * 10_000, "tags": ["t"] * 5000},
        "markup": {"name": "<script>alert(1)</script>", "icon": "javascript:alert(1)"},
    }


SHAPES = {f"document: {name}": taken(json.dumps(shape).encode()) for name, shape in odd_shapes().items()}
TEXTS = {
    "document: empty object": taken(b"{}"),
    "document: mark at its beginning": taken(b'\xef\xbb\xbf{"name":"x"}'),
    "document: as text": taken(b' \r\n{"name":"x"}\n', "text/plain"),
    "document: as HTML": taken(b'{"name":"x"}', "text/html"),
    "document: Latin-1": taken('{"name":"é"}'.encode("latin-1"), "application/json; charset=iso-8859-1"),
    "document: charset unknown": taken('{"name":"é"}'.encode(), "application/json; charset=nonsense"),
    "document: not UTF-8": taken(b'{"name":"\xff\xfe"}'),
    "document: UTF-16": taken('{"name":"x"}'.encode("utf-16")),
    "document: the same member twice": taken(b'{"name":"x","name":"y"}'),
    "document: as long as may be": taken(b"{}" + b" " * (LONGEST_BYTES - 2)),
    "no document: HTML": none(b"<html>welcome</html>", "no relay information document", "text/html"),
    "no document: NUL": none(b'\x00{"name":"x"}', "no relay information document"),
    "no document: empty": none(b"", "no relay information document"),
    "no document: array": none(b"[1]", "no relay information document"),
    "no document: null": none(b"null", "no relay information document"),
    "no document: cut off": none(b'{"name":', "no relay information document"),
    "no document: deep": none(b'{"a":' * 10_000, "no relay information document"),
    "no document: a byte too long": none(b"{}" + b" " * (LONGEST_BYTES - 1), f"larger than {LONGEST_BYTES} bytes"),
    "no document: compressed": none(gzip.compress(b"{}"), "compressed", Content_Encoding="gzip"),
    "no document: not said to be compressed": none(gzip.compress(b"{}"), "no relay information document"),
    "document: of a server whose clock is fast": Case(
        at(Fast), "works", facts={"observed.clock_difference_s": pytest.approx(AHEAD_S, abs=AHEAD_S / 2)}
    ),
    "document: to those who name themselves": Case(
        at(lambda: Asking(page=Page(b"{}"))), "works", facts={"checks.nip11.ok": True}
    ),
    "no document: 403": paged(Page(b"", HTTPStatus.FORBIDDEN), ok=False, status=403),
    "no document: 429": paged(
        Page(b"", HTTPStatus.TOO_MANY_REQUESTS, headers={"Retry-After": "9"}), ok=False, status=429
    ),
    "no document: 404": paged(Page(b"{}", HTTPStatus.NOT_FOUND), ok=False, status=404),
}
REDIRECTS = {
    f"no document: {status}": paged(
        Page(b"", status, headers={"Location": "http://127.0.0.1:9/"}),
        ok=False,
        status=status,
        error="a redirect to another URL",
    )
    for status in _REDIRECTS
}
BARE = {
    "no document: not HTTP": bare(saying(b"SSH-2.0-OpenSSH_9.9\r\n"), "not HTTP"),
    "no document: cut off in the middle": bare(saying(_HEAD + b"Content-Length: 99\r\n\r\n{"), ""),
    "no document: chunks of nonsense": bare(saying(_HEAD + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n"), ""),
    "no document: nothing": bare(saying(b""), ""),
    "no document: endless": bare(partial(write_on, head=_HEAD + b"\r\n", piece=b" " * _PIECE_BYTES), "larger than"),
    "no document: endless headers": bare(partial(write_on, head=_HEAD + b"X: ", piece=b"x" * _PIECE_BYTES), "not HTTP"),
    "no document: dripping": bare(
        partial(write_on, head=_HEAD + b"Content-Length: 9999\r\n\r\n", piece=b" "), "no answer within", "nip11"
    ),
    "no document: silence": bare(partial(write_on, head=b"", piece=b""), "no answer within", "nip11"),
}
BOMB = {
    "no document: bomb": Case(
        at(lambda: Member(page=Page(bomb(), headers={"Content-Encoding": "gzip"}))),
        "works",
        facts={"checks.nip11.ok": False, "checks.nip11.error": "compressed"},
    )
}
DOCUMENTS = SHAPES | TEXTS | REDIRECTS | BARE | BOMB
