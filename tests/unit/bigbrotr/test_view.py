"""Pictures and lines are made of snapshots alone, and say what matters also when nothing is known yet."""

from __future__ import annotations

import io
import os
import termios
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from bigbrotr.commands.run.status import as_text
from bigbrotr.console.display import LiveDisplay, PlainDisplay, display
from bigbrotr.console.snapshot_view import MAX_RELAY_ROWS, picture, plain_line, size
from bigbrotr.status.snapshot import Counts, Rates, RelayState, ServiceState, Snapshot, rates

NOTHING = Rates(None, None, None)
BUSY = Snapshot(
    at_s=100.0,
    servers={"kafka": "reachable", "postgres": "unreachable: refused"},
    services=(
        ServiceState("connector", "running", pid=1, port=2),
        ServiceState("processor", "running", pid=3, port=4, problem="waiting for Kafka for 7 s"),
        ServiceState("sink", "waiting", restarts=2, note="signal SIGKILL, again in 3 s: last words"),
    ),
    relays=(
        RelayState("wss://one.example", "live", received=12),
        RelayState("wss://two.example", "unreachable", "no such host; again in 4 s"),
    ),
    counts=Counts(
        received=12_345,
        verified=6_000,
        duplicates=6_300,
        rejected={"not_json": 1, "bad_signature": 44},
        quarantined={"kind_out_of_range": 2},
        archived=5_990,
        sightings=12_000,
    ),
    lags={"processor": 3, "sink": 17},
    events=("sink ended with signal SIGKILL; starts again in 3 s",),
)


def drawn(snapshot: Snapshot, rate: Rates = NOTHING, width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(picture(snapshot, rate, title="BigBrotr"))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_an_estimate_is_called_so_and_has_no_rate() -> None:
    estimated = replace(BUSY, counts=replace(BUSY.counts, archived_exact=False))
    rate = rates(replace(estimated, at_s=90.0), estimated)
    assert rate.archived is None
    assert "about 5,990" in drawn(estimated)
    assert "archived about 5,990 (-)" in plain_line(estimated, rate)


def test_the_picture_shows_everything_that_is_asked_for() -> None:
    shown = drawn(BUSY, Rates(100.0, 50.0, 49.6))
    for text in (
        *("12,345", "100/s", "6,000", "6,300", "5,990", "50/s", "12,000"),
        *("bad_signature 44, not_json 1", "kind_out_of_range 2", "lag 3", "lag 17"),
        *("waiting for Kafka for 7 s", "not ready", "signal SIGKILL, again in 3 s", "unreachable", "refused"),
        *("wss://one.example", "live", "no such host; again in 4 s", "1 live, 1 unreachable"),
        "sink ended with signal SIGKILL",
    ):
        assert text in shown


def test_a_narrow_terminal_loses_notes_and_no_states() -> None:
    long = "starting; waiting for Kafka to let the processor join its group for 1 s"
    url = "wss://" + "relay." * 9 + "example"
    snapshot = replace(
        BUSY,
        servers={"kafka": f"unreachable: {long}", "postgres": "reachable"},
        services=(ServiceState("processor", "running", problem=long),),
        relays=(RelayState(url, "unreachable", long, 12_345_678),),
    )
    for width in (60, 80, 200):
        shown = drawn(snapshot, width=width)
        for text in (
            "processor",
            "not ready",
            "kafka",
            "unreachable",
            "service",
            "state",
            "12,345,678",
            "wss://relay.",
        ):
            assert text in shown, (width, text)
        assert all(len(line) <= width for line in shown.splitlines())
        assert shown.count("wss://") == 1
    assert long in drawn(snapshot, width=200)


def test_what_the_servers_suffer_is_told() -> None:
    full = replace(
        BUSY,
        servers={"kafka": "unreachable: no answer", "postgres": "reachable"},
        server_notes={"kafka": "it ended with exit code 1", "postgres": "restarts: 1"},
        disk={"free_bytes": 1024},
    )
    line, shown, text = plain_line(full, NOTHING), drawn(full), as_text(full, Path("/data"))
    assert "kafka: unreachable: no answer" in line
    assert "postgres:" not in line
    for told in (shown, text):
        assert "it ended with exit code 1" in told
        assert "restarts: 1" in told
    for told in (line, shown, text):
        assert "the disk is nearly full, 1 KiB are free" in told
    roomy = replace(full, disk={"free_bytes": 2**40})
    assert not any("nearly full" in told for told in (plain_line(roomy, NOTHING), drawn(roomy)))


def test_the_picture_of_an_end_says_what_ctrl_c_does_now() -> None:
    ending = replace(BUSY, services=(ServiceState("connector", "stopped"), ServiceState("sink", "stopping")), relays=())
    assert "Ctrl-C again stops at once" in drawn(ending)
    assert "relay (" not in drawn(ending)
    assert "drains and stops everything" in drawn(BUSY)


def test_keys_do_not_write_into_the_picture_and_echo_comes_back() -> None:
    controller, terminal = os.openpty()
    with os.fdopen(controller, "rb"), os.fdopen(terminal, "w") as file:

        def echoes() -> bool:
            return bool(termios.tcgetattr(file)[3] & termios.ECHO)

        assert echoes()
        with LiveDisplay(Console(file=file), "BigBrotr"):
            assert not echoes()
        assert echoes()


def test_an_empty_snapshot_can_be_shown() -> None:
    assert "relay (none)" in drawn(Snapshot(at_s=0.0))
    assert "archived - (-)" in plain_line(Snapshot(at_s=0.0), NOTHING)


def test_words_from_outside_are_not_markup() -> None:
    hostile = replace(BUSY, relays=(RelayState("wss://[red]x[/]", "[bold]", "[/nonsense] \x1b[2J"),))
    shown = drawn(hostile)
    assert "wss://[red]x[/]" in shown
    assert "[/nonsense]" in shown


def test_many_relays_are_summed_up() -> None:
    many = tuple(RelayState(f"wss://r{number}.example", "live", received=number) for number in range(5_000))
    shown = drawn(replace(BUSY, relays=many))
    assert shown.count("wss://") == MAX_RELAY_ROWS
    assert "wss://r4999.example" in shown
    assert f"and {5_000 - MAX_RELAY_ROWS:,} more" in shown
    assert "5000 live" in shown


def test_a_plain_line_names_counts_reasons_lags_and_trouble() -> None:
    line = plain_line(BUSY, Rates(100.0, None, 7.0))
    assert "\n" not in line
    for text in (
        *("relays: 1 live, 1 unreachable", "received 12,345 (100/s)", "rejected 45 (bad_signature 44, not_json 1)"),
        *("quarantined kind_out_of_range 2", "archived 5,990 (7/s)", "lag processor 3, sink 17"),
        *("processor: waiting for Kafka for 7 s", "sink: waiting signal SIGKILL"),
    ):
        assert text in line


def test_rates_are_changes_by_time_and_never_negative() -> None:
    before = replace(BUSY, at_s=90.0, counts=replace(BUSY.counts, received=12_245, verified=9_999, archived=None))
    assert rates(before, BUSY) == Rates(10.0, 0.0, None)
    assert rates(None, BUSY) == NOTHING
    assert rates(BUSY, BUSY) == NOTHING


def test_sizes_have_a_unit() -> None:
    assert [size(value) for value in (0, 1023, 1024, 5 * 1024**3, 3 * 1024**4)] == [
        *("0 B", "1023 B", "1 KiB", "5 GiB", "3.0 TiB")
    ]


def test_off_a_terminal_there_is_a_line_every_few_seconds() -> None:
    out = io.StringIO()
    with display("BigBrotr", file=out) as shown:
        assert isinstance(shown, PlainDisplay)
        for second in range(11):
            shown.update(replace(BUSY, at_s=100.0 + second))
        shown.note("stopping")
    lines = out.getvalue().splitlines()
    assert len(lines) == 4
    assert lines[-1].endswith(" stopping")


def test_on_a_terminal_there_is_a_picture() -> None:
    console = Console(file=io.StringIO(), width=120, force_terminal=True)
    with LiveDisplay(console, "BigBrotr") as shown:
        shown.update(BUSY)
        shown.note("[not markup]")
        shown.update(replace(BUSY, at_s=101.0))
    assert isinstance(console.file, io.StringIO)
    written = console.file.getvalue()
    assert "[not markup]" in written
    assert "5,990" in written
