"""Compare two bindings of libsecp256k1: one call, a list of 64, two threads, and a thread beside a busy event loop.

Run by `python -m tests.bench.bench_signature`. Every figure is from this run on this machine; compare the ratios.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from hashlib import sha256

from btclib_secp256k1 import ssa
from coincurve import PublicKeyXOnly

from schemas.nostr.signature import public_key, sign

LIST = 64
"""As many signatures as a bundle of 256 copies leaves to check, when each event is held by four relays."""
ROUNDS = 5
"""The best of five: other work on the machine only ever adds time."""
BUSY_S = 2.0
"""Long enough for hundreds of checks, even if each waits for the interpreter lock."""
SHORTER_S = (0.001, 0.0005, 0.0001)
"""Switch intervals to try besides the interpreter's own of 5 ms."""

Triple = tuple[bytes, bytes, bytes]
Verify = Callable[[bytes, bytes, bytes], bool]


def coincurve_verify(pubkey: bytes, message: bytes, sig: bytes) -> bool:
    """The binding that was not chosen."""
    return PublicKeyXOnly(pubkey).verify(sig, message)


def btclib_verify(pubkey: bytes, message: bytes, sig: bytes) -> bool:
    """The binding in use, as `schemas.nostr.signature` calls it."""
    return ssa.verify(message, pubkey, sig)


def triples(count: int) -> list[Triple]:
    """Valid signatures over ids, by the key of BIP-340's first test vector."""
    secret = (3).to_bytes(32)
    pubkey = bytes.fromhex(public_key(secret))
    ids = [sha256(bytes([i])).digest() for i in range(count)]
    return [(pubkey, id_bytes, bytes.fromhex(sign(secret, id_bytes))) for id_bytes in ids]


def one_after_another(verify: Verify, work: list[Triple]) -> float:
    """Microseconds a check, in this thread."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for triple in work:
            assert verify(*triple)
        best = min(best, time.perf_counter() - start)
    return best / len(work) * 1e6


def two_threads(verify: Verify, work: list[Triple]) -> float:
    """Microseconds a check, two threads doing the same work at once; half of one thread's if the lock is released."""
    best = float("inf")
    for _ in range(ROUNDS):
        threads = [threading.Thread(target=lambda: [verify(*triple) for triple in work]) for _ in range(2)]
        start = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        best = min(best, time.perf_counter() - start)
    return best / (2 * len(work)) * 1e6


def beside_a_busy_loop(verify: Verify, work: list[Triple]) -> tuple[float, float]:
    """A thread that checks while this one never rests: checks a second, and the share of its speed this one keeps."""

    def spin(seconds: float) -> int:
        end = time.perf_counter() + seconds
        turns = 0
        while time.perf_counter() < end:
            turns += 1
        return turns

    alone = spin(BUSY_S / 4) * 4
    checked = 0
    stop = threading.Event()

    def check() -> None:
        nonlocal checked
        while not stop.is_set():
            for triple in work:
                verify(*triple)
                checked += 1

    thread = threading.Thread(target=check)
    thread.start()
    together = spin(BUSY_S)
    done = checked
    stop.set()
    thread.join()
    return done / BUSY_S, together / alone


def main() -> None:
    """Print one line per binding and measure, and the ratio of the two."""
    work = triples(LIST)
    bindings: dict[str, Verify] = {"btclib": btclib_verify, "coincurve": coincurve_verify}
    single = {name: one_after_another(verify, work[:1] * LIST) for name, verify in bindings.items()}
    many = {name: one_after_another(verify, work) for name, verify in bindings.items()}
    paired = {name: two_threads(verify, work) for name, verify in bindings.items()}
    for title, figures in (("one signature", single), ("a list of 64", many), ("two threads", paired)):
        for name, microseconds in figures.items():
            ratio = microseconds / single["btclib"]
            print(f"{title:14} {name:10} {microseconds:6.1f} us a check {ratio:5.2f} of btclib's one")
    usual_s = sys.getswitchinterval()
    for interval_s in (usual_s, *SHORTER_S):
        sys.setswitchinterval(interval_s)
        for name, verify in bindings.items():
            rate, kept = beside_a_busy_loop(verify, work)
            print(
                f"busy loop, switching every {interval_s * 1e3:5.2f} ms: {name:10} {rate:6.0f} checks a second, "
                f"the loop keeps {kept:4.2f} of its speed"
            )
    sys.setswitchinterval(usual_s)


if __name__ == "__main__":
    main()
