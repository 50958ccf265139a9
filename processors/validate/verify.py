"""Signature checks off the event loop: a few threads, fed in chunks, since libsecp256k1 runs without the GIL."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from schemas.signature import verify_many

# One hand-over to a thread costs about as much as checking two signatures; a bundle of 256 lines with a few copies of
# each event is one chunk, so that other partitions' bundles find a thread.
CHUNK = 128


class Verifier:
    """Checks the signatures of bundles in threads.

    Args:
        threads: signatures checked at the same time.
    """

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="verify")

    async def verify(self, signatures: list[tuple[str, str, str]]) -> list[bool]:
        """Check (pubkey, id, signature) triples, all hex, and return one verdict for each, in order."""
        if not signatures:
            return []
        loop = asyncio.get_running_loop()
        chunks = await asyncio.gather(
            *(
                loop.run_in_executor(self._pool, verify_many, signatures[start : start + CHUNK])
                for start in range(0, len(signatures), CHUNK)
            )
        )
        return [verdict for chunk in chunks for verdict in chunk]

    def close(self) -> None:
        """Let the threads go without waiting for what they were asked."""
        self._pool.shutdown(wait=False, cancel_futures=True)
