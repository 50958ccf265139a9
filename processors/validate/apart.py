"""Quarantines a line on which the rules themselves failed: an error of ours, not to affect the lines around it."""

from __future__ import annotations

import logging

from processors.validate.outcome import Refused
from schemas.nostr.judge import failed
from schemas.records.bundle import BadLine, BundleLine, HeldLine, encode_held_line

log = logging.getLogger(__name__)


def set_apart(line: BundleLine | HeldLine | BadLine, error: Exception) -> Refused:
    """The record for `quarantine`, with the traceback in the log.

    A copy is kept as its event, which is what `rejections replay` validates again, and other lines as they stand.
    """
    if isinstance(line, BundleLine):
        relay, seen_at_ms, raw = line
    else:
        relay, seen_at_ms = None, None
        raw = encode_held_line(line).rstrip() if isinstance(line, HeldLine) else line.raw
    # The same words each time, so that the log rations them.
    log.error("a line could not be validated and is in quarantine", exc_info=error, extra={"bytes": len(raw)})
    return Refused.of(raw, failed(error), relay, seen_at_ms)
