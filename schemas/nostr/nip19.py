"""What people copy instead of hex (NIP-19, with or without NIP-21's `nostr:`): keys, event ids, addresses, relays."""

from __future__ import annotations

from enum import StrEnum
from functools import reduce
from operator import xor

from schemas.nostr.address import ADDRESS_FORM, Address, checked, parse_address
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
_SPECIAL = 0
_RELAY = 1
_AUTHOR = 2
_KIND = 3
"""Types of NIP-19's entries; what they hold is relative to the prefix for the first."""
_KIND_BYTES = 4
_FORMS = {Wanted.EVENT_ID: "note1… or nevent1…", Wanted.PUBLIC_KEY: "npub1… or nprofile1…"}
_SECRET = "sec1"  # noqa: S105 - ends the prefixes nsec (NIP-19) and ncryptsec (NIP-49); data has no 1 in it
_SCHEME = "nostr:"

_CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM_LENGTH = 6
"""Alphabet and checksum of bech32 (BIP-173). Its limit of 90 characters is not NIP-19's."""
_VALUES = {character: value for value, character in enumerate(_CHARSET)}
_DIGITS = str.maketrans(_CHARSET, "0123456789abcdefghijklmnopqrstuv")
"""To the digits that `int` reads with the base 32, which takes time in proportion to the length."""
_STEPS = tuple(
    reduce(xor, (generator for place, generator in enumerate(_GENERATORS) if top >> place & 1), 0) for top in range(32)
)
"""What the checksum changes by for each value of its top 5 bits."""


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


def read_address(text: str) -> Address:
    """Return the address in an naddr, or in `kind:pubkey:d`.

    Raises:
        ValueError: it is something else, damaged, or an address that no event can have. The message never repeats the
            text.
    """
    bare = _bare(text)
    if (prefix := _prefix(bare)) != "naddr":
        if prefix in _PREFIXES and ":" not in bare:
            raise ValueError(f"it is {_PREFIXES[prefix]} ({prefix}1…), and an address is wanted: {ADDRESS_FORM}")
        return parse_address(text)
    data = _decoded(bare)
    entries = dict(reversed((None if data is None else _entries(data)) or []))  # the first of each type counts
    author, kind, d = entries.get(_AUTHOR, b""), entries.get(_KIND, b""), entries.get(_SPECIAL)
    try:
        if d is not None and len(author) == ID_HEX // 2 and len(kind) == _KIND_BYTES:
            return checked(Address(int.from_bytes(kind), author.hex(), d.decode()))
    except UnicodeDecodeError:
        pass
    raise ValueError("it is no whole naddr1…: a character is wrong, too many or missing, or it lacks kind, author or d")


def _bare(text: str) -> str:
    return text[len(_SCHEME) :] if text[: len(_SCHEME)].lower() == _SCHEME else text


def _prefix(bare: str) -> str:
    prefix, separator, _ = bare.partition("1")
    return prefix.lower() if separator else ""


def relays_of(text: str) -> list[str]:
    """Return the relays that an nprofile, nevent, naddr or nrelay names, as it spells them; none if it is damaged.

    The checksum, which takes most of the time, is looked at only where there is a relay.

    Args:
        text: in lower case, without `nostr:`.
    """
    data = _octets(text) if len(text) <= MAX_LENGTH else None
    entries = None if data is None else _entries(data)
    wanted = _SPECIAL if _prefix(text) == "nrelay" else _RELAY
    relays = [value.decode() for entry, value in entries or () if entry == wanted and value.isascii()]
    return relays if relays and _is_whole(text) else []


def _decoded(text: str) -> bytes | None:
    """The bytes in a bech32 text; None where its checksum or its form is wrong."""
    if len(text) > MAX_LENGTH or text not in (text.lower(), text.upper()):
        return None
    text = text.lower()
    data = _octets(text)
    return data if data is not None and _is_whole(text) else None


def _octets(text: str) -> bytes | None:
    """Put the characters' 5 bits together; None where one is not of the alphabet, or bits are left over."""
    data = text.rpartition("1")[2]
    if len(data) < _CHECKSUM_LENGTH or not _VALUES.keys() >= set(data):
        return None
    digits = data[:-_CHECKSUM_LENGTH].translate(_DIGITS)
    size, rest = divmod(5 * len(digits), 8)
    number = int(digits or "0", 32)
    if rest >= 5 or number & (1 << rest) - 1:  # noqa: PLR2004 - bits of a character
        return None
    return (number >> rest).to_bytes(size)


def _is_whole(text: str) -> bool:
    """Whether the checksum is right."""
    prefix, _, data = text.rpartition("1")
    codes = [ord(character) for character in prefix]
    checksum = 1
    for value in (*(code >> 5 for code in codes), 0, *(code & 31 for code in codes), *map(_VALUES.__getitem__, data)):
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value ^ _STEPS[checksum >> 25]
    return checksum == 1


def _special(data: bytes) -> bytes | None:
    """The first entry of type 0; other types, also unknown ones, are left out."""
    return next((value for entry, value in _entries(data) or () if entry == _SPECIAL), None)


def _entries(data: bytes) -> list[tuple[int, bytes]] | None:
    """Types and values, from types, lengths and values (TLV); None where the last is cut off."""
    entries, place = [], 0
    while place < len(data):
        value = data[place + 2 : place + 2 + data[place + 1]] if place + 1 < len(data) else b""
        if place + 1 >= len(data) or len(value) != data[place + 1]:
            return None
        entries.append((data[place], value))
        place += 2 + len(value)
    return entries
