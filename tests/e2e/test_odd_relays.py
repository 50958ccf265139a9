"""A farm of honest but odd relays, all at once: everything is archived, nothing is called read that was not given."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest

from deploy.embedded.stack import Servers
from schemas.nostr.filters import Filter
from schemas.records.coverage import Coverage
from schemas.relay_urls.relay_url import normalize
from tests.broker.producers.harness import coverage
from tests.pipeline.fixtures import Pipeline, pipeline
from tests.pipeline.world import announce
from tests.relays.odd.process import OddProcess, odd_relays

pytestmark = [pytest.mark.e2e, pytest.mark.storms]

AUTH_KEY = (77).to_bytes(32).hex()
SILENCE_S = 5.0
LOOKS_S = 3.0
DELIVERY_S = 5.0
"""For a new event, to all who are subscribed."""
LONGEST_ABSENCE_S = 60.0 + 15.0
"""What a relay may be left alone for while something lacks, and what a busy machine adds. No relay asks for more."""
MOST_REQUESTS = {"kinds": 4_000, "bare": 4_000, "never satisfied": 60}
"""By a part of the name: who answers narrow questions only has to be asked many. Others: as below."""
MOST_REQUESTS_ELSE = 1_000
MOST_SIGN_INS = {"session": 200, "AUTH for each REQ": 200}
MOST_SIGN_INS_ELSE = 40
MOST_HANDSHAKES = 120
"""The farm's strictest relay gives a thirtieth of its events on each connection."""


@dataclass(frozen=True)
class Course:
    """How long relays are read, and how large they are."""

    name: str
    whole: bool
    limit_s: float


@dataclass
class Watch:
    """What was found wrong, by relay; `untrue`: seconds that were called read too early."""

    faults: dict[str, set[str]] = field(default_factory=dict)
    untrue: dict[str, set[int]] = field(default_factory=dict)

    def note(self, name: str, fault: str) -> None:
        self.faults.setdefault(name, set()).add(fault)

    def told(self) -> str:
        return "".join(f"\n{name}: {'; '.join(sorted(faults))}" for name, faults in sorted(self.faults.items()))


BRIEF = pytest.param(Course("brief", False, 400), id="brief", marks=pytest.mark.timeout(550))
WHOLE = pytest.param(Course("whole", True, 600), id="whole", marks=[pytest.mark.long, pytest.mark.timeout(900)])


@pytest.fixture(params=[BRIEF, WHOLE])
def course(request: pytest.FixtureRequest) -> Course:
    chosen: Course = request.param
    return chosen


@pytest.fixture
def odd(course: Course) -> Iterator[OddProcess]:
    with odd_relays(whole=course.whole) as process:
        yield process


@pytest.fixture
def apart(servers: Servers, course: Course, tmp_path: Path) -> Iterator[Pipeline]:
    """A pipeline that signs in and does not wait for long."""
    environment = {
        "BIGBROTR_CONNECTOR__AUTH_KEY": AUTH_KEY,
        "BIGBROTR_CONNECTOR__EOSE_TIMEOUT_S": str(SILENCE_S),
    }
    with pipeline(servers, f"odd-{course.name}", tmp_path, **environment) as started:
        yield started


async def test_odd_relays_are_archived_and_what_is_called_read_was_given(
    apart: Pipeline, odd: OddProcess, course: Course, tmp_path: Path
) -> None:
    watch = Watch()
    connector = apart.services.pid("connector")
    began_s = time.time()
    await announce(apart.settings, *odd.urls.values())
    async with watched(apart, odd, watch):
        archived, accounts = await everything_archived(apart, odd, course.limit_s)
    for name, relay in accounts.items():
        url = spelled(relay["url"])
        mine = {event_id for event_id, seen_at in archived if seen_at == url}
        lacking, foreign = set(relay["expected"]) - mine, mine - relay["stored"].keys()
        if lacking:
            watch.note(name, f"{len(lacking)} of {len(relay['expected'])} events are not archived")
        if foreign:
            watch.note(name, f"{len(foreign)} events were archived as its own that it never had")
        if watch.untrue[name]:
            seconds = f"{len(watch.untrue[name])} seconds, {max(watch.untrue[name])} the newest,"
            watch.note(name, f"{seconds} were called read when an event of theirs had not been given")
        patience(name, relay, began_s, watch)
    # Kept, as all of this folder, where the test fails.
    (tmp_path / "accounts.json").write_bytes(orjson.dumps(accounts))
    assert not watch.faults, watch.told()
    assert {seen_at for _, seen_at in archived} <= {spelled(url) for url in odd.urls.values()}
    apart.services.check()
    assert apart.services.pid("connector") == connector


async def everything_archived(
    running: Pipeline, odd: OddProcess, limit_s: float
) -> tuple[set[tuple[str, str]], dict[str, dict[str, Any]]]:
    """Wait until all that relays can be expected to give is archived, or time is up; return archive and accounts."""
    deadline = time.monotonic() + limit_s
    while True:
        running.services.check()
        archived = await running.archive.sightings()
        accounts = await asyncio.to_thread(odd.account)
        relays = accounts.values()
        wanted = {(event_id, spelled(relay["url"])) for relay in relays for event_id in relay["expected"]}
        arriving = any(relay["arriving"] for relay in relays)
        if (wanted <= archived and not arriving) or time.monotonic() > deadline:
            return archived, accounts
        await asyncio.sleep(LOOKS_S)


@asynccontextmanager
async def watched(running: Pipeline, odd: OddProcess, watch: Watch) -> AsyncIterator[None]:
    """Compare the ledgers with what was given, again and again, and once more at the end."""

    async def look() -> None:
        # In this order: what was not given by now was not given when the record was written.
        records = await coverage(running.settings)
        missing = await asyncio.to_thread(odd.missing)
        for name, url in odd.urls.items():
            watch.untrue.setdefault(name, set()).update(untrue(records.get(spelled(url)), missing[name]))

    async def always() -> None:
        while True:
            await look()
            await asyncio.sleep(LOOKS_S)

    looking = asyncio.create_task(always())
    try:
        yield
        assert not looking.done(), looking.exception()
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking
    await look()


def untrue(record: Coverage | None, missing: list[tuple[int, float]]) -> set[int]:
    """Seconds that were called read after something was stored in them that was never given.

    A range that was read over a time has the first of its times; none of its seconds was read before it was over.
    """
    sets = record.sets if record is not None else []
    # Lists of kinds have sets of their own, which say nothing about other kinds.
    ranges = [each for ledger in sets if ledger.filter == Filter().filter_hash() for each in ledger.read]
    now_s = time.time()
    return {
        second
        for second, stored_s in missing
        for since, until, read_at_s in ranges
        if since <= second <= until and stored_s < max(read_at_s, second + 1) and now_s - stored_s > DELIVERY_S
    }


def patience(name: str, relay: Mapping[str, Any], began_s: float, watch: Watch) -> None:
    """Neither too little was asked of a relay nor too much."""
    account = relay["account"]
    requests, sign_ins = account["requests"], account["sign_ins"]
    handshakes = len(account["connections"]) + len(account["refusals"])
    if handshakes > MOST_HANDSHAKES:
        watch.note(name, f"it was connected to {handshakes} times")
    if len(requests) > bound(name, MOST_REQUESTS, MOST_REQUESTS_ELSE):
        watch.note(name, f"it was asked {len(requests)} times")
    refused = [request for request in requests if request["outcome"] in ("refused", "dropped")]
    if relay["expected"] and len(refused) > 20 + 0.4 * len(requests):
        watch.note(name, f"it refused {len(refused)} of {len(requests)} requests, and was asked all the same")
    if len(sign_ins) > bound(name, MOST_SIGN_INS, MOST_SIGN_INS_ELSE):
        watch.note(name, f"it got {len(sign_ins)} AUTH")
    if relay["expected"]:
        times = [began_s, *(at for at in account["contacts_s"] if at < (until_s := whole_s(relay))), until_s]
        absence_s = max(later - earlier for earlier, later in pairwise(times))
        if absence_s > LONGEST_ABSENCE_S:
            watch.note(name, f"it heard nothing for {absence_s:.0f} s while events lacked")


def whole_s(relay: Mapping[str, Any]) -> float:
    """When the last event that it can be expected to give was first given; now, if one was not."""
    first: dict[str, float] = {}
    for connection in relay["account"]["connections"]:
        for event_id, at_s in (connection["unasked"] | connection["given"]).items():
            first[event_id] = min(at_s, first.get(event_id, at_s))
    return max(first.get(event_id, time.time()) for event_id in relay["expected"])


def bound(name: str, bounds: Mapping[str, int], otherwise: int) -> int:
    return next((most for part, most in bounds.items() if part in name), otherwise)


def spelled(url: str) -> str:
    return normalize(url, allow_private=True).url
