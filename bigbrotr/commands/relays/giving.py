"""What the commands that write have in common: lists from arguments, the records, and who is there to act on them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from bigbrotr.commands.topics.topics import created
from bigbrotr.console.parameters import DURATION
from bigbrotr.errors import CommandFailedError
from bigbrotr.servers import KAFKA, say, servers
from bigbrotr.services import readers_of
from bigbrotr.status.absent import absent
from bigbrotr.status.registry_wait import until_decided
from core.kafka import PublishError
from core.settings import Settings
from producers.operator.listed_relays import RefusedUrl, RelayList
from producers.operator.relay_commands import CommandReport, Settle, publish_commands, still_said
from producers.operator.relay_lists import RelayListError, parse_relay_text, read_relay_file
from schemas.records.relay_command import RelayCommand

_IDLE = "no registry runs, so nothing changes yet: `bigbrotr run --discover` starts one, or `bigbrotr service registry`"

wait_option = click.option(
    "--wait", "wait_s", type=DURATION, help="Wait until the registry has decided, so long at most, such as 30s."
)
json_option = click.option("--json", "as_document", is_flag=True, help="Write one JSON object.")


def read_sources(sources: Sequence[str], *, allow_private: bool, into: RelayList | None = None) -> RelayList:
    """Read files with relay URLs, and URLs themselves: what has a scheme is a URL.

    Where the list takes hosts, what is no file is one.

    Raises:
        BadParameter: a file cannot be read.
        CommandFailedError: a file, or an argument that begins as JSON, is no list of relays.
    """
    found = into if into is not None else RelayList()
    for source in sources:
        try:
            if "://" in source or (found.hosts is not None and not Path(source).exists()):
                parse_relay_text(source, "argument", allow_private=allow_private, into=found)
            else:
                read_relay_file(Path(source), allow_private=allow_private, into=found)
        except OSError as error:
            raise click.BadParameter(f"{source}: {error.strerror}", param_hint="FILE|URL") from None
        except RelayListError as error:
            raise CommandFailedError(str(error)) from None
    return found


def tell_refused(found: RelayList) -> None:
    """Say what is no relay, and end where nothing else was named.

    Raises:
        CommandFailedError: it was not.
    """
    for refused in found.refused:
        say(f"{refused.place}: {refused.text}: {refused.reason}")
    if not found.relays and not found.hosts:
        raise CommandFailedError("no relay URL was found: nothing is written")


def give(
    settings: Settings,
    found: RelayList,
    commands: Sequence[RelayCommand],
    settle: Settle,
    *,
    wait_s: int | None = None,
    as_document: bool,
    text: Callable[[CommandReport, int], str],
) -> None:
    """Write commands, and say what was written and whether anything acts on it.

    Args:
        settings: without servers.
        found: where the commands come from.
        commands: to write.
        settle: see `publish_commands`.
        wait_s: wait so long for the registry to have acted.
        as_document: write JSON.
        text: what to write otherwise, of a report and the number of refused entries.
    """
    with servers(settings, KAFKA) as filled:
        report, idle = asyncio.run(_given(filled, commands, settle))
        kept = [RefusedUrl("relays.commands", one.target, still_said(one)) for one in report.kept]
        for refused in kept:
            say(f"{refused.text}: {refused.reason}")
        refusals = [*found.refused, *kept]
        if as_document:
            document: dict[str, Any] = {"written": report.written, "unchanged": report.unchanged}
            document |= {"duplicates": found.duplicates, "refused": [refused._asdict() for refused in refusals]}
            click.echo(json.dumps({**document, "not_running": idle}))
        else:
            click.echo(text(report, len(refusals)))
        if idle:
            say(_IDLE)
        if wait_s is not None:
            asyncio.run(_decided(filled, report.standing, wait_s))


async def _given(
    settings: Settings, commands: Sequence[RelayCommand], settle: Settle
) -> tuple[CommandReport, list[str]]:
    await created(settings)
    try:
        report = await publish_commands(settings, commands, settle)
        return report, await absent(settings, readers_of("relays.found"))
    except (PublishError, TimeoutError) as error:
        raise CommandFailedError(f"Kafka did not take the relays; repeating it does no harm: {error}") from error


async def _decided(settings: Settings, commands: Sequence[RelayCommand], wait_s: int) -> None:
    undecided = await until_decided(settings, commands, wait_s)
    if undecided:
        shown = ", ".join(undecided[:5])
        raise CommandFailedError(
            f"{len(undecided):,} of {len(commands):,} are not decided after {wait_s} s: {shown}. What was written stays"
        )
