"""When a relay that no person and no list wants, and that does not answer, is tried again: more and more seldom.

Events name URLs that never were relays. 50,000 of them on the tiers make a try every twelve seconds after a week; the
registry takes those from `relays` that are silent past the last tier.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from producers.connector.registry.selection import is_discovered
from schemas.records.relay import RETRY_TIERS_S, RelayRecord

_SPREAD = 0.25
"""A wait is up to so much shorter or longer: relays that one host took down would come back all at once."""


def wait_s(failures: int, draw: Callable[[], float] = random.random) -> float:
    """How long to wait after so many failures in a row, past the last tier a week; `draw` gives numbers from 0 to 1."""
    return RETRY_TIERS_S[max(0, min(failures, len(RETRY_TIERS_S)) - 1)] * (1 - _SPREAD + 2 * _SPREAD * draw())


def rest_s(record: RelayRecord, now_ms: int, draw: Callable[[], float] = random.random) -> float:
    """How much of its wait a relay has before it, by its record, when a connector begins with it; 0: none."""
    report = record.report
    if report is None or report.state != "silent" or not is_discovered(record):
        return 0.0
    waited_s = max(0.0, (now_ms - report.at_ms) / 1000)
    return max(0.0, wait_s(report.tries, draw) - waited_s)
