"""What connectors met of a relay's answers that does not fit together."""

from __future__ import annotations

from collections import Counter

from schemas.records.coverage import Coverage, GapReason
from schemas.records.relay_health import Honesty


def honesty(coverage: Coverage) -> Honesty:
    """Count copies, and gaps by what they say of the relay, over all filters."""
    reasons = Counter(gap.reason for each in coverage.sets for gap in each.gaps)
    return Honesty(
        copies=coverage.copies.received,
        repeated=coverage.copies.repeated,
        forged=coverage.copies.forged,
        disagreements=reasons[GapReason.DISAGREEMENT],
        filters_ignored=reasons[GapReason.FILTER_IGNORED],
        withheld=reasons[GapReason.WITHHELD],
    )
