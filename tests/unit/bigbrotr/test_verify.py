"""`bigbrotr verify` gives one verdict a line, the same on one core and on many, for any input."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from bigbrotr.importing.judging import verdict_of, verdicts
from core.archive.selection import Seen
from deploy.demo.events import generate
from producers.files.event_lines import EventLines, Line
from schemas.nostr.event import parse_event
from schemas.nostr.judge import Policy
from schemas.reasons import Verdict
from sinks.export import Exported, lines
from tests.unit.processors.material import event, wire

pytestmark = pytest.mark.slow

EVENTS = [event.wire for event in generate(40, seed=7, base_time_s=1_700_000_000, span_s=86_400)]
POLICY = Policy()
RELAYS = ("wss://one.example", "wss://two.example")


def altered(wire: bytes, **fields: object) -> bytes:
    return json.dumps({**json.loads(wire), **fields}).encode()


def command(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    argv = [sys.executable, "-m", "bigbrotr", "verify", *arguments]
    return subprocess.run(argv, input=stdin, capture_output=True, timeout=60, check=False)


def output(done: subprocess.CompletedProcess[bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_good_events_are_accepted_whatever_they_are_packed_in(tmp_path: Path) -> None:
    text = b"\n".join(EVENTS)
    for name, data in (("a", text), ("b", gzip.compress(text)), ("c", zstandard.compress(text))):
        (tmp_path / name).write_bytes(data)
        done = command(str(tmp_path / name))
        assert done.returncode == 0, done.stderr
        found = output(done)
        assert [line["line"] for line in found] == list(range(1, 41))
        assert [line["id"] for line in found] == [json.loads(event)["id"] for event in EVENTS]
        assert all(line == {**line, "verdict": "accepted", "reason": None} for line in found)


def test_what_is_wrong_has_a_reason_that_names_the_field() -> None:
    first = json.loads(EVENTS[0])
    lines = [
        EVENTS[0],
        altered(EVENTS[0], content="other"),
        altered(EVENTS[0], sig="0" * 128),
        altered(EVENTS[0], kind="1"),
        b"not json",
        b"",
        b"\xff\xfe\x00",
        b"x" * (3 * 1024 * 1024),
    ]
    done = command("-", stdin=b"\n".join(lines))
    assert done.returncode == 1
    found = output(done)
    assert [(line["line"], line["reason"]) for line in found] == [
        *((1, None), (2, "id_mismatch"), (3, "bad_signature"), (4, "bad_field"), (5, "not_json")),
        *((7, "not_json"), (8, "too_large")),
    ]
    assert [line["id"] for line in found[:4]] == [first["id"]] * 4
    assert [line["id"] for line in found[4:]] == [None] * 3
    assert found[3]["field"] == "kind"
    assert str(3 * 1024 * 1024) in found[6]["detail"]
    assert done.stderr.decode() == (
        "7 lines, 1 accepted, 6 refused (not_json 2, bad_field 1, bad_signature 1, id_mismatch 1, too_large 1)\n"
    )


def test_what_an_export_with_sightings_writes_is_read(tmp_path: Path) -> None:
    exported = [Exported(parse_event(made), [Seen(relay, 1_700_000_000_000) for relay in RELAYS]) for made in EVENTS]
    (tmp_path / "seen.jsonl").write_bytes(b"".join(lines(each, sightings=True) for each in exported))
    done = command(str(tmp_path / "seen.jsonl"))
    assert (done.returncode, done.stderr) == (0, b"80 lines, 80 accepted\n")
    ids = [json.loads(event)["id"] for event in EVENTS]
    assert [line["id"] for line in output(done)] == [event_id for event_id in ids for _ in RELAYS]


def test_what_only_the_policy_refuses_has_an_exit_code_of_its_own() -> None:
    ephemeral = wire(event("gone soon", kind=20_001))
    done = command(stdin=b"\n".join([EVENTS[0], ephemeral]))
    assert done.returncode == 3
    assert done.stderr == b"2 lines, 1 accepted, 1 refused (kind_not_archived 1)\n"
    assert command(stdin=b"\n".join([EVENTS[0], ephemeral, b"no event"])).returncode == 1


def test_a_file_that_is_cut_off_fails_after_its_verdicts(tmp_path: Path) -> None:
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"\n".join(EVENTS))[:-100])
    done = command(str(tmp_path / "cut.gz"))
    assert done.returncode == 1
    assert output(done)
    assert b"cut.gz: damaged after line" in done.stderr


def test_a_file_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        done = command(str(path))
        assert done.returncode == 2
        assert b"Traceback" not in done.stderr


def test_nothing_in_is_nothing_out() -> None:
    done = command(stdin=b"")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"0 lines\n")


def test_a_reader_that_leaves_is_no_accident(tmp_path: Path) -> None:
    (tmp_path / "many").write_bytes(b"\n".join(EVENTS * 200))
    argv = [sys.executable, "-m", "bigbrotr", "verify", str(tmp_path / "many")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 1


def test_many_cores_say_what_one_says_and_in_the_same_order() -> None:
    lines = [*EVENTS, altered(EVENTS[0], content="x"), b"{"] * 30
    text = b"\n".join(lines)
    alone = [verdict_of(line, POLICY) for line in EventLines(io.BytesIO(text))]
    together = list(verdicts(iter(EventLines(io.BytesIO(text))), POLICY, processes=2, alone=100))
    assert together == alone
    assert len(together) == len(lines)


@given(st.binary(min_size=1, max_size=300))
def test_any_line_gets_a_verdict(raw: bytes) -> None:
    verdict = verdict_of(Line(1, raw, len(raw)), POLICY)
    assert verdict["verdict"] is Verdict.REFUSED
    assert verdict["reason"] is not None


def test_real_events_are_accepted(shared_data: Path) -> None:
    done = command(str(shared_data / "events_valid_real.jsonl"))
    assert done.returncode == 0
    assert len(output(done)) == 780
