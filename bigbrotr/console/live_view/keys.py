"""The keys of the live view, read from the bytes that a terminal sends for them. Without I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum


class Key(Enum):
    """A key that means something, by what it does."""

    QUIT = "quit"
    HELP = "help"
    UP = "up"
    DOWN = "down"
    PAGE_UP = "page up"
    PAGE_DOWN = "page down"
    HOME = "home"
    END = "end"


HELP = (
    ("q", "drain and stop everything, as Ctrl-C does"),
    ("Ctrl-C again", "stop at once, without draining"),
    ("up, down", "scroll by a relay"),
    ("PgUp, PgDn", "scroll by a page"),
    ("Home, End", "to the first, to the last relay"),
    ("?", "show the keys, or the relays again"),
)

# Control sequences (CSI), those of the keypad's application mode (SS3), and what is sent with Alt; else a character.
_TOKEN = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1bO[ -~]|\x1b[^\[O]|[^\x1b]", re.DOTALL)
_MEANINGS = {
    **dict.fromkeys((b"q", b"Q"), Key.QUIT),
    b"?": Key.HELP,
    **dict.fromkeys((b"\x1b[A", b"\x1bOA"), Key.UP),
    **dict.fromkeys((b"\x1b[B", b"\x1bOB"), Key.DOWN),
    b"\x1b[5~": Key.PAGE_UP,
    b"\x1b[6~": Key.PAGE_DOWN,
    **dict.fromkeys((b"\x1b[H", b"\x1bOH", b"\x1b[1~", b"\x1b[7~"), Key.HOME),
    **dict.fromkeys((b"\x1b[F", b"\x1bOF", b"\x1b[4~", b"\x1b[8~"), Key.END),
}
_LONGEST_BYTES = 16  # longer than every sequence above: what is not whole by then is none of them


class KeyReader:
    """Takes bytes as they come; a sequence may come in parts."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Key]:
        """Give the keys that are whole by now; others mean nothing."""
        data = self._rest + data
        place = 0
        while match := _TOKEN.match(data, place):
            place = match.end()
            if match.group() in _MEANINGS:
                yield _MEANINGS[match.group()]
        self._rest = data[place:] if len(data) - place <= _LONGEST_BYTES else b""
