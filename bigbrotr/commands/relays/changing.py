"""`bigbrotr relays add|remove|deny|priority`: what a person wants of single relays and hosts."""

from __future__ import annotations

import click

from bigbrotr.commands.relays.giving import give, json_option, read_sources, tell_refused, wait_option
from bigbrotr.console.options import Options, pass_options
from bigbrotr.console.timeout import timeout_option
from bigbrotr.servers import quiet_log
from producers.operator.listed_relays import ALLOW_PRIVATE, RelayList
from producers.operator.relay_commands import CommandReport, adding, changing_lane, commanding, replacing
from schemas.records.relay import Lane
from schemas.records.relay_command import LONGEST_REASON, Action

_PRIVATE = click.option(
    ALLOW_PRIVATE, is_flag=True, help="Let these relays have private addresses: relays of your own."
)


@click.command(
    short_help="Have relays read, whatever was decided before.",
    epilog="""\b
Examples:
  bigbrotr relays add wss://relay.example.com
  bigbrotr relays add --lane ignored wss://noise.example.org
  bigbrotr relays add --allow-private ws://localhost:7777 --wait 30s
""",
)
@click.argument("sources", metavar="FILE|URL...", nargs=-1, required=True, type=click.Path())
@click.option(
    "--lane",
    type=click.Choice(["regular", "priority", "ignored"]),
    default="regular",
    show_default=True,
    help="priority: always connected. ignored: known, and not read.",
)
@_PRIVATE
@wait_option
@json_option
@pass_options
@timeout_option()
def add(
    options: Options,
    sources: tuple[str, ...],
    *,
    lane: Lane,
    allow_private: bool,
    wait_s: int | None,
    as_document: bool,
) -> None:
    """Have relays read: URLs, or files with URLs. Takes back that they were denied or removed.

    They are admitted at once: neither other people's naming them nor the limits of a domain and day count.
    """
    settings = options.settings()
    quiet_log(settings)
    found = read_sources(sources, allow_private=allow_private)
    tell_refused(found)
    commands = adding(found.relays.values(), lane=lane, allow_private=allow_private)
    give(settings, found, commands, replacing, wait_s=wait_s, as_document=as_document, text=_written)


@click.command(
    short_help="Take relays off the registry.",
    epilog="""\b
Examples:
  bigbrotr relays remove wss://relay.example.com
  bigbrotr relays remove relay.example.com
""",
)
@click.argument("sources", metavar="FILE|URL|HOST...", nargs=-1, required=True, type=click.Path())
@wait_option
@json_option
@pass_options
@timeout_option()
def remove(options: Options, sources: tuple[str, ...], *, wait_s: int | None, as_document: bool) -> None:
    """Have relays read no longer: URLs, or files with URLs. Events that name them do not bring them back.

    Of a HOST, its denial is taken back: then its relays are decided like any others. What was archived stays.
    """
    _command(options, "remove", sources, wait_s=wait_s, as_document=as_document)


@click.command(
    short_help="Never connect to relays, or to any of a host.",
    epilog="""\b
Examples:
  bigbrotr relays deny wss://relay.example.com --reason "asked to be left alone"
  bigbrotr relays deny example.org
  bigbrotr relays deny denied.txt --wait 30s
""",
)
@click.argument("sources", metavar="FILE|URL|HOST...", nargs=-1, required=True, type=click.Path())
@click.option("--reason", default="", help="For people, such as: asked to be left alone.")
@wait_option
@json_option
@pass_options
@timeout_option()
def deny(options: Options, sources: tuple[str, ...], *, reason: str, wait_s: int | None, as_document: bool) -> None:
    """Never connect to relays: URLs, hosts with all that is beneath them, or files with either.

    Connections to them are closed within seconds, and nothing that names them opens one again: `relays add` of a URL,
    or `relays remove` of a host, takes it back. What was archived stays. A name that is no file is taken for a host.
    """
    if len(reason) > LONGEST_REASON:
        raise click.BadParameter(f"has {len(reason)} characters; give {LONGEST_REASON} at most", param_hint="--reason")
    _command(options, "deny", sources, reason=reason, wait_s=wait_s, as_document=as_document)


@click.command(
    short_help="Give relays the priority lane, or the regular one again.",
    epilog="""\b
Examples:
  bigbrotr relays priority wss://relay.example.com
  bigbrotr relays priority --off wss://relay.example.com
""",
)
@click.argument("sources", metavar="FILE|URL...", nargs=-1, required=True, type=click.Path())
@click.option("--off", is_flag=True, help="Give them the regular lane.")
@_PRIVATE
@wait_option
@json_option
@pass_options
@timeout_option()
def priority(
    options: Options, sources: tuple[str, ...], *, off: bool, allow_private: bool, wait_s: int | None, as_document: bool
) -> None:
    """Have relays always connected, with a budget of their own: URLs, or files with URLs.

    A relay that is not known is added. One that was denied or removed by command stays so.
    """
    settings = options.settings()
    quiet_log(settings)
    found = read_sources(sources, allow_private=allow_private)
    tell_refused(found)
    commands = adding(found.relays.values(), lane="regular" if off else "priority", allow_private=allow_private)
    give(settings, found, commands, changing_lane, wait_s=wait_s, as_document=as_document, text=_written)


def _command(
    options: Options,
    action: Action,
    sources: tuple[str, ...],
    *,
    reason: str = "",
    wait_s: int | None,
    as_document: bool,
) -> None:
    settings = options.settings()
    quiet_log(settings)
    # A relay that is not wanted may have any address.
    found = read_sources(sources, allow_private=True, into=RelayList(hosts=[]))
    tell_refused(found)
    commands = commanding(action, [*found.relays, *(found.hosts or ())], reason)
    give(settings, found, commands, replacing, wait_s=wait_s, as_document=as_document, text=_written)


def _written(report: CommandReport, refused: int) -> str:
    return f"relays: {report.written:,} written, {report.unchanged:,} said so already, {refused:,} refused"
