"""What demo relays are to hold, and the options for it: the same for relays of our own and for external ones."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import click

from deploy.demo.events import DEFAULT_SPAN_S

RELAY_CAPACITY = 75_000  # LocalRelay's store in memory drops its oldest events beyond this

_OPTIONS = (
    click.option("--events", default=2000, show_default=True, type=click.IntRange(0), help="Distinct stored events."),
    click.option("--copies", default=2.4, show_default=True, help="Relays that hold an event, on average."),
    click.option("--seed", default=1, show_default=True, help="Same seed and base time, same stored events."),
    click.option(
        "--base-time-s",
        default=lambda: int(time.time()),
        show_default="the present",
        type=int,
        help="Newest time of a stored event, in Unix seconds.",
    ),
    click.option(
        "--span-s", default=DEFAULT_SPAN_S, show_default=True, help="Seconds that stored events are spread over."
    ),
    click.option("--trickle-per-s", default=0.0, show_default=True, help="New events a second, once all are stored."),
    click.option("--for-s", default=None, type=float, help="End the trickle after so many seconds."),
)


@dataclass(frozen=True)
class Plan:
    """What the relays are to hold. Times are Unix seconds; `copies` is the mean number of relays that hold an event.

    Raises:
        click.BadParameter: relays of that number cannot hold it.
    """

    relays: int
    events: int
    copies: float
    seed: int
    base_time_s: int
    span_s: int
    trickle_per_s: float
    for_s: float | None

    def __post_init__(self) -> None:
        if not 1 <= self.copies <= self.relays:
            raise click.BadParameter(
                f"must lie between 1 and the number of relays, {self.relays}", param_hint="--copies"
            )
        if self.events * self.copies / self.relays > RELAY_CAPACITY:
            raise click.BadParameter(
                f"LocalRelay keeps {RELAY_CAPACITY} events, and each would have to hold more: use more relays",
                param_hint="--events",
            )


def plan_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of a plan; its fields but `relays` come as keywords."""
    return reduce(lambda decorated, option: option(decorated), reversed(_OPTIONS), command)
