"""Each way in which a Faust worker loses data silently, and that none of our handlers does.

The lines of the table in `docs/explanation/faust.md` that a broker has no part in are tests in
`tests/unit/processors/runtime/`.
"""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import psutil
import pytest

from schemas.topics import configs
from tests.broker.core.away import paused
from tests.broker.processors.harness import alter, group_state, processor
from tests.broker.processors.runtime.cases import Case, Sent
from tests.waiting import until

pytestmark = [pytest.mark.broker, pytest.mark.storms]
BROKEN_AT = 3
PORT_OF_FAUST = 6066


async def finish(case: Case, made: list[Sent], directory: Path) -> None:
    """Run a sound processor over what is left."""
    with processor(case.settings, directory, arguments=case.arguments(), name="sound") as process:
        await case.all_committed(made)
        assert await process.stop() == 0, process.log()


@pytest.mark.parametrize("fault", ["raise", "agent"])
async def test_an_exception_acknowledges_nothing_and_ends_the_process(case: Case, tmp_path: Path, fault: str) -> None:
    made = case.work()
    await case.send(made)
    with processor(case.settings, tmp_path, arguments=case.arguments(fault, BROKEN_AT)) as process:
        assert await process.ended() == 1, process.log()
        assert f"BrokenError: at offset {BROKEN_AT}" in process.log()
    assert all(offset <= BROKEN_AT for offset in (await case.committed()).values())
    await finish(case, made, tmp_path)
    await case.nothing_is_missing()


async def test_commits_stop_before_a_record_that_is_open_and_a_stop_has_a_deadline(case: Case, tmp_path: Path) -> None:
    made = case.work()
    await case.send(made)
    with processor(case.settings, tmp_path, arguments=case.arguments("hang", BROKEN_AT)) as process:

        async def all_reached_it() -> bool:
            return await case.all_committed_at(BROKEN_AT, made)

        async def later_ones_are_published() -> bool:
            return await case.published() == 1

        await until(all_reached_it, "every partition is committed up to the broken record")
        await until(later_ones_are_published, "the later records are published")
        assert await process.stop() == 3, process.log()
        assert "the drain did not end within 4 s" in process.log()
    assert await case.all_committed_at(BROKEN_AT, made)
    await finish(case, made, tmp_path)
    await case.nothing_is_missing()


async def test_a_revoke_that_does_not_drain_ends_the_process_and_loses_nothing(case: Case, tmp_path: Path) -> None:
    made = case.work()
    await case.send(made)
    hanging = case.arguments("hang", BROKEN_AT)
    with processor(case.settings, tmp_path, name="stuck", arguments=hanging) as stuck:

        async def has_open_records() -> bool:
            return await case.all_committed_at(BROKEN_AT, made)

        await until(has_open_records, "every partition is committed up to the broken record")
        with processor(case.settings, tmp_path, name="joining", arguments=case.arguments()) as joining:
            assert await stuck.ended() == 1, stuck.log()
            assert "DrainError" in stuck.log()
            await case.all_committed(made)
            assert await joining.stop() == 0, joining.log()
    await case.nothing_is_missing()


async def test_an_output_that_fails_for_good_ends_the_process(case: Case, tmp_path: Path) -> None:
    made = case.work()
    await case.send(made)
    # Kafka refuses every batch now, although each record is small enough for the topic table.
    await alter(case.settings, case.output, configs(case.output) | {"max.message.bytes": "50"})
    with processor(case.settings, tmp_path, arguments=case.arguments()) as process:
        assert await process.ended() == 1, process.log()
        assert "MessageSizeTooLargeError" in process.log()
    assert not any((await case.committed()).values())
    await alter(case.settings, case.output, configs(case.output))
    await finish(case, made, tmp_path)
    await case.nothing_is_missing()


async def test_a_value_that_nothing_can_decode_ends_nothing(case: Case, tmp_path: Path) -> None:
    work = case.work()
    values = (b"", None, b"\xff\x00", b"null", b"[" * 10_000)
    odd = [Sent(topic, 0, value) for topic in sorted({sent.topic for sent in work}) for value in values]
    await case.send([*odd, *work])
    with processor(case.settings, tmp_path, arguments=case.arguments()) as process:
        await case.all_committed([*odd, *work])
        assert await process.stop() == 0, process.log()
    await case.nothing_is_missing()


async def test_kill_9_in_the_middle_repeats_work_and_loses_nothing(case: Case, tmp_path: Path) -> None:
    made = case.work(many=True)
    await case.send(made)
    with processor(case.settings, tmp_path, arguments=case.arguments()) as process:

        async def some_are_published() -> bool:
            return await case.published() > 0.1

        await until(some_are_published, "a tenth is published")
        process.kill()
    # Kafka lets the next one join only when the session of the killed one is over.
    with processor(case.settings, tmp_path, name="waiting", arguments=case.arguments()) as waiting:

        async def joins() -> bool:
            # Where it takes longer to start than a session lasts, it has joined at once.
            has_joined = bool(waiting.details().get("partitions"))
            return has_joined or await group_state(case.settings) == "PreparingRebalance"

        await until(joins, "a successor has asked to join the group")
        assert await waiting.stop() == 0, waiting.log()
    await finish(case, made, tmp_path)
    await case.nothing_is_missing()


async def test_workers_that_come_and_go_while_records_flow_lose_nothing(case: Case, tmp_path: Path) -> None:
    made = case.work(many=True)

    async def flow() -> None:
        for start in range(0, len(made), 20):
            await case.send(made[start : start + 20])

    flowing = asyncio.create_task(flow())
    with processor(case.settings, tmp_path, name="first", arguments=case.arguments()) as first:
        await first.ready()
        with processor(case.settings, tmp_path, name="second", arguments=case.arguments()) as second:
            await second.ready()

            async def work_is_shared() -> bool:
                shares = [set(process.details().get("partitions", [])) for process in (first, second)]
                return all(shares) and not shares[0] & shares[1]

            await until(work_is_shared, "each has partitions")
            assert await first.stop() == 0, first.log()
            await flowing
            await case.all_committed(made)
            assert await second.stop() == 0, second.log()
    await case.nothing_is_missing()


async def test_a_broker_that_is_away_is_waited_for(case: Case, tmp_path: Path) -> None:
    made = case.work(many=True)
    half = len(made) // 2
    await case.send(made[:half])
    with processor(case.settings, tmp_path, arguments=case.arguments()) as process:
        await process.ready()
        with paused(case.settings.kafka.bootstrap_servers or ""):

            async def says_so() -> bool:
                return (await asyncio.to_thread(process.get, "/readyz"))[0] == 503

            await until(says_so, "it is not ready")
            assert process.popen.poll() is None, process.log()
        await case.send(made[half:])
        await case.all_committed(made)
        assert await process.stop() == 0, process.log()
    await case.nothing_is_missing()


async def test_a_second_worker_starts_on_the_same_host_and_none_listens_to_the_network(
    case: Case, tmp_path: Path
) -> None:
    with (
        socket.create_server(("127.0.0.1", PORT_OF_FAUST)) if _is_free(PORT_OF_FAUST) else socket.socket(),
        processor(case.settings, tmp_path, name="one", arguments=case.arguments()) as one,
        processor(case.settings, tmp_path, name="two", arguments=case.arguments()) as two,
    ):
        await one.ready()
        await two.ready()
        for process in (one, two):
            listening = [
                connection.laddr.ip
                for connection in psutil.Process(process.popen.pid).net_connections("inet")
                if connection.status == psutil.CONN_LISTEN
            ]
            assert listening == ["127.0.0.1"]  # the health endpoints
        for process in (one, two):
            assert await process.stop() == 0, process.log()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
