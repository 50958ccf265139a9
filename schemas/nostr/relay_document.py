"""Relay information documents (NIP-11): what relays say of themselves, whatever shape they give it.

Every member is optional, and wrong ones are common: numbers as strings, keys as npub, `null` for an object. A member
that cannot be understood is left out by itself; the others hold. What is taken is bounded, and no text holds what
PostgreSQL and JSON refuse.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from schemas.json_text.exact import decode_exactly
from schemas.nostr.kinds import MAX_KIND
from schemas.nostr.nip19 import Wanted, hex_of
from schemas.reasons import EventError

LONGEST_TEXT = 4096
"""Characters of a text that are kept: descriptions have a few hundred, policies are links."""
LONGEST_WORD = 100
"""Characters of a tag, language or country; a longer one is left out."""
MOST_WORDS = 64
"""Of one list: relays name a handful."""
MOST_NIPS = 256
"""There are about a hundred NIPs; a relay that names more than this does not mean it."""
MOST_KINDS = 512
"""Of a list of kinds: a third of those that NIPs define."""
_LARGEST = 2**63 - 1
"""What a `bigint` of PostgreSQL holds; larger numbers are no limit."""
_CHARSETS = {
    "iso-8859-1": "cp1252",  # as browsers read it
    "latin1": "cp1252",
    "windows-1252": "cp1252",
    "windows-1251": "cp1251",
    "koi8-r": "koi8_r",
    "shift_jis": "shift_jis",
    "euc-jp": "euc_jp",
    "euc-kr": "euc_kr",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "gb18030": "gb18030",
    "big5": "big5",
}
"""Python knows more, some of which are no character sets (`zip`) or take quadratic time (`punycode`), and it remembers
every name that it does not know."""
_NIP = re.compile(r"(?:nip[ -]?)?0{0,4}([1-9][0-9]{0,3})", re.IGNORECASE)
_NAMED_NIP = re.compile(r"(?:nip[ -]?)?([0-9A-F]{2})", re.IGNORECASE)
"""Newer NIPs have two hexadecimal digits for a name, such as 7D and C0."""
_DIGITS = re.compile(r"[0-9]{1,19}")
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_UNUSABLE = re.compile("[\x00\ud800-\udfff]")
"""NUL and halves of surrogate pairs, which neither UTF-8 nor a `text` of PostgreSQL holds."""


class NotADocumentError(ValueError):
    """A text is no relay information document; the message says what it is instead and never repeats it."""


@dataclass(frozen=True, slots=True)
class Limitation:
    """The member `limitation`; None: not said, or not in a way that can be understood."""

    max_message_length: int | None = None
    max_subscriptions: int | None = None
    max_limit: int | None = None
    default_limit: int | None = None
    max_subid_length: int | None = None
    max_event_tags: int | None = None
    max_content_length: int | None = None
    max_filters: int | None = None
    min_pow_difficulty: int | None = None
    created_at_lower_limit: int | None = None
    created_at_upper_limit: int | None = None
    auth_required: bool | None = None
    payment_required: bool | None = None
    restricted_writes: bool | None = None


@dataclass(frozen=True, slots=True)
class RelayInformation:
    """What a relay says of itself.

    Attributes:
        pubkey: of its operator, in hex; npub is understood.
        self_pubkey: the relay's own (`self`).
        supported_nips: by number, ascending.
        named_nips: those with a name of two hexadecimal digits that is no number, such as `7D`, ascending.
        fees: the purposes that it takes a fee for, such as `admission`, ascending.
        negentropy: the version of the protocol (NIP-77), which strfry names.
        countries: `relay_countries`, in upper case.
        languages: `language_tags`.
        kinds: that it says it takes, ascending.
    """

    name: str | None = None
    description: str | None = None
    banner: str | None = None
    icon: str | None = None
    pubkey: str | None = None
    self_pubkey: str | None = None
    contact: str | None = None
    supported_nips: tuple[int, ...] = ()
    named_nips: tuple[str, ...] = ()
    software: str | None = None
    version: str | None = None
    limitation: Limitation = Limitation()
    fees: tuple[str, ...] = ()
    payments_url: str | None = None
    terms_of_service: str | None = None
    posting_policy: str | None = None
    privacy_policy: str | None = None
    negentropy: int | None = None
    tags: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    kinds: tuple[int, ...] = ()


def content_hash(body: bytes) -> str:
    """The key of a document in `relays.documents`: the SHA-256 of its bytes as they were sent, in hex."""
    return sha256(body).hexdigest()


def document_text(body: bytes, charset: str | None = None) -> str:
    """The bytes of a document as text, without a byte order mark. Every sequence of bytes is some text.

    JSON is UTF-8, or UTF-16 or UTF-32 as its first bytes show (RFC 8259, RFC 4627), whatever the answer's header says;
    that one is asked where they are not. What is no character in any of them becomes U+FFFD.

    Args:
        body: as sent.
        charset: that the answer names, in any case.
    """
    for encoding in (json.detect_encoding(body), _CHARSETS.get((charset or "").strip().lower())):
        if encoding is not None:
            try:
                return body.decode(encoding).removeprefix("\ufeff")
            except UnicodeDecodeError:
                pass
    return body.decode(errors="replace")


def parse_document(text: str) -> RelayInformation:
    """Read a document.

    Raises:
        NotADocumentError: it is no JSON object.
    """
    try:
        found = decode_exactly(text.strip("\ufeff").encode("utf-8", "replace"))
    except EventError as error:
        raise NotADocumentError(str(error)) from None
    if type(found) is not dict:
        raise NotADocumentError(f"is JSON, and no object but a {type(found).__name__}")
    nips = _list(found.get("supported_nips"))
    return RelayInformation(
        name=_text(found.get("name")),
        description=_text(found.get("description")),
        banner=_text(found.get("banner")),
        icon=_text(found.get("icon")),
        pubkey=_pubkey(found.get("pubkey")),
        self_pubkey=_pubkey(found.get("self")),
        contact=_text(found.get("contact")),
        supported_nips=tuple(sorted(set(_numbers(nips)))[:MOST_NIPS]),
        named_nips=tuple(sorted(set(_names(nips)))),
        software=_text(found.get("software")),
        version=_text(found.get("version")),
        limitation=_limitation(_object(found.get("limitation"))),
        fees=_fees(_object(found.get("fees"))),
        payments_url=_text(found.get("payments_url")),
        terms_of_service=_text(found.get("terms_of_service")),
        posting_policy=_text(found.get("posting_policy")),
        privacy_policy=_text(found.get("privacy_policy")),
        negentropy=_int(found.get("negentropy")),
        tags=_words(found.get("tags")),
        countries=tuple(dict.fromkeys(each.upper() for each in _words(found.get("relay_countries")))),
        languages=_words(found.get("language_tags")),
        attributes=_words(found.get("attributes")),
        kinds=_kinds(_list(found.get("kinds"))),
    )


def _limitation(found: Mapping[str, Any]) -> Limitation:
    return Limitation(
        max_message_length=_int(found.get("max_message_length")),
        max_subscriptions=_int(found.get("max_subscriptions")),
        max_limit=_int(found.get("max_limit")),
        default_limit=_int(found.get("default_limit")),
        max_subid_length=_int(found.get("max_subid_length")),
        max_event_tags=_int(found.get("max_event_tags")),
        max_content_length=_int(found.get("max_content_length")),
        max_filters=_int(found.get("max_filters")),
        min_pow_difficulty=_int(found.get("min_pow_difficulty")),
        created_at_lower_limit=_int(found.get("created_at_lower_limit")),
        created_at_upper_limit=_int(found.get("created_at_upper_limit")),
        auth_required=_bool(found.get("auth_required")),
        payment_required=_bool(found.get("payment_required")),
        restricted_writes=_bool(found.get("restricted_writes")),
    )


def _fees(found: Mapping[str, Any]) -> tuple[str, ...]:
    """The purposes whose list is not empty."""
    return tuple(sorted(name for name in ("admission", "publication", "subscription") if _list(found.get(name))))


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    """A list, or one value that stands where a list should; null is none."""
    return value if isinstance(value, list) else [] if value is None else [value]


def _text(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    return _UNUSABLE.sub("\ufffd", value[:LONGEST_TEXT]).strip() or None


def _words(value: object) -> tuple[str, ...]:
    found = dict.fromkeys(
        word for each in _list(value) if isinstance(each, str) and len(each) <= LONGEST_WORD and (word := _text(each))
    )
    return tuple(found)[:MOST_WORDS]


def _int(value: object) -> int | None:
    """A number that is no less than 0; a text of digits and a fraction of zero are forgiven, true is no number."""
    if (isinstance(value, str) and _DIGITS.fullmatch(value.strip())) or (
        isinstance(value, float) and value.is_integer()
    ):
        value = int(value)
    return value if type(value) is int and 0 <= value <= _LARGEST else None


def _bool(value: object) -> bool | None:
    """True or false; their names and 0 and 1 are forgiven."""
    if isinstance(value, bool):
        return value
    text = value if isinstance(value, str) else str(_int(value))
    return _BOOLEANS.get(text.strip().lower())


def _pubkey(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    try:
        return hex_of(value.strip().lower(), Wanted.PUBLIC_KEY)
    except ValueError:
        return None


def _numbers(nips: list[Any]) -> Iterator[int]:
    for each in nips:
        match = _NIP.fullmatch(str(number)) if (number := _int(each)) is not None else _nip(_NIP, each)
        if match is not None:
            yield int(match[1])


def _names(nips: list[Any]) -> Iterator[str]:
    for each in nips:
        match = _nip(_NAMED_NIP, each)
        if match is not None and not match[1].isdigit():
            yield match[1].upper()


def _nip(pattern: re.Pattern[str], value: object) -> re.Match[str] | None:
    return pattern.fullmatch(value.strip()) if isinstance(value, str) else None


def _kinds(found: list[Any]) -> tuple[int, ...]:
    kinds = {kind for each in found if (kind := _int(each)) is not None and kind <= MAX_KIND}
    return tuple(sorted(kinds)[:MOST_KINDS])
