"""Values at the command line that several commands take: relays, moments."""

from __future__ import annotations

import datetime as dt

import click

from schemas.relay_url import RelayUrlError, normalize


class RelayType(click.ParamType):
    """The URL of a relay, in its one spelling. Private ones too: they may be the operator's own."""

    name = "URL"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Give the URL as it is a key everywhere."""
        try:
            return normalize(value, allow_private=True).url
        except RelayUrlError as error:
            self.fail(f"{value}: {error}", param, ctx)


class MomentType(click.ParamType):
    """A moment as Unix seconds: given so, or as a date, or as date and time (UTC unless it names its zone)."""

    name = "TIME"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Give Unix seconds."""
        if isinstance(value, int):
            return value
        try:
            return int(value)
        except ValueError:
            pass
        try:
            moment = dt.datetime.fromisoformat(value)
        except ValueError:
            self.fail(
                f"{value}: give Unix seconds such as 1795000000, a date such as 2026-11-18, or a time such as "
                "2026-11-18T12:00:00Z",
                param,
                ctx,
            )
        return int((moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp())


RELAY = RelayType()
MOMENT = MomentType()
