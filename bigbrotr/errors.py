"""Errors of commands: one sentence on stderr and exit code 1, never a traceback for what a person can correct."""

from __future__ import annotations

import click


class CommandFailedError(click.ClickException):
    """The command could not do its work; the message states what failed and how to correct it."""

    exit_code = 1
