"""How any endpoint is answered, by one of the test's own: numbers that it counts upwards."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import asyncpg
import orjson
import pytest
from pydantic import Field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from api.clients import ClientAddresses
from api.context import Context
from api.rates import Rates
from api.read_errors import AwayError, BusyError, ClientBusyError, TooSlowError
from api.reader import ArchiveReader
from api.rest.answering import answering
from api.rest.cursor import decode_cursor, encode_cursor
from api.rest.endpoint import Answer, Asked, Endpoint, Question
from api.rest.http.body import read_json
from api.rest.problem import ProblemError
from api.rest.question_types import Cursor, PageSize
from core.archive.queries.newest import TooCostlyError
from core.archive.queries.view import View
from core.settings import Settings
from tests.unit.api.rest.asgi import Told, ask, body

LINES = "application/x-ndjson"
LAST = 9
BUSY = (HTTPStatus.SERVICE_UNAVAILABLE, "the archive answers others")


class NumbersQuestion(Question):
    name: str
    limit: PageSize = 4
    cursor: Cursor | None = None


class Number(Answer):
    value: int = Field(alias="number")


class NumbersAnswer(Answer):
    numbers: list[Number] = Field(alias="entries")
    next: str | None


class BodyQuestion(Question):
    wanted: Any


class BodyAnswer(Answer):
    given: Any


async def _count(asked: Asked[NumbersQuestion]) -> NumbersAnswer:
    first = 0 if asked.question.cursor is None else int(decode_cursor(asked.question.cursor, int)[0])
    end = min(first + asked.question.limit, LAST + 1)
    return NumbersAnswer(
        entries=[Number(number=number) for number in range(first, end)],
        next=encode_cursor(end) if end <= LAST else None,
    )


async def _echo(asked: Asked[BodyQuestion]) -> BodyAnswer:
    return BodyAnswer(given=asked.question.wanted)


def served(
    respond: Callable[[Asked[Any]], Any] = _count, *, per_minute: int = 60, clock: Any = None, **api: Any
) -> Starlette:
    settings = Settings(api=api)
    pool = asyncpg.create_pool("postgresql://nowhere.invalid/", min_size=0, max_size=1)
    rates = Rates(per_minute, 10) if clock is None else Rates(per_minute, 10, clock)
    context = Context(settings, ArchiveReader(pool, settings.api, lambda: False), View(), ClientAddresses([]), rates)
    counting: Endpoint[Any] = Endpoint(
        "/v1/{name}/numbers", "Numbers", "events", NumbersQuestion, NumbersAnswer, respond, lines="numbers", counts=True
    )
    echo: Endpoint[Any] = Endpoint("/v1/echo", "Echo", "events", BodyQuestion, BodyAnswer, _echo, body="wanted")
    return Starlette(
        routes=[
            Route(counting.path, answering(counting, context)),
            Route(echo.path, answering(echo, context), methods=["POST"]),
        ]
    )


async def test_an_answer_leads_on_by_link() -> None:
    told = await ask(served(), "GET", "/v1/a%3Cb/numbers?limit=2&")
    assert told.json == {"entries": [{"number": 0}, {"number": 1}], "next": encode_cursor(2)}
    assert told.headers["link"] == f'</v1/a%3Cb/numbers?limit=2&cursor={encode_cursor(2)}>; rel="next"'
    told = await ask(served(), "GET", f"/v1/a/numbers?cursor={encode_cursor(2)}&limit=2")
    assert told.headers["link"] == f'</v1/a/numbers?limit=2&cursor={encode_cursor(4)}>; rel="next"'
    told = await ask(served(), "GET", f"/v1/a/numbers?%63urs%6Fr={encode_cursor(2)}&limi%74=%32")
    assert told.headers["link"] == f'</v1/a/numbers?limi%74=%32&cursor={encode_cursor(4)}>; rel="next"'
    assert "link" not in (await ask(served(), "GET", "/v1/a/numbers?limit=10")).headers


async def test_links_have_the_public_address() -> None:
    told = await ask(served(public_url="https://archive.example"), "GET", "/v1/a/numbers")
    assert told.headers["link"].startswith("<https://archive.example/v1/a/numbers?cursor=")


@pytest.mark.parametrize(
    ("query", "accept", "status"),
    [("", "*/*", 200), ("", "text/html", 406), ("?limit=0", "*/*", 400), ("", "*/*", 429)],
)
async def test_every_answer_names_what_it_depends_on(query: str, accept: str, status: int) -> None:
    app = served(per_minute=1, clock=lambda: 0.0)
    if status == 429:
        await ask(app, "GET", "/v1/a/numbers")
    told = await ask(app, "GET", f"/v1/a/numbers{query}", {"Accept": accept})
    assert told.status == status
    assert told.headers["vary"] == "Accept, Accept-Encoding, Prefer"
    assert told.headers["cache-control"] == ("no-cache" if status == 200 else "no-store")


async def test_lines_are_the_entries_of_all_pages() -> None:
    told = await ask(served(), "GET", "/v1/a/numbers", {"Accept": LINES})
    assert [orjson.loads(line) for line in told.body.splitlines()] == [{"number": each} for each in range(LAST + 1)]
    assert "link" not in told.headers


async def test_each_page_of_lines_is_charged() -> None:
    app = served(per_minute=60, clock=lambda: 0.0)
    await ask(app, "GET", "/v1/a/numbers?limit=1", {"Accept": LINES})
    told = await ask(app, "GET", "/v1/a/numbers")
    assert told.headers["ratelimit"].startswith(f'"requests";r={60 - (LAST + 1) - 1};')


async def test_lines_wait_until_their_next_page_may_be_asked_for() -> None:
    times: list[float] = []

    def clock() -> float:
        times.append(29.999 * max(0, len(times) - 1))  # two requests at once, then a moment before the next is due
        return times[-1]

    app = served(per_minute=2, clock=clock)
    await ask(app, "GET", "/v1/a/numbers")
    told = await ask(app, "GET", "/v1/a/numbers?limit=1", {"Accept": LINES})
    assert len(told.body.splitlines()) == LAST + 1
    assert len(times) > 1 + LAST + 1


async def test_lines_that_end_early_say_so() -> None:
    async def fails(asked: Asked[NumbersQuestion]) -> NumbersAnswer:
        if asked.question.cursor is not None:
            raise TooCostlyError("kinds: too many")
        return await _count(asked)

    told = await ask(served(fails), "GET", "/v1/a/numbers", {"Accept": LINES})
    *entries, last = [orjson.loads(line) for line in told.body.splitlines()]
    assert entries == [{"number": each} for each in range(4)]
    assert last["next"] == encode_cursor(4)
    assert last["problem"]["status"] == 422
    assert last["problem"]["detail"] == "kinds: too many"


async def test_lines_outlive_a_busy_moment() -> None:
    asked_for: list[str | None] = []

    async def busy_once(asked: Asked[NumbersQuestion]) -> NumbersAnswer:
        asked_for.append(asked.question.cursor)
        if len(asked_for) == 2:
            raise ProblemError(*BUSY, retry_after_s=0)
        return await _count(asked)

    told = await ask(served(busy_once), "GET", "/v1/a/numbers", {"Accept": LINES})
    assert len(told.body.splitlines()) == LAST + 1
    assert asked_for == [None, encode_cursor(4), encode_cursor(4), encode_cursor(8)]


async def test_lines_end_when_the_client_goes() -> None:
    asked_for: list[str | None] = []

    async def respond(asked: Asked[NumbersQuestion]) -> NumbersAnswer:
        asked_for.append(asked.question.cursor)
        await asyncio.sleep(0)
        return await _count(asked)

    await ask(served(respond), "GET", "/v1/a/numbers?limit=1", {"Accept": LINES}, leaves_after=2)
    assert len(asked_for) <= 4


@pytest.mark.parametrize(
    ("error", "status", "waits", "parameter"),
    [
        (TooCostlyError("authors: 900 with 3 tags; name fewer"), 422, False, "authors"),
        (TooCostlyError("too much"), 422, False, None),
        (ClientBusyError("3 of your queries run already"), 429, True, None),
        (BusyError("the archive answers others"), 503, True, None),
        (AwayError("the archive cannot be read now"), 503, True, None),
        (TooSlowError("the archive could not answer in time"), 503, True, None),
    ],
)
async def test_what_the_archive_cannot_do(error: Exception, status: int, waits: bool, parameter: str | None) -> None:
    async def fails(_asked: Asked[NumbersQuestion]) -> NumbersAnswer:
        raise error

    told = await ask(served(fails), "GET", "/v1/a/numbers")
    assert told.status == told.json["status"] == status
    assert told.json["detail"] == str(error)
    assert told.json.get("parameter") == parameter
    assert ("retry-after" in told.headers) is waits
    assert told.headers["cache-control"] == "no-store"
    assert "ratelimit" in told.headers


async def test_a_client_without_requests_left_is_told_when_to_come_again() -> None:
    app = served(per_minute=1, clock=lambda: 0.0)
    assert (await ask(app, "GET", "/v1/a/numbers")).status == 200
    told = await ask(app, "GET", "/v1/a/numbers")
    assert (told.status, told.headers["retry-after"]) == (429, "60")
    assert told.headers["ratelimit"] == '"requests";r=0;t=60'


@pytest.mark.parametrize(
    ("prefer", "applied"),
    [
        ("count=estimated", True),
        ("respond-async, count=estimated; x", True),
        ('count="estimated"', True),
        ("Count = Estimated", True),
        ("count=exact", False),
        ("account=estimated", False),
        ("", False),
    ],
)
async def test_preferences(prefer: str, applied: bool) -> None:
    told = await ask(served(), "GET", "/v1/a/numbers", {"Prefer": prefer})
    assert (told.headers.get("preference-applied") == "count=estimated") is applied
    lines = await ask(served(), "GET", "/v1/a/numbers", {"Prefer": prefer, "Accept": LINES})
    assert "preference-applied" not in lines.headers


async def posted(*parts: bytes, **headers: str) -> Told:
    app = served(message_bytes=1024)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await ask(app, "POST", "/v1/echo", named, body(*parts))


async def test_a_body_may_come_in_parts() -> None:
    assert (await posted(b'{"a":', b"[1", b"]}")).json == {"given": {"a": [1]}}


@pytest.mark.parametrize(
    ("parts", "headers", "status"),
    [
        ([b" " * 1000, b" " * 1000, b"{}"], {}, 413),
        ([b"{"], {}, 400),
        ([b"\xff"], {}, 400),
        ([b""], {}, 400),
        ([b"{}"], {"content_type": "application/x-www-form-urlencoded"}, 415),
        ([b"{}"], {"content_encoding": "gzip"}, 415),
    ],
)
async def test_bodies_that_are_refused(parts: list[bytes], headers: dict[str, str], status: int) -> None:
    told = await posted(*parts, **headers)
    assert told.status == told.json["status"] == status


async def test_an_answer_to_a_post_is_never_304() -> None:
    told = await ask(served(), "POST", "/v1/echo", {"If-None-Match": "*"}, body(b"1"))
    assert (told.status, told.json) == (200, {"given": 1})


async def test_a_body_must_come_in_time() -> None:
    async def late(_scope: Any, receive: Any, send: Any) -> None:
        with pytest.raises(ProblemError, match=r"did not arrive within 0\.01 seconds") as caught:
            await read_json(Request({"type": "http", "headers": []}, receive), 100, patience_s=0.01)
        assert caught.value.status == 408
        await send({"type": "http.response.start", "status": 200, "headers": []})

    await ask(late, "POST", "/")


async def test_a_client_that_goes_before_its_body_ended_is_no_error() -> None:
    await ask(served(), "POST", "/v1/echo", {}, [{"type": "http.disconnect"}])
