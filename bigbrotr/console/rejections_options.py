"""Which refused inputs a command is about: places, and options that choose."""

from __future__ import annotations

from collections.abc import Callable

import click

from bigbrotr.console.parameters import MOMENT, RELAY
from producers.rejected.records import TOPICS, UNREADABLE, Place, Selection
from schemas.reasons import Reason

_REASONS = [*(reason.value for reason in Reason), UNREADABLE]
# Dates in milliseconds lie beyond this, and nothing was refused in the year 36,812.
_LATEST_S = 2**40
_STAGES = ["connector", "import", "validate", "sink"]


class PlaceType(click.ParamType):
    """A place such as `rejections/3/17`."""

    name = "PLACE"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Place:
        """Read it."""
        try:
            return Place.parse(value)
        except ValueError as error:
            self.fail(f"{value!r} {error}; `bigbrotr rejections list` shows them", param, ctx)


def selecting(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say which inputs are wanted."""
    for option in (
        click.option("--until", type=MOMENT, help="Refused before this time."),
        click.option("--since", type=MOMENT, help="Refused at this time or later."),
        click.option("--topic", "topics", type=click.Choice(TOPICS), multiple=True, help="Only in this topic."),
        click.option("--relay", type=RELAY, help="Only what this relay sent."),
        click.option("--stage", "stages", type=click.Choice(_STAGES), multiple=True, help="Only by this stage."),
        click.option(
            "--reason",
            "reasons",
            type=click.Choice(_REASONS),
            metavar="REASON",
            multiple=True,
            help="Only for this reason, such as bad_signature; a wrong word is answered with all of them.",
        ),
    ):
        command = option(command)
    return command


def selection(
    *,
    topics: tuple[str, ...],
    reasons: tuple[str, ...],
    stages: tuple[str, ...],
    relay: str | None,
    since: int | None,
    until: int | None,
) -> Selection:
    """Put the options together.

    Raises:
        UsageError: no time lies between two of them.
    """
    if any(moment is not None and not 0 <= moment < _LATEST_S for moment in (since, until)):
        raise click.UsageError("--since and --until: must be moments from 1970 on, in seconds and not milliseconds")
    if since is not None and until is not None and since >= until:
        raise click.UsageError("--since must be before --until")
    return Selection(
        topics or TOPICS,
        frozenset(reasons),
        frozenset(stages),
        relay,
        None if since is None else since * 1000,
        None if until is None else until * 1000,
    )


PLACE = PlaceType()
