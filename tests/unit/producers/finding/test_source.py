"""One API, asked again and again: what is new is published once, and failures are waited out."""

from __future__ import annotations

import json

import pytest
from aiohttp import web

from core.settings import FinderSource, Settings, SettingsError
from producers.fetching.client import FetchError, open_client
from producers.finding.answers import AnswerError
from producers.finding.service import FinderService
from producers.finding.source import Source
from tests.unit.producers.fetching.servers import http_server

A, B, C = (f"wss://{letter}.example" for letter in "abc")


class Api:
    """An API whose list a test changes; it knows versions of it where it has them."""

    def __init__(self) -> None:
        self.listed: list[str] = []
        self.versions = True
        self.sent = 0

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        text = json.dumps(self.listed)
        version = f'"{hash(text)}"'
        if self.versions and request.headers.get("If-None-Match") == version:
            return web.Response(status=304)
        self.sent += 1
        headers = {"ETag": version} if self.versions else {}
        return web.Response(text=text, content_type="application/json", headers=headers)


def source(url: str, expression: str = "[]") -> Source:
    return Source(FinderSource(url=url, expression=expression), "finder.sources[0]", allow_private=True)


@pytest.mark.parametrize("versions", [True, False])
async def test_a_relay_is_due_once_and_again_after_it_has_been_away(versions: bool) -> None:
    api = Api()
    api.versions = versions
    async with http_server(api) as url, open_client([], allow_private=True) as client:
        asked = source(f"{url}/v1?key=secret")

        async def due(*listed: str) -> list[str]:
            api.listed = list(listed)
            await asked.ask(client)
            relays = asked.due()
            asked.published(relays)
            return [each.url for each in relays]

        assert await due(A, B) == [A, B]
        assert await due(A, B) == []
        assert await due(A, B, C) == [C]
        assert await due(C) == []
        assert await due(A, C) == [A], "what is not listed is forgotten, so that memory is bounded by the list"
        assert api.sent == 5 - versions
        assert asked.status()["relays"] == 2
        assert "secret" not in str(asked.status())


async def test_what_was_not_acknowledged_is_due_still() -> None:
    api = Api()
    api.listed = [A]
    async with http_server(api) as url, open_client([], allow_private=True) as client:
        asked = source(url)
        for _ in range(2):  # the second time, the API says that nothing has changed
            await asked.ask(client)
            assert [each.url for each in asked.due()] == [A]


async def test_failures_in_a_row_are_waited_out_longer_and_as_the_api_asks() -> None:
    asked = source("http://127.0.0.1:1/")
    waits = [asked.failed(AnswerError("odd")) for _ in range(30)]
    assert 6 <= waits[0] <= 60
    assert all(8640 <= wait_s <= 86_400 for wait_s in waits[-10:])
    assert asked.failed(FetchError("busy", 86_400.0)) >= 86_400
    assert asked.status()["failures"] == 31
    async with http_server(Api()) as url, open_client([], allow_private=True) as client:
        other = source(url)
        other.failed(AnswerError("odd"))
        await other.ask(client)
        assert other.status()["failures"] == 0


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"url": "http://api.example.com/"}, ["finder.sources[1] (BIGBROTR_FINDER__SOURCES), scheme: must be https"]),
        ({"url": "https://127.0.0.1/"}, ["finder.sources[1]", "host: is not a public address"]),
        ({"url": "https://me:secret@api.example.com/"}, ["finder.sources[1]", "userinfo"]),
        ({"url": "https://api.example.com/", "expression": "[?"}, ["finder.sources[1]", "expression: is no JMESPath"]),
        ({"url": "https://api.example.com/", "expression": "a b"}, ["finder.sources[1]", "expression: is no JMESPath"]),
    ],
)
def test_a_source_that_cannot_be_asked_is_named_before_the_service_starts(
    given: dict[str, str], words: list[str]
) -> None:
    settings = Settings.model_validate({"finder": {"sources": [{"url": "https://ok.example.com/"}, given]}})
    with pytest.raises(SettingsError) as caught:
        FinderService(settings)
    assert all(word in str(caught.value) for word in words), caught.value
    assert "secret" not in str(caught.value)
