"""Public keys and event ids as people copy them (NIP-19, with or without NIP-21's `nostr:`), to the hex of events."""

from __future__ import annotations

from enum import StrEnum

from schemas.nostr.event import ID_HEX
from schemas.nostr.wire import usable_id

MAX_LENGTH = 5000
"""NIP-19: longer texts should not be decoded."""


class Wanted(StrEnum):
    """What a text shall be."""

    EVENT_ID = "the id of an event"
    PUBLIC_KEY = "a public key"


class SecretKeyError(ValueError):
    """A secret key stands where something public is wanted: its text must not be shown."""


_PREFIXES = {
    "note": Wanted.EVENT_ID,
    "nevent": Wanted.EVENT_ID,
    "npub": Wanted.PUBLIC_KEY,
    "nprofile": Wanted.PUBLIC_KEY,
    "naddr": "an address of replaceable events",
    "nrelay": "a relay",
}
_WITH_TLV = ("nevent", "nprofile")
_FORMS = {Wanted.EVENT_ID: "note1… or nevent1…", Wanted.PUBLIC_KEY: "npub1… or nprofile1…"}
_SECRET = "sec1"  # noqa: S105 - ends the prefixes nsec (NIP-19) and ncryptsec (NIP-49); data has no 1 in it
_SCHEME = "nostr:"

_CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM_LENGTH = 6
"""Alphabet and checksum of bech32 (BIP-173). Its limit of 90 characters is not NIP-19's."""


def forms(wanted: Wanted) -> str:
    """Say how what is wanted may be written."""
    return f"{ID_HEX} lower-case hex digits, {_FORMS[wanted]}"


def is_encoded(text: str) -> bool:
    """Return whether a text begins as one of NIP-19's, right or wrong."""
    return _prefix(_bare(text)) in _PREFIXES or _SECRET in text.lower()


def hex_of(text: str, wanted: Wanted) -> str:
    """Return a public key or the id of an event as 64 lower-case hex digits, which may stand there so already.

    Raises:
        SecretKeyError: it is a secret key.
        ValueError: it is something else, or damaged. The message never repeats the text.
    """
    if usable_id(text) is not None:
        return text
    if _SECRET in text.lower():
        raise SecretKeyError(
            f"it is a secret key (nsec), which nothing here needs: keep it to yourself, and give {forms(wanted)}"
        )
    bare = _bare(text)
    prefix = _prefix(bare)
    found = _PREFIXES.get(prefix)
    if found is None:
        raise ValueError(f"it must be {forms(wanted)}")
    if found is not wanted:
        raise ValueError(f"it is {found} ({prefix}1…), and {wanted} is wanted: {forms(wanted)}")
    data = _decoded(bare)
    value = None if data is None else _special(data) if prefix in _WITH_TLV else data
    if value is None or len(value) != ID_HEX // 2:
        raise ValueError(f"it is no whole {prefix}1…: a character is wrong, too many or missing")
    return value.hex()


def _bare(text: str) -> str:
    return text[len(_SCHEME) :] if text[: len(_SCHEME)].lower() == _SCHEME else text


def _prefix(bare: str) -> str:
    prefix, separator, _ = bare.partition("1")
    return prefix.lower() if separator else ""


def _decoded(text: str) -> bytes | None:
    """The bytes in a bech32 text; None where its checksum or its form is wrong."""
    if len(text) > MAX_LENGTH or text not in (text.lower(), text.upper()):
        return None
    prefix, _, data = text.lower().rpartition("1")
    values = [_CHARSET.find(character) for character in data]
    if len(values) < _CHECKSUM_LENGTH or min(values) < 0:
        return None
    expanded = [*(ord(character) >> 5 for character in prefix), 0, *(ord(character) & 31 for character in prefix)]
    return _octets(values[:-_CHECKSUM_LENGTH]) if _polymod([*expanded, *values]) == 1 else None


def _polymod(values: list[int]) -> int:
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for place, generator in enumerate(_GENERATORS):
            checksum ^= generator if top >> place & 1 else 0
    return checksum


def _octets(values: list[int]) -> bytes | None:
    """Put numbers of 5 bits together; None where more than a part of one is left, or bits of it are set."""
    size, rest = divmod(5 * len(values), 8)
    number = 0
    for value in values:
        number = number << 5 | value
    if rest >= 5 or number & (1 << rest) - 1:  # noqa: PLR2004 - bits of a character
        return None
    return (number >> rest).to_bytes(size)


def _special(data: bytes) -> bytes | None:
    """The first entry of type 0 among types, lengths and values (TLV); other types, also unknown ones, are left out."""
    found, place = None, 0
    while place < len(data):
        entry = data[place + 2 : place + 2 + data[place + 1]] if place + 1 < len(data) else b""
        if place + 1 >= len(data) or len(entry) != data[place + 1]:
            return None
        if data[place] == 0 and found is None:
            found = entry
        place += 2 + len(entry)
    return found
