"""The programs of the guide for clients run as they stand there, and print what the archive has."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.broker.api.clients.conftest import NOTES
from tests.broker.api.clients.javascript import NOSTR_TOOLS, WS, installed
from tests.broker.api.served import Served

pytestmark = [pytest.mark.broker, pytest.mark.asyncio(loop_scope="package")]

GUIDE = Path(__file__).parents[4] / "docs/how-to/api-clients.md"
BLOCKS = re.findall(r"^```(sh|python|js)\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
ABOUT_ONE_TOPIC = NOTES[-2::-3]
"""Those with the tag that the programs ask for, newest first."""
LIMIT_S = 60


def programs(language: str) -> list[str]:
    return [text for each, text in BLOCKS if each == language]


async def printed(served: Served, *command: str, folder: Path | None = None) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, "API": served.url}, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    async with asyncio.timeout(LIMIT_S):
        output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return output.decode()


async def test_curl(served: Served) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    _, page, filters, lines, document = programs("sh")
    found = json.loads(await printed(served, "sh", "-c", page))
    assert [event["id"] for event in found["events"]] == [event.id for event in NOTES[:-3:-1]]
    assert found["next"]
    found = json.loads(await printed(served, "sh", "-c", filters))
    assert [event["id"] for event in found["events"]] == [event.id for event in ABOUT_ONE_TOPIC[:2]]
    found = [json.loads(line) for line in (await printed(served, "sh", "-c", lines)).splitlines()]
    assert [event["id"] for event in found] == [event.id for event in ABOUT_ONE_TOPIC]
    assert json.loads(await printed(served, "sh", "-c", document))["name"] == served.settings.api.name


async def test_python(served: Served) -> None:
    contents = [event.content for event in ABOUT_ONE_TOPIC]
    pages, lines, by_websockets, by_nostr_sdk = programs("python")
    found = await printed(served, sys.executable, "-c", pages)
    assert found.splitlines() == [f"{event.created_at} {event.content}" for event in ABOUT_ONE_TOPIC]
    assert (await printed(served, sys.executable, "-c", lines)).splitlines() == contents
    assert (await printed(served, sys.executable, "-c", by_websockets)).splitlines() == contents[:3]
    assert sorted((await printed(served, sys.executable, "-c", by_nostr_sdk)).splitlines()) == sorted(contents[:3])


async def test_javascript(served: Served, tmp_path: Path) -> None:
    packages = installed(tmp_path, NOSTR_TOOLS, WS)
    contents = [event.content for event in ABOUT_ONE_TOPIC]
    for program, expected in zip(programs("js"), (contents, contents[:3]), strict=True):
        (packages / "program.mjs").write_text(program)
        assert (await printed(served, "node", "program.mjs", folder=packages)).splitlines() == expected
