"""The live view on a real pseudo-terminal: keys, sizes, and that the terminal is given back however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import termios
from collections.abc import Iterator
from functools import partial

import pytest

from bigbrotr.console.live_view.terminal import size
from tests.unit.bigbrotr.live_view.terminal import Terminal

pytestmark = pytest.mark.slow

PROGRAM = "tests.unit.bigbrotr.live_view.shown"
TAKEN = (b"\x1b[?1049h", b"\x1b[?25l", b"\x1b[?7l")
GIVEN_BACK = (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?7h")


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal(60, 15)
    yield made
    made.close()


def given_back(terminal: Terminal) -> bool:
    """Whether modes and screen are as before, and were not in between."""
    return terminal.modes() == terminal.mode and all(
        0 <= terminal.written.rfind(taken) < terminal.written.rfind(given)
        for taken, given in zip(TAKEN, GIVEN_BACK, strict=True)
    )


def test_keys_scroll_and_q_drains(terminal: Terminal) -> None:
    with terminal.running(PROGRAM, "50") as process:
        lines = terminal.wait_for("relays 1-", " of 50", " r000.")
        assert "q drains and stops everything" in lines[-1]
        assert terminal.modes() != terminal.mode
        rows = sum(line.startswith(" r0") for line in lines)
        terminal.press(b"\x1b[B\x1b[B")
        terminal.wait_for(f"relays 3-{rows + 2} of 50", " r002.")
        terminal.press(b"\x1b[A")
        terminal.wait_for(f"relays 2-{rows + 1} of 50", " r001.")
        terminal.press(b"\x1b[6~")
        terminal.wait_for(f"relays {rows + 2}-{2 * rows + 1} of 50")
        terminal.press(b"\x1b[5~")
        terminal.wait_for(f"relays 2-{rows + 1} of 50", " r001.")
        terminal.press(b"\x1b[F")
        terminal.wait_for(f"relays {51 - rows}-50 of 50", " r049.")
        terminal.press(b"\x1b[H?")
        terminal.wait_for("Ctrl-C again   stop at once", "scroll by a page")
        terminal.press(b"?")
        terminal.wait_for(f"relays 1-{rows} of 50", " r000.")
        terminal.press(b"\x1a\x1c\x13x")  # Ctrl-Z, Ctrl-\ and Ctrl-S do nothing
        terminal.press(b"\x1b[")
        terminal.press(b"B")
        terminal.wait_for(f"relays 2-{rows + 1} of 50")
        terminal.press(b"qqq")
        assert terminal.wait_for_end(process) == 0
    assert given_back(terminal)
    left = terminal.written.rpartition(b"\x1b[?1049l")[2]
    for text in (b"a note", b"stopping", b"relays 1-12 of 50", b"ended in order"):
        assert text in left
    assert b"^Z" not in terminal.written


def is_clean(lines: list[str], height: int) -> bool:
    """Whether there are two rules, and between them, below the last line of the overview, one line for each relay."""
    place = next((at for at, line in enumerate(lines) if line.startswith(" relays 1-")), height)
    rows = [line for line in lines[place + 2 : -1] if line.strip()]
    return (
        [at for at, line in enumerate(lines) if "─" in line] == [0, height - 1]
        and bool(rows)
        and all(line.startswith(f" r{number:03}") for number, line in enumerate(rows))
        and sum("received" in line for line in lines[: place + 1]) == 1
    )


def test_a_resize_leaves_nothing_behind(terminal: Terminal) -> None:
    with terminal.running(PROGRAM, "50") as process:
        terminal.wait_for(" of 50")
        for columns, height in ((120, 40), (60, 15), (80, 24), (40, 12)):
            terminal.resize(columns, height)
            terminal.press(b"?")
            terminal.wait_for("drain and stop everything")
            terminal.press(b"?")
            terminal.wait_until(partial(is_clean, height=height))
        terminal.press(b"\x03")
        assert terminal.wait_for_end(process) == 0
    assert given_back(terminal)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_gives_the_terminal_back(terminal: Terminal, number: signal.Signals) -> None:
    with terminal.running(PROGRAM, "3") as process:
        terminal.wait_for("relays: ")
        process.send_signal(number)
        assert terminal.wait_for_end(process) == 0
    assert given_back(terminal)


def test_a_failure_gives_the_terminal_back_and_is_told(terminal: Terminal) -> None:
    with terminal.running(PROGRAM, "3", "fails") as process:
        assert terminal.wait_for_end(process) == 1
    assert given_back(terminal)
    left = terminal.written.rpartition(b"\x1b[?1049l")[2]
    assert b"relays: " in left
    assert b"RuntimeError: a fault" in left


def test_a_terminal_that_does_not_tell_its_size_has_the_usual_one() -> None:
    controller, made = os.openpty()
    with os.fdopen(controller, "rb"), os.fdopen(made, "w") as file:
        assert size(file) == (80, 24)
        termios.tcsetwinsize(file, (15, 60))
        assert size(file) == (60, 15)


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_terminal_that_cannot_draw_gets_lines(terminal: Terminal, term: str) -> None:
    with terminal.running(PROGRAM, "3", term=term) as process:
        terminal.wait_for("| received 12,345", "up 0:00:")
        process.send_signal(signal.SIGTERM)
        assert terminal.wait_for_end(process) == 0
    assert b"\x1b" not in terminal.written
    assert terminal.modes() == terminal.mode


def test_without_a_terminal_to_read_keys_from_there_are_lines(terminal: Terminal) -> None:
    with terminal.running(PROGRAM, "3", stdin=subprocess.DEVNULL) as process:
        terminal.wait_for("| received 12,345")
        process.send_signal(signal.SIGTERM)
        assert terminal.wait_for_end(process) == 0
    assert b"\x1b" not in terminal.written
