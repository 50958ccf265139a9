"""How lines and states look."""

from __future__ import annotations

from rich.text import Text

from bigbrotr.console.snapshot_view import GOOD, printable

_BAD = {"waiting", "stopped", "unreachable", "failed", "down", "refused"}


def style(state: str) -> str:
    """The colour of a state of a server, a service or a relay."""
    return "green" if state in GOOD else "red" if state in _BAD else "yellow"


def line(text: str, colour: str = "") -> Text:
    """A text on one line, cut where the terminal ends."""
    return Text(printable(text), style=colour, no_wrap=True, overflow="ellipsis")
