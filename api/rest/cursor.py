"""Cursors of pages: opaque to clients, the key to read on below for us."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from http import HTTPStatus

import orjson

from api.rest.problem import ProblemError
from core.archive.event_query import BIGINT_MAX, Key
from schemas.nostr.wire import usable_id


def encode_cursor(*key: int | str) -> str:
    """Write the key of the last row of a page."""
    return urlsafe_b64encode(orjson.dumps(key)).rstrip(b"=").decode()


def decode_cursor(text: str, *types: type) -> list[int | str]:
    """Read a cursor whose parts have these types; integers fit PostgreSQL's bigint.

    Raises:
        ProblemError: it is none of ours for this list.
    """
    try:
        key = orjson.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError):
        key = None
    if not isinstance(key, list) or [type(part) for part in key] != list(types) or not all(map(_fits, key)):
        raise _no_cursor()
    return key


def encode_key(key: Key) -> str:
    """Write the key of an event."""
    return encode_cursor(key.created_at, key.id.hex())


def decode_key(text: str) -> Key:
    """Read a cursor of `encode_key`.

    Raises:
        ProblemError: it is none.
    """
    created_at, event_id = decode_cursor(text, int, str)
    if (id_hex := usable_id(event_id)) is None:
        raise _no_cursor()
    return Key(int(created_at), bytes.fromhex(id_hex))


def _fits(part: int | str) -> bool:
    # PostgreSQL's text has no U+0000.
    return "\0" not in part if isinstance(part, str) else -BIGINT_MAX <= part <= BIGINT_MAX


def _no_cursor() -> ProblemError:
    detail = "cursor: is no cursor of this list; give `next` of a page as it was, or leave it out"
    return ProblemError(HTTPStatus.BAD_REQUEST, detail, parameter="cursor")
