"""Clients that mean harm do not keep the API from an honest one, nor leave anything behind."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import aiohttp
import pytest

from tests.broker.api.attackers import attack
from tests.broker.api.relay.client import connected
from tests.broker.api.served import served_archive
from tests.broker.sinks.archived import AUTHORS, some_events
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.embedded.stack import Servers

pytestmark = [pytest.mark.broker, pytest.mark.storms]

REQUESTS = 2_000
AT_ONCE = 30
API = {"requests_per_minute": 120, "client_connections": 10, "connections": 100}


async def test_an_honest_client_is_served(servers: Servers, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    async with (
        served_archive(servers, tmp_path, "hostile", some_events(100), api=API) as served,
        aiohttp.ClientSession(served.url) as http,
        connected(served.url) as relay,
    ):
        port = int(served.url.rpartition(":")[2])
        attacks = asyncio.create_task(attack(port, REQUESTS, at_once=AT_ONCE))
        answers = 0
        while not attacks.done():
            async with http.get("/v1/events", params={"authors": AUTHORS[1], "limit": 3}) as response:
                # Places of the database may all be taken for a moment; that is said, and never longer than allowed.
                assert response.status in {200, 503}, await response.text()
                answers += response.status == 200
            await relay.events({"authors": [AUTHORS[1]], "limit": 3})
            await asyncio.sleep(1)
        made = await attacks
        async with http.get("/v1/events", params={"authors": AUTHORS[1], "limit": 3}) as response:
            assert response.status == 200
            assert len((await response.json())["events"]) == 3
        assert await relay.is_alive()

        async def are_gone() -> bool:
            return int(str(served.service.status()["connections"])) <= 2

        await until(are_gone, "the connections of the attackers are gone", 30)
    assert answers > 0
    assert len(made) > 10
    told = [record for record in caplog.records if record.name.startswith("api") and record.levelno >= logging.ERROR]
    assert [record.getMessage() for record in told] == []
    assert [record for record in caplog.records if record.exc_info] == []
