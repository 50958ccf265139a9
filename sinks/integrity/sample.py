"""A reproducible random sample of events: those whose ids are in one range of all ids.

An id is a hash, so any part of the circle is as good as any other, and the index on `id_prefix` leads to it. Where it
begins comes from the seed: an attacker who alters a row cannot know whether the next audit checks it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

_CIRCLE = 2**64
_LOWEST = -(2**63)


@dataclass(slots=True)
class Sample:
    """Some events of all, the same for the same seed and share.

    Attributes:
        seed: says where the part begins.
        share: of all events, from above 0 to 1; with `count` known only once `of` was called.
        count: about how many are wanted, instead of a share.
    """

    seed: int
    share: float = 1.0
    count: int | None = None

    def of(self, total: int) -> None:
        """Turn a wanted number into the share of so many events."""
        if self.count is not None:
            self.share = min(1.0, self.count / max(1, total))

    def condition(self, column: str) -> str:
        """What an `id_prefix` in the sample fulfils, in SQL."""
        width = min(_CIRCLE, max(1, round(self.share * _CIRCLE)))
        first = random.Random(self.seed).randrange(_CIRCLE)  # noqa: S311 - it must come out the same again
        last = first + width - 1
        if last < _CIRCLE:
            return f"{column} BETWEEN {first + _LOWEST} AND {last + _LOWEST}"
        return f"({column} >= {first + _LOWEST} OR {column} <= {last - _CIRCLE + _LOWEST})"
