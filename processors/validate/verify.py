"""Signature checks off the event loop: a thread pool that takes chunks, since libsecp256k1 runs without the GIL."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from schemas.nostr.signature import verify, verify_many

# One hand-over to a thread costs about as much as checking two signatures; a bundle of 256 lines with a few copies of
# each event is one chunk, so that other partitions' bundles find a thread.
CHUNK = 128


Signature = tuple[str, str, str]
"""(pubkey, id, signature), all hex."""


class Verifier:
    """Checks the signatures of bundles in threads.

    Args:
        threads: signatures checked at the same time.
    """

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="verify")

    async def verify(self, signatures: list[Signature]) -> list[bool | Exception]:
        """Return one verdict for each, in order, or what its check failed on."""
        if not signatures:
            return []
        loop = asyncio.get_running_loop()
        chunks = await asyncio.gather(
            *(
                loop.run_in_executor(self._pool, _check, signatures[start : start + CHUNK])
                for start in range(0, len(signatures), CHUNK)
            )
        )
        return [verdict for chunk in chunks for verdict in chunk]

    def close(self) -> None:
        """Let the threads go without waiting for what they were asked."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _check(signatures: list[Signature]) -> Sequence[bool | Exception]:
    try:
        return verify_many(signatures)
    except Exception:  # noqa: BLE001 - found again below, beside the signature that it belongs to
        return [_check_one(signature) for signature in signatures]


def _check_one(signature: Signature) -> bool | Exception:
    try:
        return verify(*signature)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is about this signature alone
        return error
