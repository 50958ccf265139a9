"""Dumps and topics give the archive back, whole; what is not whole never looks as if it were."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from tests.containers.engine import docker
from tests.containers.flowing import databases
from tests.containers.flowing.crashing import wait_for_work
from tests.containers.flowing.databases import ARCHIVE, succeeded
from tests.containers.flowing.flow import Flow
from tests.containers.stack import POLL_S, Stack
from tests.pipeline.world import connect
from tests.waiting import until

pytestmark = [
    pytest.mark.containers,
    pytest.mark.timeout(600),
]  # the first test also waits for images and for the stack

log = logging.getLogger(__name__)

DEFAULT = "bigbrotr_restored"
DUMPING_S = 60.0  # a second, where nothing else runs
_DUMPS_THAT_WAIT = """
SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE application_name = 'pg_dump' AND NOT granted
"""


async def test_dumps_and_topics_give_back_the_same_archive(flow: Flow) -> None:
    stack = flow.stack
    flow.begin(stored=1500, per_s=60)
    wait_for_work(stack)
    before = await stack.archive.counts()
    succeeded(stack.run("backup", "flowing"))
    assert await stack.archive.counts() > before, "nothing was written while the dump was made"
    flow.end()
    await flow.assert_archived()
    succeeded(stack.run("backup", "quiet"))
    original = databases.digest(stack, ARCHIVE)

    succeeded(stack.run("restore", "quiet"))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await count(stack, DEFAULT)
    databases.migrate(stack, DEFAULT)
    assert await count(stack, DEFAULT) == flow.offered.events
    assert databases.digest(stack, DEFAULT) == original

    succeeded(stack.run("restore", "flowing", "bigbrotr_flowing"))
    databases.migrate(stack, "bigbrotr_flowing")
    assert 0 < await count(stack, "bigbrotr_flowing") < flow.offered.events
    databases.sink_into(stack, "bigbrotr_flowing")
    assert databases.digest(stack, "bigbrotr_flowing") == original

    stack.stop("sink")
    databases.create(stack, "bigbrotr_replayed")
    databases.migrate(stack, "bigbrotr_replayed")
    assert await count(stack, "bigbrotr_replayed") == 0
    databases.sink_into(stack, "bigbrotr_replayed")
    assert databases.digest(stack, "bigbrotr_replayed") == original

    databases.sink_into(stack, ARCHIVE)
    databases.drop(stack, DEFAULT, "bigbrotr_flowing", "bigbrotr_replayed")
    await flow.assert_archived()


async def test_a_restore_writes_over_nothing_and_says_which_dumps_there_are(flow: Flow) -> None:
    stack = flow.stack
    succeeded(stack.run("backup", "kept"))
    for words in ((), ("mistyped",)):
        refused = stack.run("restore", *words)
        assert refused.exit_code == 2
        assert "restore NAME [DATABASE]" in refused.stderr
        assert "  kept\n" in refused.stderr
        assert " ".join(words) in refused.stderr
    before = await stack.archive.counts()
    refused = stack.run("restore", "kept", ARCHIVE)
    assert refused.exit_code == 1
    assert f'database "{ARCHIVE}" already exists' in refused.stderr
    assert "restore kept DATABASE" in refused.stderr
    assert await stack.archive.counts() == before
    assert databases.names(stack) == {ARCHIVE, "postgres", "template0", "template1"}


def test_of_a_dump_that_is_torn_no_database_is_left(flow: Flow) -> None:
    stack = flow.stack
    succeeded(stack.run("backup", "sound"))
    in_the_volume(stack, "head --bytes=-1000 sound.dump > torn.dump")
    refused = stack.run("restore", "torn")
    assert refused.exit_code != 0
    assert "pg_restore: error" in refused.stderr
    assert DEFAULT not in databases.names(stack)
    in_the_volume(stack, "rm torn.dump")


@pytest.mark.parametrize(("how", "left"), [("kill", ["cut.part"]), ("stop", [])])
async def test_a_dump_that_is_interrupted_never_has_the_name_of_one(flow: Flow, how: str, left: list[str]) -> None:
    stack = flow.stack
    name = f"{stack.project}-cut"
    async with table_withheld(stack) as until_dumping:
        stack.compose.do("run", "--detach", "--no-deps", "--name", name, "backup", "cut")
        await until_dumping()
        began_s = time.monotonic()
        docker(how, name)
        docker("wait", name)
        log.warning("a backup ended %.1f s after docker %s", time.monotonic() - began_s, how)
    docker("rm", name)
    assert in_the_volume(stack, "ls -d cut.* || true").split() == left
    succeeded(stack.run("backup", "cut"))
    assert in_the_volume(stack, "ls -d cut.*").split() == ["cut.dump"]
    in_the_volume(stack, "rm cut.dump")


@asynccontextmanager
async def table_withheld(stack: Stack) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Let no session read the events for a while; gives what waits until a dump waits for them."""
    holding = await connect(stack.settings("postgres"))
    asking = await connect(stack.settings("postgres"))  # within a transaction, the activity that was seen first stays

    async def until_dumping() -> None:
        await until(lambda: asking.fetchval(_DUMPS_THAT_WAIT), "a dump waits for the events", DUMPING_S, POLL_S)

    try:
        async with holding.transaction():
            await holding.execute("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
            yield until_dumping
    finally:
        await holding.close()
        await asking.close()


async def count(stack: Stack, database: str) -> int:
    """How many events the reader finds in a database."""
    settings = stack.settings("reader")
    assert settings.postgres.dsn
    address = urlsplit(settings.postgres.dsn.get_secret_value())
    connection = await asyncpg.connect(urlunsplit(address._replace(path=f"/{database}")))
    try:
        return int(await connection.fetchval("SELECT count(*) FROM events"))
    finally:
        await connection.close()


def in_the_volume(stack: Stack, script: str) -> str:
    """Run a line of shell where the dumps are."""
    ran = stack.run("backup", "-c", f"cd /var/lib/postgresql && {script}", options=("--entrypoint", "sh"))
    return succeeded(ran).stdout
