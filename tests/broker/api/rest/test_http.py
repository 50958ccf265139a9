"""What applies to every answer: problems, caching, compression, other origins, rates."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import aiohttp
import asyncpg
import orjson
import pytest
import pytest_asyncio
import zstandard

from core.settings import PolicySettings, Settings
from core.settings.serving import ApiSettings
from tests.broker.api.conftest import serving
from tests.broker.api.rest.served import served
from tests.broker.sinks.archived import START_S, signed, some_events

if TYPE_CHECKING:
    from deploy.embedded.stack import Servers

pytestmark = [pytest.mark.broker, pytest.mark.asyncio(loop_scope="module")]

API = {"message_bytes": 2000, "filters": 2, "filter_values": 10, "trusted_proxies": ["127.0.0.1"]}
EVENTS = [signed(START_S, 1, [], "regretted"), signed(START_S - 1, 1, [], "erased")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[str, Settings]]:
    folder = tmp_path_factory.mktemp("api")
    async with served(servers, "api_http", [*EVENTS, *some_events(100)], folder, API) as made:
        yield made


@pytest.fixture
def url(api: tuple[str, Settings]) -> str:
    return api[0]


@pytest_asyncio.fixture(loop_scope="module")
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(auto_decompress=False, headers={"Accept-Encoding": "identity"}) as made:
        yield made


@pytest.mark.parametrize(
    ("asked", "sent", "status", "parameter"),
    [
        ("GET /nothing", {}, 404, None),
        ("GET /v1", {}, 404, None),
        ("GET /v1/events/", {}, 404, None),
        ("PUT /v1/events", {}, 405, None),
        ("DELETE /openapi.json", {}, 405, None),
        ("GET /v1/events?kind=1", {}, 400, "kind"),
        ("GET /v1/events?kinds=one", {}, 400, "kinds"),
        ("GET /v1/events?limit=0", {}, 400, "limit"),
        ("GET /v1/events?cursor=1", {}, 400, "cursor"),
        ("GET /v1/events?tag.e=nevent1x", {}, 400, "tag.e"),
        (f"GET /v1/events?kinds={','.join(map(str, range(11)))}", {}, 400, "kinds"),
        (f"GET /v1/events?kinds=1&tag.t={','.join(map(str, range(10)))}", {}, 400, "tag.t"),
        ("GET /v1/events?limit=501", {}, 400, "limit"),
        ("GET /v1/events", {"headers": {"Accept": "text/html"}}, 406, None),
        ("POST /v1/events", {"data": b"{}", "headers": {"Content-Type": "text/plain"}}, 415, None),
        (
            "POST /v1/events",
            {"data": b"{}", "headers": {"Content-Type": "application/json", "Content-Encoding": "br"}},
            415,
            None,
        ),
        ("POST /v1/events", {"data": b"{", "headers": {"Content-Type": "application/json"}}, 400, None),
        ("POST /v1/events", {"json": {"search": "x" * 2000}}, 413, None),
        ("POST /v1/events", {"json": 1}, 400, "filters"),
        ("POST /v1/events", {"json": []}, 400, "filters"),
        ("POST /v1/events", {"json": [{}, {}, {}]}, 400, "filters"),
        ("POST /v1/events", {"json": {"kinds": [1], "#t": list(map(str, range(10)))}}, 400, "#t"),
        ("POST /v1/events", {"json": [{}, {"kinds": []}]}, 400, "filters[1].kinds"),
        ("POST /v1/events", {"json": [{"limit": 0}]}, 400, "limit"),
        ("POST /v1/events?kinds=1", {"json": {}}, 400, "kinds"),
        ("POST /v1/events?filters=1", {"json": {}}, 400, "filters"),
    ],
)
async def test_problems(  # noqa: PLR0917 - fixtures, and one case
    url: str, client: aiohttp.ClientSession, asked: str, sent: dict[str, Any], status: int, parameter: str | None
) -> None:
    method, path = asked.split(" ")
    async with client.request(method, url + path, **sent) as answer:
        problem = orjson.loads(await answer.read())
        assert answer.status == status, problem
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.headers["Cache-Control"] == "no-store"
    assert problem.pop("detail")
    assert problem.pop("title")
    assert problem.pop("parameter", None) == parameter
    assert problem == {"type": "about:blank", "status": status}


async def test_an_address_that_is_too_long_is_a_problem_too(url: str, client: aiohttp.ClientSession) -> None:
    async with client.get(f"{url}/v1/events?authors={'ab' * 50_000}") as answer:
        assert (answer.status, answer.headers["Content-Type"]) == (400, "application/problem+json")
        assert answer.headers["Cache-Control"] == "no-store"
        assert "ask by POST" in orjson.loads(await answer.read())["detail"]


async def test_a_method_that_is_not_allowed_is_told_which_are(url: str, client: aiohttp.ClientSession) -> None:
    for path, allowed in (("/v1/events", {"GET", "HEAD", "POST"}), ("/docs", {"GET", "HEAD"})):
        async with client.delete(url + path) as answer:
            assert (answer.status, set(answer.headers["Allow"].split(", "))) == (405, allowed)


async def test_a_body_of_unknown_length_is_bounded_too(url: str, client: aiohttp.ClientSession) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b" " * 1000

    headers = {"Content-Type": "application/json"}
    async with client.post(f"{url}/v1/events", data=parts(), headers=headers) as answer:
        assert answer.status == 413


async def test_a_client_that_has_an_answer_is_not_given_it_again(url: str, client: aiohttp.ClientSession) -> None:
    address = f"{url}/v1/events?limit=3"
    async with client.get(address) as answer:
        etag = answer.headers["ETag"]
        assert answer.headers["Cache-Control"] == "no-cache"
    async with client.get(address, headers={"If-None-Match": f'"other", {etag}'}) as answer:
        assert (answer.status, await answer.read()) == (304, b"")
        assert answer.headers["ETag"] == etag
        assert answer.headers["Vary"] == "Accept, Accept-Encoding, Prefer"
    async with client.get(f"{url}/v1/events?limit=4", headers={"If-None-Match": etag}) as answer:
        assert answer.status == 200


async def test_hidden_and_erased_events_do_not_live_on(
    api: tuple[str, Settings], client: aiohttp.ClientSession
) -> None:
    note, other = EVENTS[:2]
    settings = api[1].model_copy(update={"policy": PolicySettings(deletion="hide")})
    async with serving(settings) as url:
        address = f"{url}/v1/events?ids={note.id},{other.id}"
        async with client.get(address) as answer:
            etag = answer.headers["ETag"]
            assert [each["id"] for each in (await answer.json())["events"]] == [note.id, other.id]
        assert settings.postgres.dsn is not None
        connection = await asyncpg.connect(settings.postgres.dsn.get_secret_value())
        await connection.execute(
            "INSERT INTO deletions_by_id VALUES ($1, $2, $3, $4)",
            *(bytes.fromhex(note.id), START_S + 1, bytes(32), bytes.fromhex(note.pubkey)),
        )
        async with client.get(address, headers={"If-None-Match": etag}) as answer:
            assert answer.status == 200
            assert [each["id"] for each in (await answer.json())["events"]] == [other.id]
            etag = answer.headers["ETag"]
        await connection.execute("DELETE FROM events WHERE id = $1", bytes.fromhex(other.id))
        await connection.close()
        async with client.get(address, headers={"If-None-Match": etag}) as answer:
            assert (answer.status, (await answer.json())["events"]) == (200, [])


async def test_head_is_get_without_the_body(url: str, client: aiohttp.ClientSession) -> None:
    for headers in ({}, {"Accept": "application/x-ndjson"}):
        async with (
            client.get(f"{url}/v1/events", headers=headers) as got,
            client.head(got.url, headers=headers) as head,
        ):
            assert (head.status, await head.read()) == (200, b"")
            assert head.headers["Content-Type"] == got.headers["Content-Type"]
            assert head.headers.get("ETag") == got.headers.get("ETag")
            assert head.headers.get("Content-Length") == got.headers.get("Content-Length")


async def test_answers_are_compressed_as_clients_accept_it(url: str, client: aiohttp.ClientSession) -> None:
    etags = set()
    bodies = set()
    for accepted, coding in (("gzip, zstd", "zstd"), ("gzip", "gzip"), ("br", None)):
        async with client.get(f"{url}/v1/events", headers={"Accept-Encoding": accepted}) as answer:
            body = await answer.read()
            assert answer.headers.get("Content-Encoding") == coding
            etags.add(answer.headers["ETag"])
        if coding == "gzip":
            body = zlib.decompress(body, 16 + zlib.MAX_WBITS)
        elif coding == "zstd":
            body = zstandard.ZstdDecompressor().decompressobj().decompress(body)
        bodies.add(body)
    assert (len(etags), len(bodies)) == (3, 1)
    for etag in etags:
        async with client.get(f"{url}/v1/events", headers={"If-None-Match": etag}) as answer:
            assert answer.status == 304


async def test_pages_of_other_origins_may_ask(url: str, client: aiohttp.ClientSession) -> None:
    origin = {"Origin": "https://page.example"}
    async with client.get(f"{url}/v1/events?limit=1", headers=origin) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "Link" in answer.headers["Access-Control-Expose-Headers"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    async with client.get(f"{url}/nothing", headers=origin) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
    preflight = {**origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    async with client.options(f"{url}/v1/events", headers=preflight) as answer:
        assert answer.status == 204
        assert "POST" in answer.headers["Access-Control-Allow-Methods"]
        assert "Content-Type" in answer.headers["Access-Control-Allow-Headers"]


async def test_each_client_has_a_rate_of_its_own(api: tuple[str, Settings], client: aiohttp.ClientSession) -> None:
    settings = api[1].model_copy(update={"api": ApiSettings(requests_per_minute=2, trusted_proxies=["127.0.0.1"])})
    first, second = {"X-Forwarded-For": "192.0.2.1"}, {"X-Forwarded-For": "192.0.2.2"}
    async with serving(settings) as url:
        for left in (1, 0):
            async with client.get(f"{url}/v1/events", headers=first) as answer:
                assert answer.headers["RateLimit-Policy"] == '"requests";q=2;w=60'
                assert answer.headers["RateLimit"].startswith(f'"requests";r={left};t=')
        async with client.get(f"{url}/v1/events", headers=first) as answer:
            assert answer.status == 429
            assert 1 <= int(answer.headers["Retry-After"]) <= 30
            assert "wait" in orjson.loads(await answer.read())["detail"]
        async with client.get(f"{url}/v1/events", headers=second) as answer:
            assert answer.status == 200
        async with client.get(f"{url}/openapi.json", headers=first) as answer:
            assert answer.status == 200


async def test_the_reference_page_needs_nothing_from_elsewhere(url: str, client: aiohttp.ClientSession) -> None:
    async with client.get(f"{url}/docs") as answer:
        page = await answer.text()
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "://" not in page
    for asset in ("swagger-ui-bundle.js", "swagger-ui.css", "reference.js"):
        assert f'"docs/{asset}"' in page
        async with client.get(f"{url}/docs/{asset}") as answer:
            assert (answer.status, len(await answer.read()) > 100) == (200, True)
