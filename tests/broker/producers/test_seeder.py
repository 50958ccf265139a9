"""Seeds are published once per content, across restarts, with news that carries each command."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

from aiohttp import web

from core.kafka import publishing
from core.settings import Settings
from core.waiting import reasons
from producers.seeding.service import SeederService
from producers.targets import full_name
from schemas.records.relay_command import RelayCommand
from schemas.records.relay_found import RelayFound
from schemas.relay_urls.registrable_domain import domain_partition
from schemas.relay_urls.relay_url import normalize
from tests.broker.producers.harness import records
from tests.broker.producers.lone_seeder import done, seed, seeder
from tests.broker.producers.lone_service import running
from tests.unit.producers.fetching.servers import http_server
from tests.waiting import until

UNREADABLE = b"{"
A, B, C = "wss://relay.a.example", "wss://b.example/nostr", "wss://c.example"


async def published(settings: Settings) -> list[RelayCommand]:
    """Every command that was ever written, each with its news in the right partition; sorted by URL and time."""
    commands = [(each.partition, each.key, each.value) for each in await records(settings, "relays.commands")]
    commands = [each for each in commands if each[2] != UNREADABLE]
    found = [(each.partition, each.key, each.value) for each in await records(settings, "relays.found")]
    news = [RelayFound.decode(value or b"") for _, _, value in found]
    read = [RelayCommand.decode(value or b"") for _, _, value in commands]
    in_order = sorted(read, key=lambda each: (each.target, each.at_ms))
    # A seeder that starts tells again of what it finds recorded.
    assert {each.command.encode() for each in news if each.command} == {each.encode() for each in read}
    assert all((each.source, each.spelling) == ("seed", each.command and each.command.spelling) for each in news)
    places = {each.target: domain_partition(normalize(each.target, allow_private=True).host, 4) for each in read}
    assert {(places[each.target], each.key()) for each in read} == {(number, key) for number, key, _ in commands}
    assert {(places[each.url], each.url.encode()) for each in news} == {(number, key) for number, key, _ in found}
    return in_order


async def test_a_list_is_published_once_per_content(quick: Settings, tmp_path: Path) -> None:
    path = tmp_path / "seeds"
    path.write_text(f"# mine\n{A}/\n{B}\nmention\n")
    async with publishing(quick) as publisher:
        topic = full_name(quick, "relays.commands")
        await publisher.send(topic, UNREADABLE, f"seed {B}".encode(), domain_partition("b.example", 4))
        await publisher.flush()
    await seed(quick, str(path))
    first = await published(quick)
    assert [(each.target, each.action, each.source) for each in first] == [(B, "add", "seed"), (A, "add", "seed")]
    await seed(quick, str(path))
    assert await published(quick) == first, "a restart writes nothing"
    path.write_text(json.dumps({"relays": [{"url": A}, C]}))
    await seed(quick, str(path))
    assert [each.target for each in await published(quick)] == [B, C, A], "what is new, and nothing is taken away"


async def test_the_list_of_the_program_is_published_where_no_other_is_named(quick: Settings) -> None:
    for _ in range(2):
        service = SeederService(quick)
        async with running(service):
            await until(partial(done, service), "the list is published")
        assert len(await published(quick)) == service.status()["seeds"]


async def test_a_list_that_cannot_be_read_now_is_waited_for_visibly(quick: Settings) -> None:
    answers = [web.Response(status=503), web.Response(text="{}"), web.Response(text=f"{A}\nws://127.0.0.1:7777")]

    async def answer(_request: web.BaseRequest) -> web.Response:
        return answers.pop(0)

    async with http_server(answer) as url, seeder(quick, f"{url}/list", allow_private=True) as service:
        await until(lambda: any("the list of seeds" in reason for reason in reasons()), "it is said what is waited for")
        await until(partial(done, service), "the list is published")
    seeds = await published(quick)
    assert [(each.target, each.allow_private) for each in seeds] == [("ws://127.0.0.1:7777", True), (A, True)]
