"""A gate for services that load their programs while their servers start: both take seconds of CPU."""

from __future__ import annotations

import os


class Gate:
    """A pipe that ends once the gate is opened, or the process that made it has ended.

    Attributes:
        descriptor: the standard input of services that are to wait (`bigbrotr service --held`); of those that are
            started later, too.
    """

    def __init__(self) -> None:
        """It is shut."""
        self.descriptor, self._writer = os.pipe()
        self._shut = True

    def open(self) -> None:
        """Let them begin; safe to repeat."""
        if self._shut:
            self._shut = False
            os.close(self._writer)

    def close(self) -> None:
        """Open it and free its descriptors: nothing is started any more."""
        self.open()
        os.close(self.descriptor)
