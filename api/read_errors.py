"""Why the archive gave no answer; the messages are words for a client."""

from __future__ import annotations


class ReadError(Exception):
    """The archive gave no answer."""


class BusyError(ReadError):
    """Other queries took all places for as long as one waits."""


class ClientBusyError(BusyError):
    """The client's own queries take, or have taken, all that it may have.

    Attributes:
        wait_s: seconds until it may have more; None: until one of them ends.
    """

    def __init__(self, message: str, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class AwayError(ReadError):
    """The database is away, or not set up."""


class TooSlowError(ReadError):
    """The question took the database too long; a narrower one may not."""
