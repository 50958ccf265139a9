"""APIs are asked by themselves, and what they list is published when it is new; one that misbehaves harms no other."""

from __future__ import annotations

import json
import logging

import pytest
from aiohttp import web

from core.settings import Settings
from producers.finding.service import FinderService
from schemas.records.relay_found import RelayFound
from schemas.relay_urls.registrable_domain import domain_partition
from schemas.relay_urls.relay_url import normalize
from tests.broker.producers.harness import records
from tests.broker.producers.lone_service import running
from tests.unit.producers.fetching.servers import http_server, json_text
from tests.waiting import until

LISTED = ["wss://relay.a.example//x", "wss://b.example", "ws://127.0.0.1", "mention", "WSS://b.example/"]


async def test_what_apis_list_is_published_and_odd_ones_are_named_and_asked_later(
    quick: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    async def loop(_request: web.BaseRequest) -> web.Response:
        return web.Response(status=302, headers={"Location": "/"})

    async def inside(_request: web.BaseRequest) -> web.Response:
        return web.Response(status=302, headers={"Location": "http://169.254.169.254@127.0.0.1/"})

    async with (
        http_server(json_text(json.dumps({"relays": [{"r": url} for url in LISTED]}))) as good,
        http_server(json_text("<html>")) as no_json,
        http_server(json_text("[" + " " * 2000 + "]")) as huge,
        http_server(loop) as looping,
        http_server(inside) as leading_inside,
    ):
        sources = [
            {"url": f"{no_json}/?key=secret"},
            {"url": huge},
            {"url": looping},
            {"url": leading_inside},
            {"url": good, "expression": "relays[0]"},
            {"url": good, "expression": "relays[].r"},
        ]
        finder = type(quick.finder).model_validate({"sources": sources, "max_bytes": 1024, "allow_private": True})
        service = FinderService(quick.model_copy(update={"finder": finder}))
        with caplog.at_level(logging.WARNING):
            async with running(service):
                await until(lambda: finished(service), "each was asked")
                status = service.status()["sources"]
    assert isinstance(status, list)
    assert [each["relays"] for each in status] == [0, 0, 0, 0, 0, 2]
    assert [each["failures"] for each in status] == [1, 1, 1, 1, 1, 0]
    warnings = [record.message for record in caplog.records if record.name.startswith("producers.finding")]
    for number, remedy in enumerate(
        ["is not JSON", "larger than 1024", "redirects", "userinfo", "write one that gives"]
    ):
        (said,) = [
            text for text in warnings if text.startswith(f"finder.sources[{number}] (127.0.0.1) gives no relays")
        ]
        assert remedy in said
    assert "secret" not in caplog.text
    found = await records(quick, "relays.found")
    told = sorted((RelayFound.decode(each.value or b"") for each in found), key=lambda each: each.url)
    assert [(each.url, each.spelling, each.source, each.places, each.command) for each in told] == [
        ("wss://b.example", "wss://b.example", "api", ("127.0.0.1",), None),
        ("wss://relay.a.example/x", "wss://relay.a.example//x", "api", ("127.0.0.1",), None),
    ]
    assert {(each.partition, each.key) for each in found} == {
        (domain_partition(normalize(each.url).host, 4), each.url.encode()) for each in told
    }


def finished(service: FinderService) -> bool:
    sources = service.status()["sources"]
    assert isinstance(sources, list)
    return all(each["outcome"] != "not asked yet" for each in sources) and sources[-1]["published"] == 2


async def test_without_an_api_it_is_idle_and_ready(quick: Settings) -> None:
    service = FinderService(quick)
    async with running(service):
        assert service.ready() is None
        assert service.status() == {"sources": []}
    assert await records(quick, "relays.found") == []
