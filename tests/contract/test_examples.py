"""Each topic's example is what the code writes, and decoding and encoding it gives the same bytes."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

import pytest

from schemas.examples.generate import FOLDER, Example, build, from_file, to_file
from schemas.nostr.event import encode_event, parse_event
from schemas.nostr.event_model import EventModel
from schemas.nostr.facts import facts
from schemas.nostr.judge import Policy, judge
from schemas.reasons import Verdict
from schemas.records import bundle, event_record, sighting
from schemas.records.coverage import Coverage
from schemas.records.erasure import Erasure
from schemas.records.probe import ProbeRecord
from schemas.records.rejection import Rejection
from schemas.records.relay import RelayRecord
from schemas.records.relay_command import RelayCommand
from schemas.records.relay_document import RelayDocumentRecord
from schemas.records.relay_found import RelayFound
from schemas.records.relay_health import RelayHealth
from schemas.relay_urls.relay_url import normalize
from schemas.topics import TOPICS, topic


def again_bundles(example: Example) -> Example:
    value = b""
    for line in bundle.decode_lines(example.value):
        assert not isinstance(line, bundle.BadLine)
        value += bundle.encode_held_line(line) if isinstance(line, bundle.HeldLine) else bundle.encode_line(*line)
    return Example(None, [], value)


def again_event(example: Example) -> Example:
    record = event_record.decode(example.value)
    judgement = judge(record.raw, Policy())
    assert judgement.verdict is Verdict.ACCEPTED
    assert judgement.id_form is not None
    assert facts(record.event, judgement.id_form, record.seen_at_ms) == record.facts
    value = event_record.encode(record.raw, record.relay, record.seen_at_ms, record.facts)
    return Example(bytes.fromhex(record.event.id), [], value)


def again_sightings(example: Example) -> Example:
    return Example(None, [], sighting.encode(sighting.decode(example.value)))


def again_refused(example: Example) -> Example:
    rejection = Rejection.from_headers(example.headers)
    judgement = judge(example.value, Policy())
    assert judgement.verdict is not Verdict.ACCEPTED
    assert (judgement.reason, judgement.field) == (rejection.reason, rejection.field)
    return Example(None, rejection.to_headers(), encode_event(parse_event(example.value)))


def again_unwritten(example: Example) -> Example:
    rejection = Rejection.from_headers(example.headers)
    event = again_event(Example(example.key, [], example.value))
    return event._replace(headers=rejection.to_headers())


def again_erasure(example: Example) -> Example:
    record = Erasure.decode(example.value)
    return Example(record.key(), [], record.encode())


def again_document(model: type[RelayFound | RelayRecord | ProbeRecord | RelayHealth]) -> Callable[[Example], Example]:
    def again(example: Example) -> Example:
        record = model.decode(example.value)
        assert normalize(record.url).url == record.url
        return Example(record.url.encode(), [], record.encode())

    return again


def again_relay_document(example: Example) -> Example:
    record = RelayDocumentRecord.decode(example.value)
    assert record.hash == sha256(record.text.encode()).hexdigest()
    return Example(record.hash.encode(), [], record.encode())


def again_command(example: Example) -> Example:
    record = RelayCommand.decode(example.value)
    return Example(record.key(), [], record.encode())


def again_coverage(example: Example) -> Example:
    record = Coverage.decode(example.value)
    return Example(record.relay.encode(), [], record.encode())


AGAIN: dict[str, Callable[[Example], Example]] = {
    "raw.bundles": again_bundles,
    "events": again_event,
    "sightings": again_sightings,
    "erasures": again_erasure,
    "quarantine": again_refused,
    "rejections": again_refused,
    "unwritten": again_unwritten,
    "relays.commands": again_command,
    "relays.found": again_document(RelayFound),
    "relays.candidates": again_document(RelayRecord),
    "relays": again_document(RelayRecord),
    "raw.probes": again_document(ProbeRecord),
    "relays.documents": again_relay_document,
    "relays.health": again_document(RelayHealth),
    "coverage": again_coverage,
}


@pytest.mark.parametrize("name", [row.name for row in TOPICS])
def test_decoding_and_encoding_gives_the_same_record(name: str) -> None:
    example = from_file((FOLDER / f"{name}.json").read_bytes())
    assert AGAIN[name](example) == example
    assert len(example.value) < topic(name).max_message_bytes


@pytest.mark.parametrize("name", [row.name for row in TOPICS])
def test_the_files_are_what_the_code_writes(name: str) -> None:
    assert (FOLDER / f"{name}.json").read_bytes() == to_file(name, build()[name]), (
        "run python -m schemas.examples.generate"
    )


def test_there_is_one_example_for_each_topic_and_no_other() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == {row.name for row in TOPICS} == build().keys()


def test_events_in_the_examples_fit_the_model() -> None:
    record = event_record.decode(build()["events"].value)
    assert EventModel.model_validate_json(record.raw).to_event() == record.event
