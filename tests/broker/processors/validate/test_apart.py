"""Input that no rule foresaw costs the process nothing, and is judged again once the rules are mended."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.settings import Settings
from producers.rejected.reading import read, stretch
from producers.rejected.records import Selection
from producers.rejected.replay import Outcome, ReplayReport, replay
from schemas.reasons import Reason
from tests.broker.processors.harness import (
    Line,
    all_committed,
    bundles,
    event_bytes,
    line,
    processor,
    produce,
    rejected,
    sighted,
)
from tests.unit.processors.material import event, forged_signature, wire

pytestmark = pytest.mark.broker
FAULTY_RULE = ("-m", "tests.broker.processors.runtime.faulty", "validate", "rule", "0")
RELAY = "wss://a.example"


async def test_an_event_that_breaks_a_rule_is_set_apart_and_comes_in_once_the_rule_is_mended(
    ours: Settings, tmp_path: Path
) -> None:
    before, poison, after = (event(content) for content in ("before", "poison", "after"))
    wrapped, nameless = event("odd", kind=1059, tags=[["p", None]]), event("odd", tags=["p", 1, [{"a": []}]])
    steps: list[Line] = [line(each.id, wire(each), RELAY, 7) for each in (before, poison, wrapped, nameless, after)]
    steps.append(line(wrapped.id, wire(forged_signature(wrapped)), RELAY, 8))
    made = bundles(steps, ours.kafka.partitions)
    await produce(ours, made)
    with processor(ours, tmp_path, arguments=FAULTY_RULE, name="faulty") as process:
        await all_committed(ours, made)
        metrics = process.get("/metrics")[1].decode()
        assert await process.stop() == 0, process.log()
    assert 'bigbrotr_quarantined_total{reason="internal_error"} 1.0' in metrics
    assert "BrokenError: by this event" in process.log()
    assert set(await event_bytes(ours)) == {before.id, after.id}
    kept = {value: item for item, value in await rejected(ours, "quarantine")}
    assert {value: item.reason for value, item in kept.items()} == {
        wire(poison): Reason.INTERNAL_ERROR,
        wire(wrapped): Reason.TAG_NOT_TEXT,
        wire(nameless): Reason.TAG_NOT_TEXT,
    }
    apart = kept[wire(poison)]
    assert (apart.stage, apart.relay, apart.seen_at_ms) == ("validate", RELAY, 7)
    assert [item.reason for item, _ in await rejected(ours)] == [Reason.BAD_SIGNATURE]

    report = await replayed(ours)
    assert dict(report.outcomes) == {
        Outcome("validate", "internal_error", "accepted"): 1,
        Outcome("validate", "tag_not_text", "quarantined, tag_not_text"): 2,
    }
    with processor(ours, tmp_path, name="sound") as process:
        await all_committed(ours, [*made, *bundles([line(poison.id, wire(poison))], ours.kafka.partitions)])
        assert await process.stop() == 0, process.log()
    assert (await event_bytes(ours))[poison.id] == wire(poison)
    assert (poison.id, RELAY) in await sighted(ours)
    assert len(await rejected(ours, "quarantine")) == 3


async def replayed(settings: Settings) -> ReplayReport:
    """Send what is in quarantine through validation again."""
    wanted = Selection(topics=("quarantine",))
    items = read(settings, wanted, await stretch(settings, wanted))
    return await replay(settings, items, dry_run=False, progress=lambda _: None)
