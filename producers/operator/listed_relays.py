"""Relay URLs that people list: what is one, what is none and why, and hosts where those are wanted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.relay_urls.registrable_domain import is_public_suffix
from schemas.relay_urls.relay_host import spell_host
from schemas.relay_urls.relay_url import RelayUrl, RelayUrlError, normalize

ALLOW_PRIVATE = "--allow-private"
"""The option by which a person says that relays on private addresses are meant."""


class RefusedUrl(NamedTuple):
    """An entry that is no relay URL: where it stands, what stands there, and why not."""

    place: str
    text: str
    reason: str


@dataclass(slots=True)
class RelayList:
    """What lists and arguments named: relays by normalised URL, in order, and what was refused.

    Attributes:
        hosts: those that were named without a scheme; None where each entry must be a URL.
        private_option: what lets relays on private addresses through, for messages.
    """

    relays: dict[str, RelayUrl] = field(default_factory=dict)
    refused: list[RefusedUrl] = field(default_factory=list)
    duplicates: int = 0
    hosts: list[str] | None = None
    private_option: str = ALLOW_PRIVATE


def parse_relays(
    lines: Iterable[str], name: str, *, allow_private: bool = False, into: RelayList | None = None
) -> RelayList:
    """Read a list: entries separated by lines, blanks or commas; `#` begins a comment where a word could begin.

    Args:
        lines: the text.
        name: of the file or argument, for places in messages.
        allow_private: let loopback and private addresses through: the operator's own relays.
        into: a list to go on with.
    """
    found = into if into is not None else RelayList()
    for number, line in enumerate(lines, 1):
        for text in line.replace(",", " ").split():
            if text.startswith("#"):
                break
            take_relay(text, f"{name}:{number}", allow_private=allow_private, into=found)
    return found


def take_relay(text: str, place: str, *, allow_private: bool = False, into: RelayList) -> None:
    """Add one entry to a list, or why it is none with the place where it stands."""
    try:
        if into.hosts is not None and "://" not in text:
            _take_host(text, into.hosts, into)
            return
        url = normalize(text, allow_private=allow_private)
    except RelayUrlError as error:
        remedy = f"; {into.private_option} lets it through, if it is a relay of yours" if _is_private(text) else ""
        into.refused.append(RefusedUrl(place, text, f"{error}{remedy}"))
        return
    if url.url in into.relays:
        into.duplicates += 1
    # The first spelling is the one to dial.
    into.relays.setdefault(url.url, url)


def _take_host(text: str, hosts: list[str], into: RelayList) -> None:
    host = spell_host(text, allow_private=True)[0].strip("[]")
    if is_public_suffix(host):
        raise RelayUrlError("host", "is no one owner's: name a host or a domain beneath it, or the URL of a relay")
    if host in hosts:
        into.duplicates += 1
    else:
        hosts.append(host)


def _is_private(text: str) -> bool:
    """Whether a text that was refused is a relay's URL for its operator."""
    try:
        normalize(text, allow_private=True)
    except RelayUrlError:
        return False
    return True
