"""Runs the command line and turns every outcome into an exit code."""

from __future__ import annotations

import errno
import os
import sys

import click

from bigbrotr.cli import cli
from bigbrotr.console import exposed_passwords, termination

_FAILED = 1
_SETTINGS = 2  # what click gives wrong usage, too
_INTERRUPTED = 130  # 128 + SIGINT, as shells have it


def main() -> None:
    """Be the `bigbrotr` command."""
    termination.install()
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; errors that a person can correct are one sentence on stderr."""
    if (exposed := exposed_passwords.warning(arguments)) is not None:
        click.echo(f"Warning: {exposed}", err=True)
    try:
        # In this mode click returns the code of an Exit, and raises all else but a broken pipe, which it ends quietly.
        result = cli.main(arguments, prog_name="bigbrotr", standalone_mode=False)
    except click.exceptions.Abort:
        return _INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except Exception as error:
        from core.settings.errors import SettingsError  # noqa: PLC0415 - `--help` must not wait for pydantic

        if (refusal := _refusal(error)) is not None:
            click.echo(f"Error: {refusal}", err=True)
            return _FAILED
        if not isinstance(error, SettingsError):
            raise
        click.echo(f"Error: in the settings: {error}", err=True)
        return _SETTINGS
    return result if isinstance(result, int) else 0


def _refusal(error: Exception) -> str | None:
    """Return in a sentence what a person must correct, where that is what the error is about."""
    return _full_disk(error) or _refusal_of_kafka(error) or _refusal_of_postgres(error) or _loss_of_postgres(error)


def _full_disk(error: Exception) -> str | None:
    if not isinstance(error, OSError) or error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return None
    where = f" at {error.filename}" if error.filename else ""
    return f"the disk is full{where} ({os.strerror(error.errno)}): make room, and run the command again"


def _refusal_of_kafka(error: Exception) -> str | None:
    if "aiokafka" not in sys.modules:  # then no server was asked
        return None
    from core.kafka import KafkaRefusedError  # noqa: PLC0415 - `--help` must not wait for aiokafka

    return f"Kafka refuses: {error}" if isinstance(error, KafkaRefusedError) else None


def _refusal_of_postgres(error: Exception) -> str | None:
    if "asyncpg" not in sys.modules:
        return None
    from core import postgres  # noqa: PLC0415 - as above

    return postgres.refusal(error)


def _loss_of_postgres(error: Exception) -> str | None:
    if "asyncpg" not in sys.modules or isinstance(error, OSError):
        return None
    from core.postgres import is_transient  # noqa: PLC0415 - as above
    from core.waiting import brief  # noqa: PLC0415 - as above

    if not is_transient(error):
        return None
    return (
        f"PostgreSQL went away or has no room: {brief(error)}; its log says why (the embedded server's is "
        "run/postgres.log in the data directory). Run the command again when it is back"
    )


if __name__ == "__main__":
    main()
