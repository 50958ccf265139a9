"""Seconds up and down, and probes, by UTC hour and day."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from schemas.records.relay_health import Tally

HOUR_S = 3_600
DAY_S = 86_400


class Span(NamedTuple):
    """Seconds for which a probe stands, the last one not included."""

    since_s: int
    until_s: int
    is_up: bool


def add(
    tallies: Iterable[Tally], unit_s: int, most: int, *, at_s: int, failed: bool | None, span: Span | None
) -> tuple[Tally, ...]:
    """Return tallies with one more probe.

    Args:
        tallies: by number.
        unit_s: `HOUR_S` or `DAY_S`.
        most: units that are kept, with that of this probe as the newest.
        at_s: Unix time of the probe.
        failed: whether it did not find the relay online; None: it did not reach for it, and is not counted.
        span: that the probe before stands for; None: it says neither up nor down.
    """
    newest = at_s // unit_s
    oldest = newest - most + 1
    kept = {each.number: each for each in tallies if each.number >= oldest}
    if span is not None:
        for number in range(max(span.since_s // unit_s, oldest), (span.until_s - 1) // unit_s + 1):
            seconds = min(span.until_s, (number + 1) * unit_s) - max(span.since_s, number * unit_s)
            each = kept.get(number) or Tally(number, 0, 0, 0, 0)
            kept[number] = (
                each._replace(up_s=each.up_s + seconds) if span.is_up else each._replace(down_s=each.down_s + seconds)
            )
    if failed is not None:
        each = kept.get(newest) or Tally(newest, 0, 0, 0, 0)
        kept[newest] = each._replace(probes=each.probes + 1, failures=each.failures + failed)
    return tuple(kept[number] for number in sorted(kept))


def uptime(tallies: Iterable[Tally], since: int) -> float | None:
    """The share of the known seconds that were up, 0 to 1; None where none are known.

    Args:
        tallies: of hours or days.
        since: number of the first one that counts.
    """
    counted = [each for each in tallies if each.number >= since]
    up_s = sum(each.up_s for each in counted)
    known_s = up_s + sum(each.down_s for each in counted)
    return up_s / known_s if known_s else None
