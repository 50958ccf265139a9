"""Each way in which a Faust worker loses data silently, and that this one does not."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from core.settings import Settings
from schemas.topics import configs
from tests.broker.core.away import paused
from tests.broker.processors.harness import (
    Line,
    all_committed,
    alter,
    bundles,
    committed,
    event_ids,
    processor,
    produce,
    sighted,
    until,
)

pytestmark = pytest.mark.broker
FAULTY = ("-m", "tests.broker.processors.runtime.faulty")
BROKEN_AT = 3


async def nothing_is_missing(settings: Settings, stream: list[Line]) -> None:
    assert set(await event_ids(settings)) == {event_id for event_id, _ in stream}
    assert await sighted(settings) == {
        (event_id, f"wss://r{relay}.example") for event_id, _ in stream for relay in range(2)
    }


async def finish(settings: Settings, made: list[tuple[int, bytes]], directory: Path) -> None:
    """Run a sound processor over what is left."""
    with processor(settings, directory, name="sound") as process:
        await all_committed(settings, made)
        assert await process.stop() == 0, process.log()


@pytest.mark.parametrize("fault", ["raise", "agent"])
async def test_an_exception_acknowledges_nothing_and_ends_the_process(
    ours: Settings, stream: list[Line], tmp_path: Path, fault: str
) -> None:
    made = bundles(stream, ours.kafka.partitions, size=50)
    await produce(ours, made)
    with processor(ours, tmp_path, arguments=(*FAULTY, fault, str(BROKEN_AT))) as process:
        assert await process.ended() == 1, process.log()
        assert f"BrokenError: at offset {BROKEN_AT}" in process.log()
    assert all(offset <= BROKEN_AT for offset in (await committed(ours)).values())
    await finish(ours, made, tmp_path)
    await nothing_is_missing(ours, stream)


async def test_commits_stop_before_a_bundle_that_is_open_and_a_stop_does_not_wait_for_ever(
    ours: Settings, stream: list[Line], tmp_path: Path
) -> None:
    made = bundles(stream, ours.kafka.partitions, size=50)
    await produce(ours, made)
    with processor(ours, tmp_path, arguments=(*FAULTY, "hang", str(BROKEN_AT))) as process:

        async def all_reached_it() -> bool:
            return await committed(ours) == dict.fromkeys(range(ours.kafka.partitions), BROKEN_AT)

        async def later_ones_are_published() -> bool:
            return len(await event_ids(ours)) == len(stream) // 2

        await until(all_reached_it)
        await until(later_ones_are_published)
        assert await process.stop() == 3, process.log()
        assert "the drain did not end within 4 s" in process.log()
    assert await all_committed_at(ours, BROKEN_AT)
    await finish(ours, made, tmp_path)
    await nothing_is_missing(ours, stream)


async def all_committed_at(settings: Settings, offset: int) -> bool:
    return set((await committed(settings)).values()) == {offset}


async def test_a_revoke_that_does_not_drain_ends_the_process_and_loses_nothing(
    ours: Settings, stream: list[Line], tmp_path: Path
) -> None:
    made = bundles(stream, ours.kafka.partitions, size=50)
    await produce(ours, made)
    with processor(ours, tmp_path, name="stuck", arguments=(*FAULTY, "hang", str(BROKEN_AT))) as stuck:

        async def has_open_bundles() -> bool:
            return await all_committed_at(ours, BROKEN_AT)

        await until(has_open_bundles)
        with processor(ours, tmp_path, name="joining") as joining:
            assert await stuck.ended() == 1, stuck.log()
            assert "DrainError" in stuck.log()
            await all_committed(ours, made)
            assert await joining.stop() == 0, joining.log()
    await nothing_is_missing(ours, stream)


async def test_an_output_that_fails_for_good_ends_the_process(
    ours: Settings, stream: list[Line], tmp_path: Path
) -> None:
    made = bundles(stream, ours.kafka.partitions, size=50)
    await produce(ours, made)
    # Kafka refuses every batch of events now, although each record is small enough for the topic table.
    await alter(ours, "events", configs("events") | {"max.message.bytes": "100"})
    with processor(ours, tmp_path) as process:
        assert await process.ended() == 1, process.log()
        assert "MessageSizeTooLargeError" in process.log()
    assert not any((await committed(ours)).values())
    await alter(ours, "events", configs("events"))
    await finish(ours, made, tmp_path)
    await nothing_is_missing(ours, stream)


async def test_kill_9_in_the_middle_repeats_work_and_loses_nothing(
    ours: Settings, stream: list[Line], tmp_path: Path
) -> None:
    made = bundles(stream, ours.kafka.partitions, size=5)
    await produce(ours, made)
    with processor(ours, tmp_path) as process:

        async def some_are_published() -> bool:
            return len(await event_ids(ours)) > len(stream) // 10

        await until(some_are_published)
        process.kill()
    await finish(ours, made, tmp_path)
    await nothing_is_missing(ours, stream)


async def test_workers_that_come_and_go_while_bundles_flow_lose_nothing(
    ours: Settings, stream: list[Line], tmp_path: Path
) -> None:
    made = bundles(stream, ours.kafka.partitions, size=5)

    async def flow() -> None:
        for start in range(0, len(made), 20):
            await produce(ours, made[start : start + 20])

    flowing = asyncio.create_task(flow())
    with processor(ours, tmp_path, name="first") as first:
        await first.ready()
        with processor(ours, tmp_path, name="second") as second:
            await second.ready()

            async def work_is_shared() -> bool:
                shares = [set(process.details().get("partitions", [])) for process in (first, second)]
                return all(shares) and not shares[0] & shares[1]

            await until(work_is_shared)
            assert await first.stop() == 0, first.log()
            await flowing
            await all_committed(ours, made)
            assert await second.stop() == 0, second.log()
    await nothing_is_missing(ours, stream)


async def test_a_broker_that_is_away_is_waited_for(ours: Settings, stream: list[Line], tmp_path: Path) -> None:
    half = len(stream) // 2
    first, rest = (bundles(part, ours.kafka.partitions, size=5) for part in (stream[:half], stream[half:]))
    await produce(ours, first)
    with processor(ours, tmp_path) as process:
        await process.ready()
        with paused(ours.kafka.bootstrap_servers or ""):

            async def says_so() -> bool:
                return (await asyncio.to_thread(process.get, "/readyz"))[0] == 503

            await until(says_so)
            assert process.popen.poll() is None, process.log()
        await produce(ours, rest)
        await all_committed(ours, first + rest)
        assert await process.stop() == 0, process.log()
    await nothing_is_missing(ours, stream)
