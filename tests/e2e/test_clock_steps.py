"""The time of day of a connector's host is wrong by 40 days for a while: all is archived, and coverage stays true."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from core.clock import TOLERANCE_S
from deploy.demo.scene import Signed
from deploy.embedded.stack import Servers
from schemas.records.bundle import BadLine, decode_lines
from schemas.records.coverage import Coverage
from tests.broker.producers.harness import coverage, records
from tests.pipeline.fixtures import Run, running
from tests.pipeline.host_clock import ServicesByAnotherClock, faketime
from tests.pipeline.world import announce, connect
from tests.relays.client import fill
from tests.relays.local_relay import local_relay
from tests.unit.processors.material import event, wire

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

HOUR_S = 3600
DAY_S = 24 * HOUR_S
STEP_S = 40 * DAY_S
LASTS_S = 6.0
"""Several looks at the clock, and far less than the ten minutes after which a step is believed."""
STEPS = "bigbrotr_clock_steps_total"
SAID = "the host's clock was stepped"

Stepped = Run[ServicesByAnotherClock]


@pytest.fixture(params=[pytest.param(STEP_S, id="ahead"), pytest.param(-STEP_S, id="behind")])
def step_s(request: pytest.FixtureRequest) -> int:
    chosen: int = request.param
    return chosen


@pytest.fixture
def stepped(servers: Servers, tmp_path: Path) -> Iterator[Stepped]:
    """A pipeline of which the connector goes by a clock that the test sets."""
    faketime()
    with running(servers, ServicesByAnotherClock, f"clock-{uuid.uuid4().hex[:8]}", tmp_path) as run:
        yield run


async def test_a_clock_that_is_set_and_set_back_under_a_connector_moves_nothing(stepped: Stepped, step_s: int) -> None:
    began_s, services = time.time(), stepped.services
    async with local_relay() as url, local_relay() as other:
        await stored(url, "before")
        await announce(stepped.settings, url)
        await followed(stepped, began_s, url)
        assert services.metric("connector", STEPS) == 0

        services.host_clock.set_by(step_s)
        set_at = time.monotonic()
        during = await stored(url, "during")
        # So that a connection is opened and read meanwhile.
        met = await stored(other, "of a relay that is met meanwhile")
        await announce(stepped.settings, other)

        async def lasted() -> bool:
            return services.metric("connector", STEPS) == 1 and time.monotonic() - set_at >= LASTS_S

        await archived(stepped, {url: during, other: met})
        await stepped.archive.until("the step to be counted", lasted)
        services.host_clock.set_by(0)
        back_s = time.time()
        await archived(stepped, {each: await stored(each, "after") for each in (url, other)})
        await followed(stepped, back_s, url, other)
        assert services.metric("connector", STEPS) == 1
        assert services.log("connector").read_text().count(f"{SAID} by {step_s:.1f} s") == 1

        # What is dated until then would not be asked for, if it counted as read.
        assert services.stop_one("connector") == 0
        missed = {each: await stored(each, "while the connector was away", HOUR_S) for each in (url, other)}
        away_s = time.time()
        services.start("connector")
        await archived(stepped, missed)
        await followed(stepped, away_s, url, other)
        written = [Coverage.decode(record.value or b"") for record in await records(stepped.settings, "coverage")]
        for record in written:
            assert_true(record, began_s)
        for each in (url, other):
            cursors = [record.cursor_s for record in written if record.relay == each and record.cursor_s is not None]
            assert all(earlier <= later for earlier, later in pairwise(cursors)), cursors
        for bundle in await records(stepped.settings, "raw.bundles"):
            for line in decode_lines(bundle.value or b""):
                assert not isinstance(line, BadLine)
                assert began_s - TOLERANCE_S <= line.seen_at_ms / 1000 <= time.time() + TOLERANCE_S


async def test_what_was_read_by_a_wrong_clock_is_read_again_by_the_right_one(stepped: Stepped, step_s: int) -> None:
    began_s, services = time.time(), stepped.services
    async with local_relay() as url:
        await stored(url, "before")
        await announce(stepped.settings, url)
        await followed(stepped, began_s, url)
        assert services.stop_one("connector") == 0

        during = await stored(url, "before the wrong clock reads")
        services.host_clock.set_by(step_s)
        services.start("connector")
        await archived(stepped, {url: during})

        async def misread() -> bool:
            record, wrong_s = (await coverage(stepped.settings))[url], time.time() + step_s
            times = [read_at_s for each in record.sets for _, _, read_at_s in each.read]
            return all(any(abs(each - wrong_s) < DAY_S for each in dated) for dated in (times, [record.cursor_s or 0]))

        await stepped.archive.until("the wrong clock to be gone by", misread)
        assert services.stop_one("connector") == 0

        missed = await stored(url, "while the connector was away", HOUR_S)
        right_s = time.time()
        services.host_clock.set_by(0)
        services.start("connector")
        await archived(stepped, {url: missed})
        await followed(stepped, right_s, url)
        await archived(stepped, {url: await stored(url, "after")})
        for each in (await coverage(stepped.settings))[url].sets:
            for _, until, read_at_s in each.read:
                assert max(until, read_at_s) <= time.time() + TOLERANCE_S

        async def shown() -> bool:
            cursor_s, until_s = await in_the_archive(stepped, url)
            return right_s < cursor_s <= time.time() + TOLERANCE_S and until_s <= time.time() + TOLERANCE_S

        await stepped.archive.until("the archive's coverage to be that of the right clock", shown)
        assert SAID not in services.log("connector").read_text()


def assert_true(record: Coverage, began_s: float) -> None:
    """See that nothing in a record is of later than now, and nothing was done before the test began."""
    least_s, most_s = began_s - TOLERANCE_S, time.time() + TOLERANCE_S
    assert least_s <= record.updated_at_ms / 1000 <= most_s, record
    assert record.cursor_s is None or least_s <= record.cursor_s <= most_s, record
    for each in record.sets:
        for _, until, read_at_s in each.read:
            assert until <= most_s, record
            assert least_s <= read_at_s <= most_s, record


async def stored(url: str, content: str, back_s: int = 0) -> list[Signed]:
    """Have a relay store an event of now, one dated some seconds back, and one dated in 20 days."""
    now_s = int(time.time())
    made = [event(content, created_at=now_s - age_s) for age_s in dict.fromkeys((0, back_s, -20 * DAY_S))]
    signed = [Signed(each.id, each.pubkey, each.kind, wire(each)) for each in made]
    assert await fill(url, signed) == {}
    return signed


async def archived(run: Stepped, wanted: dict[str, list[Signed]]) -> None:
    """Wait until these are archived, as seen at their relays."""
    pairs = {(each.id, url) for url, events in wanted.items() for each in events}

    async def complete() -> bool:
        return pairs <= await run.archive.sightings()

    await run.archive.until(f"events of {', '.join(wanted)}", complete)


async def in_the_archive(run: Stepped, url: str) -> tuple[int, int]:
    """Tell the cursor that the archive has for a relay, and the newest second that it calls read; 0: none."""
    connection = await connect(run.settings)
    try:
        row = await connection.fetchrow(
            "SELECT coalesce(max(cursor_s), 0) AS cursor_s, coalesce(max(until_s), 0) AS until_s"
            " FROM coverage LEFT JOIN coverage_ranges USING (set_id) WHERE relay = $1",
            url,
        )
        assert row is not None
        return row["cursor_s"], row["until_s"]
    finally:
        await connection.close()


async def followed(run: Stepped, since_s: float, *urls: str) -> None:
    """Wait until a record says of each relay that it was followed after this time, and until about now."""

    async def written() -> bool:
        found = await coverage(run.settings)
        cursors = [found[url].cursor_s if url in found else None for url in urls]
        return all(cursor_s is not None and since_s < cursor_s < time.time() + TOLERANCE_S for cursor_s in cursors)

    await run.archive.until(f"cursors later than {since_s:.0f}", written)
