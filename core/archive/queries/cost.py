"""What one reading of the archive may cost, counted before it is spent."""

from __future__ import annotations

import time
from collections.abc import Callable

MOST_PROBES = 250_000
"""Look-ups in the index of a month. Each reads about four pages, so these take the database some two seconds."""
MOST_ROWS = 250_000
"""Rows that are looked at to find those of the answer, shown or hidden. A deleted one reads four pages, so these
take some two seconds."""
MOST_AT_ONCE = 10_000
"""Rows that one statement looks at before it is seen how many there were: some 100 ms."""


class TooCostlyError(ValueError):
    """A filter asks for more work than one answer may take; the message names the field, the bound and the remedy.

    It does not tell how much work it is: rows are counted that the reader may not see.
    """


class LateError(TimeoutError):
    """The statements of one answer took too long together, as one alone may."""


class Deadline:
    """When no further statement of one answer is begun, so that an answer keeps no place for minutes.

    The server ends each statement by itself, after as long (`reading_options`).

    Args:
        limit_s: from now on, for all statements together.
        clock: seconds.
    """

    def __init__(self, limit_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit_s = limit_s
        self._clock = clock
        self._began_s = clock()

    def check(self) -> None:
        """Look at the clock before a statement is begun.

        Raises:
            LateError: it is over.
        """
        if self._clock() - self._began_s > self._limit_s:
            raise LateError(f"the statements of one answer took longer than {self._limit_s:g} s together")


class Budget:
    """Counts what one reading costs.

    Args:
        most_probes: look-ups in an index of a month.
        most_rows: that are looked at.
        most_at_once: of these, by one statement.

    Attributes:
        most_at_once: the same.
    """

    def __init__(
        self, most_probes: int = MOST_PROBES, most_rows: int = MOST_ROWS, most_at_once: int = MOST_AT_ONCE
    ) -> None:
        self.most_at_once = most_at_once
        self._most_probes = most_probes
        self._most_rows = most_rows
        self._probes = 0
        self._rows = 0

    def take_probes(self, field: str, values: int, months: int) -> None:
        """Count look-ups that are about to be made: one for each value of a field in each month.

        Raises:
            TooCostlyError: they are too many, with those before.
        """
        self._probes += values * months
        if self._probes > self._most_probes:
            raise TooCostlyError(
                f"{field}: these values in so many months are more look-ups than {self._most_probes}, which one answer "
                "may take; name fewer values, or a shorter time with since and until"
            )

    def take_rows(self, field: str, rows: int) -> None:
        """Count rows that were looked at.

        Raises:
            TooCostlyError: they are too many, with those before.
        """
        self._rows += rows
        if self._rows > self._most_rows:
            raise TooCostlyError(
                f"{field}: more rows than {self._most_rows} had to be compared, which one answer may take; name fewer "
                "values, a smaller limit, or a shorter time with since and until"
            )
