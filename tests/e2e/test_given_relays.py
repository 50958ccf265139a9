"""Ten odd relays from a program beside the checkout, all at once: they are archived within ten minutes."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from deploy.embedded.ports import choose
from deploy.embedded.stack import Servers
from schemas.nostr.filters import Filter
from schemas.ranges import subtract
from schemas.records.coverage import Coverage
from schemas.relay_urls.relay_url import normalize
from tests.broker.producers.harness import coverage
from tests.pipeline.fixtures import Pipeline, pipeline
from tests.pipeline.world import announce

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(900)]

PROGRAM = Path(__file__).resolve().parents[3] / "shared" / "tools" / "odd_relays.py"
AUTH_KEY = (78).to_bytes(32).hex()
log = logging.getLogger(__name__)

LIMIT_S = 600.0
LOOKS_S = 2.0
SPAN = (1_690_000_000, 1_700_000_000)
"""In which all of their events lie, in seconds."""


@pytest.fixture
def given(tmp_path: Path) -> Iterator[dict[str, dict[str, Any]]]:
    """The relays, as the program tells of them: URL and number of events, by name."""
    if not PROGRAM.exists():
        pytest.skip("the program with the relays is not beside this checkout")
    with (tmp_path / "requests.log").open("wb") as log:
        command = [sys.executable, str(PROGRAM), "--port", str(choose(set()))]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log) as process:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())
            process.kill()


@pytest.fixture
def signing_in(servers: Servers, tmp_path: Path) -> Iterator[Pipeline]:
    """A pipeline that answers AUTH."""
    with pipeline(servers, "given", tmp_path, BIGBROTR_CONNECTOR__AUTH_KEY=AUTH_KEY) as started:
        yield started


async def test_ten_odd_relays_are_archived_and_called_read(
    signing_in: Pipeline, given: dict[str, dict[str, Any]]
) -> None:
    urls = {normalize(relay["url"], allow_private=True).url: name for name, relay in given.items()}
    wanted = {name: relay["events"] for name, relay in given.items()}
    archived: Counter[str] = Counter()
    took_s: dict[str, int] = {}
    began = time.monotonic()
    await announce(signing_in.settings, *(relay["url"] for relay in given.values()))
    with suppress(TimeoutError):
        async with asyncio.timeout(LIMIT_S):
            while len(took_s) < len(wanted):
                signing_in.services.check()
                archived = Counter(urls[url] for _, url in await signing_in.archive.sightings())
                records = await coverage(signing_in.settings)
                for url, name in urls.items():
                    if archived[name] == wanted[name] and url in records and is_read(records[url]):
                        took_s.setdefault(name, round(time.monotonic() - began))
                await asyncio.sleep(LOOKS_S)
    log.warning("archived and called read after so many seconds: %s", took_s)
    assert archived == wanted
    assert took_s.keys() == wanted.keys(), f"archived, but not called read: {wanted.keys() - took_s.keys()}"


def is_read(record: Coverage) -> bool:
    """Whether every second is called read in which the relays may have events."""
    sets = [each for each in record.sets if each.filter == Filter().filter_hash()]
    return not subtract([SPAN], [(since, until) for each in sets for since, until, _ in each.read])
