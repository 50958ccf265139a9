"""Verifiers are those of RFC 7677, of passwords prepared as RFC 4013 has it."""

from __future__ import annotations

import hmac
from base64 import b64decode
from hashlib import sha256

import pytest

from sinks.passwords import prepared, verifier

# The example of RFC 7677, section 3.
SALT = b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
NONCE = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
MESSAGE = f"n=user,r=rOprNGfwEbeRWgbNEkqO,r={NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r={NONCE}".encode()
PROOF = b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
SERVER_SIGNATURE = b64decode("6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")


def test_a_verifier_knows_the_proof_of_the_standard_and_answers_as_it_does() -> None:
    kind, salt, keys = verifier("pencil", SALT).split("$")
    stored, server = (b64decode(key) for key in keys.split(":"))
    assert (kind, salt) == ("SCRAM-SHA-256", "4096:W22ZaJ0SNY7soEsUEjb6gQ==")
    signature = hmac.digest(stored, MESSAGE, "sha256")
    client_key = bytes(one ^ other for one, other in zip(PROOF, signature, strict=True))
    assert sha256(client_key).digest() == stored
    assert hmac.digest(server, MESSAGE, "sha256") == SERVER_SIGNATURE


def test_equal_passwords_have_different_verifiers() -> None:
    assert verifier("pencil") != verifier("pencil")


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("pencil", "pencil"),
        ("a\x07b", "a\x07b"),
        ("I\u00adX", "IX"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("a\u00a0b", "a b"),
        ("\u0627\u0628", "\u0627\u0628"),
        ("\u00ad", "\u00ad"),
        ("\u00aa\u0627", "\u00aa\u0627"),
        ("\u0627\u00aa1", "\u0627\u00aa1"),
        ("\u00aa\ue000", "\u00aa\ue000"),
        ("\u00aa\U0001f511", "\u00aa\U0001f511"),
    ],
    ids=ascii,
)
def test_passwords_are_sent_and_kept_in_the_same_form(given: str, sent: str) -> None:
    assert prepared(given) == sent
