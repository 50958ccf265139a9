"""What is known is published once: in a loop, after a restart, and as far as the archive can be asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator

import pytest

from core.settings import Settings
from deploy.demo.events import generate
from processors.validate.reprocess import reprocess
from schemas.records.sighting import decode
from schemas.topics import configs
from sinks.migrate import migrate
from tests.broker.processors.harness import (
    Line,
    alter,
    bundles,
    committed,
    event_ids,
    line,
    produce,
    records,
)
from tests.pipeline.archive import Archive
from tests.pipeline.services import Services
from tests.pipeline.world import connect
from tests.relays.forgery import with_another_signature
from tests.waiting import until

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]

EVENTS = generate(200, seed=7, base_time_s=1_700_000_000, workers=1)
RELAYS = [f"wss://r{number}.example" for number in range(3)]
AT_MS = 1_700_000_500_000
PAIRS = len(EVENTS) * len(RELAYS)


class Flow:
    """A processor and a sink, and bundles for them."""

    def __init__(self, settings: Settings, services: Services) -> None:
        self.settings = settings
        self.services = services
        self.archive = Archive(settings, services)
        self._made: Counter[int] = Counter()

    async def send(self, *lines: Line) -> None:
        """Have lines validated."""
        made = bundles(lines, self.settings.kafka.partitions, size=20)
        await produce(self.settings, made)
        self._made.update(partition for partition, _ in made)

        async def done() -> bool:
            self.services.check()
            return await committed(self.settings) == self._made

        await until(done, "all is committed")

    async def pairs(self) -> int:
        """Pairs that were published, each as often as it was."""
        found = await records(self.settings, "sightings")
        return sum(len(group.ids) for record in found for group in decode(record.value))

    async def published(self) -> tuple[int, int]:
        """Records of events, and pairs."""
        return len(await event_ids(self.settings)), await self.pairs()

    async def archived(self) -> None:
        await self.archive.until_counts(len(EVENTS), PAIRS)

    def restart(self, name: str = "processor") -> None:
        """Stop a service and start it again: it has forgotten what it had seen."""
        assert self.services.stop_one(name) == 0
        self.services.start(name)
        self.services.wait_until_ready()

    def metric(self, name: str) -> float:
        found = self.services.metric("processor", f"bigbrotr_{name}_total")
        assert found is not None
        return found


@pytest.fixture
async def flow(ours: Settings) -> AsyncIterator[Flow]:
    connection = await connect(ours)
    await migrate(connection)
    await connection.close()
    ours.data_dir.mkdir(exist_ok=True)
    services = Services(ours)
    try:
        yield Flow(ours, services)
    finally:
        services.stop()


def copies(at_ms: int = AT_MS) -> list[Line]:
    return [line(each.id, each.wire, relay, at_ms) for relay in RELAYS for each in EVENTS]


def start(flow: Flow, *names: str) -> None:
    flow.services.start(*names)
    flow.services.wait_until_ready()


async def test_events_in_a_loop_are_published_once_for_each_relay(flow: Flow) -> None:
    start(flow, "processor")
    for turn in range(5):
        await flow.send(*copies(AT_MS + turn))
    assert await flow.published() == (len(EVENTS), PAIRS)
    assert flow.metric("known_sightings") == 4 * PAIRS
    await flow.send(*copies(AT_MS - 1))
    assert await flow.published() == (len(EVENTS), 2 * PAIRS), "an earlier time changes rows"


async def test_after_a_restart_nothing_comes_again_that_the_archive_has(flow: Flow) -> None:
    start(flow, "processor", "sink")
    await flow.send(*copies())
    await flow.archived()
    for _ in range(2):
        flow.restart()
        await flow.send(*copies(AT_MS + 1))
        assert await flow.published() == (len(EVENTS), PAIRS)
        assert flow.metric("found_ids") == flow.metric("asked_ids") == len(EVENTS)
        assert flow.metric("verified") == 0
    report = await reprocess(flow.settings, 0, 2**42, Quiet())
    assert (report.accepted, report.sightings) == (0, 0)
    flow.restart()
    forged = [line(each.id, with_another_signature(each.wire), "wss://liar.example") for each in EVENTS]
    await flow.send(*forged)
    assert await flow.published() == (len(EVENTS), PAIRS)
    assert len(await records(flow.settings, "rejections")) == len(EVENTS), "an id alone says nothing about a copy"
    await flow.send(*copies(AT_MS - 1))
    await flow.send(line(EVENTS[0].id, EVENTS[0].wire, "wss://new.example"))
    assert await flow.published() == (len(EVENTS), 2 * PAIRS + 1)


async def test_an_archive_of_other_topics_is_not_asked(flow: Flow) -> None:
    """As where offsets were forgotten because the topics were restored: they may lack what the archive has."""
    start(flow, "processor", "sink")
    await flow.send(*copies())
    await flow.archived()
    flow.services.stop_one("sink")
    connection = await connect(flow.settings)
    await connection.execute("DELETE FROM sink_offsets WHERE topic LIKE '%events'")
    await connection.close()
    flow.services.start("sink")
    flow.restart()
    await flow.send(*copies())
    assert await flow.published() == (2 * len(EVENTS), 2 * PAIRS)
    assert "the archive does not tell that all it has came from the topic" in flow.services.tail("processor")


async def test_a_processor_goes_on_while_the_archive_hangs(flow: Flow) -> None:
    start(flow, "processor", "sink")
    await flow.send(*copies())
    await flow.archived()
    flow.services.stop_one("sink")
    connection = await connect(flow.settings)
    async with connection.transaction():
        await connection.execute("LOCK TABLE events, sink_offsets IN ACCESS EXCLUSIVE MODE")
        flow.restart()
        await flow.send(*copies())
    await connection.close()
    assert await flow.published() == (2 * len(EVENTS), 2 * PAIRS)
    assert "everything is published as if it were new" in flow.services.tail("processor")


async def test_where_sightings_are_kept_for_a_time_all_are_published(flow: Flow) -> None:
    await alter(flow.settings, "sightings", configs("sightings") | {"retention.ms": "86400000"})
    start(flow, "processor")
    for _ in range(2):
        await flow.send(*copies())
    assert await flow.published() == (len(EVENTS), 2 * PAIRS)
    assert "retention.ms of the topic" in flow.services.tail("processor")


class Quiet:
    def progress(self, done: int, total: int) -> None:
        pass

    def note(self, text: str) -> None:
        pass
