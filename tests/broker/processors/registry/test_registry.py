"""The registry on a real Kafka: what is admitted, what is left alone, and that kills and replays change nothing."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from core.settings import Settings
from schemas.partition import relay_partition
from schemas.records.relay_found import RelayFound
from tests.broker.processors.registry.harness import (
    candidates,
    command,
    digest,
    find,
    known,
    registry,
    relays,
    replayed,
    send,
    settled,
)
from tests.unit.processors.registry.material import NOW_MS, found, legacy, seed, wish
from tests.waiting import until

pytestmark = [pytest.mark.broker, pytest.mark.timeout(590)]

OLD, TWO, ONE = "wss://old.example", "wss://two.site.example", "wss://one.example"
SOON_S = 10.0  # within which a denied relay must be gone


async def test_relays_are_admitted_denied_and_removed_and_a_kill_undoes_nothing(ours: Settings, tmp_path: Path) -> None:
    before = legacy(OLD)
    await send(ours, "relays", [(relay_partition("old.example", ours.kafka.partitions), OLD.encode(), before.encode())])
    with registry(ours, tmp_path) as process:
        await process.ready()
        await send(ours, "relays.found", [(0, b"", b"garbage"), (1, b"x", b'{"url": 1}'), (2, b"", b"")])
        await find(ours, found(TWO, 1), found(ONE, 1), found(TWO, 2))
        await known(ours, {OLD: True, TWO: True, ONE: None})
        assert (await relays(ours))[OLD].sources == ("operator",)
        began = time.monotonic()
        await command(ours, wish("site.example", "deny", at_ms=NOW_MS + 1), wish(OLD, "remove"))
        await known(ours, {OLD: None, TWO: False, ONE: None})
        assert time.monotonic() - began < SOON_S
        # They stand in other partitions than what was decided.
        dropped = b'bigbrotr_registry_findings_dropped_total{reason="unreadable"} 3.0'
        await until(lambda: dropped in process.get("/metrics")[1], "what cannot be read is counted")
        process.kill()
    with registry(ours, tmp_path) as process:
        await find(ours, found(TWO, 3), found(OLD, 1, 2), found(ONE, 2))
        await known(ours, {OLD: None, TWO: False, ONE: True})
        await command(ours, wish(TWO, at_ms=NOW_MS + 2, lane="priority"), seed("wss://seed.example"))
        await known(ours, {OLD: None, TWO: True, ONE: True, "wss://seed.example": True})
        assert (await relays(ours))[TWO].lane == "priority"
        assert await process.stop() == 0, process.log()


def flood(size: int) -> list[RelayFound]:
    """Findings of relays in domains of four each; every fourth relay is named by a second author later."""
    urls = [f"wss://r{number % 4}.site{number // 4}.example" for number in range(size * 4 // 5)]
    first = [found(url, 1, at_ms=NOW_MS + number) for number, url in enumerate(urls)]
    return first + [found(url, 2, at_ms=NOW_MS - number) for number, url in enumerate(urls[::4])]


@pytest.mark.parametrize(
    "size", [pytest.param(1_000, marks=pytest.mark.storms), pytest.param(10_000, marks=pytest.mark.long)]
)
async def test_kills_while_two_share_the_domains_and_a_replay_end_with_one_digest(
    ours: Settings, tmp_path: Path, size: int
) -> None:
    # Which of them a cap delays depends on the order; here none does.
    ours = ours.model_copy(update={"registry": ours.registry.model_copy(update={"admissions_per_day": 4 * size})})
    findings = flood(size)
    part = size // 4
    with registry(ours, tmp_path, "a") as first:
        await first.ready()
        await find(ours, *findings[:part])
        with registry(ours, tmp_path, "b") as second:
            await second.ready()
            await find(ours, *findings[part : 2 * part])
            await command(ours, wish("site7.example", "deny"), wish("wss://r1.site9.example", "deny"))

            async def shared() -> bool:
                parts = [set(each.details().get("partitions", ())) for each in (first, second)]
                return all(parts) and not parts[0] & parts[1] and len(parts[0] | parts[1]) == ours.kafka.partitions

            await until(shared, "both have domains of their own")
            second.kill()
            await find(ours, *findings[2 * part : 3 * part])
        await find(ours, *findings[3 * part :])
        await command(ours, seed("wss://seed.example"))
        first.kill()
    with registry(ours, tmp_path, "c") as third:
        await settled(third)
        assert third.details()["partitions"] == list(range(ours.kafka.partitions))
        assert await third.stop() == 0, third.log()
    after = await digest(ours)
    admitted = await relays(ours)
    assert len(admitted) + len(await candidates(ours)) == size * 4 // 5 + 1
    assert sum(record.allowed for record in admitted.values()) == size // 5
    assert not admitted["wss://r1.site9.example"].allowed

    fresh = await replayed(ours, "relays.commands", "relays.found")
    with registry(fresh, tmp_path, "fresh") as again:
        await again.ready()
        await settled(again)
        assert await again.stop() == 0, again.log()
    assert await digest(fresh) == after
