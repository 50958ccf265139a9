"""Runs the command line and turns every outcome into an exit code."""

from __future__ import annotations

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
    """Return why a server does not let us in, where that is what the error is about."""
    return _refusal_of_kafka(error) or _refusal_of_postgres(error)


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


if __name__ == "__main__":
    main()
