"""`bigbrotr status` on real servers: what it counts agrees with what the topics hold."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any
from urllib.parse import urlsplit

import pytest

from core.settings import Settings
from tests.broker.bigbrotr.conftest import Command
from tests.pipeline.services import Services
from tests.unit.processors.material import event, forged_content, wire

pytestmark = pytest.mark.broker


async def test_refused_input_agrees_with_the_topics_and_these_are_told_in_records_and_bytes(command: Command) -> None:
    kept, other = event("kept"), event("other")
    lines = [
        wire(kept),
        wire(other),
        wire(forged_content(kept)),
        b"not json",
        b"{}",
        b"{",
        wire(event("", kind=70_000)),
    ]
    imported = await command("import", "-", "--wait", "--relay", "wss://one.example", stdin=b"\n".join(lines))
    assert imported.returncode == 0, imported.stderr
    listed = await command("rejections", "list", "--json", "--limit", "0")
    reasons: dict[str, Counter[str]] = {"rejections": Counter(), "quarantine": Counter(), "unwritten": Counter()}
    for line in listed.stdout.splitlines():
        told: dict[str, Any] = json.loads(line)
        reasons[told["place"].partition("/")[0]][told["reason"]] += 1

    status = (await command("status", "--json")).json()
    assert status["servers"] == {"kafka": "reachable", "postgres": "reachable"}
    assert status["refused"] == {
        topic: {"records": found.total(), "by_reason": dict(found)} for topic, found in reasons.items()
    }
    assert reasons["rejections"].total() == 4
    assert reasons["quarantine"].total() == 1
    for topic, records in (("events", 2), ("rejections", 4), ("quarantine", 1), ("unwritten", 0)):
        held = status["topics"][topic]
        assert (held["records"], held["written"]) == (records, records), topic
        assert (held["disk_bytes"] > 0) == (records > 0), topic
    assert status["counts"]["sightings"] == 2
    text = (await command("status")).stdout
    assert "2 events, 2 pairs of event and relay" in text
    assert "rejections      4 records: not_json 2, " in text


async def test_services_of_a_stack_are_shown_by_their_addresses(command: Command, settings: Settings) -> None:
    assert (await command("topics", "create")).returncode == 0
    assert (await command("migrate")).returncode == 0
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    services = Services(settings)
    services.start("sink")
    try:
        services.wait_until_ready()
        address = urlsplit(services.url("sink")).netloc
        status = (await command("status", "--json", BIGBROTR_HTTP__SERVICES=address)).json()
    finally:
        assert services.stop() == {"sink": 0}
    (sink,) = status["services"]
    assert (f"{sink['host']}:{sink['port']}", sink["problem"]) == (address, None)
