"""An archive that answers late, or not in time: who asks is told, and others are served."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest

from tests.broker.api.conftest import running_service
from tests.broker.api.relay.client import Client, connected
from tests.broker.api.relay.conftest import SAME_SECOND
from tests.broker.api.served import Served, follows
from tests.waiting import until

pytestmark = [pytest.mark.broker, pytest.mark.asyncio(loop_scope="package")]

KIND = SAME_SECOND[0].kind
ASKED = {"kinds": [KIND]}


@contextlib.asynccontextmanager
async def locked(served: Served) -> AsyncIterator[None]:
    """No query on events ends meanwhile."""
    async with served.pool.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
        yield


WAITING = """
SELECT count(DISTINCT pid) FROM pg_locks
WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


async def queries_are(served: Served, number: int) -> bool:
    """Whether so many queries wait for the table."""
    async with served.pool.acquire() as connection:
        waiting: int = await connection.fetchval(WAITING)
    return waiting == number


async def test_connections_of_one_client_take_turns(served: Served) -> None:
    """More than may run at once wait, instead of being refused: most clients ask once."""
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connected(served.url)) for _ in range(5)]
        async with locked(served):
            for client in clients:
                await client.send("REQ", "a", ASKED)
                await client.send("COUNT", "b", ASKED)
            await until(lambda: queries_are(served, served.settings.api.client_queries), "all of its turns are taken")
            for client in clients:
                await answers_events(client)
        for client in clients:
            assert (await client.until("EOSE"))[-1] == ["EOSE", "a", ["finish"]]
            assert await client.receive() == ["COUNT", "b", {"count": len(SAME_SECOND)}]


async def answers_events(client: Client) -> None:
    """What needs no archive is answered meanwhile."""
    await client.send("EVENT", {"id": "a" * 64})
    assert await client.receive() == ["OK", "a" * 64, False, "blocked: read-only archive"]


async def test_a_statement_that_takes_too_long_is_told(served: Served) -> None:
    settings = served.settings.model_copy(
        update={"api": served.settings.api.model_copy(update={"query_timeout_s": 0.2})}
    )
    async with running_service(settings) as service:
        await follows(service)
        async with connected(str(service.status()["url"])) as client:
            async with locked(served):
                for verb in ("REQ", "COUNT"):
                    ((_, subid, text),) = await client.ask(verb, "a", ASKED)
                    assert (subid, text) == (
                        "a",
                        "error: the archive could not answer in time; ask for less: fewer filters or a shorter time",
                    )
            assert len(await client.events(ASKED)) == len(SAME_SECOND)


async def test_who_closes_or_leaves_meanwhile_is_not_answered(served: Served) -> None:
    """NIP-01: CLOSE ends a subscription at any time."""
    async with connected(served.url) as client:
        async with locked(served):
            async with connected(served.url) as leaving:
                await leaving.send("REQ", "a", ASKED)
                await until(lambda: queries_are(served, 1), "its query runs")
            await client.send("REQ", "a", ASKED)
            await client.send("REQ", "b", ASKED)
            await until(lambda: queries_are(served, 2), "the next runs")
            await client.send("CLOSE", "a")
            await client.send("CLOSE", "b")
            await answers_events(client)
        assert (await client.ask("COUNT", "c", ASKED)) == [["COUNT", "c", {"count": len(SAME_SECOND)}]]


async def test_clients_are_told_that_the_service_stops(served: Served) -> None:
    async with running_service(served.settings) as service:
        await follows(service)
        async with connected(str(service.status()["url"])) as client:
            await client.ask("REQ", "a", ASKED)
            service.stopping.set()
            await client.socket.wait_closed()
            assert client.socket.close_code == 1012
