"""Lists that authors keep: of the relays that they use (NIP-65, NIP-51, NIP-17), and of the people that they follow."""

from __future__ import annotations

from typing import NamedTuple

from schemas.nostr.event import Event
from schemas.nostr.wire import usable_id
from schemas.relay_urls.relay_url import RelayUrlError, normalize

READ_WRITE_KIND = 10_002
"""NIP-65: the relays that an author writes to and reads from."""
RELAY_LIST_KINDS = (READ_WRITE_KIND, 10_006, 10_007, 10_012, 10_050)
"""Beside it, by their `relay` tags: blocked relays, relays to search, favourites, and relays for direct messages."""
MOST_RELAYS = 64
"""Of a list that are given; people have a few, and normalising a URL takes 20 us."""


class ListedRelay(NamedTuple):
    """A relay of a list: its normalised URL, and what NIP-65 says it is for; both are true in other lists."""

    url: str
    read: bool
    write: bool


class RelayList(NamedTuple):
    """The relays of a list, each once, in its order.

    Attributes:
        relays: those with a public URL, at most `MOST_RELAYS`.
        left_out: entries that are no URL of a public relay, repeat one, or are beyond that number.
    """

    relays: tuple[ListedRelay, ...]
    left_out: int


def parse_relay_list(event: Event) -> RelayList:
    """Read the relays of a list; never raises."""
    name = "r" if event.kind == READ_WRITE_KIND else "relay"
    found: dict[str, ListedRelay] = {}
    entries = [tag for tag in event.tags if len(tag) > 1 and tag[0] == name]
    for tag in entries[: 2 * MOST_RELAYS]:
        url = _public(tag[1])
        if url is not None and url not in found and len(found) < MOST_RELAYS:
            marker = tag[2] if name == "r" and len(tag) > 2 else ""  # noqa: PLR2004 - name, URL, marker
            found[url] = ListedRelay(url, read=marker != "write", write=marker != "read")
    return RelayList(tuple(found.values()), len(entries) - len(found))


def follows(event: Event) -> list[str]:
    """The public keys (hex) that a list of follows (kind 3, NIP-02) names, each once, in its order."""
    named = (tag[1] for tag in event.tags if len(tag) > 1 and tag[0] == "p")
    return list(dict.fromkeys(key for key in named if usable_id(key) is not None))


def _public(url: str) -> str | None:
    try:
        return normalize(url).url
    except RelayUrlError:
        return None
