"""Decides of which relays' events the archive is asked: of those from which mostly known ones come.

While an archive is filled everything is new, and each question is time lost; when relays are read again, or a file is
imported again, most is known, and a question saves a signature check, records and rows.
"""

from __future__ import annotations

from dataclasses import dataclass

SAMPLED = 16
"""Of so many bundles one is asked about, whatever relays it is from: a question takes a fifth of a bundle's time, so
this costs about one per cent."""
_TRIED = 32
"""Ids of a relay that are asked for before anything is known of it."""
_WINDOW = 64.0
"""Ids that an estimate goes by: a relay that turns to what is known is noticed within a bundle or two of samples."""
_MOST_RELAYS = 10_000
"""Some hundred bytes each; estimates are begun anew beyond. More relays than a connector reads."""


@dataclass(slots=True)
class _Share:
    asked: float = 0.0
    found: float = 0.0


class KnownShares:
    """The share of ids, of those that the seen-set did not know, that the archive knew, by relay (None: a file)."""

    def __init__(self) -> None:
        self._shares: dict[str | None, _Share] = {}

    def worth_asking(self, relay: str | None) -> bool:
        """Whether at least half of what comes from a relay is known, or little was asked of it yet."""
        share = self._shares.get(relay)
        return share is None or share.asked < _TRIED or 2 * share.found >= share.asked

    def note(self, relay: str | None, *, asked: int, found: int) -> None:
        """Take in an answer; older ones count less and less."""
        if len(self._shares) >= _MOST_RELAYS:
            self._shares.clear()
        share = self._shares.setdefault(relay, _Share())
        share.asked += asked
        share.found += found
        if share.asked > _WINDOW:
            share.found *= _WINDOW / share.asked
            share.asked = _WINDOW
