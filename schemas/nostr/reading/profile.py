"""Profiles (kind 0): what an author says of itself, whatever shape it gives it.

A member that has the wrong type is left out by itself; the others hold. What is taken is bounded.
"""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from schemas.nostr.event import Event

LONGEST_CONTENT = 65_536
"""Characters that are parsed: profiles have less than a thousand, and parsing more takes a millisecond."""
LONGEST_TEXT = 4096
"""Characters of a text that are kept: descriptions have a few hundred."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What an author says of itself; None: not said, or not in a way that can be understood (NIP-01, NIP-24).

    Attributes:
        nip05: an internet identifier, as it is claimed; it is not verified.
        lud06: of a Lightning wallet (LNURL).
        lud16: the same as an address.
        bot: says that it is a program.
    """

    name: str | None = None
    display_name: str | None = None
    about: str | None = None
    picture: str | None = None
    banner: str | None = None
    website: str | None = None
    nip05: str | None = None
    lud06: str | None = None
    lud16: str | None = None
    bot: bool | None = None


def parse_profile(event: Event) -> Profile:
    """Read the profile in an event of kind 0; never raises."""
    found = _object(event.content)
    bot = found.get("bot")
    return Profile(
        name=_text(found.get("name")),
        display_name=_text(found.get("display_name")),
        about=_text(found.get("about")),
        picture=_text(found.get("picture")),
        banner=_text(found.get("banner")),
        website=_text(found.get("website")),
        nip05=_text(found.get("nip05")),
        lud06=_text(found.get("lud06")),
        lud16=_text(found.get("lud16")),
        bot=bot if isinstance(bot, bool) else None,
    )


def _object(content: str) -> dict[str, object]:
    if len(content) > LONGEST_CONTENT:
        return {}
    try:
        found = orjson.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _text(value: object) -> str | None:
    return value[:LONGEST_TEXT] if isinstance(value, str) and value else None
