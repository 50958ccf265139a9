"""Connectors follow the registry on a real Kafka: they close what it takes away, and tell it what they met."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial
from http import HTTPStatus
from typing import Any

import pytest

from core.settings import Settings
from producers.connector.service import ConnectorService
from schemas.records.relay import RelayRecord, Report, StateChange
from schemas.records.relay_found import RelayFound
from schemas.relay_urls.registrable_domain import domain_partition
from tests.broker.producers.harness import (
    connector,
    publish,
    records,
    register,
    registered,
    relay_status,
    stored_events,
)
from tests.relays.hostile import Hostile, Refusal
from tests.waiting import until

pytestmark = pytest.mark.broker

WITHIN_S = 10.0
"""Promised for a relay that is denied."""
TAKEN_AWAY: dict[str, dict[str, Any] | None] = {
    "denied": {"allowed": False, "state": "denied"},
    "ignored": {"lane": "ignored"},
    "a duplicate": {"duplicate_of": "wss://other.example"},
    "removed": None,
}


def crawled(service: ConnectorService, *relays: Hostile) -> bool:
    return all(relay_status(service, relay.url)["crawl"]["done"] for relay in relays)


def closed(relay: Hostile) -> bool:
    return not relay.sockets


def left(service: ConnectorService, url: str) -> bool:
    return bool(relay_status(service, url)["state"] == "unknown")


def stands(service: ConnectorService, relay: Hostile, state: str) -> bool:
    return bool(relay_status(service, relay.url).get("standing") == state)


async def test_a_relay_that_is_taken_away_loses_its_connection_and_comes_back(quick: Settings) -> None:
    async with AsyncExitStack() as stack:
        relays = {how: await stack.enter_async_context(Hostile(stored_events(3))) for how in TAKEN_AWAY}
        await publish(quick, [relay.url for relay in relays.values()])
        service = await stack.enter_async_context(connector(quick))
        await until(lambda: crawled(service, *relays.values()), "all are read")
        before = await registered(quick)
        for how, change in TAKEN_AWAY.items():
            url = relays[how].url
            await register(quick, url, before[url].model_copy(update=change) if change is not None else None)
            await until(partial(closed, relays[how]), f"{how}: the socket is closed", WITHIN_S)
            await until(partial(left, service, url), f"{how}: it is no relay of this connector any more")
        assert {relay.connections for relay in relays.values()} == {1}
        for relay in relays.values():
            await register(quick, relay.url, before[relay.url])
        await until(lambda: all(relay.sockets for relay in relays.values()), "all are connected again", WITHIN_S)


async def test_only_what_is_dialled_reopens_a_session(quick: Settings) -> None:
    async with Hostile(stored_events(3)) as known, Hostile(stored_events(3)) as moved:
        await publish(quick, [known.url, moved.url])
        async with connector(quick) as service:
            await until(lambda: crawled(service, known, moved), "both are read")
            before = await registered(quick)
            record: RelayRecord = before[known.url]
            for state in ("confirmed", "silent"):
                news = {
                    "state": state,
                    "report": Report(state=state, tries=4, at_ms=5),
                    "authors": ("0" * 16,),
                    "places": ("10002 r",),
                    "sources": ("event", "operator"),
                    "history": (StateChange(state=state, at_ms=5),),
                    "updated_at_ms": 6,
                }
                await register(quick, known.url, record.model_copy(update=news))
            # In the same partition, so it is met after those.
            await register(quick, moved.url, before[moved.url].model_copy(update={"lane": "priority"}))
            await until(lambda: moved.connections == 2, "another lane is another session")
            await until(lambda: crawled(service, moved), "it is read again")
            assert relay_status(service, moved.url)["lane"] == "priority"
            assert (known.connections, known.sockets) == (1, 1)


async def test_given_relays_are_read_and_no_others(quick: Settings) -> None:
    async with Hostile(stored_events(3)) as given, Hostile() as denied, Hostile() as known, Hostile() as later:
        await publish(quick, [known.url, denied.url])
        record = (await registered(quick))[denied.url]
        await register(quick, denied.url, record.model_copy(update={"allowed": False}))
        before = await registered(quick)
        values = {"only": [f"{given.url}/inbox/", denied.url], "allow_private": True}
        settings = quick.model_copy(update={"connector": quick.connector.model_copy(update=values)})
        async with connector(settings) as service:
            url = f"{given.url}/inbox"
            await until(lambda: relay_status(service, url)["crawl"]["done"], "the given relay is read")
            await until(lambda: denied.sockets, "what is given is read whatever the registry says")
            await until(lambda: service.status()["known_not_read"] == 1, "the one that it is not told to read is known")
            await publish(quick, [later.url])
            await until(lambda: service.status()["known_not_read"] == 2, "one more is known")
        assert given.targets == ["/inbox/"]
        assert (known.connections, later.connections) == (0, 0)
        after = await registered(quick)
        assert {url: after[url] for url in before} == before
        assert set(after) - set(before) == {later.url}
        assert await records(quick, "relays.found") == []


async def test_what_relays_are_like_is_told_to_the_registry_once(quick: Settings) -> None:
    forbidden: Refusal = (HTTPStatus.FORBIDDEN, {})
    async with (
        Hostile(stored_events(3)) as well,
        Hostile(refuse=lambda _: forbidden) as unwilling,
        Hostile(drop_after_accept=True) as dead,
    ):
        relays = {"confirmed": well, "refused": unwilling, "silent": dead}
        await publish(quick, [relay.url for relay in relays.values()])
        async with connector(quick) as service:
            for state, relay in relays.items():
                await until(partial(stands, service, relay, state), f"{state} is found out")
            await until(lambda: crawled(service, well), "it is read")
            await until(lambda: dead.connections >= 3, "it is tried again")
            await register(quick, well.url, None)
            await until(lambda: not well.sockets, "the end of a session is no report")
        found = await records(quick, "relays.found")
    told = {record.key: RelayFound.decode(record.value or b"") for record in found}
    assert len(told) == len(found)
    for state, relay in relays.items():
        news = told[relay.url.encode()]
        assert news.report is not None
        assert (news.url, news.source, news.command, news.report.state) == (relay.url, None, None, state)
    assert {record.partition for record in found} == {domain_partition("127.0.0.1", quick.kafka.partitions)}
    refused = told[unwilling.url.encode()].report
    assert refused is not None
    assert "HTTP 403" in refused.detail
