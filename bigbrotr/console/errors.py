"""How a command fails: one sentence on stderr and exit code 1, never a traceback for what a person can mend."""

from __future__ import annotations

import click


class CommandFailedError(click.ClickException):
    """The command could not do its work; the message says what and how to mend it."""

    exit_code = 1
