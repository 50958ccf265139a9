"""The picture fits the terminal, keeps its rows in order, and shows what is not known as not known."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.console import Console

from bigbrotr.console.live_view.picture import MAX_RELAY_ROWS, Picture, View, picture
from bigbrotr.console.live_view.relay_rows import crawl_progress
from bigbrotr.status.snapshot import Rates, RelayState, ServiceState, Snapshot
from tests.unit.bigbrotr.live_view.snapshots import BUSY, with_relays

NOTHING = Rates(None, None, None)
PAPER = View(120)


def painted(snapshot: Snapshot, view: View = PAPER, rate: Rates = NOTHING) -> tuple[Picture, str]:
    console = Console(file=io.StringIO(), width=view.width, force_terminal=False)
    shown = picture(snapshot, rate, 3723.0, view, title="BigBrotr")
    console.print(shown.panel)
    assert isinstance(console.file, io.StringIO)
    return shown, console.file.getvalue()


def drawn(snapshot: Snapshot, view: View = PAPER, rate: Rates = NOTHING) -> str:
    return painted(snapshot, view, rate)[1]


def test_the_picture_shows_everything_that_is_asked_for() -> None:
    shown = drawn(BUSY, rate=Rates(100.0, 50.0, 49.6, {"wss://one.example": 7.25}))
    for text in (
        *("12,345", "100/s", "6,000", "6,300", "5,990", "50/s", "12,000", "up 1:02:03", "7.2/s"),
        *("bad_signature 44, not_json 1", "kind_out_of_range 2", "lag 3", "lag 17"),
        *("waiting for Kafka for 7 s", "not ready", "signal SIGKILL, again in 3 s", "unreachable", "refused"),
        *("one.example", "live", "no such host; again in 4 s", "1 live, 1 unreachable"),
        "sink ended with signal SIGKILL",
    ):
        assert text in shown


@pytest.mark.parametrize("count", [0, 3, 500])
@pytest.mark.parametrize("size", [(60, 15), (80, 24), (200, 60)])
def test_the_picture_has_the_size_of_the_terminal(size: tuple[int, int], count: int) -> None:
    width, height = size
    for snapshot in (with_relays(count), replace(with_relays(count), services=(), servers={}, events=())):
        for with_keys in (False, True):
            shown, text = painted(snapshot, View(width, height, with_keys=with_keys))
            lines = text.splitlines()
            assert len(lines) == height
            assert {cell_len(line) for line in lines} == {width}
            assert text.replace("\n", "").isprintable()
            assert "received 12,345" in " ".join(text.split())
            assert "shows the keys" in lines[-1]
            if with_keys:
                assert "drain and stop everything" in text
            else:
                assert sum(" r0" in line or " r1" in line for line in lines) == min(count, shown.rows)
                assert shown.rows >= min(count, 4)


@pytest.mark.parametrize("size", [(1, 1), (2, 40), (10, 3), (40, 8), (400, 2)])
def test_a_tiny_terminal_is_no_error(size: tuple[int, int]) -> None:
    width, height = size
    lines = drawn(with_relays(50), View(width, height)).splitlines()
    assert all(cell_len(line) <= width for line in lines)


def test_a_small_terminal_shows_relays_with_rate_and_crawl_and_what_is_wrong() -> None:
    relays = (
        RelayState("wss://relay.damus.example", "crawling", position_s=1_700_000_000, received=7),
        RelayState("wss://nos.example", "live", crawled=True, gaps=3),
        RelayState("ws://away.example", "unreachable", "no such host, again"),
    )
    rate = Rates(100.0, 50.0, 49.6, {"wss://relay.damus.example": 123.0, "wss://nos.example": 0.0})
    text = drawn(replace(BUSY, relays=relays), View(60, 15), rate)
    squeezed = [" ".join(line.split()) for line in text.splitlines()]
    for line in (
        "relay.damus.example crawling 123/s to 2023-11-14",
        "nos.example live 0/s all but 3 gaps",
        "ws://away.example unreachable - -; no such hos…",
        "postgres: unreachable: refused",
        "processor: waiting for Kafka for 7 s",
        "2 servers and services are well, 1 more in trouble",
        "received 12,345 (100/s), archived 5,990 (50/s)",
        "rejected 45, lag processor 3, sink 17",
    ):
        assert line in squeezed


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
        shown = drawn(snapshot, View(width))
        for text in ("processor", "not ready", "kafka", "unreachable", "service", "state", "relay.relay."):
            assert text in shown, (width, text)
        assert all(len(line) <= width for line in shown.splitlines())
        assert ("12,345,678" in shown) == (width >= 80)
    assert long in drawn(snapshot, View(200))


def test_rows_keep_their_order_and_scroll() -> None:
    snapshot = with_relays(500)
    _, text = painted(snapshot, View(80, 24))
    backwards = replace(snapshot, relays=snapshot.relays[::-1])
    assert drawn(backwards, View(80, 24)) == text
    first, _ = painted(snapshot, View(80, 24))
    assert first.first == 0
    for asked, shown in ((10, 10), (-5, 0), (10_000, 500 - first.rows)):
        moved, text = painted(snapshot, View(80, 24, first=asked))
        assert moved.first == shown
        assert f"relays {shown + 1}-{shown + first.rows} of 500" in text
        assert f" r{shown:03}." in text
        header = next(line for line in text.splitlines() if "crawl " in line)
        assert header in drawn(snapshot, View(80, 24)), "columns stay where they are"


def test_many_relays_are_counted_where_no_terminal_ends() -> None:
    shown = drawn(with_relays(500))
    assert f"relays 1-{MAX_RELAY_ROWS} of 500" in shown
    assert f" r{MAX_RELAY_ROWS - 1:03}." in shown
    assert f" r{MAX_RELAY_ROWS:03}." not in shown


def test_the_picture_of_an_end_says_what_ctrl_c_does_now() -> None:
    ending = replace(BUSY, services=(ServiceState("connector", "stopped"), ServiceState("sink", "stopping")), relays=())
    assert "Ctrl-C again stops at once" in drawn(ending)
    assert "relays" not in drawn(ending).replace("copies from relays", "")
    assert "Ctrl-C again stops at once" in drawn(BUSY, View(60, 15, is_stopping=True))
    assert "stopped" in drawn(replace(BUSY, services=(ServiceState("sink", "stopped"),))).splitlines()[-1]
    assert "q drains and stops everything" in drawn(BUSY)


def test_an_empty_snapshot_can_be_shown() -> None:
    assert "relays: none" in drawn(Snapshot(at_s=0.0))


def test_words_from_outside_are_no_markup_and_no_control_sequence() -> None:
    hostile = replace(
        BUSY,
        relays=(RelayState("wss://[red]x[/]\x1b[2J", "[bold]", "[/nonsense] \x1b[2J"),),
        events=("\x1b]0;title\x07",),
        server_notes={"kafka": "\x9b2J"},
    )
    for view in (View(120), View(120, 15)):
        shown = drawn(hostile, view)
        assert r"[red]x[/]\x1b[2J" in shown
        assert r"[/nonsense] \x1b[2J" in shown
        assert r"\x1b]0;title\x07" in shown
        assert shown.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("relay", "words"),
    [
        (RelayState("wss://a.example", "unreachable"), "-"),
        (RelayState("wss://a.example", "unreachable", gaps=1), "-, 1 gap"),
        (RelayState("wss://a.example", "crawling", position_s=1_700_000_000), "to 2023-11-14"),
        (RelayState("wss://a.example", "crawling", position_s=0, gaps=1_200), "to 1970-01-01, 1,200 gaps"),
        (RelayState("wss://a.example", "live", crawled=True), "all"),
        (RelayState("wss://a.example", "live", crawled=True, gaps=2), "all but 2 gaps"),
    ],
)
def test_doubt_about_a_crawl_is_shown(relay: RelayState, words: str) -> None:
    assert crawl_progress(relay) == words
