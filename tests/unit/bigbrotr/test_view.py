"""Lines are made of snapshots alone, and say what matters also when nothing is known yet."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

from bigbrotr.commands.run.status import as_text
from bigbrotr.console.display import PlainDisplay, display
from bigbrotr.console.live_view.picture import View
from bigbrotr.console.snapshot_view import duration, per_second, plain_line, size
from bigbrotr.status.pace import Pace
from bigbrotr.status.snapshot import Probing, Rates, RelayState, Snapshot, rates
from tests.unit.bigbrotr.live_view.snapshots import BUSY
from tests.unit.bigbrotr.live_view.test_picture import drawn

NOTHING = Rates(None, None, None)


def test_an_estimate_is_called_so_and_has_no_rate() -> None:
    estimated = replace(BUSY, counts=replace(BUSY.counts, archived_exact=False))
    rate = rates(replace(estimated, at_s=90.0), estimated)
    assert rate.archived is None
    assert "about 5,990" in drawn(estimated, rate=rate)
    assert "archived about 5,990 (-)" in plain_line(estimated, rate, 5.0)


def test_what_the_servers_suffer_is_told() -> None:
    full = replace(
        BUSY,
        servers={"kafka": "unreachable: no answer", "postgres": "reachable"},
        server_notes={"kafka": "it ended with exit code 1", "postgres": "restarts: 1"},
        disk={"free_bytes": 1024},
    )
    line, text = plain_line(full, NOTHING, 0.0), as_text(full, Path("/data"))
    shown, small = drawn(full), drawn(full, View(120, 15))
    assert "kafka: unreachable: no answer" in line
    assert "postgres:" not in line
    for told in (shown, small, text):
        assert "it ended with exit code 1" in told
    for told in (shown, text):
        assert "restarts: 1" in told
    for told in (line, shown, small, text):
        assert "the disk is nearly full, 1 KiB are free" in told
    roomy = replace(full, disk={"free_bytes": 2**40})
    assert not any("nearly full" in told for told in (plain_line(roomy, NOTHING, 0.0), drawn(roomy)))


def test_how_probing_goes_is_shown_where_a_prober_runs() -> None:
    probed = replace(BUSY, probing=Probing({"works": 900, "broken": 12}, under_way=4))
    assert "works 900, broken 12; 4 under way, 0 due" in drawn(probed)
    assert "under way" not in drawn(BUSY)


def test_a_line_can_be_written_while_nothing_is_known() -> None:
    assert "archived - (-)" in plain_line(Snapshot(at_s=0.0), NOTHING, 0.0)


def test_a_plain_line_names_counts_reasons_lags_and_trouble() -> None:
    line = plain_line(BUSY, Rates(100.0, None, 7.0), 90_061.5)
    assert "\n" not in line
    for text in (
        *(
            "up 1 d 01:01:01",
            "relays: 1 live, 1 unreachable",
            "received 12,345 (100/s)",
            "rejected 45 (bad_signature 44, not_json 1)",
        ),
        *("quarantined kind_out_of_range 2", "archived 5,990 (7.0/s)", "lag processor 3, sink 17"),
        *("processor: waiting for Kafka for 7 s", "sink: waiting signal SIGKILL"),
    ):
        assert text in line


def test_rates_are_changes_by_time_and_never_negative() -> None:
    before = replace(BUSY, at_s=90.0, counts=replace(BUSY.counts, received=12_245, verified=9_999, archived=None))
    assert rates(before, BUSY) == Rates(10.0, 0.0, None, {"wss://one.example": 0.0, "wss://two.example": 0.0})
    assert rates(None, BUSY) == NOTHING
    assert rates(BUSY, BUSY) == NOTHING


def test_the_rate_of_a_relay_is_not_known_while_it_begins_anew() -> None:
    before = (RelayState("wss://a.example", "live", received=5), RelayState("wss://b.example", "live", received=5))
    now = tuple(replace(relay, received=received) for relay, received in zip(before, (9, 4), strict=True))
    new = RelayState("wss://c.example", "live", received=100)
    found = rates(Snapshot(at_s=0.0, relays=before), Snapshot(at_s=2.0, relays=(*now, new)))
    assert found.relays == {"wss://a.example": 2.0}


def test_rates_are_those_of_the_last_seconds_and_time_passes_from_the_first() -> None:
    pace = Pace()
    relay = RelayState("wss://a.example", "live")
    for second in range(30):
        received = 10 * second if second < 20 else 200
        found = pace.rates(Snapshot(at_s=7.0 + second, relays=(replace(relay, received=received),)))
        assert pace.uptime_s == second
    assert found.relays == {"wss://a.example": 0.0}


def test_a_small_rate_has_a_digit_after_the_point() -> None:
    assert [per_second(value) for value in (None, 0.0, 0.2, 9.94, 9.96, 1234.5)] == [
        *("-", "0/s", "0.2/s", "9.9/s", "10/s", "1,234/s")
    ]


def test_time_that_passes_is_written_with_days() -> None:
    assert [duration(value) for value in (0.9, 59, 3600, 86_399, 86_400)] == [
        *("0:00:00", "0:00:59", "1:00:00", "23:59:59", "1 d 00:00:00")
    ]


def test_sizes_have_a_unit() -> None:
    assert [size(value) for value in (0, 1023, 1024, 5 * 1024**3, 3 * 1024**4)] == [
        *("0 B", "1023 B", "1 KiB", "5 GiB", "3.0 TiB")
    ]


def test_off_a_terminal_there_is_a_line_every_few_seconds() -> None:
    out = io.StringIO()
    with display("BigBrotr", lambda: None, file=out) as shown:
        assert isinstance(shown, PlainDisplay)
        for second in range(11):
            shown.update(replace(BUSY, at_s=100.0 + second))
        shown.note("stopping")
    lines = out.getvalue().splitlines()
    assert len(lines) == 4
    assert lines[-1].endswith(" stopping")
