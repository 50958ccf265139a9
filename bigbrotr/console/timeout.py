"""The option --timeout: how long a command waits for a server that does not answer, and what it says then."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from bigbrotr.console.options import Options
from bigbrotr.console.parameters import DURATION
from bigbrotr.errors import CommandFailedError
from core.settings.given_by import given_by
from core.waiting import ServerAwayError, giving_up_after

if TYPE_CHECKING:
    from core.settings import Settings

Command = Callable[..., None]

READING = "30s"
"""For commands that read: a server that starts, or recovers from a crash, answers within it, and a person who has
mistyped an address is still there. Commands that write are part of scripts and stacks that start with their servers."""
_SERVERS = {"kafka": "Kafka", "postgres": "PostgreSQL"}


def timeout_option(default: str | None = None) -> Callable[[Command], Command]:
    """Give a command the option --timeout, which stands below `pass_options`.

    Args:
        default: a length of time; None: it waits without end.
    """

    def decorate(command: Command) -> Command:
        @click.option(
            "--timeout",
            "timeout_s",
            type=DURATION,
            default=default,
            show_default="none, it waits" if default is None else True,
            help="Fail once a server has not answered for so long, such as 30s or 5m.",
        )
        @functools.wraps(command)
        def limited(options: Options, /, *args: Any, timeout_s: int | None, **kwargs: Any) -> None:
            with giving_up_after(timeout_s):
                try:
                    command(options, *args, **kwargs)
                except ServerAwayError as error:
                    raise CommandFailedError(explained(error, options)) from error

        return limited

    return decorate


def explained(error: ServerAwayError, options: Options) -> str:
    """Say which server has not answered, where its address stands, and what to do."""
    if error.setting is None:
        return f"{error}: repeat the command when it is back, or have it wait longer by --timeout"
    source = given_by(error.setting, options.config, os.environ)
    if source is None:
        settings: Settings = options.settings()
        return (
            f"{error}. It is the embedded {_SERVERS[error.setting[0]]} of {settings.data_dir}, whose log is in "
            f"{settings.data_dir / 'run'}; `bigbrotr --data-dir {settings.data_dir} status` tells more"
        )
    return (
        f"{error}. The address is that of {source}: correct it, or start the server; --timeout has the command wait "
        "longer"
    )
