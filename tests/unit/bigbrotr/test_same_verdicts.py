"""`bigbrotr verify` and the processor behind `bigbrotr import` say the same of every line, odd ones above all."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pytest

from bigbrotr.importing.judging import verdict_of
from processors.validate.erasing import Erasing
from processors.validate.known.seen import SeenSet
from processors.validate.outcome import Source
from processors.validate.pipeline import conclude_bundle, examine_bundle
from producers.files.event_lines import EventLines, Line
from producers.files.line_copy import read_line
from schemas.nostr.judge import Policy
from schemas.nostr.signature import verify_many
from schemas.reasons import EventError, Reason, Verdict
from schemas.records.bundle import encode_line
from tests.unit.bigbrotr.odd_lines import COPY, EVENT, ODD, RAW
from tests.unit.processors.material import forged_content, wire


def imported(line: Line) -> tuple[Verdict, Reason | None]:
    """What becomes of a line that is imported and then judged by a processor."""
    try:
        copy, _ = read_line(line, None, 0)
    except EventError as error:
        return Verdict.REFUSED, error.reason
    seen = SeenSet(1)
    found = examine_bundle(encode_line(*copy), seen, Policy(), Erasing())
    outcome = conclude_bundle(found, verify_many(found.signatures), seen, Source("raw.bundles", 0, 0), 1)
    for verdict, items in ((Verdict.REFUSED, outcome.refused), (Verdict.QUARANTINED, outcome.quarantined)):
        if items:
            return verdict, items[0].reason
    assert len(outcome.records(0).events) == 1
    return Verdict.ACCEPTED, None


def lines(text: bytes) -> Iterator[Line]:
    return iter(EventLines(io.BytesIO(text)))


@pytest.mark.parametrize(("raw", "reason"), ODD.values(), ids=ODD)
def test_an_odd_line_has_one_verdict(raw: bytes, reason: Reason | None) -> None:
    (_, line) = lines(b"{}\n" + raw)
    verified = verdict_of(line, Policy())
    assert (verified["verdict"], verified["reason"]) == imported(line)
    assert verified["reason"] == reason


def test_an_event_over_many_lines_has_one_verdict_in_an_array() -> None:
    altered = json.dumps({**EVENT._asdict(), "content": "y"}, indent=1).encode()
    (line,) = lines(b"[\n" + altered + b"\n]\n")
    assert imported(line) == (verdict_of(line, Policy())["verdict"], Reason.ID_MISMATCH)
    genuine = json.dumps(EVENT._asdict(), indent=1).encode()
    (line,) = lines(b"[\n" + genuine + b"\n]\n")
    assert imported(line) == (verdict_of(line, Policy())["verdict"], None) == (Verdict.ACCEPTED, None)


def test_the_id_is_told_of_whatever_form_the_event_has() -> None:
    for raw in (RAW, b'["EVENT",' + RAW + b"]", COPY, wire(forged_content(EVENT))):
        (line,) = lines(raw)
        assert verdict_of(line, Policy())["id"] == EVENT.id
