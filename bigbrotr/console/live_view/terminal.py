"""Takes a terminal for a live view, and gives it back as it was, however the block ends."""

from __future__ import annotations

import os
import termios
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TextIO

_IFLAG, _LFLAG, _CC = 0, 3, 6  # places in what `tcgetattr` returns
_DISABLED = b"\0"  # _POSIX_VDISABLE of Linux

# The alternate screen, no cursor, and no wrapping: what is wider than the terminal while it is resized is cut.
_ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"
# Terminals without an alternate screen keep what was drawn: it is erased.
_LEAVE = "\x1b[2J\x1b[H\x1b[?7h\x1b[?25h\x1b[?1049l"
_USUAL_SIZE = os.terminal_size((80, 24))  # that of a VT100, which others have from it
# A terminal that knows synchronized output shows a frame when it is whole; others ignore it.
_BEGIN, _END = "\x1b[?2026h", "\x1b[?2026l"


@contextmanager
def full_screen(file: TextIO) -> Iterator[None]:
    """Show the alternate screen for the length of a block."""
    try:
        write(file, _ENTER)
        yield
    finally:
        with suppress(OSError):  # the terminal may be gone
            write(file, _LEAVE)


@contextmanager
def single_keys(file: TextIO) -> Iterator[None]:
    r"""Have keys come one by one and unseen for the length of a block; only Ctrl-C still makes a signal.

    Ctrl-Z and Ctrl-\ would leave the terminal to the shell as it is, and Ctrl-S would stop the writer, which has more
    to do than to write.
    """
    before = termios.tcgetattr(file)
    mode = [*before[:_CC], list(before[_CC])]
    mode[_IFLAG] &= ~termios.IXON
    mode[_LFLAG] &= ~(termios.ECHO | termios.ICANON)
    for place, value in (
        (termios.VMIN, 1),
        (termios.VTIME, 0),
        (termios.VSUSP, _DISABLED),
        (termios.VQUIT, _DISABLED),
    ):
        mode[_CC][place] = value
    try:
        termios.tcsetattr(file, termios.TCSADRAIN, mode)
        yield
    finally:
        with suppress(termios.error):  # the terminal may be gone
            termios.tcsetattr(file, termios.TCSADRAIN, before)


def draw(file: TextIO, lines: Sequence[str]) -> None:
    """Replace what the screen shows.

    Each line is erased and begins at its own place, so that a character of another width than ours shifts no other one.
    """
    placed = "".join(f"\x1b[{row};1H\x1b[2K{line}" for row, line in enumerate(lines, 1))
    write(file, f"{_BEGIN}{placed}{_END}")


def size(file: TextIO) -> os.terminal_size:
    """Columns and lines; the usual ones where a terminal does not tell them, as a serial line."""
    found = os.get_terminal_size(file.fileno())
    return found if found.columns and found.lines else _USUAL_SIZE


def clear(file: TextIO) -> None:
    """Erase everything, as after a resize, which may have moved what was there."""
    write(file, "\x1b[2J")


def write(file: TextIO, text: str) -> None:
    """Write at once."""
    file.write(text)
    file.flush()


def is_drawable(file: TextIO, keys: TextIO, term: str) -> bool:
    """Whether there is a terminal to draw on and one to read keys from, and both are ours.

    Args:
        file: where it is drawn.
        keys: where keys come from.
        term: the variable TERM; a terminal without a name may know no control sequence.
    """
    if term in {"", "dumb", "unknown"}:
        return False
    try:
        return file.isatty() and keys.isatty() and _is_foreground(keys)
    except (OSError, ValueError):  # closed
        return False


def _is_foreground(keys: TextIO) -> bool:
    """A job in the background is stopped when it changes the terminal's mode."""
    try:
        return os.tcgetpgrp(keys.fileno()) == os.getpgrp()
    except OSError:  # not the terminal that controls this process: it has no foreground for us
        return True
