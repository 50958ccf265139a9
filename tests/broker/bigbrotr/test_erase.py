"""`bigbrotr erase` as people type it: what it asks, what it writes, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.kafka import end_offsets, read_to_end
from core.settings import Settings
from schemas.records.erasure import Cause, Erasure
from schemas.topics import physical
from tests.broker.bigbrotr.conftest import Command
from tests.pipeline.services import Services
from tests.unit.processors.material import event, forged_content, wire

pytestmark = pytest.mark.broker
ID, OTHER_ID, AUTHOR = "1" * 64, "2" * 64, "a" * 64


async def written(settings: Settings) -> list[Erasure]:
    found = await read_to_end(settings, physical(settings.kafka.topic_prefix, "erasures"), range(4))
    rules = [Erasure.decode(value) for value in found.values()]
    assert {rule.key() for rule in rules} == found.keys()
    return sorted(rules, key=Erasure.key)


async def test_what_is_confirmed_is_recorded_and_what_is_not_is_not(command: Command, settings: Settings) -> None:
    refused = await command("erase", ID, stdin=b"n\n")
    assert refused.returncode == 1
    assert f"to be erased: 1 event: {ID}" in refused.stderr
    assert "nothing was erased" in refused.stderr
    unasked = await command("erase", ID)
    assert (unasked.returncode, unasked.stdout) == (1, "")

    erased = await command("erase", ID, OTHER_ID, ID, "--cause", "law", "--json", stdin=b"y\n")
    assert erased.returncode == 0, erased.stderr
    # There are no tables here: the erasure does not need them, and the count is left out.
    assert erased.json() == {
        "erasures": [ID, OTHER_ID],
        "recorded": 2,
        "cause": "law",
        "archived_events": None,
        "not_running": ["processor", "sink"],
    }
    assert "within 7 days" in erased.stderr

    assert (await command("migrate")).returncode == 0
    author = await command("erase", "--author", AUTHOR, "--until", "2026-11-18", "--yes", "--json")
    assert author.json()["archived_events"] == 0
    by_id, by_other, by_author = await written(settings)
    assert [(rule.id, rule.cause) for rule in (by_id, by_other)] == [(ID, Cause.LAW), (OTHER_ID, Cause.LAW)]
    assert (by_author.pubkey, by_author.until_s, by_author.cause) == (AUTHOR, 1_794_960_000, Cause.OPERATOR)


async def test_a_repeated_erasure_is_recorded_once_and_what_does_not_run_is_named(
    command: Command, settings: Settings
) -> None:
    async def records() -> int:
        ends = await end_offsets(settings, [physical(settings.kafka.topic_prefix, "erasures")])
        return sum(ends.values())

    first = await command("erase", ID, "--yes", "--json")
    assert (first.json()["recorded"], await records()) == (1, 1)
    for name in ("processor", "sink"):
        assert f"no {name} runs: " in first.stderr
    again = await command("erase", ID, OTHER_ID, "--yes", "--json")
    assert (again.json()["recorded"], await records()) == (1, 2)
    by_law = await command("erase", ID, "--cause", "law", "--yes", "--json")
    assert (by_law.json()["recorded"], await records()) == (1, 3)

    settings.data_dir.mkdir(parents=True, exist_ok=True)
    services = Services(settings)
    services.start("processor")
    try:
        services.wait_until_ready()
        running = await command("erase", ID, "--cause", "law", "--yes", "--json")
    finally:
        assert services.stop() == {"processor": 0}
    assert (running.json()["recorded"], running.json()["not_running"], await records()) == (0, ["sink"], 3)
    assert "recorded already, and not again" in running.stderr
    assert "no processor runs" not in running.stderr


async def test_a_waiting_import_accounts_for_what_is_erased(command: Command, tmp_path: Path) -> None:
    kept, erased, deleted = event("kept"), event("erased"), event("deleted")
    deletion = event("", kind=5, tags=[["e", deleted.id]])
    expired = event("expired", tags=[["expiration", "1700000001"]])
    lines = [wire(each) for each in (kept, erased, erased, deletion, deleted, expired, forged_content(kept))]
    (tmp_path / "events.jsonl").write_bytes(b"\n".join(lines))
    assert (await command("erase", erased.id, "--yes")).returncode == 0
    policy = {"BIGBROTR_POLICY__DELETION": "erase", "BIGBROTR_POLICY__EXPIRATION": "erase"}
    done = await command("import", str(tmp_path / "events.jsonl"), "--wait", "--json", **policy)
    assert done.returncode == 0, done.stderr
    told = done.json()
    assert (told["archived"], told["refused"], told["missing"]) == (2, {"id_mismatch": 1}, 0)
    assert told["erased"] == {"operator": 2, "deletion": 1, "expiration": 1}
