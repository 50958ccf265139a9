"""The relays as rows of a table, each on one line of a given width. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from bigbrotr.console.coverage_view import moment
from bigbrotr.console.live_view.styles import style
from bigbrotr.console.snapshot_view import number, per_second, printable
from bigbrotr.status.snapshot import Rates, RelayState

MAX_URL_CELLS = 44  # longer than nearly every relay's URL, and leaves room for its state and a word of the reason
_WIDE_CELLS = 78  # from a terminal of 80 columns on, there is room for how much was received
_GAP_CELLS = 2
_STATE_CELLS = 11  # `unreachable` and most others; the column is wider only where it must be, so that it stays still
_RATE_CELLS = 7  # 9,999/s
_RECEIVED_CELLS = 11  # 999,999,999
_CRAWL_CELLS = 14  # `to 2024-05-03…`: a date is whole where more is cut
_CRAWL_SHARE = 3  # of what URLs, crawls and notes have together, the part that no URL takes from the other two
_SCHEME = "wss://"


def in_order(relays: Sequence[RelayState]) -> list[RelayState]:
    """Order relays so that none changes its place while others come and go."""
    return sorted(relays, key=lambda relay: relay.url)


def relay_table(relays: Sequence[RelayState], shown: Sequence[RelayState], rate: Rates, width: int) -> Table:
    """Make a table of some of the relays, whose columns have the same places whichever are shown.

    Where it is narrow, it gives up the ends of notes first, then those of URLs.

    Args:
        relays: all of them.
        shown: those of the rows.
        rate: with that of each relay.
        width: in cells.
    """
    is_wide = width >= _WIDE_CELLS
    state_cells = max(_STATE_CELLS, *(cell_len(printable(relay.state)) for relay in relays))
    others = [state_cells, *([_RECEIVED_CELLS] if is_wide else []), _RATE_CELLS]
    room = width - sum(others) - _GAP_CELLS * (len(others) + 1)
    room -= max(_CRAWL_CELLS, room // _CRAWL_SHARE)
    longest = max(cell_len(_name(relay)) for relay in relays)
    table = Table(box=None, padding=(0, _GAP_CELLS, 0, 0), pad_edge=False, header_style="dim", expand=True)
    table.add_column("relay", width=max(len("relay"), min(longest, MAX_URL_CELLS, room)), no_wrap=True)
    table.add_column("state", width=state_cells, no_wrap=True)
    if is_wide:
        table.add_column("received", width=_RECEIVED_CELLS, justify="right", no_wrap=True)
    table.add_column("rate", width=_RATE_CELLS, justify="right", no_wrap=True)
    table.add_column("crawl", ratio=1, no_wrap=True)
    for relay in shown:
        note = "; ".join(text for text in (crawl_progress(relay), printable(relay.detail)) if text)
        received = [number(relay.received)] if is_wide else []
        state = Text(printable(relay.state), style=style(relay.state))
        table.add_row(Text(_name(relay)), state, *received, per_second(rate.relays.get(relay.url)), Text(note))
    return table


def crawl_progress(relay: RelayState) -> str:
    """Write how far the stored events of a relay are read: `to 2024-05-03, 2 gaps`, `all but 1 gap`, `-` if unknown."""
    gaps = f"{relay.gaps:,} gap{'s' if relay.gaps > 1 else ''}" if relay.gaps else ""
    if relay.position_s is None and relay.crawled:
        return f"all but {gaps}" if gaps else "all"
    known = "-" if relay.position_s is None else f"to {moment(relay.position_s, '%Y-%m-%d')}"
    return f"{known}, {gaps}" if gaps else known


def _name(relay: RelayState) -> str:
    """The URL; its scheme only where it is not the usual one."""
    return printable(relay.url.removeprefix(_SCHEME))
