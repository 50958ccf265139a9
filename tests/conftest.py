"""Fixtures that every level of tests shares."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import pytest

from core.parent import PARENT_VARIABLE

if TYPE_CHECKING:
    from core.settings import Settings
    from deploy.embedded.stack import Servers

UNIT = Path(__file__).with_name("unit")
SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_configure() -> None:
    """Nothing outlives a run of tests, however that ends.

    A run that is told to end (by `timeout`, by a CI job) takes its fixtures down first. Where it is killed, the
    services of the tests notice it themselves, as those of any supervisor do; relays and servers do so in any case.
    """
    os.environ[PARENT_VARIABLE] = str(os.getpid())
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.hookimpl(trylast=True)  # of the tests that are selected
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let files with storms come first, and those without servers last.

    The processes of a run take file after file. A long one that starts near the end leaves the others without work,
    and short ones are what keeps all at work to the end. Tests of one file stay together, in their order.
    """
    storms = {item.path for item in items if item.get_closest_marker("storms")}
    items.sort(key=lambda item: (item.path not in storms, item.path.is_relative_to(UNIT)))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real and tricky events that is kept beside the repository, never inside it."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the folder shared/data with real events is not beside this checkout")
    return SHARED_DATA


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """A real Kafka and PostgreSQL for the whole run of tests; each takes topics and a schema of its own."""
    from deploy.embedded.stack import running_stack  # noqa: PLC0415 - unit tests need no servers

    with running_stack(tmp_path_factory.mktemp("stack")) as started:
        yield started


@pytest.fixture
async def settings(servers: Servers, tmp_path: Path) -> AsyncIterator[Settings]:
    """Settings that point at the servers, with topics, consumer groups and a database that this test has to itself."""
    import asyncpg  # noqa: PLC0415 - unit tests need no servers
    from pydantic import SecretStr  # noqa: PLC0415

    from core.kafka import admin, is_transient, stop_client  # noqa: PLC0415
    from core.settings import Settings  # noqa: PLC0415
    from core.waiting import until_it_works  # noqa: PLC0415

    assert servers.dsn is not None
    mine = f"t{uuid.uuid4().hex[:12]}"
    address = urlsplit(servers.dsn.get_secret_value())
    database = await asyncpg.connect(servers.dsn.get_secret_value())
    try:
        await database.execute(f"CREATE DATABASE {mine}")
        values = Settings(
            data_dir=tmp_path / "data",
            kafka={**servers.kafka_settings(), "topic_prefix": f"{mine}.", "partitions": 4},
            postgres={"dsn": SecretStr(urlunsplit(address._replace(path=f"/{mine}")))},
            connector={"group_id": f"{mine}-connector"},
            processor={"group_id": f"{mine}-processor"},
            registry={"group_id": f"{mine}-registry"},
            sink={"group_id": f"{mine}-sink"},
        )
        yield values

        async def delete_topics() -> None:
            client = await admin(values)
            try:
                used = [topic for topic in await client.list_topics() if topic.startswith(values.kafka.topic_prefix)]
                if used:
                    await client.delete_topics(used)
            finally:
                await stop_client(client)

        # The broker of a test that stopped it may have been there for a moment only.
        await until_it_works("Kafka to delete topics", delete_topics, is_transient)
        await database.execute(f"DROP DATABASE {mine} WITH (FORCE)")
    finally:
        await database.close()
