"""The relays that an event names, and where: tags, contact lists, texts, and what NIP-19 encodes in texts.

A mention says that the author of the event wrote a URL, not that the relay exists. Lists of blocked relays (kind 10006)
are left out, because their authors do not recommend what is in them. What strangers' events can cost is bounded: in the
number of URLs, in their characters, and in what is searched for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

import orjson

from schemas.nostr.event import Event
from schemas.nostr.nip19 import MAX_LENGTH, relays_of
from schemas.relay_urls.relay_url import MAX_URL_LENGTH, RelayUrl, RelayUrlError, normalize

MOST_MENTIONS = 64
"""Of one event: lists of relays have fewer, and a stranger's event may cost no more than so many new relays."""

_MOST_CHARACTERS = 4 * MAX_URL_LENGTH
"""Of the URLs of one event together, twice what 64 usual ones have: to escape a character takes 1 us."""

_CONTACTS = 3
_RECOMMENDED = 2
_URL_CONTENTS = (_CONTACTS, _RECOMMENDED)
"""The content of old contact lists is a JSON object whose names are relays; that of kind 2 (deprecated) is a relay."""
_BLOCKED = 10_006
MONITORED = 30_166
"""NIP-66: the relay that a monitor has looked at is in the `d` tag."""

_HINTED = ("e", "p", "a", "q", "E", "A", "P", "zap")
"""Tags whose item of the index 2 says where the event or the person is found: NIP-01, 10, 18, 22 and 57."""
_PLACES = dict.fromkeys(_HINTED, slice(2, 3)) | {
    "r": slice(1, 2),  # NIP-65, and NIP-51's groups
    "relay": slice(1, 2),  # NIP-51, and most others
    "relays": slice(1, None),  # NIP-53, 57 and 90
    "group": slice(2, 3),  # NIP-51
}
"""Which items of a tag are relays."""
_MONITOR_PLACES = _PLACES | {"d": slice(1, 2)}

_TEXT_URL = re.compile(
    r"(?<![A-Za-z0-9])[wW][sS]{1,2}://(?:\[[0-9A-Fa-f:.]{2,45}\])?[A-Za-z0-9\-._~:/?#@!$&+=%]*",
)
"""Without the brackets, commas, quotes and stars that texts put around URLs; other scripts end it, see `_of_text`."""
_URL_MARKS = ("ss://", "ws://", "Ws://", "S://")
"""One is in each text with such a URL, and none in most texts with URLs of the web."""
_MOST_TEXT_URLS = 4 * MOST_MENTIONS
"""That are looked at in one text, where many are equal; 0.3 ms."""
_CUT_OFF = ("..", "\u2026")
"""What programs end a text with that they show in part."""
_ENCODED = re.compile(r"(?<![A-Za-z0-9])(?:nprofile|nevent|naddr|nrelay)1[02-9ac-hj-np-z]+")
_ENCODED_MARKS = ("nprofile1", "nevent1", "naddr1", "nrelay1")
_MOST_ENCODED = 2 * MAX_LENGTH
"""Characters of an event that are decoded: 40 usual ones, or two of the longest; 1 ms."""

_KNOWN = 8192
"""Spellings that are remembered: more than the relays that are in use."""
_LONGEST_KNOWN = 128
"""Characters of one; so all take 10 MB usually, and 30 MB where strangers choose them."""


class Mention(NamedTuple):
    """One relay in one place of an event.

    Attributes:
        url: normalised.
        spelling: as it stands in the event, without white space around it.
        place: kind and tag (`10002 r`), kind and content (`3 content`), tag and hint (`e hint`), `text`, or the prefix
            of what NIP-19 encodes (`nevent`).
    """

    url: RelayUrl
    spelling: str
    place: str


def mentions(event: Event, *, allow_private: bool = False) -> list[Mention]:
    """Find the relays that an event names. Never raises.

    Args:
        event: as parsed; its signature is the caller's matter.
        allow_private: let private addresses and local names through; link-local addresses never.

    Returns:
        Each pair of spelling and place once; what is no URL of a relay is left out. Of the pairs and of their
        characters, only the first `MOST_MENTIONS` and `_MOST_CHARACTERS` are looked at.
    """
    if event.kind == _BLOCKED:
        return []
    tried: set[tuple[str, str]] = set()
    found, left = [], _MOST_CHARACTERS
    for given, place in _candidates(event):
        text = given.strip()
        if (text, place) in tried:
            continue
        left -= len(text)
        if len(tried) == MOST_MENTIONS or left < 0:
            break
        tried.add((text, place))
        normalized = _known if len(text) <= _LONGEST_KNOWN else _normalized
        if (url := normalized(text, allow_private)) is not None:
            found.append(Mention(url, text, place))
    return found


def _candidates(event: Event) -> Iterator[tuple[str, str]]:
    """Give every text that begins as a URL of a relay does, with its place."""
    kind, content = event.kind, event.content
    places = _MONITOR_PLACES if kind == MONITORED else _PLACES
    for tag in event.tags:
        if tag and (items := places.get(tag[0])) is not None:
            for text in tag[items]:
                if _may_be(text):
                    yield text, f"{tag[0]} hint" if tag[0] in _HINTED else f"{kind} {tag[0]}"
    if kind in _URL_CONTENTS:
        for text in _keys(content) if kind == _CONTACTS else (content,):
            if _may_be(text):
                yield text, f"{kind} content"
    else:
        yield from _of_text(content)


def _of_text(text: str) -> Iterator[tuple[str, str]]:
    if "://" in text and any(map(text.__contains__, _URL_MARKS)):
        for match in islice(_TEXT_URL.finditer(text), _MOST_TEXT_URLS):
            url, after = match[0], text[match.end() : match.end() + 1]
            # Of `wss://relay.bücher.example` and `wss://relay.exam…` only a part is at hand, which is another host.
            if not (after.isalnum() or after in _CUT_OFF or url.endswith(_CUT_OFF)) and _may_be(url):
                yield url.rstrip(".:!?&"), "text"
    if any(map(text.__contains__, _ENCODED_MARKS)):
        left = _MOST_ENCODED
        for match in _ENCODED.finditer(text):
            encoded = match[0]
            left -= len(encoded)
            if left < 0:
                break
            for url in relays_of(encoded):
                if _may_be(url):
                    yield url, encoded.partition("1")[0]


def _keys(content: str) -> list[str]:
    """The names of a JSON object; none of anything else."""
    if not content.startswith("{"):
        return []
    try:
        found = orjson.loads(content)
    except ValueError:
        return []
    return list(found) if isinstance(found, dict) else []


def _may_be(text: str) -> bool:
    """Whether a text is no longer than a URL of a relay, and begins like one; nearly all others end here."""
    return len(text) <= MAX_URL_LENGTH and text.lstrip()[:2].lower() == "ws"


def _normalized(text: str, allow_private: bool) -> RelayUrl | None:  # noqa: FBT001 - as a cache wants it
    try:
        return normalize(text, allow_private=allow_private)
    except RelayUrlError:
        return None


_known = lru_cache(maxsize=_KNOWN)(_normalized)
