"""The `bigbrotr` command group: global options, and subcommands that are imported only when they are called.

Importing Faust, asyncpg and aiokafka takes most of a second; `bigbrotr --help` and `bigbrotr verify` need none of them.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import NamedTuple

import click
from click.shell_completion import CompletionItem

from bigbrotr.console.options import Options


class _Lazy(NamedTuple):
    """Where a command lives (`module:attribute`) and the line that the list of commands shows for it."""

    target: str
    short_help: str


_COMMANDS = {
    "demo": _Lazy("bigbrotr.commands.run.demo:demo", "Watch signed events travel from local relays to PostgreSQL."),
    "run": _Lazy("bigbrotr.commands.run.run:run", "Archive real relays, with every service as a process of its own."),
    "service": _Lazy("bigbrotr.commands.run.service:service", "Run one service in the foreground."),
    "embedded": _Lazy(
        "bigbrotr.commands.run.embedded:embedded", "Start, stop and reach the embedded Kafka and PostgreSQL."
    ),
    "topics": _Lazy("bigbrotr.commands.topics.topics:topics", "Create, list and trim the Kafka topics."),
    "migrate": _Lazy("bigbrotr.commands.archive.migrate:migrate", "Bring the PostgreSQL schema up to date."),
    "relays": _Lazy(
        "bigbrotr.commands.relays.relays:relays", "Look at the registry of relays, and say which of them to read."
    ),
    "probe": _Lazy("bigbrotr.commands.relays.probe:probe_", "Probe relays now: what works, and what does not."),
    "status": _Lazy("bigbrotr.commands.run.status:status", "Show what runs, what waits and what is archived."),
    "coverage": _Lazy(
        "bigbrotr.commands.archive.coverage:coverage", "Show which times were read of each relay, and what is not."
    ),
    "rejections": _Lazy(
        "bigbrotr.commands.topics.rejections:rejections", "Look at what was refused, and validate it again."
    ),
    "import": _Lazy(
        "bigbrotr.commands.archive.import_file:import_", "Send the events of a JSONL file through the pipeline."
    ),
    "export": _Lazy(
        "bigbrotr.commands.archive.export:export_", "Write events of the archive as JSONL, by filter, in order."
    ),
    "erase": _Lazy("bigbrotr.commands.archive.erase:erase", "Erase events for good, by id or by author up to a time."),
    "verify": _Lazy("bigbrotr.commands.archive.verify:verify", "Validate the events of a JSONL file without a server."),
    "audit": _Lazy("bigbrotr.commands.archive.audit:audit_", "Check that every archived row still is what was signed."),
    "rebuild": _Lazy("bigbrotr.commands.rebuild.rebuild:rebuild_", "Fill another schema or database from the topics."),
    "switch": _Lazy(
        "bigbrotr.commands.rebuild.switch:switch_", "Make a rebuilt schema the live archive, under running services."
    ),
    "reprocess": _Lazy(
        "bigbrotr.commands.rebuild.reprocess:reprocess_", "Validate bundles of a time again, by the present rules."
    ),
    "digest": _Lazy("bigbrotr.commands.archive.digest:digest", "Compute a digest that no order of arrival changes."),
}


class LazyGroup(click.Group):
    """A group that imports the module of a subcommand when that subcommand is called or asked for its help."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the signature is click's
        """Name every command, in the order in which a new user needs them."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import and return the command, or None where there is none of that name."""
        lazy = _COMMANDS.get(cmd_name)
        if lazy is None:
            return None
        module_name, attribute = lazy.target.split(":")
        command = getattr(importlib.import_module(module_name), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{lazy.target} is not a click command but {type(command).__name__}")
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the names of commands from the table, so that a press of Tab imports nothing either."""
        named = [
            CompletionItem(name, help=lazy.short_help)
            for name, lazy in _COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return [*named, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands from the table, so that asking for help imports nothing."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, lazy.short_help) for name, lazy in _COMMANDS.items()])


_EPILOG = """\b
Examples:
  bigbrotr demo --once
  bigbrotr run --relay wss://relay.example.com
  bigbrotr --config bigbrotr.yaml status --json

Exit codes: 0 done, 1 the command failed, 2 wrong usage or settings.
"""


@click.group(cls=LazyGroup, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="YAML settings file. BIGBROTR_… variables win over it.  [env: BIGBROTR_CONFIG]",
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where data, logs and the embedded servers live.  [env: BIGBROTR_DATA_DIR]",
)
@click.version_option(package_name="bigbrotr", prog_name="bigbrotr")
@click.pass_context
def cli(ctx: click.Context, config: Path | None, data_dir: Path | None) -> None:
    """Archive the Nostr network and watch its relays, as an event stream on Kafka."""
    ctx.obj = Options(config=config, data_dir=data_dir)
