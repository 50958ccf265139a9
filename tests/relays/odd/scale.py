"""How long a farm of relays keeps a client busy."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

T = TypeVar("T")


class Scale(NamedTuple):
    """The sizes that relays were reported with, or smaller ones, which are read in a minute or two."""

    whole: bool

    def of(self, brief: T, whole: T) -> T:
        """Choose."""
        return whole if self.whole else brief
