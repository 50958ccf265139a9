"""Files of events end up in `raw.bundles` or, with a reason, in `rejections`; lists of relays in `relays`."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from core.kafka import read_to_end
from core.settings import Settings
from producers.files.event_lines import DamagedFileError
from producers.files.import_report import ImportReport
from producers.files.importer import import_lines
from producers.operator.listed_relays import parse_relays
from producers.operator.relay_commands import adding, importing, publish_commands
from producers.targets import full_name
from schemas.records.bundle import encode_line
from schemas.records.relay import Lane
from schemas.records.relay_command import RelayCommand
from tests.broker.producers.harness import lines, records, rejections, stored_events, verbatim

pytestmark = pytest.mark.broker

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("packed", list(PACKERS))
async def test_a_file_is_imported_whatever_it_is_packed_with(quick: Settings, tmp_path: Path, packed: str) -> None:
    events = [verbatim(event) for event in stored_events(700)]
    bad = [b"not json", b'{"id":"short"}', b"[1]", b'{"content":"no id"}']
    path = tmp_path / "events"
    path.write_bytes(PACKERS[packed](b"\n".join([*bad[:2], *events, b"", *bad[2:]])))
    told: list[int] = []
    relay = "wss://relay.example" if packed == "gzip" else None
    report = await import_lines(quick, path, relay=relay, progress=lambda now: told.append(now.lines))
    assert (report.lines, report.bundled) == (704, 700)
    assert dict(report.refused) == {"not_json": 2, "no_id": 2}
    assert report.read_bytes == path.stat().st_size
    assert told == sorted(told)
    assert told[-1] == 704
    found = await lines(quick)
    assert {line.event for line in found} == set(events)
    assert {line.relay for line in found} == {relay}
    refused = await rejections(quick)
    assert {value for _, value in refused} == set(bad)
    assert all(rejection.stage == "import" and "line " in (rejection.detail or "") for rejection, _ in refused)
    assert {number: list(bundles) for number, bundles in report.bundles.items()} == await _offsets(quick)
    assert sum(sum(bundles.values()) for bundles in report.bundles.values()) == report.sent == 700


async def test_a_line_that_names_where_it_was_seen_is_taken_at_its_word(quick: Settings, tmp_path: Path) -> None:
    events = [verbatim(event) for event in stored_events(4)]
    bad = [
        b'{"relay":"http://a.example","seen_at":1,"event":' + events[0] + b"}",
        b'{"relay":"wss://a.example","seen_at":-1,"event":' + events[0] + b"}",
        b'{"relay":"wss://a.example","seen_at":1,"event":{"content":"' + b"x" * 1024 * 1024 + b'"}}',
    ]
    path = tmp_path / "copies"
    path.write_bytes(
        b"\n".join(
            [
                encode_line("wss://A.example/", 1_700_000_000_000, events[0])[:-1],
                encode_line(None, 1_700_000_000_001, events[1])[:-1],
                # A record of the topic `events`, whose members stand in another order.
                b'{"event":%b,"relay":"wss://b.example","seen_at":1700000000002,"facts":{}}' % events[2],
                # An event whose unknown members happen to have such names is an event still.
                b'{"relay":"wss://a.example",' + events[3][1:],
                *bad,
            ]
        )
    )
    report = await import_lines(quick, path, relay="wss://file.example")
    assert dict(report.refused) == {"bad_field": 2, "too_large": 1}
    found = {line.event: line for line in await lines(quick)}
    assert len(found) == report.bundled == 4
    assert (found[events[0]].relay, found[events[0]].seen_at_ms) == ("wss://a.example", 1_700_000_000_000)
    assert (found[events[1]].relay, found[events[1]].seen_at_ms) == ("wss://file.example", 1_700_000_000_001)
    assert (found[events[2]].relay, found[events[2]].seen_at_ms) == ("wss://b.example", 1_700_000_000_002)
    assert found[b'{"relay":"wss://a.example",' + events[3][1:]].relay == "wss://file.example"


async def _offsets(settings: Settings) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for record in await records(settings, "raw.bundles"):
        found.setdefault(record.partition, []).append(record.offset)
    return {partition: sorted(offsets) for partition, offsets in found.items()}


async def test_a_damaged_file_is_imported_as_far_as_it_goes(quick: Settings, tmp_path: Path) -> None:
    events = [verbatim(event) for event in stored_events(3000)]
    path = tmp_path / "events.gz"
    path.write_bytes(gzip.compress(b"\n".join(events))[:-2000])
    last = ImportReport()

    def keep(now: ImportReport) -> None:
        nonlocal last
        last = now

    with pytest.raises(DamagedFileError):
        await import_lines(quick, path, progress=keep)
    assert 0 < last.bundled < 3000
    assert {line.event for line in await lines(quick)} == set(events[: last.bundled])


async def test_a_list_of_relays_is_published_once(quick: Settings) -> None:
    text = "# seeds\nwss://A.example/, wss://a.example  # the same\n\nwss://b.example/x ws://10.0.0.1 nonsense\n"
    found = parse_relays(text.splitlines(), "seeds.txt")
    assert list(found.relays) == ["wss://a.example", "wss://b.example/x"]
    assert found.duplicates == 1
    assert [(refused.place, refused.text) for refused in found.refused] == [
        ("seeds.txt:4", "ws://10.0.0.1"),
        ("seeds.txt:4", "nonsense"),
    ]
    steps: list[tuple[Lane, int, int]] = [("regular", 2, 0), ("regular", 0, 2), ("priority", 2, 0), ("regular", 0, 2)]
    for lane, written, unchanged in steps:
        report = await publish_commands(quick, adding(found.relays.values(), lane=lane), importing)
        assert (report.written, report.unchanged) == (written, unchanged), lane
    present = await read_to_end(quick, full_name(quick, "relays.commands"), range(quick.kafka.partitions))
    assert {key.decode() for key in present} == {f"operator {url}" for url in found.relays}
    assert {RelayCommand.decode(value).lane for value in present.values()} == {"priority"}
