"""Refused input by the commands that people type: found, looked at, and sent through the pipeline again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka import ConsumerRecord, TopicPartition

from core import kafka
from core.kafka.topics import create_topics
from core.settings import Settings
from deploy.demo.events import generate
from schemas.reasons import Reason
from schemas.records.bundle import BundleLine, decode_lines
from schemas.records.rejection import Rejection
from schemas.topics import physical
from tests.broker.bigbrotr.conftest import Command

pytestmark = pytest.mark.broker

RAWS = [event.wire for event in generate(6, seed=4, base_time_s=1_700_000_000)]
RELAY = "wss://relay.example.com"
ROWS = ((b"key 1", b"a row", 1), (b"key 2", b"a row that is too large to be kept with its rejection", 2))


class Refuser:
    """Writes what the services would write of refused input."""

    def __init__(self, settings: Settings, publisher: kafka.Publisher) -> None:
        self._prefix = settings.kafka.topic_prefix
        self._publisher = publisher

    async def put(self, topic: str, value: bytes, partition: int = 0, key: bytes | None = None) -> int:
        """Publish a record without headers and return its offset."""
        done = await self._publisher.send(physical(self._prefix, topic), value, key, partition)
        return int((await done).offset)

    async def refuse(
        self, value: bytes, reason: Reason, stage: str, topic: str = "rejections", key: bytes | None = None, **more: Any
    ) -> None:
        """Publish a refused input."""
        if "source_topic" in more:
            more["source_topic"] = physical(self._prefix, more["source_topic"])
        headers = Rejection(reason=reason, stage=stage, **more).to_headers()
        await (await self._publisher.send(physical(self._prefix, topic), value, key, 1, headers))


async def fill(settings: Settings) -> None:
    """Refuse inputs of every kind."""
    publisher = await kafka.open_publisher(settings)
    refuser = Refuser(settings, publisher)
    copied: dict[str, Any] = {"relay": RELAY, "seen_at_ms": 1_700_000_000_250}
    await refuser.refuse(RAWS[0], Reason.KIND_NOT_ARCHIVED, "validate", **copied)
    await refuser.refuse(RAWS[1], Reason.FILTER_MISMATCH, "connector", **copied)
    await refuser.refuse(RAWS[2], Reason.LONE_SURROGATE, "validate", "quarantine", **copied)
    await refuser.refuse(RAWS[3][:-1], Reason.NOT_JSON, "import", detail="line 7")
    for key, value, partition in ROWS:
        offset = await refuser.put("events", value, partition, key)
        place: dict[str, Any] = {"source_topic": "events", "source_partition": partition, "source_offset": offset}
        kept = value if len(value) < 10 else b""
        await refuser.refuse(kept, Reason.BAD_ROW, "sink", "unwritten", key=key, **place)
    gone: dict[str, Any] = {"source_topic": "events", "source_partition": 3, "source_offset": 99}
    await refuser.refuse(b"", Reason.BAD_ROW, "sink", **gone)
    state: dict[str, Any] = {"source_topic": "coverage", "source_partition": 0, "source_offset": 0}
    await refuser.refuse(b"{}", Reason.BAD_ROW, "sink", **state)
    await publisher.close()


async def test_refused_input_is_found_shown_judged_again_and_sent(command: Command, settings: Settings) -> None:
    nothing = await command("rejections", "list")
    assert (nothing.returncode, nothing.stdout) == (0, "nothing of that kind was refused\n")
    await create_topics(settings)
    await fill(settings)
    before = await held(settings, "events")

    listed, lines, none, shown, raw, missing, dry = await asyncio.gather(
        command("rejections", "list", "--limit", "2"),
        command("rejections", "list", "--json", "--relay", RELAY, "--topic", "rejections", "--since", "2026-01-01"),
        command("rejections", "list", "--until", "2026-01-01"),
        command("rejections", "show", "rejections/1/2"),
        command("rejections", "show", "quarantine/1/0", "--raw"),
        command("rejections", "show", "rejections/1/777"),
        command("rejections", "replay", "--dry-run", "--json"),
    )
    _, *rows, summary = listed.stdout.splitlines()
    assert len(rows) == 2
    assert summary == "8 in all: bad_row 4, filter_mismatch 1, kind_not_archived 1, lone_surrogate 1, not_json 1"
    assert lines.stdout.count("\n") == 2
    assert '"reason": "kind_not_archived"' in lines.stdout
    assert none.stdout == "nothing of that kind was refused\n"
    assert "detail            line 7" in shown.stdout.splitlines()
    assert raw.stdout.encode() == RAWS[2]
    assert missing.returncode == 1
    assert "has offsets 0 to 4, and 777 is not there" in missing.stderr
    assert dry.json()["sent"] == 5
    assert await held(settings, "raw.bundles") == []
    assert await held(settings, "events") == before

    done = await command("rejections", "replay", "--json", BIGBROTR_CONNECTOR__FILTERS='[{"kinds":[65000]}]')
    assert done.returncode == 0, done.stderr
    report = done.json()
    assert {(each["reason"], each["verdict"]): each["count"] for each in report.pop("outcomes")} == {
        ("kind_not_archived", "accepted"): 1,
        ("filter_mismatch", "refused, filter_mismatch"): 1,
        ("lone_surrogate", "accepted"): 1,
        ("not_json", "refused, not_json"): 1,
        ("bad_row", "sent again"): 2,
        ("bad_row", "gone: neither here nor at its source"): 1,
        ("bad_row", "left to its writer, which writes the newest state itself"): 1,
    }
    assert report == {"read": 8, "selected": 8, "sent": 4, "dry_run": False}
    bundles = [line for record in await held(settings, "raw.bundles") for line in decode_lines(record.value or b"")]
    assert sorted(bundles) == sorted(BundleLine(RELAY, 1_700_000_000_250, raw) for raw in (RAWS[0], RAWS[2]))
    again = await held(settings, "events")
    assert sorted((record.key, record.value, record.partition) for record in again) == sorted([*ROWS, *ROWS])

    one = await command("rejections", "replay", "quarantine/1/0", "--dry-run")
    assert one.stdout.splitlines()[-1] == "1 of 1 records selected, 1 would be sent again (--dry-run)"
    assert not any("Traceback" in each.stderr for each in (nothing, listed, none, shown, missing, dry, done, one))


async def held(settings: Settings, name: str) -> list[ConsumerRecord[bytes, bytes]]:
    """Everything in a topic."""
    ends: dict[TopicPartition, int] = await kafka.end_offsets(settings, [physical(settings.kafka.topic_prefix, name)])
    found = [record async for record in kafka.read_between(settings, dict.fromkeys(ends, 0), ends)]
    return sorted(found, key=lambda record: (record.partition, record.offset))
