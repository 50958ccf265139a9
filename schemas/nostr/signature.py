"""BIP-340 signatures through libsecp256k1: the only module that depends on the binding.

btclib-secp256k1 was chosen over coincurve: in `tests/bench/bench_signature.py` it needs about nine tenths of the time
and releases the interpreter lock as well, and it has wheels for every Python that we support, while coincurve's end
with 3.13. Both take messages of any length, as BIP-340 does.
"""

from __future__ import annotations

from collections.abc import Iterable

from btclib_secp256k1 import ssa, xonly

KEY_BYTES = 32
"""The x coordinate of a point (BIP-340). The binding would take the longer forms of ECDSA too."""
SIG_BYTES = 64
"""r and s of BIP-340, 32 bytes each."""


def verify(pubkey_hex: str, id_hex: str, sig_hex: str) -> bool:
    """Whether a signature over an event id is the key's. The three are hex text as checked by `parse_event`."""
    try:
        return ssa.verify(bytes.fromhex(id_hex), bytes.fromhex(pubkey_hex), bytes.fromhex(sig_hex))
    except ValueError:  # The key is not the x coordinate of a point on the curve.
        return False


def verify_many(triples: Iterable[tuple[str, str, str]]) -> list[bool]:
    """Check (pubkey, id, sig) triples one after another; made for a worker thread.

    The interpreter lock is free while libsecp256k1 works, which checks one signature at a time. After each the thread
    must get the lock back: beside a loop that never rests it waits for the switch interval (`sys.setswitchinterval`,
    5 ms by default) every time, so a process that checks in threads should shorten it.
    """
    return [verify(pubkey_hex, id_hex, sig_hex) for pubkey_hex, id_hex, sig_hex in triples]


def verify_message(pubkey: bytes, message: bytes, sig: bytes) -> bool:
    """Whether a signature over a message of any length is the key's; False for what is no key or signature."""
    if len(pubkey) != KEY_BYTES or len(sig) != SIG_BYTES:
        return False
    try:
        return ssa.verify(message, pubkey, sig)
    except ValueError:
        return False


def sign(secret: bytes, id_bytes: bytes) -> str:
    """Sign an event id.

    Args:
        secret: the 32 bytes of a private key.
        id_bytes: the 32 bytes of the id.

    Returns:
        The signature as 128 hex digits. It is deterministic (auxiliary randomness of zeros), so that examples and
        generated events are the same in every run.

    Raises:
        ValueError: the secret is no valid private key, or the id is not 32 bytes.
    """
    return ssa.sign(id_bytes, secret, bytes(32)).hex()


def public_key(secret: bytes) -> str:
    """The x-only public key of a private key, as 64 hex digits.

    Raises:
        ValueError: the secret is no valid private key.
    """
    return xonly.from_prvkey(secret)[0].hex()
