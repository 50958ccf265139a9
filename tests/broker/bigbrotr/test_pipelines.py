"""`demo` and `run` as people see them: honest to the end, stopped in time, and gone when they are killed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from bigbrotr.services import FLOW, SERVING
from bigbrotr.supervise import running
from core.settings import Settings
from deploy.demo.events import generate
from tests.broker.bigbrotr.conftest import LIMIT_S, Command, started
from tests.environment import environment
from tests.pipeline.world import announce
from tests.waiting import until

pytestmark = pytest.mark.broker

RUN = {*FLOW, *SERVING}
STOP_S = 15.0  # what Ctrl-C promises


def services(data_dir: Path) -> dict[str, psutil.Process]:
    """The services that are up: those whose health can be asked."""
    return {one.name: psutil.Process(one.pid) for one in running.read(data_dir) if one.port}


async def details(data_dir: Path, name: str) -> dict[str, Any]:
    """What a service says of its work; nothing before it has started."""
    found = [one for one in running.read(data_dir) if one.name == name and one.port]
    if not found:
        return {}
    async with aiohttp.ClientSession() as session:
        try:
            async with session.get(f"http://127.0.0.1:{found[0].port}/status") as asked:
                return dict((await asked.json())["details"])
        except aiohttp.ClientConnectorError:
            return {}


def alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


async def interrupted(process: asyncio.subprocess.Process) -> str:
    """Stop a run with Ctrl-C, which must be clean and soon; what it has said."""
    asked_at = time.monotonic()
    os.kill(process.pid, signal.SIGINT)
    assert process.stdout is not None
    output = (await process.stdout.read()).decode()
    assert await process.wait() == 0, output
    assert time.monotonic() - asked_at < STOP_S
    return output


async def test_the_demo_ends_by_itself_and_only_an_exact_archive_is_a_success(command: Command) -> None:
    done = await command("demo", "--once", "--events", "150", "--relays", "2", "--json")
    assert done.returncode == 0, done.stderr
    result = done.json()
    assert result["complete"]
    assert result["offered"]["events"] >= 150
    assert result["archived"]["events"] == result["offered"]["events"]
    assert result["archived"]["sightings"] == result["offered"]["copies"]
    assert (result["problems"], result["rejected"]) == ([], {})

    again = await command("demo", "--once", "--events", "150", "--json")
    assert again.returncode == 1
    assert "the database holds events already" in again.stderr


async def test_run_goes_on_without_its_relays_serves_and_stops_in_time(settings: Settings, command: Command) -> None:
    async with started(settings, "run", "--allow-private", "--relay", "ws://127.0.0.1:1") as process:
        await until(lambda: set(services(settings.data_dir)) == RUN, "every service is up", LIMIT_S)
        up = services(settings.data_dir)

        assert up["api"].nice() > up["sink"].nice(), "what archives comes first"

        async def served() -> bool:
            return "url" in await details(settings.data_dir, "api")

        await until(served, "the archive is served", LIMIT_S, 0.1)
        url = (await command("status", "--json")).json()["api"]["url"]
        assert url.startswith("http://127.0.0.1:")
        async with aiohttp.ClientSession() as client, client.get(f"{url}/openapi.json") as described:
            assert (await described.json())["openapi"].startswith("3.1")

        up["sink"].kill()
        await until(lambda: services(settings.data_dir).get("sink", up["sink"]) != up["sink"], "another sink", LIMIT_S)

        async def answers() -> bool:
            return bool(await details(settings.data_dir, "sink"))

        await until(answers, "it has begun, and so can be asked to stop", LIMIT_S, 0.1)

        second = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bigbrotr", "run", "--relay", "wss://a.example"),
            env=environment(settings),
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await second.communicate()
        assert second.returncode == 1
        assert b"services run already" in said

        output = await interrupted(process)
        assert f"the archive is served at {url}" in output
        assert "stopping: connector, then processor, then sink; beside them api" in output
        assert "sink ended with signal SIGKILL; starts again in" in output
        assert "the archive holds 0" in output
        assert not any(alive(one) for one in up.values())
        assert not (settings.data_dir / running.FILE_NAME).exists()


async def test_run_with_discover_reads_what_it_is_given_and_what_seeds_name(
    settings: Settings, command: Command, tmp_path: Path
) -> None:
    (tmp_path / "seeds").write_text("ws://127.0.0.1:1\n")
    seeds = {
        "BIGBROTR_SEEDER__LIST": str(tmp_path / "seeds"),
        "BIGBROTR_SEEDER__ALLOW_PRIVATE": "true",
        "BIGBROTR_PROBER__RETRY_S": "0.1",
    }
    arguments = ("run", "--discover", "--allow-private", "--relay", "ws://127.0.0.1:2")
    async with started(settings, *arguments, more=seeds) as process:
        await until(lambda: len(services(settings.data_dir)) == len(RUN) + 3, "every service is up", LIMIT_S)
        assert set(services(settings.data_dir)) == {*RUN, "prober", "registry", "seeder"}

        async def read() -> bool:
            relays = (await command("status", "--json")).json()["relays"]
            return {relay["url"] for relay in relays} == {"ws://127.0.0.1:1", "ws://127.0.0.1:2"}

        await until(read, "both are read", LIMIT_S, 0.1)

        async def probed() -> bool:
            probing = (await command("status", "--json")).json()["probing"]
            return bool(probing) and probing["verdicts"] == {"broken": 2}

        await until(probed, "both are probed", LIMIT_S, 0.1)
        output = await interrupted(process)
        assert "warning: with --allow-private and --discover" in output
        assert "relays: 1 added, 0 were known" in output


async def test_the_demo_with_discover_probes_what_it_finds_and_changes_nothing_there(settings: Settings) -> None:
    data_dir = settings.data_dir / "demo"
    more = {"BIGBROTR_MONITOR__KEY": f"{1:064x}", "BIGBROTR_PROBER__WRITE": "true"}
    async with started(settings, "demo", "--discover", "--events", "60", "--relays", "2", more=more) as process:

        async def probed() -> bool:
            probes = (await details(data_dir, "prober")).get("probes", {})
            return bool(probes.get("verdicts") == {"works": 2})

        await until(probed, "both relays are probed", LIMIT_S, 0.1)
        output = await interrupted(process)
    assert "the archive holds exactly what the relays offered" in output


async def test_nothing_outlives_a_supervisor_that_is_killed(settings: Settings) -> None:
    async with started(settings, "run", "--allow-private", "--relay", "ws://127.0.0.1:1") as process:
        await until(lambda: set(services(settings.data_dir)) == RUN, "every service is up", LIMIT_S)
        up = services(settings.data_dir)
        process.kill()
        await until(lambda: not any(alive(one) for one in up.values()), "the services' end", STOP_S)
    assert running.read(settings.data_dir) == []


async def test_a_waiting_import_uses_the_services_that_run(settings: Settings, command: Command) -> None:

    lines = [event.wire for event in generate(50, seed=5, base_time_s=1_700_000_000, span_s=86_400)]
    async with started(settings, "run", "--no-api", "--allow-private", "--relay", "ws://127.0.0.1:1") as process:
        await until(lambda: set(services(settings.data_dir)) == set(FLOW), "every service is up", LIMIT_S)
        up = services(settings.data_dir)
        done = await command("import", "-", "--wait", "--json", stdin=b"\n".join(lines))
        assert done.returncode == 0, done.stderr
        assert done.json()["archived"] == 50
        assert services(settings.data_dir) == up
        # What the registry knows is not read by a run that was given its relays.
        await announce(settings, "ws://127.0.0.1:2")
        # A service has a port before it has started.
        status: dict[str, Any] = {}

        async def all_have_started() -> bool:
            status.update((await command("status", "--json")).json())
            return bool(status["relays"]) and not any(one["problem"] for one in status["services"])

        await until(all_have_started, "every service has started", LIMIT_S, 0.1)
        assert {one["name"] for one in status["services"]} == set(up)
        assert status["api"] == {"url": None}
        (relay,) = status["relays"]
        assert relay["url"] == "ws://127.0.0.1:1"
        assert status["not_read"] == {"waiting": 1}
        assert relay["state"] in {"unreachable", "connecting"}, "the one between two tries of the other"
        process.send_signal(signal.SIGTERM)
        assert process.stdout is not None
        await process.stdout.read()
        assert await process.wait() == 0
