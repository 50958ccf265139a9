"""What is known of a relay when its event is written: the newest outcome of each check, not only of the last probe.

Most probes open and read only, and an event takes the place of the one before: without what the last full probe found,
it would say less of the relay each time but every fourth.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict

from schemas.records.document import Document
from schemas.records.probe import Checks, Observed, ProbeRecord

LARGEST_CONTENT = 16 * 1024
"""Bytes of an information document that an event carries: relays take events of 64 KiB and more by default, some of 32
KiB, and the samples of the network have 1.2 KiB on average. A longer one is left out: half a JSON text is none."""
KEPT_S = 24 * 3600
"""Full probes are four hours apart; what none has renewed for a day is not said any more."""
MOST_RELAYS = 20_000
"""Twice those that are known on the network; each takes about a kilobyte."""


class Facts(Document):
    """What is known of one relay."""

    checks: Checks = Checks()
    observed: Observed = Observed()
    text: str = ""
    """Its information document, or nothing."""
    full_at_s: int = 0
    """When that was found out."""
    published_at_s: int | None = None
    """Of the newest event."""


def after(before: Facts, record: ProbeRecord, text: str | None) -> Facts:
    """What is known after one more probe.

    Args:
        before: it.
        record: of the probe.
        text: of the information document that it was given.
    """
    at_s = record.probed_at_ms // 1000
    if record.is_full:
        return Facts(
            checks=record.checks,
            observed=record.observed,
            text=_bounded(text),
            full_at_s=at_s,
            published_at_s=before.published_at_s,
        )
    if not 0 <= at_s - before.full_at_s <= KEPT_S:
        before = Facts(published_at_s=before.published_at_s)
    return before.model_copy(
        update={
            "checks": before.checks.model_copy(update=_tried(record.checks)),
            "observed": before.observed.model_copy(update=_tried(record.observed)),
        }
    )


class FactsBook:
    """What is known of all relays of this prober, packed; the one that was noted longest ago is forgotten first."""

    def __init__(self, most: int = MOST_RELAYS) -> None:
        """Know nothing yet, and never more than `most` relays."""
        self._most = most
        self._packed: OrderedDict[str, bytes] = OrderedDict()

    def __len__(self) -> int:
        return len(self._packed)

    def of(self, url: str) -> Facts:
        """What is known of a relay."""
        packed = self._packed.get(url)
        return Facts() if packed is None else Facts.decode(zlib.decompress(packed))

    def note(self, url: str, facts: Facts) -> None:
        """Keep what is known of a relay."""
        # The fastest level: a document and its checks are half of their size then.
        self._packed[url] = zlib.compress(facts.encode(), 1)
        self._packed.move_to_end(url)
        if len(self._packed) > self._most:
            self._packed.popitem(last=False)

    def remember(self, url: str, facts: Facts) -> None:
        """Take what an earlier process found, of a relay of which this one has found nothing yet."""
        if url not in self._packed:
            self.note(url, facts)


def _tried(found: Checks | Observed) -> dict[str, object]:
    return {name: value for name in type(found).model_fields if (value := getattr(found, name)) is not None}


def _bounded(text: str | None) -> str:
    return text if text is not None and len(text.encode(errors="replace")) <= LARGEST_CONTENT else ""
