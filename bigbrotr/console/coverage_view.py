"""Coverage as text: a bar for each relay and filter, and the gaps, line by line."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from rich.text import Text

from bigbrotr.console.coverage_bar import ASCII_SYMBOLS, SYMBOLS, Axis, Cell, cells, share
from bigbrotr.console.relay_facts import fact_words
from bigbrotr.console.snapshot_view import by_reason
from core.archive.coverage import FilterState, GapState, RelayState

_STYLES = {Cell.READ: "green", Cell.PARTLY: "yellow", Cell.GAP: "bold red", Cell.UNREAD: "dim"}
_INDENT = "  "
_DATE = "%Y-%m-%d"
# Enough to tell public keys apart.
_SHORT = 12
# A filter may name hundreds of authors, or of kinds, of which so many are written where there are more.
_LONG = 100
_MOST_KINDS, _FIRST_KINDS = 10, 3


class Style(NamedTuple):
    """How to draw: with characters beyond ASCII or without, how many gaps of a filter to list, and whether facts."""

    unicode: bool
    gaps: int
    facts: bool = False

    @property
    def symbols(self) -> dict[Cell, str]:
        """The character of each kind of cell."""
        return SYMBOLS if self.unicode else ASCII_SYMBOLS


def legend(axis: Axis, style: Style) -> Text:
    """Explain what the characters mean, and how long a time each stands for."""
    text = Text()
    for kind, symbol in style.symbols.items():
        text.append(symbol, _STYLES[kind]).append(f" {kind.value}   ")
    return text.append(f"each is a {axis.unit.name}, times are UTC")


def relay_lines(state: RelayState, axis: Axis, style: Style, now_s: float) -> Iterator[Text]:
    """Draw one relay."""
    known = f"as of {moment(state.updated_at_ms // 1000)}, {age(now_s - state.updated_at_ms / 1000)} ago"
    followed = "never followed" if state.cursor_s is None else f"followed up to {moment(state.cursor_s)}"
    yield Text(state.relay, "bold")
    yield Text(f"{_INDENT}{known}; {followed}")
    if state.copies.overhead is not None:
        told = f"{state.copies.received:,} copies received, {state.copies.repeated:,} of them repeated"
        yield Text(f"{_INDENT}{told}: overhead {state.copies.overhead:.2f}")
    for fact in state.facts if style.facts else ():
        yield Text(f"{_INDENT}{fact_words(fact, unicode=style.unicode)}, {moment(fact.at_s, _DATE)}")
    if not state.filters:
        yield Text(f"{_INDENT}nothing was read yet")
    for each in state.filters:
        yield from _filter_lines(each, axis, style)


def _filter_lines(state: FilterState, axis: Axis, style: Style) -> Iterator[Text]:
    since_s, until_s = axis.bounds[0], axis.bounds[-1]
    gaps = [gap for gap in state.gaps if gap.until_s >= since_s and gap.since_s < until_s]
    told = f"{percent(share(state.read, since_s, until_s))} read"
    if gaps:
        reasons = Counter(gap.reason for gap in gaps)
        told += f", {len(gaps):,} gap{'s' if len(gaps) > 1 else ''}: {by_reason(reasons)}"
    yield Text(f"{_INDENT}{filter_name(state)}: {told}")
    yield Text(f"{_INDENT}{axis.labels()}", "dim")
    bar = Text(_INDENT)
    for cell in cells(axis.bounds, state.read, [(gap.since_s, gap.until_s) for gap in gaps]):
        bar.append(style.symbols[cell], _STYLES[cell])
    yield bar
    for gap in gaps[: style.gaps]:
        yield Text(f"{_INDENT}gap {gap_line(gap)}")
    if len(gaps) > style.gaps:
        yield Text(f"{_INDENT}and {len(gaps) - style.gaps:,} older gaps: --gaps N lists more, --json all")


def filter_name(state: FilterState) -> str:
    """Name a filter by what it asks for, and the identity under which it was asked, if there was one."""
    if state.wire is None:
        name = f"filter {state.filter}"
    elif not state.wire:
        name = "everything"
    else:
        name = _wire_name(state.wire, state.filter)
    return f"{name}, as {state.identity[:_SHORT]}..." if state.identity else name


def _wire_name(wire: dict[str, Any], filter_hash: str) -> str:
    """As short as the filter can be told from others: what is cut has its hash."""
    rest = {name: values for name, values in wire.items() if name != "kinds"}
    named = f" of {json.dumps(rest, separators=(',', ':'))}" if rest else ""
    match wire.get("kinds"):
        case [_, *_] as kinds if len(kinds) > _MOST_KINDS:
            first = ", ".join(map(json.dumps, kinds[:_FIRST_KINDS]))
            name, is_cut = f"kinds {first} ... {kinds[-1]} ({len(kinds):,}){named}", True
        case [_, *_] as kinds:
            name, is_cut = f"kinds {', '.join(map(json.dumps, kinds))}{named}", False
        case _:
            name, is_cut = json.dumps(wire, separators=(",", ":")), False
    if len(name) > _LONG:
        name, is_cut = f"{name[:_LONG]}...", True
    return f"{name} ({filter_hash})" if is_cut else name


def gap_line(gap: GapState) -> str:
    """Describe a gap: where, why, its tries and its next retry."""
    tries = "asked once" if gap.tries == 1 else f"asked {gap.tries:,} times"
    due = "" if gap.retry_at_s is None else f", again {moment(gap.retry_at_s)}"
    until = "" if gap.since_s == gap.until_s else f" to {moment(gap.until_s)}"
    return f"{moment(gap.since_s)}{until}: {gap.reason}, {tries}{due}"


def moment(second: int, form: str = f"{_DATE} %H:%M:%S") -> str:
    """Write a moment as people do, UTC; as Unix seconds where no calendar goes."""
    try:
        return dt.datetime.fromtimestamp(second, dt.UTC).strftime(form)
    except (ValueError, OverflowError, OSError):
        return f"second {second}"


def age(seconds: float) -> str:
    """Write how long ago something was, in the largest unit of which there are two."""
    for unit, length in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def percent(part: float) -> str:
    """Write a share so that nothing less than all looks like all, nor something like nothing."""
    whole = 100 * part
    if 0 < whole < 0.1:  # noqa: PLR2004 - the last digit that is shown
        return "below 0.1 %"
    if 99.9 < whole < 100:  # noqa: PLR2004
        return "above 99.9 %"
    return f"{whole:.1f} %"
