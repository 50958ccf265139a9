"""BIP-340 signatures through libsecp256k1: the only module that knows which binding is used."""

from __future__ import annotations

from collections.abc import Iterable

from coincurve import PrivateKey, PublicKeyXOnly

SIG_BYTES = 64
"""r and s of BIP-340, 32 bytes each."""


def verify(pubkey_hex: str, id_hex: str, sig_hex: str) -> bool:
    """Whether a signature over an event id is the key's. The three are hex text as checked by `parse_event`."""
    try:
        key = PublicKeyXOnly(bytes.fromhex(pubkey_hex))
    except ValueError:  # Not the x coordinate of a point on the curve.
        return False
    return key.verify(bytes.fromhex(sig_hex), bytes.fromhex(id_hex))


def verify_many(triples: Iterable[tuple[str, str, str]]) -> list[bool]:
    """Check (pubkey, id, sig) triples one after another; made for a worker thread.

    The interpreter lock is free while libsecp256k1 works. libsecp256k1 has no batch verification.
    """
    return [verify(pubkey_hex, id_hex, sig_hex) for pubkey_hex, id_hex, sig_hex in triples]


def verify_message(pubkey: bytes, message: bytes, sig: bytes) -> bool:
    """Whether a signature over a message of any length is the key's; False for what is no key or signature."""
    if len(sig) != SIG_BYTES:
        return False
    try:
        key = PublicKeyXOnly(pubkey)
    except ValueError:
        return False
    return key.verify(sig, message)


def sign(secret: bytes, id_bytes: bytes) -> str:
    """Sign an event id.

    Args:
        secret: the 32 bytes of a private key.
        id_bytes: the 32 bytes of the id.

    Returns:
        The signature as 128 hex digits. It is deterministic (no auxiliary randomness), so that examples and generated
        events are the same in every run.

    Raises:
        ValueError: the secret is no valid private key, or the id is not 32 bytes.
    """
    return PrivateKey(secret).sign_schnorr(id_bytes, aux_randomness=bytes(32)).hex()


def public_key(secret: bytes) -> str:
    """The x-only public key of a private key, as 64 hex digits."""
    return PublicKeyXOnly.from_secret(secret).format().hex()
