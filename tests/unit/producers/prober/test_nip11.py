"""The information document is asked for on real servers, whatever they answer."""

from __future__ import annotations

import asyncio
import gzip
import json
import select
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import psutil
import pytest
from aiohttp import web

from producers.addresses.address_guard import allowed_addresses
from producers.addresses.resolver import open_resolver
from producers.prober.checks.nip11 import Nip11Outcome, check_nip11
from producers.prober.checks.route import Route
from schemas.nostr.relay_document import content_hash
from schemas.records.probe import LONGEST_WORDS
from tests.broker.secured.certificates import Authority
from tests.relays.dns_server import name_server
from tests.relays.socks import socks_proxy
from tests.unit.producers.fetching.servers import Answering, http_server, json_text, raw_server
from tests.unit.producers.prober.routes import route_to, server_tls, to_loopback

LONG_S = 60.0
"""Of a test that does not wait for it."""
SMALL = 4096
NOW_S = 1_800_000_000.0  # Fri, 15 Jan 2027 08:00:00 GMT
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/nostr+json\r\n"
DOCUMENT = b'{"name":"r","supported_nips":[1,11]}'
CHALLENGE = b"<!DOCTYPE html><html><head><title>Just a moment...</title></head></html>"
ONION = "a" * 56 + ".onion"


async def ask(route: Route, timeout_s: float = LONG_S) -> Nip11Outcome:
    return await check_nip11(route, timeout_s=timeout_s, most_bytes=SMALL, now_s=lambda: NOW_S)


async def ask_at(url: str, timeout_s: float = LONG_S) -> Nip11Outcome:
    return await ask(route_to(url.replace("http", "ws", 1)), timeout_s)


async def ask_raw(said: bytes, then: Callable[[asyncio.StreamWriter], Awaitable[None]] | None = None) -> Nip11Outcome:
    async with raw_server(said, then=then or finished) as url:
        return await ask_at(url)


async def finished(writer: asyncio.StreamWriter) -> None:
    await writer.drain()


async def endless(writer: asyncio.StreamWriter, piece: bytes = b" ") -> None:
    while True:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0)


@asynccontextmanager
async def falling_silent(said: bytes) -> AsyncIterator[str]:
    """A server that says this and nothing more until the block ends."""
    ended = asyncio.Event()

    async def wait(_writer: asyncio.StreamWriter) -> None:
        await ended.wait()

    async with raw_server(said, then=wait) as url:
        try:
            yield url
        finally:
            ended.set()


def answering(body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> Answering:
    async def answer(_request: web.BaseRequest) -> web.Response:
        return web.Response(body=body, status=status, headers={"Content-Type": "text/html"} | (headers or {}))

    return answer


def answered(outcome: Nip11Outcome) -> tuple[bool, int | None, str | None]:
    """What every record has: whether there is a document, and that all of it can be written."""
    if outcome.document is not None:
        assert outcome.check.document == outcome.document.hash
        outcome.document.encode()
    outcome.check.encode()
    if outcome.http is not None:
        outcome.http.encode()
    assert outcome.check.ok == (outcome.document is not None) == (outcome.information is not None)
    assert outcome.check.ok == (outcome.check.error is None) == (outcome.check.took_ms is not None)
    return outcome.check.ok, outcome.check.status, outcome.check.cause


async def test_a_document_is_kept_as_sent_and_read_and_the_headers_tell_of_the_server() -> None:
    async def answer(request: web.BaseRequest) -> web.Response:
        assert request.headers["Accept"] == "application/nostr+json"
        assert request.headers["Accept-Encoding"] == "identity"
        assert request.headers["User-Agent"].startswith("bigbrotr")
        assert request.raw_path == "/path%2Fx?a=1"
        headers = {
            "Content-Type": "application/nostr+json; charset=utf-8",
            "Server": "nginx/1.2",
            "X-Powered-By": "Express",
            "Date": "Fri, 15 Jan 2027 08:00:30 GMT",
        }
        return web.Response(body=DOCUMENT, headers=headers)

    async with http_server(answer) as url:
        found = await ask_at(f"{url}/path%2Fx?a=1")
    assert answered(found) == (True, 200, None)
    assert found.document is not None
    assert found.information is not None
    assert found.http is not None
    assert (found.document.text, found.document.hash) == (DOCUMENT.decode(), content_hash(DOCUMENT))
    assert found.document.first_seen_ms == NOW_S * 1000
    assert (found.information.name, found.information.supported_nips) == ("r", (1, 11))
    assert found.check.content_type == "application/nostr+json; charset=utf-8"
    assert (found.http.server, found.http.powered_by) == ("nginx/1.2", "Express")
    assert found.clock_difference_s == 30.5


@pytest.mark.parametrize(
    "kind", [b"text/html", b"text/plain; charset=latin-1", b"", b"\xff\x01;;;", b"a/b;" + b"c" * 2000]
)
async def test_the_content_type_does_not_matter(kind: bytes) -> None:
    said = b"HTTP/1.1 200 OK\r\nContent-Type: " + kind + b"\r\nContent-Length: %d\r\n\r\n" % len(DOCUMENT) + DOCUMENT
    found = await ask_raw(said)
    if found.check.status is None:  # aiohttp takes some of these for no HTTP at all
        assert (found.check.error or "").startswith("the answer is not HTTP")
    else:
        assert answered(found) == (True, 200, None)


async def test_a_document_in_another_character_set_is_read_in_it() -> None:
    body = '{"name":"é"}'.encode("latin-1")
    async with http_server(answering(body, headers={"Content-Type": "text/plain; charset=ISO-8859-1"})) as url:
        found = await ask_at(url)
    assert found.document is not None
    assert (found.document.text, found.document.hash) == ('{"name":"é"}', content_hash(body))


@pytest.mark.parametrize(
    ("status", "headers", "body", "refusal"),
    [
        (200, {}, b"<html>welcome</html>", None),
        (200, {}, CHALLENGE, "challenge_page"),
        (403, {}, CHALLENGE, "challenge_page"),
        (503, {"Retry-After": "5"}, CHALLENGE, "challenge_page"),
        (403, {"cf-mitigated": "challenge"}, b"", "challenge_page"),
        (403, {}, b"<html>" + b" " * 20_000 + b"</html>", "forbidden"),
        (403, {}, b"<html>" + b" " * 10_000 + b"<script>window._cf_chl_opt</script></html>", "challenge_page"),
        (403, {}, DOCUMENT, "forbidden"),
        (401, {}, b"", "forbidden"),
        (429, {}, b"", "rate_limited"),
        (503, {"Retry-After": "5"}, b"", "rate_limited"),
        (503, {}, b"", None),
        (404, {}, DOCUMENT, None),
        (500, {}, b"", None),
        (426, {}, b"Upgrade Required", None),
    ],
)
async def test_what_is_no_document_is_told_apart_from_what_refuses_us(
    status: int, headers: dict[str, str], body: bytes, refusal: str | None
) -> None:
    async with http_server(answering(body, status, headers)) as url:
        found = await ask_at(url)
    assert answered(found) == (False, status, refusal)
    assert found.http is not None


async def test_a_document_that_speaks_of_challenges_is_one() -> None:
    body = json.dumps({"description": "<title>Just a moment...</title> _cf_chl_opt"}).encode()
    async with http_server(answering(body)) as url:
        assert answered(await ask_at(url)) == (True, 200, None)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_to_another_url_is_not_followed(status: int) -> None:
    asked: list[str] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        asked.append(request.path)
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    async with http_server(answer) as url:
        found = await ask_at(url)
    assert answered(found) == (False, status, None)
    assert found.check.error == f"a redirect to another URL, which is not followed (HTTP {status})"
    assert asked == ["/"]


async def test_another_spelling_of_the_same_url_is_asked_as_for_the_websocket() -> None:
    async def answer(request: web.BaseRequest) -> web.Response:
        if request.path == "/nostr":
            return web.Response(status=301, headers={"Location": "/nostr/"})
        return web.Response(body=DOCUMENT)

    async with http_server(answer) as url:
        assert answered(await ask_at(f"{url}/nostr")) == (True, 200, None)


async def test_a_document_of_exactly_the_bound_is_taken_and_a_byte_more_is_not() -> None:
    for more, taken in ((0, True), (1, False)):
        body = b"{}" + b" " * (SMALL - 2 + more)
        async with http_server(answering(body)) as url:
            found = await ask_at(url)
        assert answered(found) == (taken, 200, None)
        assert taken or found.check.error == f"the answer is larger than {SMALL} bytes"


@pytest.mark.parametrize("declared", [b"Content-Length: 99999999\r\n", b""])
async def test_an_endless_document_is_given_up_at_the_bound(declared: bytes) -> None:
    found = await ask_raw(OK + declared + b"\r\n", endless)
    assert answered(found) == (False, 200, None)
    assert found.check.error == f"the answer is larger than {SMALL} bytes"


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
        (b"", b"\r\n" * 30_000),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x" * 60_000),
    ],
)
async def test_what_has_no_bound_in_http_has_one_here(head: bytes, piece: bytes) -> None:
    found = await ask_raw(head, partial(endless, piece=piece))
    assert (found.check.error or "").startswith("ClientPayloadError: ")


async def test_headers_without_a_number_are_given_up() -> None:
    found = await ask_raw(OK, partial(endless, piece=b"X: a\r\n" * 1000))
    assert (found.check.error or "").startswith("the answer is not HTTP: ")


async def test_an_endless_refusal_is_given_up_and_told() -> None:
    assert answered(await ask_raw(b"HTTP/1.1 403 Forbidden\r\n\r\n", endless)) == (False, 403, "forbidden")


async def test_headers_without_an_end_are_given_up() -> None:
    found = await ask_raw(b"HTTP/1.1 200 OK\r\nX: ", partial(endless, piece=b"x" * 4096))
    assert (found.check.error or "").startswith("the answer is not HTTP: ")


@pytest.mark.parametrize("head", [OK + b"\r\n{", OK, b"HTTP/1.1 200 OK\r\nX: ", b""])
async def test_what_falls_silent_is_given_up_at_the_deadline(head: bytes) -> None:
    async with falling_silent(head) as url:
        found = await ask_at(url, timeout_s=0.2)
    assert found == Nip11Outcome(found.check)
    assert found.check.error == "no answer within 0.2 s"


async def test_a_compressed_answer_is_not_unpacked() -> None:
    bomb = gzip.compress(b" " * (1 << 21), mtime=0)
    assert len(bomb) < SMALL
    async with http_server(answering(bomb, headers={"Content-Encoding": "gzip"})) as url:
        found = await ask_at(url)
    assert answered(found) == (False, 200, None)
    assert found.check.error == "the answer is compressed, which was not asked for"


@pytest.mark.parametrize(
    "said",
    [
        b"nonsense\r\n\r\n",
        b"",
        OK + b"Content-Length: 10\r\n\r\n{}",
        OK + b"Content-Length: -1\r\n\r\n{}",
        OK + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n",
        OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        b"HTTP/1.1 99999 No\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"SSH-2.0-OpenSSH_9.9\r\n",
    ],
)
async def test_what_is_no_answer_is_said(said: bytes) -> None:
    found = await ask_raw(said)
    assert not found.check.ok
    assert found.check.error
    found.check.encode()


@pytest.mark.parametrize(
    "header",
    [
        b"Server: " + b"x" * 4000,
        b"Server: \xff\xfe\x80",
        b"Server: a\tb",
        "Server: ünï🧡".encode(),
        b"X-Powered-By: \x1b[31mred",
        b"Date: Mon, 99 Foo 0000 99:99:99 GMT",
        b"Date: Fri, 32 Jan 2027 08:00:30 GMT",
        b"Date: Fri, 15 Jan 2027 08:00:30 +0100",
        b"Date: " + b"9" * 4000,
        b"Date: Fri, 15 Jan 2027 08:00:30 GMT\r\nAge: 5",
        b"Location: ws://elsewhere.example/",
        b"Retry-After: \xff",
        b"Content-Encoding: \xff",
        b"Content-Type: text/html\r\nContent-Type: a/b",
    ],
)
async def test_odd_headers_are_bounded_and_cleaned(header: bytes) -> None:
    found = await ask_raw(OK + header + b"\r\nContent-Length: 2\r\n\r\n{}")
    if found.http is not None:  # aiohttp takes some of these for no HTTP at all
        answered(found)
        assert len(found.http.server or "") <= LONGEST_WORDS
        assert (found.http.server or "").isprintable()
        assert found.clock_difference_s is None
    assert found.check.error is None or found.check.error.isprintable()


async def test_a_certificate_decides_whether_a_document_is_taken(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with http_server(answering(DOCUMENT), server_tls(authority.sign("relay"))) as url:
        port = url.rpartition(":")[2]
        trusted = await ask(route_to(f"wss://127.0.0.1:{port}", trusted=authority.certificate))
        untrusted = await ask(route_to(f"wss://127.0.0.1:{port}"))
        elsewhere = route_to(f"wss://relay.example:{port}", trusted=authority.certificate, look_up=to_loopback)
        wrong_host = await ask(elsewhere)
    assert answered(trusted) == (True, 200, None)
    for refused, why in ((untrusted, "unable to get local issuer"), (wrong_host, "Hostname mismatch")):
        assert answered(refused) == (False, None, None)
        assert why in (refused.check.error or "")


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::1"]
)
async def test_a_private_address_is_not_connected_to_neither_by_name_nor_where_it_is_given(address: str) -> None:
    async with name_server({"relay.example.com": [address]}) as names, open_resolver([names.address]) as resolver:
        look_up = partial(allowed_addresses, resolve=resolver.addresses)
        for given in (None, address):
            route = route_to("ws://relay.example.com", allow_private=False, look_up=look_up, address=given)
            found = await ask(route)
            assert "no public address" in (found.check.error or "")


async def test_a_link_local_address_is_nobody_s_whoever_published_it() -> None:
    async with name_server({"relay.example.com": ["169.254.1.1"]}) as names, open_resolver([names.address]) as resolver:
        look_up = partial(allowed_addresses, resolve=resolver.addresses)
        found = await ask(route_to("ws://relay.example.com", look_up=look_up))
    assert "link-local" in (found.check.error or "")


async def test_the_address_that_the_websocket_was_opened_to_is_asked() -> None:
    async with http_server(json_text("{}")) as url:
        port = url.rpartition(":")[2]
        found = await ask(route_to(f"ws://relay.example.com:{port}", address="127.0.0.1"))
    assert answered(found) == (True, 200, None)


async def test_the_addresses_of_a_host_are_tried_in_turn() -> None:
    async def two(host: str, *, allow_private: bool) -> list[str]:
        return ["::1", *await to_loopback(host, allow_private=allow_private)]

    async with http_server(json_text("{}")) as url:
        port = url.rpartition(":")[2]
        assert answered(await ask(route_to(f"ws://relay.example.com:{port}", look_up=two))) == (True, 200, None)


async def test_overlay_networks_are_asked_through_their_proxy_and_nothing_is_resolved() -> None:
    async with http_server(answering(DOCUMENT)) as url, socks_proxy(int(url.rpartition(":")[2])) as (proxy, asked):
        assert answered(await ask(route_to(f"ws://{ONION}", proxy=proxy))) == (True, 200, None)
    assert asked == [ONION]


async def test_an_overlay_network_without_a_proxy_is_said() -> None:
    found = await ask(route_to(f"ws://{ONION}"))
    assert found.check.error == "OSError: no proxy for tor is configured: set connector.tor_proxy"


async def test_a_proxy_that_is_gone_or_refuses_is_said() -> None:
    found = await ask(route_to(f"ws://{ONION}", proxy="socks5://127.0.0.1:1"))
    assert "proxy" in (found.check.error or "")
    async with raw_server(b"", then=finished) as url:
        found = await ask(route_to(f"ws://{ONION}", proxy=url.replace("http", "socks5")), timeout_s=0.2)
    assert found.check.error


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with http_server(answering(DOCUMENT)) as url:
        assert answered(await ask_at(url)) == (True, 200, None)


def answer_once(listening: socket.socket, context: ssl.SSLContext) -> bool:
    """Answer one request over TLS and read no more; whether the other side is gone before asyncio gives a server up."""
    accepted, _ = listening.accept()
    with context.wrap_socket(accepted, server_side=True) as server:
        server.recv(SMALL)
        server.sendall(OK + b"Content-Length: %d\r\n\r\n" % len(DOCUMENT) + DOCUMENT)
        gone = select.poll()
        gone.register(server, select.POLLRDHUP | select.POLLHUP)
        return bool(gone.poll(20_000))


async def test_a_server_that_does_not_end_its_tls_holds_no_socket(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        answering_once = asyncio.create_task(
            asyncio.to_thread(answer_once, listening, server_tls(authority.sign("relay")))
        )
        url = f"wss://127.0.0.1:{listening.getsockname()[1]}"
        found = await ask(route_to(url, trusted=authority.certificate))
        assert answered(found) == (True, 200, None)
        assert await answering_once


async def test_no_socket_is_left_after_any_end(tmp_path: Path) -> None:
    process = psutil.Process()
    untrusted = server_tls(Authority(tmp_path).sign("relay"))
    before = process.num_fds()
    async with http_server(answering(DOCUMENT), untrusted) as url:
        await ask(route_to(url.replace("http", "ws", 1)))
    async with falling_silent(OK) as url:
        await ask_at(url, timeout_s=0.05)
    await ask_raw(OK + b"\r\n", endless)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        found = await ask_at(f"http://127.0.0.1:{closed.getsockname()[1]}")
        assert "Errno 111" in (found.check.error or "")
    await asyncio.sleep(0)
    assert process.num_fds() <= before


async def test_cancelling_ends_it_at_once() -> None:
    async with falling_silent(OK) as url:
        task = asyncio.create_task(ask_at(url))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
