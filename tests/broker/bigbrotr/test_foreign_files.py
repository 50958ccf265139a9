"""Events and relays in the forms in which others keep them: read, or named, and never passed over in silence."""

from __future__ import annotations

import bz2
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import NewTopic

from core.kafka import admin, read_to_end, stop_client
from core.settings import Settings
from deploy.demo.events import generate
from schemas.records.bundle import encode_line
from schemas.topics import physical
from tests.broker.bigbrotr.conftest import Command
from tests.unit.bigbrotr.odd_lines import ODD

pytestmark = pytest.mark.broker

EVENTS = [event.wire for event in generate(60, seed=9, base_time_s=1_700_000_000, span_s=86_400)]


def verdicts(stdout: str) -> Counter[str]:
    """How often each reason is given."""
    return Counter(line["reason"] for line in map(json.loads, stdout.splitlines()) if line["reason"] is not None)


async def test_arrays_and_messages_are_archived_and_odd_lines_have_the_reasons_that_verify_gives(
    command: Command, tmp_path: Path
) -> None:
    array, lines = tmp_path / "array.json", tmp_path / "lines.jsonl"
    array.write_text(json.dumps([json.loads(event) for event in EVENTS[:20]], indent=2))
    messages = [b'["EVENT",' + event + b"]" for event in EVENTS[20:40]]
    messages += [b'["EVENT","sub",' + event + b"]" for event in EVENTS[40:]]
    lines.write_bytes(b"\n".join([*messages, *(raw for raw, _ in ODD.values())]))

    imported = await command("import", str(array), "--wait", "--json")
    assert imported.returncode == 0, imported.stderr
    assert imported.json() == {**imported.json(), "lines": 20, "archived": 20, "refused": {}, "complete": True}

    imported, verified = await command("import", str(lines), "--wait", "--json"), await command("verify", str(lines))
    assert imported.returncode == 0, imported.stderr
    result = imported.json()
    assert (result["lines"], result["complete"]) == (40 + len(ODD), True)
    assert Counter(result["refused"]) + Counter(result["quarantined"]) == verdicts(verified.stdout)
    assert verdicts(verified.stdout) == Counter(str(reason) for _, reason in ODD.values() if reason is not None)
    assert (await command("status", "--json")).json()["counts"]["archived"] == 61
    assert (await command("export")).stdout.encode().count(b"\n") == 61


async def test_a_file_of_which_nothing_is_taken_is_no_success(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "events"
    file.write_bytes(b"id,pubkey\n1,2\n")
    for arguments in ((), ("--wait",)):
        done = await command("import", str(file), "--json", *arguments)
        assert done.returncode == 1
        assert done.json()["refused"] == {"not_json": 2}
        assert "nothing of it was taken: all 2 lines are refused (not_json 2); `bigbrotr verify` says" in done.stderr
    file.write_bytes(b'[{"id":"x"},{"id":')
    done = await command("import", str(file), "--json")
    assert done.returncode == 1
    assert done.json()["refused"] == {"no_id": 1}
    assert f"{file}: damaged after element 1: the text ends inside a value" in done.stderr
    done = await command("import", "-", stdin=bz2.compress(EVENTS[0]))
    assert (done.returncode, done.stdout) == (1, "")
    assert "standard input: is bzip2 data, which is not read as it is; convert it first: `bzip2 -dc" in done.stderr

    # What is archived already is known, and nothing is not a failure where there was nothing.
    file.write_bytes(EVENTS[0])
    for _ in range(2):
        assert (await command("import", str(file), "--wait")).returncode == 0
    for nothing in (b"", b"\n \n", b"[]"):
        file.write_bytes(nothing)
        assert (await command("import", str(file))).returncode == 0


async def test_what_is_erased_or_quarantined_is_known(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "events"
    file.write_bytes(ODD["null in a tag"][0])
    done = await command("import", str(file), "--wait", "--json")
    assert (done.returncode, done.json()["quarantined"]) == (0, {"tag_not_text": 1})
    file.write_bytes(encode_line("wss://a.example", 5, EVENTS[0]))
    assert (await command("erase", "--yes", json.loads(EVENTS[0])["id"])).returncode == 0
    done = await command("import", str(file), "--wait", "--json")
    assert (done.returncode, done.json()["erased"]) == (0, {"operator": 1})


async def test_relays_are_published_from_json_and_behind_a_byte_order_mark(
    command: Command, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "list.json").write_text('["wss://one.example", {"name": "wss://no.example"}, "wss://two.example/"]')
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbfwss://three.example\r\nwss://four.example\r\n")
    done = await command("relays", "publish", str(tmp_path / "list.json"), str(tmp_path / "list.txt"), "--json")
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = done.json()
    assert (report["written"], len(report["refused"])) == (4, 1)
    assert 'list.json: entry 2: {"name":"wss://no.example"}: is an object of 1 members' in done.stderr
    topic = physical(settings.kafka.topic_prefix, "relays.commands")
    assert set(await read_to_end(settings, topic, range(4))) == {
        f"operator wss://{name}.example".encode() for name in ("one", "two", "three", "four")
    }


async def test_no_advice_about_partitions_is_one_that_settings_refuse(command: Command, settings: Settings) -> None:
    client = await admin(settings)
    await client.create_topics([NewTopic(physical(settings.kafka.topic_prefix, "events"), 3, 1)])
    await stop_client(client)
    done = await command("topics", "create")
    assert done.returncode == 1
    assert "has 3 partitions and kafka.partitions (BIGBROTR_KAFKA__PARTITIONS) is 4" in done.stderr
    assert "takes only powers of two from 1 to 1024" in done.stderr
    assert "set it to" not in done.stderr
    assert "choose another kafka.topic_prefix (BIGBROTR_KAFKA__TOPIC_PREFIX)" in done.stderr
    other = f"{settings.kafka.topic_prefix}new."
    assert (await command("topics", "create", BIGBROTR_KAFKA__TOPIC_PREFIX=other)).returncode == 0
