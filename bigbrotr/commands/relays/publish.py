"""`bigbrotr relays publish`: takes over lists of relays, again and again."""

from __future__ import annotations

import click

from bigbrotr.commands.relays.giving import give, json_option, read_sources, tell_refused, wait_option
from bigbrotr.console.options import Options, pass_options
from bigbrotr.console.timeout import timeout_option
from bigbrotr.servers import quiet_log
from core.settings.errors import key_and_variable
from producers.operator.listed_relays import ALLOW_PRIVATE, parse_relays
from producers.operator.relay_commands import CommandReport, adding, importing


@click.command(
    short_help="Take over lists of relays to read.",
    epilog="""\b
Examples:
  bigbrotr relays publish wss://relay.example.com wss://nos.example.org
  bigbrotr relays publish seed_relays.txt --json
  bigbrotr relays publish --allow-private ws://localhost:7777
  bigbrotr --config bigbrotr.yaml relays publish
""",
)
@click.argument("sources", metavar="[FILE|URL...]", nargs=-1, type=click.Path())
@click.option(ALLOW_PRIVATE, is_flag=True, help="Let these relays have private addresses: relays of your own.")
@click.option("--priority", is_flag=True, help="Give these relays the priority lane: always connected.")
@wait_option
@json_option
@pass_options
@timeout_option()
def publish(
    options: Options,
    sources: tuple[str, ...],
    *,
    allow_private: bool,
    priority: bool,
    wait_s: int | None,
    as_document: bool,
) -> None:
    """Take over lists of relays to read: URLs, or files with URLs. Safe to repeat, such as at each start.

    A file is text with URLs (# begins a comment) or a JSON array of them.

    Without any, those of the setting `relays` are taken. What was published before stays in the registry, and what was
    denied, removed or given another lane by command stays so: `relays add` takes that back.

    Running connectors open them within seconds, where a registry runs. What is no relay URL is named with its place and
    the reason, and the exit code is 1 if nothing was left to publish.
    """
    settings = options.settings()
    quiet_log(settings)
    if not sources and not settings.relays:
        raise click.UsageError(
            "no relay to publish: name relays or files with relays, or list them in the settings "
            f"({key_and_variable(['relays'])})"
        )
    found = (
        read_sources(sources, allow_private=allow_private)
        if sources
        else parse_relays(settings.relays, "relays", allow_private=allow_private)
    )
    tell_refused(found)
    commands = adding(found.relays.values(), lane="priority" if priority else "regular", allow_private=allow_private)
    give(settings, found, commands, importing, wait_s=wait_s, as_document=as_document, text=_published)


def _published(report: CommandReport, refused: int) -> str:
    return f"relays: {report.written:,} published, {report.unchanged:,} were known, {refused:,} refused"
