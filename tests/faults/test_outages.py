"""A server is away for a while: services wait, say so, cost nothing, and go on by themselves; nothing is lost."""

from __future__ import annotations

import asyncio
import logging
import shutil
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from core.settings.model import Settings
from deploy.embedded.ports import choose
from deploy.embedded.stack import Servers
from tests.faults.breaking import cut, dead, frozen, full
from tests.faults.conftest import BrokerLine
from tests.faults.outage import MOST_CPU, watch
from tests.faults.own_stack import OwnStack, own_stack
from tests.faults.small_disk import SmallDisk, small_disk
from tests.pipeline.fixtures import Pipeline, pipeline
from tests.pipeline.services import Services
from tests.pipeline.world import announce
from tests.proxy import Proxy, proxy
from tests.relays.demo_process import demo_relays

log = logging.getLogger(__name__)

pytestmark = [pytest.mark.storms, pytest.mark.timeout(420)]

LONG_S, SHORT_S = 30.0, 5.0
EVENTS = 1_500
# Relays go on sending meanwhile: what is waited for is always needed.
TRICKLE_PER_S = 50
LIMIT_S = 180.0
# Twice what the tables of an empty archive take, or PostgreSQL's log keeps.
DISK_MB = 300

Outage = AbstractAsyncContextManager[None]
# What each service must name while it waits. The connector and the processor need no database.
NO_BROKER = {"connector": "Kafka", "processor": "Kafka", "sink": "Kafka"}
NO_DATABASE = {"sink": "waiting for PostgreSQL"}
NOTHING = {"connector": "Kafka", "processor": "Kafka", "sink": "waiting for PostgreSQL"}

long = pytest.mark.long


@pytest.fixture
def run(stack: OwnStack, tmp_path: Path) -> Iterator[Pipeline]:
    with pipeline(stack.servers, a_name(), tmp_path) as started:
        yield started


class Away(NamedTuple):
    """How which server is away for how long at least, and who must name it."""

    how: Callable[[OwnStack, str], Outage]
    name: str
    waits: Mapping[str, str]
    least_s: float = LONG_S


@pytest.mark.parametrize(
    "away",
    [
        pytest.param(Away(dead, "postgres", NO_DATABASE, SHORT_S), id="database dead for a moment"),
        pytest.param(Away(dead, "postgres", NO_DATABASE), id="database dead", marks=long),
        pytest.param(Away(frozen, "postgres", NO_DATABASE), id="database frozen", marks=long),
        pytest.param(Away(dead, "kafka", NO_BROKER), id="broker dead", marks=long),
        pytest.param(Away(frozen, "kafka", NO_BROKER), id="broker frozen", marks=long),
    ],
)
async def test_a_server_is_away(run: Pipeline, stack: OwnStack, away: Away) -> None:
    await weathers(run, away.how(stack, away.name), away.waits, away.least_s)


@long
async def test_a_sink_that_has_written_all_is_drained_though_the_broker_is_away(run: Pipeline, stack: OwnStack) -> None:
    with demo_relays(relays=1, events=EVENTS, copies=1) as relays:
        await announce(run.settings, *relays.urls)
        await run.archive.until_counts(EVENTS, EVENTS, LIMIT_S)
        async with frozen(stack, "kafka"):
            await watch(run.services, SHORT_S, {"sink": "Kafka"})
            assert await asyncio.to_thread(run.services.stop_one, "sink") == 0
        # What is stopped while the broker is still coming back may not be drained in time.
        await asyncio.to_thread(run.services.wait_until_ready, LIMIT_S)


class Remote(NamedTuple):
    """Services that reach the servers by proxies: each has the port that it listens on, and that of the server."""

    run: Pipeline
    broker: tuple[int, int]
    database: tuple[int, int]

    def to_broker(self) -> AbstractAsyncContextManager[Proxy]:
        return proxy(("127.0.0.1", self.broker[1]), self.broker[0])

    def to_database(self) -> AbstractAsyncContextManager[Proxy]:
        return proxy(("127.0.0.1", self.database[1]), self.database[0])


@pytest.fixture
def remote(stack: OwnStack, broker_line: BrokerLine, tmp_path: Path) -> Iterator[Remote]:
    """Services whose proxies a test must start first; until then they wait, as for any server."""
    name = a_name()
    front = choose({broker_line.front, broker_line.back})
    assert stack.servers.dsn
    url = urlsplit(stack.servers.dsn.get_secret_value())
    place = f"{url.username}:{url.password}@127.0.0.1:{front}"
    with pipeline(
        stack.servers,
        name,
        tmp_path,
        BIGBROTR_KAFKA__BOOTSTRAP_SERVERS=f"127.0.0.1:{broker_line.front}",
        BIGBROTR_POSTGRES__DSN=url._replace(netloc=place, path=f"/{name}").geturl(),
    ) as started:
        yield Remote(started, (broker_line.front, broker_line.back), (front, url.port or 0))


@asynccontextmanager
async def both(services: Services, broker: Proxy, database: Proxy) -> AsyncIterator[None]:
    """Cut the broker off once the sink has what it cannot write: with nothing to write it needs no database."""
    async with cut([database]):
        await watch(services, 0.0, NO_DATABASE)
        async with cut([broker]):
            yield


class Cut(NamedTuple):
    """Which proxies hold everything for how long at least, and who must name which server."""

    how: Callable[[Services, Proxy, Proxy], Outage]
    waits: Mapping[str, str]
    least_s: float = LONG_S


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(Cut(both, NOTHING, SHORT_S), id="both for a moment"),
        pytest.param(Cut(both, NOTHING), id="both", marks=long),
        pytest.param(Cut(lambda _, broker, __: cut([broker]), NO_BROKER), id="broker", marks=long),
        pytest.param(Cut(lambda _, __, database: cut([database]), NO_DATABASE), id="database", marks=long),
    ],
)
async def test_the_network_is_cut(remote: Remote, case: Cut) -> None:
    async with remote.to_broker() as broker, remote.to_database() as database:
        await weathers(remote.run, case.how(remote.run.services, broker, database), case.waits, case.least_s)
        # They need the proxies for a drain.
        codes = await asyncio.to_thread(remote.run.services.stop)
    assert set(codes.values()) == {0}


@pytest.fixture
def disk() -> Iterator[SmallDisk]:
    with small_disk(DISK_MB) as mounted:
        yield mounted


@contextmanager
def partly_on(disk: SmallDisk, part: str, stack: OwnStack, folder: Path) -> Iterator[Pipeline]:
    """An archive in a database of its own that has one part on a small disk: the tables, or the log."""
    with own_stack(folder / "pg", names=("postgres",)):
        pass
    move(folder / "pg" / "postgres" / part, disk)
    with own_stack(folder / "pg", names=("postgres",)) as database:
        servers = Servers(stack.servers.broker, database.servers.dsn)
        with pipeline(servers, a_name(), folder) as started:
            yield started


@pytest.fixture
def small_for_tables(stack: OwnStack, disk: SmallDisk, tmp_path: Path) -> Iterator[Pipeline]:
    with partly_on(disk, "base", stack, tmp_path) as started:
        yield started


@pytest.fixture
def small_for_the_log(stack: OwnStack, disk: SmallDisk, tmp_path: Path) -> Iterator[Pipeline]:
    with partly_on(disk, "pg_wal", stack, tmp_path) as started:
        yield started


@long
async def test_the_disk_of_the_tables_is_full(small_for_tables: Pipeline, disk: SmallDisk) -> None:
    await weathers(small_for_tables, full(disk), {"sink": "No space left on device"}, LONG_S)


@long
async def test_the_disk_of_the_log_is_full(small_for_the_log: Pipeline, disk: SmallDisk) -> None:
    await weathers(small_for_the_log, full(disk, dsn(small_for_the_log.settings)), NO_DATABASE, LONG_S)


async def weathers(run: Pipeline, outage: Outage, waits: Mapping[str, str], least_s: float) -> None:
    """Assert that a pipeline goes through an outage: no service ends, none spins, each says why; nothing is lost."""
    with demo_relays(relays=2, events=EVENTS, copies=1.5, trickle_per_s=TRICKLE_PER_S) as relays:
        await announce(run.settings, *relays.urls)
        await run.archive.until_counts(relays.offer["events"], relays.offer["pairs"], LIMIT_S)
        async with outage:
            watched = await watch(run.services, least_s, waits)
        for name, share in watched.cpu.items():
            log.warning("%s: %.1f %% of a core in %.0f s; %s", name, 100 * share, watched.seconds, watched.said[name])
        await asyncio.to_thread(run.services.wait_until_ready, LIMIT_S)
        offered = await asyncio.to_thread(relays.end_trickle)
        await run.archive.until_counts(offered["events"], offered["pairs"], LIMIT_S)
        assert (await run.archive.digest()).hexdigest() == offered["digest"]["all"]
    run.services.check()
    assert max(watched.cpu.values()) <= MOST_CPU, watched.cpu


def move(folder: Path, disk: SmallDisk) -> None:
    """Put a folder of a database that does not run onto a disk; it is found at its place as before."""
    there = disk.path / folder.name
    shutil.copytree(folder, there, symlinks=True)
    for path in (folder, *folder.rglob("*")):
        owner = path.stat()
        copied = there / path.relative_to(folder)
        shutil.chown(copied, owner.st_uid, owner.st_gid)
        copied.chmod(owner.st_mode & 0o7777)
    shutil.rmtree(folder)
    folder.symlink_to(there)


def a_name() -> str:
    return f"outage_{uuid.uuid4().hex[:8]}"


def dsn(settings: Settings) -> str:
    assert settings.postgres.dsn
    return settings.postgres.dsn.get_secret_value()
