"""Errors of commands: one sentence on stderr and an exit code, never a traceback for what a person can correct."""

from __future__ import annotations

import click


class CommandFailedError(click.ClickException):
    """The command could not do its work; the message states what failed and how to correct it."""

    exit_code = 1


class MissingExtraError(click.ClickException):
    """The command needs an extra that is not installed, which the message names. Exit code as for a wrong setting."""

    exit_code = 2
