"""Values at the command line that several commands take: relays, moments, lengths of time, ids and keys."""

from __future__ import annotations

import datetime as dt
import re

import click

from schemas.nostr.nip19 import SecretKeyError, Wanted, hex_of
from schemas.relay_urls.relay_url import RelayUrlError, normalize

_BASIC_DATE = re.compile(r"(?:19|20|21)[0-9]{6}")
"""ISO 8601's basic form of a date (YYYYMMDD). As seconds it would be a day of 1970."""
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"([1-9][0-9]{0,5})([smhd])")


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
        if (day := _basic_date(value)) is not None:
            seconds = dt.datetime.fromtimestamp(int(value), dt.UTC)
            self.fail(
                f"{value}: may be the day {day} or Unix seconds of {seconds.date()}; write {day} for the day, or "
                f"{seconds:%Y-%m-%dT%H:%M:%SZ} for the seconds",
                param,
                ctx,
            )
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


def _basic_date(value: str) -> dt.date | None:
    """The date that eight digits are in ISO 8601's basic form, or None where they are none."""
    if not _BASIC_DATE.fullmatch(value.strip()):
        return None
    try:
        return dt.date.fromisoformat(value.strip())
    except ValueError:
        return None


class KeyType(click.ParamType):
    """The id of an event, or a public key: in hex as events have it, or as in NIP-19."""

    def __init__(self, name: str, wanted: Wanted) -> None:
        self.name = name
        self._wanted = wanted

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Give its 64 hex digits."""
        try:
            return hex_of(value, self._wanted)
        except SecretKeyError as error:
            self.fail(str(error), param, ctx)
        except ValueError as error:
            self.fail(f"{value[:80]}: {error}", param, ctx)


class DurationType(click.ParamType):
    """A length of time as whole seconds: a number with its unit."""

    name = "DURATION"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Give seconds."""
        if isinstance(value, int):
            return value
        match = _DURATION.fullmatch(value)
        if match is None:
            self.fail(f"{value[:80]}: give a number from 1 on with s, m, h or d, such as 30m or 1h", param, ctx)
        return int(match[1]) * _UNITS_S[match[2]]


RELAY = RelayType()
MOMENT = MomentType()
DURATION = DurationType()
EVENT_ID = KeyType("ID", Wanted.EVENT_ID)
PUBLIC_KEY = KeyType("KEY", Wanted.PUBLIC_KEY)
