"""Lists of relay URLs as people and programs keep them: text with a URL a line, or JSON.

JSON is an array of URLs, or of objects such as nostr.watch's with a URL in each; or an object with such an array.
"""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path

import orjson

from producers.files.file_format import HEAD_BYTES, UnreadableFormatError, format_of
from producers.operator.listed_relays import RefusedUrl, RelayList, parse_relays, take_relay
from schemas.reasons import shape

_MOST_BYTES = 16 * 1024 * 1024
"""Some hundred thousand URLs; Nostr has a few thousand relays. What is larger is another file."""
_MOST_ENTRIES = 50_000
"""Each takes 20 us and, where it is no URL, 400 bytes: what has more is read for minutes and fills the memory."""
_ENTRY = re.compile(r"[^\s,]+")
_SHOWN = 80
"""Characters of an entry that is no URL."""
_ARRAY = "relays"
"""The member that holds the array of a list that is an object, as in nostr.watch's `relays.json`."""
_URLS = ("url", "relay", "relay_url", "relayUrl")
"""Members that hold the URL of an entry that is an object; the first that is text counts."""


class RelayListError(ValueError):
    """A list that cannot be read as a whole; the message states what it is and what would be right."""


def read_relay_file(path: Path, *, allow_private: bool = False, into: RelayList) -> None:
    """Read a file, UTF-8 with or without a byte order mark, into a list.

    Raises:
        RelayListError: it is no list of URLs.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        data = file.read(_MOST_BYTES + 1)
    parse_relay_bytes(data, str(path), allow_private=allow_private, into=into)


def parse_relay_bytes(data: bytes, name: str, *, allow_private: bool = False, into: RelayList) -> None:
    """Read what a file or a server holds, as `parse_relay_text` reads text.

    Raises:
        RelayListError: it is no list of URLs, or larger than any.
    """
    if (found := format_of(data[:HEAD_BYTES])) is not None:
        raise RelayListError(f"{name}: {UnreadableFormatError(found)}")
    if len(data) > _MOST_BYTES:
        raise RelayListError(f"{name}: is larger than {_MOST_BYTES} bytes: that is no list of relays")
    parse_relay_text(data.decode("utf-8-sig", "replace"), name, allow_private=allow_private, into=into)


def parse_relay_text(text: str, name: str, *, allow_private: bool = False, into: RelayList) -> None:
    """Read a list: JSON, or else what `parse_relays` reads.

    Args:
        text: the list.
        name: of the file, argument or variable, for places in messages.
        allow_private: let loopback and private addresses through: the operator's own relays.
        into: the list to go on with.

    Raises:
        RelayListError: it begins as JSON and is no list, or has more entries than any.
    """
    start = text.lstrip()[:1]
    if start not in ("[", "{"):
        _check_entries(sum(1 for _ in islice(_ENTRY.finditer(text), _MOST_ENTRIES + 1)), name)
        parse_relays(text.splitlines(), name, allow_private=allow_private, into=into)
        return
    try:
        entries = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise RelayListError(
            f"{name}: begins with {start} and is not JSON at line {error.lineno}, column {error.colno}: give a JSON "
            "array of URLs, or a URL a line"
        ) from None
    take_entries(entries, name, allow_private=allow_private, into=into)


def take_entries(entries: object, name: str, *, allow_private: bool = False, into: RelayList) -> None:
    """Add the relays of decoded JSON to a list.

    Args:
        entries: an array of URLs, of objects with a URL in each, or an object with such an array.
        name: as of `parse_relay_text`.
        allow_private: as of `parse_relay_text`.
        into: the list to go on with.

    Raises:
        RelayListError: it is none of these, or has more entries than any list.
    """
    found = entries.get(_ARRAY) if isinstance(entries, dict) else entries
    if not isinstance(found, list):
        raise RelayListError(
            f"{name}: is {shape(entries)}: give a JSON array of URLs, an object with one in `{_ARRAY}`, or a URL a line"
        )
    _check_entries(len(found), name)
    for number, entry in enumerate(found, 1):
        place = f"{name}: entry {number}"
        if (url := _url_of(entry)) is not None:
            take_relay(url.strip(), place, allow_private=allow_private, into=into)
        else:
            reason = f"is {shape(entry)}; each entry must be the URL of a relay as text, or an object with it in `url`"
            into.refused.append(RefusedUrl(place, _shown(entry), reason))


def _check_entries(count: int, name: str) -> None:
    if count > _MOST_ENTRIES:
        raise RelayListError(f"{name}: has more than {_MOST_ENTRIES} entries: that is no list of relays")


def _shown(entry: object) -> str:
    try:
        return orjson.dumps(entry).decode()[:_SHOWN]
    except orjson.JSONEncodeError:  # orjson reads what is nested more deeply than it writes
        return "[…]"


def _url_of(entry: object) -> str | None:
    if isinstance(entry, dict):
        return next((url for member in _URLS if isinstance(url := entry.get(member), str)), None)
    return entry if isinstance(entry, str) else None
