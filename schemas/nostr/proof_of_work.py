"""Proof of work (NIP-13): leading zero bits of an event's id, for which a tag `nonce` is tried out."""

from __future__ import annotations

from hashlib import sha256

from schemas.nostr.event import Event
from schemas.nostr.event_id import compute_id, serialize

_ID_BITS = 256
_NONCE_DIGITS = 12
"""Of one width, so that what stands before and behind it is serialised once."""


def leading_zero_bits(event_id: str) -> int:
    """How much work an id of 64 hex digits shows."""
    return _ID_BITS - int(event_id, 16).bit_length()


def work(unsigned: Event, bits: int, first: int, tries: int) -> Event | None:
    """Try nonces for an event that is not signed yet; one takes about a microsecond, and 2**bits are needed on average.

    Args:
        unsigned: without a tag `nonce`.
        bits: that its id is to begin with, zeros.
        first: nonce to try; go on from there where this found none.
        tries: of nonces.

    Returns:
        The event with its tag and id, to be signed; None where no nonce will do.
    """
    drafted = _with_nonce(unsigned, "0" * _NONCE_DIGITS, bits)
    head, _, tail = serialize(drafted).rpartition(b'["nonce","' + b"0" * _NONCE_DIGITS)
    begun = sha256(head + b'["nonce","')
    below = 1 << (_ID_BITS - bits)
    for nonce in range(first, first + tries):
        hashed = begun.copy()
        hashed.update(b"%0*d%b" % (_NONCE_DIGITS, nonce, tail))
        if int.from_bytes(hashed.digest()) < below:
            found = _with_nonce(unsigned, f"{nonce:0{_NONCE_DIGITS}d}", bits)
            return found._replace(id=compute_id(found))
    return None


def _with_nonce(unsigned: Event, nonce: str, bits: int) -> Event:
    return unsigned._replace(tags=[*unsigned.tags, ["nonce", nonce, str(bits)]])
