"""Generates the reference of the command line for docs/reference/cli.md, in Markdown, from the commands themselves."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from bigbrotr.cli import cli

_WIDTH = 100
"""Columns of the help texts: a page shows so many without a scroll bar."""


def cli_reference() -> str:
    """Write the help of `bigbrotr` and of every command below it."""
    return "\n".join(f"## {name}\n\n```text\n{text}\n```\n" for name, text in _helps(cli, "bigbrotr", None))


def _helps(command: click.Command, name: str, parent: click.Context | None) -> Iterator[tuple[str, str]]:
    settings = {**command.context_settings, "terminal_width": _WIDTH}
    with click.Context(command, parent=parent, info_name=name, **settings) as context:
        yield context.command_path, context.get_help()
        if isinstance(command, click.Group):
            for each in command.list_commands(context):
                found = command.get_command(context, each)
                if found is not None:
                    yield from _helps(found, each, context)


if __name__ == "__main__":
    sys.stdout.write(cli_reference())
