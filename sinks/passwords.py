"""SCRAM verifiers of PostgreSQL's passwords, so that no statement, and no log of one, holds the plain text.

SCRAM-SHA-256 of RFC 5802 and RFC 7677, in the form that `ALTER ROLE … PASSWORD` takes as it is.
"""

from __future__ import annotations

import hmac
import secrets
import stringprep
import unicodedata
from base64 import b64encode
from hashlib import pbkdf2_hmac, sha256

# The least that RFC 7677 allows and what PostgreSQL takes itself: each connection of a client costs as many rounds.
_ROUNDS = 4096
# As PostgreSQL's own; longer would make nothing safer.
_SALT_BYTES = 16
# RFC 4013, 2.3 and 2.5: what a prepared password must not hold. PostgreSQL takes the same tables.
_PROHIBITED = (
    stringprep.in_table_a1,
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def verifier(password: str, salt: bytes | None = None) -> str:
    """What proves that somebody knows a password, and does not tell it: printable ASCII without quotes."""
    salt = secrets.token_bytes(_SALT_BYTES) if salt is None else salt
    salted = pbkdf2_hmac("sha256", prepared(password).encode(), salt, _ROUNDS)
    stored = sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    return f"SCRAM-SHA-256${_ROUNDS}:{_text(salt)}${_text(stored)}:{_text(server)}"


def prepared(password: str) -> str:
    """A password in the form that clients send (SASLprep, RFC 4013); as it is where that refuses it, as they do."""
    if password.isascii():
        return password
    mapped = "".join(
        " " if stringprep.in_table_c12(sign) else sign for sign in password if not stringprep.in_table_b1(sign)
    )
    normal = unicodedata.normalize("NFKC", mapped)
    if not normal or any(is_in(sign) for sign in normal for is_in in _PROHIBITED):
        return password
    from_right = [stringprep.in_table_d1(sign) for sign in normal]
    is_mixed = any(stringprep.in_table_d2(sign) for sign in normal)
    if any(from_right) and (is_mixed or not (from_right[0] and from_right[-1])):
        return password
    return normal


def _text(data: bytes) -> str:
    return b64encode(data).decode()
