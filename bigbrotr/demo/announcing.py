"""Tells the services of a demo of its relays: of all, or of one from which the others are found."""

from __future__ import annotations

from collections.abc import Sequence

from bigbrotr.supervise.read_relays import discovering, reading_only
from core.settings import Settings
from producers.operator.relay_commands import adding, commanding, publish_commands, replacing
from schemas.relay_urls.relay_url import RelayUrl, normalize

_NO_RELAYS = ("example.com", "example.edu", "example.net", "example.org")
"""The domains that the generated events name, which are reserved for examples (RFC 2606): nothing is asked there."""


def told_of(settings: Settings, urls: Sequence[str]) -> Settings:
    """Have these relays read and no others."""
    return reading_only(settings, _parsed(urls), allow_private=True)


def finding(settings: Settings) -> Settings:
    """Let relays on this machine be found."""
    return discovering(settings, allow_private=True)


async def seed(settings: Settings, urls: Sequence[str]) -> None:
    """Name these relays to the registry as a list of seeds does."""
    await publish_commands(settings, commanding("deny", _NO_RELAYS, "a domain for examples"), replacing)
    await publish_commands(settings, adding(_parsed(urls), source="seed", allow_private=True), replacing)


def _parsed(urls: Sequence[str]) -> list[RelayUrl]:
    return [normalize(url, allow_private=True) for url in urls]
