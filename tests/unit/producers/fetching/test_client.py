"""A document is fetched from real servers, or given up within the bounds, whatever they do."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from aiohttp import web

from producers.fetching.client import FetchError, HttpClient, open_client
from tests.broker.secured.certificates import Authority
from tests.relays.dns_server import name_server
from tests.unit.producers.fetching.servers import http_server, json_text, raw_server

LONG_S = 60.0
"""Of a test that does not wait for it."""
SMALL = 4096
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@asynccontextmanager
async def own(*, timeout_s: float = LONG_S, most_bytes: int = SMALL) -> AsyncIterator[HttpClient]:
    """A client that may go to the loopback."""
    async with open_client([], allow_private=True, timeout_s=timeout_s, most_bytes=most_bytes) as client:
        yield client


async def endless(writer: asyncio.StreamWriter, piece: bytes = b" ") -> None:
    while True:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0)


async def dripping(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


async def finished(writer: asyncio.StreamWriter) -> None:
    await writer.drain()


async def test_a_document_has_its_bytes_type_and_version() -> None:
    async def answer(request: web.BaseRequest) -> web.Response:
        assert request.headers["Accept-Encoding"] == "identity"
        assert "bigbrotr" in request.headers["User-Agent"]
        return web.Response(body=b"[1]", content_type="text/html", headers={"ETag": '"a"'})

    async with http_server(answer) as url, own() as client:
        found = await client.get(f"{url}/list?key=1")
    assert (found.body, found.content_type, found.etag) == (b"[1]", "text/html", '"a"')


async def test_an_unchanged_document_is_not_sent_again() -> None:
    async def answer(request: web.BaseRequest) -> web.Response:
        if request.headers.get("If-None-Match") == '"a"':
            return web.Response(status=304)
        return web.Response(text="[]", headers={"ETag": '"a"'})

    async with http_server(answer) as url, own() as client:
        assert await client.get_changed(url, '"a"') is None
        assert await client.get_changed(url, '"b"') is not None


@pytest.mark.parametrize("etag", [b'"\x01"', b'"\xff"', b'"' + b"a" * 200 + b'"', b""])
async def test_a_version_that_cannot_be_sent_back_is_none(etag: bytes) -> None:
    said = OK + b"ETag: " + etag + b"\r\nContent-Length: 2\r\n\r\n[]"
    async with raw_server(said, then=finished) as url, own() as client:
        with suppress(FetchError):  # aiohttp takes some of these for no HTTP at all
            assert (await client.get(url)).etag is None


@pytest.mark.parametrize("declared", [True, False])
async def test_a_large_document_is_given_up_at_the_bound(declared: bool) -> None:
    head = OK + (b"Content-Length: 99999999\r\n\r\n" if declared else b"\r\n")
    async with raw_server(head, then=endless) as url, own() as client:
        with pytest.raises(FetchError, match=f"larger than {SMALL} bytes"):
            await client.get(url)


@pytest.mark.parametrize("declared", [True, False])
async def test_a_document_of_exactly_the_bound_is_taken_and_a_byte_more_is_not(declared: bool) -> None:
    for more in (0, 1):
        size = SMALL + more
        head = OK + (f"Content-Length: {size}\r\n\r\n".encode() if declared else b"\r\n")
        async with raw_server(head + b" " * size, then=finished) as url, own() as client:
            if more:
                with pytest.raises(FetchError, match="larger"):
                    await client.get(url)
            else:
                assert len((await client.get(url)).body) == SMALL


@pytest.mark.parametrize("head", [OK + b"\r\n", OK, b"HTTP/1.1 200 OK\r\nX: "])
async def test_what_drips_is_given_up_at_the_deadline(head: bytes) -> None:
    async with raw_server(head, then=dripping) as url, own(timeout_s=0.5) as client:
        with pytest.raises(FetchError, match=r"no complete answer within 0\.5 s"):
            await client.get(url)


async def test_headers_without_an_end_are_given_up() -> None:
    def piling(writer: asyncio.StreamWriter) -> Awaitable[None]:
        return endless(writer, b"x" * 4096)

    async with raw_server(b"HTTP/1.1 200 OK\r\nX: ", then=piling) as url, own() as client:
        with pytest.raises(FetchError, match="the answer is not HTTP"):
            await client.get(url)


async def test_a_compressed_answer_is_not_unpacked() -> None:
    bomb = gzip.compress(b" " * (1 << 24), mtime=0)  # 16 KiB that stand for 16 MiB

    async def answer(_request: web.BaseRequest) -> web.Response:
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip", "Content-Type": "application/json"})

    async with http_server(answer) as url, own(most_bytes=1 << 25) as client:
        with pytest.raises(FetchError, match="compressed, which was not asked for"):
            await client.get(url)


@pytest.mark.parametrize(
    ("said", "match"),
    [
        (b"nonsense\r\n\r\n", "the answer is not HTTP: "),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "the answer is HTTP 404"),
        (b"HTTP/1.1 304 Not Modified\r\n\r\n", "the answer is HTTP 304"),
        (b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", "the answer is HTTP 302"),
        (OK + b"Content-Length: 10\r\n\r\n[]", "ClientPayloadError|ContentLength"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n", "chunk|Transfer|Payload"),
        (b"", "ServerDisconnected"),
    ],
)
async def test_what_is_no_document_is_said(said: bytes, match: str) -> None:
    async with raw_server(said, then=finished) as url, own() as client:
        with pytest.raises(FetchError, match=match) as caught:
            await client.get(f"{url}/list?key=secret")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("given", "wait_s"), [("120", 120.0), ("99999999", 86_400.0), ("soon", 0.0)])
async def test_a_server_that_asks_for_patience_has_it_within_a_day(given: str, wait_s: float) -> None:
    async def answer(_request: web.BaseRequest) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": given})

    async with http_server(answer) as url, own() as client:
        with pytest.raises(FetchError) as caught:
            await client.get(url)
    assert caught.value.wait_s == wait_s


async def test_some_redirects_are_followed_and_a_loop_is_left() -> None:
    asked: list[str] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        asked.append(request.path)
        left = int(request.path.strip("/"))
        if not left:
            return web.Response(text="there")
        return web.Response(status=302, headers={"Location": f"/{left - 1}"})

    async with http_server(answer) as url, own() as client:
        assert (await client.get(f"{url}/3")).body == b"there"
        asked.clear()
        with pytest.raises(FetchError, match="more than 3 redirects"):
            await client.get(f"{url}/9")
    assert asked == ["/9", "/8", "/7", "/6"]


@pytest.mark.parametrize("location", ["http://user@127.0.0.1/", "ftp://127.0.0.1/", "http://a:b:c/", "x" * 3000])
async def test_a_redirect_is_judged_as_a_url_of_the_settings_is(location: str) -> None:
    async def answer(_request: web.BaseRequest) -> web.Response:
        return web.Response(status=301, headers={"Location": location})

    async with http_server(answer) as url, own() as client:
        with pytest.raises(FetchError, match="a redirect that is not followed: "):
            await client.get(url)


async def test_a_certificate_of_no_known_authority_is_refused(tmp_path: Path) -> None:
    pair = Authority(tmp_path).sign("server")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(pair.certificate, pair.key)
    async with http_server(json_text("[]"), tls) as url, own() as client:
        with pytest.raises(FetchError, match="CERTIFICATE_VERIFY_FAILED"):
            await client.get(url)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::1"]
)
async def test_a_name_of_a_private_address_is_not_connected_to(address: str) -> None:
    async with (
        name_server({"api.example.com": [address]}, set()) as names,
        open_client([names.address], allow_private=False) as client,
    ):
        with pytest.raises(FetchError, match=r"api\.example\.com resolves to .*, no public address"):
            await client.get("https://api.example.com/")


async def test_a_name_is_looked_up_once_for_each_connection_and_that_address_is_connected_to() -> None:
    """Nothing is looked up between judging and connecting, so that a second answer (rebinding) leads nowhere."""
    async with (
        http_server(json_text("[]")) as url,
        name_server({"api.example.com": ["127.0.0.1"]}, set()) as names,
        open_client([names.address], allow_private=True) as client,
    ):
        port = url.rpartition(":")[2]
        await client.get(f"http://api.example.com:{port}/")
        assert names.asked["api.example.com"] == 2, "one question for each family"
        await client.get(f"http://api.example.com:{port}/")
        assert names.asked["api.example.com"] > 2, "the address of the last time is not trusted"


async def test_a_name_that_does_not_resolve_is_said() -> None:
    async with name_server({}, set()) as names, open_client([names.address], allow_private=False) as client:
        with pytest.raises(FetchError):
            await client.get("https://nowhere.example.com/")


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with http_server(json_text("[]")) as url, own() as client:
        assert (await client.get(url)).body == b"[]"
