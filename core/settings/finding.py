"""The groups of settings by which relays are found: a list of seeds, and HTTP APIs."""

from __future__ import annotations

from pydantic import Field

from core.settings.groups import MIB, Group, PositiveFloat
from core.settings.types import DecodedList


class SeederSettings(Group):
    """Which relays an archive begins with."""

    list: str | None = Field(
        None,
        min_length=1,
        description="A file or https:// URL with relays, text or JSON; unset: the list of the program",
    )
    interval_s: float = Field(
        86_400.0, ge=60.0, allow_inf_nan=False, description="Seconds until the list is read again"
    )
    allow_private: bool = Field(
        default=False,
        description="Let the relays of the list, and a server that it comes from, have private addresses; HTTP too",
    )


class FinderSource(Group):
    """One HTTP API that lists relays."""

    url: str = Field(min_length=1, description="https:// URL that answers with JSON")
    expression: str = Field("[]", min_length=1, description="JMESPath that gives an array of URLs")
    interval_s: float = Field(3600.0, ge=60.0, allow_inf_nan=False, description="Seconds between two requests")


class FinderSettings(Group):
    """Which HTTP APIs are asked for relays."""

    sources: DecodedList[FinderSource] = Field(
        default_factory=list,
        max_length=16,
        description="APIs to ask, a list of `{url, expression, interval_s}`: `expression` (`[]`) is JMESPath that "
        "finds the array of URLs, `interval_s` (3600) the seconds between two requests",
    )
    timeout_s: PositiveFloat = Field(30.0, description="Time for an answer with all redirects, in seconds")
    max_bytes: int = Field(
        4 * MIB,
        ge=1024,
        le=64 * MIB,
        description="A longer answer, in bytes, is not taken; one takes 20 times that while it is read",
    )
    allow_private: bool = Field(
        default=False, description="Let the APIs, never what they list, have private addresses; HTTP too"
    )
