"""Subscription ids of one connection: with their purpose where the relay takes ids so long, else as short as can be."""

from __future__ import annotations

import itertools

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class Names:
    """None is given twice, so that what comes late for a closed question is not taken for another's answer."""

    def __init__(self, longest: int | None = None) -> None:
        """Give ids of at most so many characters, as long as there are some; None: of any length (NIP-01 has 64)."""
        self._longest = longest
        self._numbers = itertools.count(1)

    def new(self, purpose: str) -> str:
        """An id that was not given before."""
        number = next(self._numbers)
        name = f"{purpose}-{number}"
        return name if self._longest is None or len(name) <= self._longest else _short(number)


def _short(number: int) -> str:
    """Three characters number 46,655 questions; a connection that lasts for more has no shorter ones to give."""
    text = ""
    while number:
        number, digit = divmod(number, len(_DIGITS))
        text = _DIGITS[digit] + text
    return text
