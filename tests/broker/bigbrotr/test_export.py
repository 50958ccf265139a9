"""`bigbrotr export` as people type it: what it writes can be imported again, and nothing half-written keeps a name."""

from __future__ import annotations

import asyncio
import gzip
import os
import select
import signal
import sys
from pathlib import Path

import asyncpg
import pytest
import zstandard

from core import postgres
from core.settings import Settings
from schemas.nostr.event import encode_event, parse_event
from sinks.migrate import migrate
from tests.broker.bigbrotr.conftest import Command
from tests.broker.sinks.archived import RELAYS, SEEN_MS, difficult, fill, some_events
from tests.environment import environment
from tests.waiting import until

pytestmark = pytest.mark.broker

EVENTS = [*some_events(60, seed=2), *difficult()]
SEEN = {event.id: dict.fromkeys(RELAYS[: place % 4], SEEN_MS) for place, event in enumerate(EVENTS)}


@pytest.fixture
async def filled(settings: Settings) -> Settings:
    """An archive with events, of which each fourth was never seen at a relay."""
    connection = await asyncpg.connect(postgres.dsn(settings))
    await migrate(connection)
    await fill(connection, EVENTS, {event_id: seen for event_id, seen in SEEN.items() if seen})
    await connection.close()
    return settings


async def test_what_is_exported_and_imported_again_is_the_same_archive(
    filled: Settings, command: Command, tmp_path: Path
) -> None:
    before = (await command("digest", "--json")).json()
    assert before["events"] == len(EVENTS)
    file = tmp_path / "all.jsonl.zst"
    done = await command("export", "--sightings", "-o", str(file))
    assert done.returncode == 0, done.stderr
    assert f"{len(EVENTS)} events are in {file}" in done.stderr
    text = zstandard.ZstdDecompressor().stream_reader(file.read_bytes()).read()
    assert text.count(b"\n") == sum(max(1, len(seen)) for seen in SEEN.values())

    connection = await asyncpg.connect(postgres.dsn(filled))
    await connection.execute("TRUNCATE events, sightings, expirations, nul_tags, deletions_by_id")
    await connection.close()
    imported = await command("import", str(file), "--wait", "--json")
    assert imported.returncode == 0, imported.stderr
    assert imported.json()["archived"] == len(EVENTS)
    assert (await command("digest", "--json")).json() == before


async def test_filters_files_and_their_mistakes(filled: Settings, command: Command, tmp_path: Path) -> None:
    kinds = ["--filter", '{"kinds":[0]}', "--filter", '{"kinds":[5],"limit":2}']
    shown = await command("export", *kinds)
    assert shown.returncode == 0, shown.stderr
    events = [parse_event(line.encode()) for line in shown.stdout.splitlines()]
    assert all(event in EVENTS for event in events)
    assert sum(event.kind == 5 for event in events) == 2
    assert sum(event.kind == 0 for event in events) == sum(event.kind == 0 for event in EVENTS)
    file = tmp_path / "some.gz"
    assert (await command("export", *kinds, "-o", str(file))).returncode == 0
    assert gzip.decompress(file.read_bytes()).decode() == shown.stdout

    unknown = await command("export", "--relay", "wss://unknown.example", "-o", str(tmp_path / "none"))
    assert unknown.returncode == 2
    assert "no event was ever seen there" in unknown.stderr
    assert "Traceback" not in unknown.stderr
    again = await command("export", *kinds, "-o", str(file))
    assert (again.returncode, "exists already" in again.stderr) == (2, True)
    assert (await command("export", *kinds, "-o", str(file), "--force")).returncode == 0
    assert os.listdir(tmp_path) == ["some.gz"]  # noqa: PTH208 - one quick look


async def test_an_export_that_is_stopped_leaves_no_file_and_no_noise(filled: Settings, tmp_path: Path) -> None:
    big = tmp_path / "big.fifo"
    arguments = [sys.executable, "-m", "bigbrotr", "export"]
    # The pipe is not read: the export stands in the middle of a write when it is interrupted.
    os.mkfifo(big)
    reader = os.open(big, os.O_RDONLY | os.O_NONBLOCK)
    stuck = await asyncio.create_subprocess_exec(
        *arguments, "-o", str(big), env=environment(filled), stderr=asyncio.subprocess.PIPE
    )
    await until(lambda: _readable(reader), "the first bytes")
    stuck.send_signal(signal.SIGINT)
    _, errors = await asyncio.wait_for(stuck.communicate(), 20)
    os.close(reader)
    assert stuck.returncode == 130
    assert b"Traceback" not in errors
    assert big.exists(), "what is no file is written to, and stays"
    # The reader goes away: as with `| head -1`.
    head = await asyncio.create_subprocess_exec(
        *arguments, env=environment(filled), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert head.stdout is not None
    line = await head.stdout.readline()
    assert encode_event(parse_event(line)) + b"\n" == line
    head.stdout._transport.close()  # type: ignore[attr-defined]  # asyncio has no other way to close what it reads
    assert head.stderr is not None
    assert await head.stderr.read() == b""
    assert await head.wait() == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_nothing_half_written_is_left_by_a_signal(
    filled: Settings, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    file = tmp_path / "all.jsonl"
    holder = await asyncpg.connect(postgres.dsn(filled))
    async with holder.transaction():
        # The export waits for the lock when the file is open already.
        await holder.execute("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
        waiting = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bigbrotr", "export", "-o", str(file)),
            env=environment(filled),
            stderr=asyncio.subprocess.PIPE,
        )
        here = "(SELECT oid FROM pg_database WHERE datname = current_database())"
        blocked = f"SELECT EXISTS (SELECT FROM pg_locks WHERE database = {here} AND NOT granted)"

        async def is_held_up() -> object:
            assert waiting.returncode is None
            return await holder.fetchval(blocked)

        await until(is_held_up, "the export waits for the lock")
        assert os.listdir(tmp_path)  # noqa: PTH208 - one quick look
        waiting.send_signal(number)
        _, errors = await asyncio.wait_for(waiting.communicate(), 20)
    await holder.close()
    assert (waiting.returncode, os.listdir(tmp_path)) == (code, []), errors  # noqa: PTH208 - as above
    assert b"Traceback" not in errors


def _readable(descriptor: int) -> bool:
    return bool(select.select([descriptor], [], [], 0)[0])
