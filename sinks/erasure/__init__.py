"""Applies rules of erasure to the archive, and keeps what is erased out of it.

A process that writes an archive calls `open_erasures` and starts the task that it gets, which applies the rules of the
topic. The task's `eraser` is for what writes batches: inside their transaction `check_batch` finds what is erased, and
`ErasedError` tells it. Where to read on, from above:

- `task`: follows the topic, looks for what has expired, and begins again where the archive was switched.
- `eraser`: applies rules, and announces in Kafka what they erase before it is deleted.
- `rules`: which rules are new, what those about authors, addresses and the like cover, and their record when applied.
- `erased_rows`: deletes events with all that is known of them, and records their ids.
- `erased`: finds what of a batch is erased.
"""

from __future__ import annotations

from sinks.erasure.erased import ErasedError, check_batch
from sinks.erasure.eraser import Eraser
from sinks.erasure.task import ErasureTask, open_erasures

__all__ = ["ErasedError", "Eraser", "ErasureTask", "check_batch", "open_erasures"]
