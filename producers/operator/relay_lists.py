"""Lists of relay URLs as people keep them: text with a URL a line, or a JSON array."""

from __future__ import annotations

from pathlib import Path

import orjson

from producers.files.file_format import HEAD_BYTES, UnreadableFormatError, format_of
from producers.operator.publish import RefusedUrl, RelayList, parse_relays, take_relay
from schemas.reasons import shape

_MOST_BYTES = 16 * 1024 * 1024
"""Some hundred thousand URLs; Nostr has a few thousand relays. What is larger is another file."""
_SHOWN = 80
"""Characters of an entry that is no URL."""


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
    if (found := format_of(data[:HEAD_BYTES])) is not None:
        raise RelayListError(f"{path}: {UnreadableFormatError(found)}")
    if len(data) > _MOST_BYTES:
        raise RelayListError(f"{path}: is larger than {_MOST_BYTES} bytes: that is no list of relays")
    parse_relay_text(data.decode("utf-8-sig", "replace"), str(path), allow_private=allow_private, into=into)


def parse_relay_text(text: str, name: str, *, allow_private: bool = False, into: RelayList) -> None:
    """Read a list: a JSON array of URLs, or else what `parse_relays` reads.

    Args:
        text: the list.
        name: of the file, argument or variable, for places in messages.
        allow_private: let loopback and private addresses through: the operator's own relays.
        into: the list to go on with.

    Raises:
        RelayListError: it begins as JSON and is no array.
    """
    start = text.lstrip()[:1]
    if start not in ("[", "{"):
        parse_relays(text.splitlines(), name, allow_private=allow_private, into=into)
        return
    try:
        entries = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise RelayListError(
            f"{name}: begins with {start} and is not JSON at line {error.lineno}, column {error.colno}: give a JSON "
            "array of URLs, or a URL a line"
        ) from None
    if not isinstance(entries, list):
        raise RelayListError(f"{name}: is {shape(entries)}: give a JSON array of URLs, or a URL a line")
    for number, entry in enumerate(entries, 1):
        place = f"{name}: entry {number}"
        if isinstance(entry, str):
            take_relay(entry.strip(), place, allow_private=allow_private, into=into)
        else:
            reason = f"is {shape(entry)}; each entry must be the URL of a relay as text"
            into.refused.append(RefusedUrl(place, orjson.dumps(entry).decode()[:_SHOWN], reason))
