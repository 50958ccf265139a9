"""`bigbrotr erase`: erases events, or all of an author up to a time, from topics and archive, permanently."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import time
from collections.abc import Sequence

import asyncpg
import click

from bigbrotr.commands.topics.topics import created
from bigbrotr.console.options import Options, pass_options
from bigbrotr.console.parameters import EVENT_ID, MOMENT, PUBLIC_KEY
from bigbrotr.console.timeout import timeout_option
from bigbrotr.errors import CommandFailedError
from bigbrotr.servers import quiet_log, say, servers
from bigbrotr.status.absent import absent
from core.archive.connection import reading
from core.archive.counts import present, signed_until
from core.kafka import PublishError
from core.settings import Settings
from producers.operator.erase import publish_erasures
from schemas.records.erasure import UNTIL_END, Cause, Erasure
from schemas.topics import DAY_MS, topic

# The count is for the person who is asked; an archive that is away or busy must not hold the erasure up.
_COUNT_S = 10.0
# More ids are not read by anyone.
_SHOWN = 5

_PENDING = {
    "processor": "copies of it are not dropped, and wait to be validated",
    "sink": "its rows stay in the archive",
}
"""What is left undone where a service does not run that applies erasures."""

_EPILOG = """\b
Examples:
  bigbrotr erase 1712909677ff6199b8bf47a30de97d630de44e807d5c7dee0018b86397d1ca4e
  bigbrotr erase --author f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9 --until 2026-11-18
  bigbrotr erase --cause law --yes --json ID ID ID
"""


def rules_for(ids: Sequence[str], author: str | None, until_s: int | None, cause: Cause) -> list[Erasure]:
    """State what is to be erased.

    Raises:
        UsageError: neither or both of ids and author are given, or the time is missing or out of range.
    """
    if bool(ids) == (author is not None):
        raise click.UsageError("give ids of events, or --author with --until")
    if (author is None) != (until_s is None):
        raise click.UsageError("--author and --until belong together: events up to that time, included, are erased")
    if until_s is not None and not 0 <= until_s < UNTIL_END:
        raise click.BadParameter(f"{until_s}: must be 0 to {UNTIL_END - 1} seconds", param_hint="--until")
    now_ms = time.time_ns() // 1_000_000
    if author is not None:
        return [Erasure(pubkey=author, until_s=until_s, cause=cause, erased_at_ms=now_ms)]
    return [Erasure(id=event_id, cause=cause, erased_at_ms=now_ms) for event_id in dict.fromkeys(ids)]


@click.command(epilog=_EPILOG)
@click.argument("ids", metavar="[ID]...", nargs=-1, type=EVENT_ID)
@click.option("--author", type=PUBLIC_KEY, help="Erase everything that this public key signed, with --until.")
@click.option("--until", "until_s", type=MOMENT, help="The newest created_at that is erased.")
@click.option(
    "--cause",
    type=click.Choice(["operator", "law"]),
    default="operator",
    show_default=True,
    help="Who asks for it; kept with the erasure.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_document", is_flag=True, help="Write one JSON object.")
@pass_options
@timeout_option()
def erase(
    options: Options,
    ids: tuple[str, ...],
    *,
    author: str | None,
    until_s: int | None,
    cause: str,
    yes: bool,
    as_document: bool,
) -> None:
    """Erase events by id, or all of an author up to a time. There is no way back.

    Ids and public keys are taken in hex, and as note1…, nevent1…, npub1… and nprofile1….

    Neither relays nor a replay bring back what is erased, also where it was never seen before. It does not depend on
    the settings `policy`, which say what requests of authors lead to.
    """
    rules = rules_for(ids, author, until_s, Cause(cause))
    settings = options.settings()
    quiet_log(settings)
    with servers(settings) as filled:
        matching = asyncio.run(_matching(filled, rules))
        say(question(rules, matching))
        if not yes and not _agreed():
            raise CommandFailedError("nothing was erased: answer y, or give --yes where there is no terminal")
        recorded, idle = asyncio.run(_publish(filled, rules))
    say(_consequences(recorded, idle))
    if as_document:
        keys = [rule.key().decode() for rule in rules]
        document = {"erasures": keys, "recorded": recorded, "cause": cause, "archived_events": matching}
        click.echo(json.dumps({**document, "not_running": list(idle)}))


def _agreed() -> bool:
    say("Erase this for good? [y/N]")
    return click.get_text_stream("stdin").readline().strip().lower() in ("y", "yes")


async def _matching(settings: Settings, rules: Sequence[Erasure]) -> int | None:
    """Count the archived events that the rules are about; None where the archive does not tell."""
    try:
        async with asyncio.timeout(_COUNT_S), reading(settings) as connection:
            first = rules[0]
            if first.pubkey is not None and first.until_s is not None:
                return await signed_until(connection, first.pubkey, first.until_s)
            return len(await present(connection, [rule.id for rule in rules if rule.id is not None]))
    except (TimeoutError, OSError, asyncpg.PostgresError) as error:
        say(f"the archive does not tell what it has of this: {type(error).__name__}")
        return None


def question(rules: Sequence[Erasure], matching: int | None) -> str:
    """Say what is about to be erased, and how many archived events (None: not known) it covers."""
    first = rules[0]
    if first.id is None:
        what = f"everything that {first.pubkey} signed up to {_moment(first.until_s or 0)}"
    else:
        shown = ", ".join(rule.id or "" for rule in rules[:_SHOWN])
        rest = f" and {len(rules) - _SHOWN:,} more" if len(rules) > _SHOWN else ""
        what = f"{len(rules):,} event{'s' if len(rules) > 1 else ''}: {shown}{rest}"
    known = "" if matching is None else f"\n{matching:,} archived event{'s are' if matching != 1 else ' is'} among it"
    return f"to be erased: {what}{known}"


def _moment(time_s: int) -> str:
    """Unix seconds and, where Python's calendar reaches so far, what they are in UTC: a date means its first second."""
    try:
        return f"{time_s} ({dt.datetime.fromtimestamp(time_s, dt.UTC):%Y-%m-%d %H:%M:%S} UTC), included"
    except (ValueError, OverflowError):
        return f"{time_s}, included"


def _consequences(recorded: int, idle: Sequence[str]) -> str:
    lag_ms = topic("events").compaction_lag_ms
    assert lag_ms is not None
    head = f"recorded: {recorded:,}" if recorded else "recorded already, and not again"
    waits = "".join(f"\nno {name} runs: {_PENDING[name]}. Start it (`bigbrotr run`)" for name in idle)
    return f"""\
{head}{waits}
What happens now:
- copies that arrive are dropped, and rows are deleted, within seconds where processor and sink run
- Kafka rewrites the topic events without it within {lag_ms // DAY_MS} days of the sink's having met it
- raw.bundles keeps what relays sent until it is deleted there, rejections for days, and unwritten for weeks
- quarantine keeps what it has: look with `bigbrotr rejections`
- backups of PostgreSQL and Kafka keep it until they are deleted"""


async def _publish(settings: Settings, rules: Sequence[Erasure]) -> tuple[int, list[str]]:
    """Publish rules; how many were new, and which of the services that apply them do not run."""
    await created(settings)
    try:
        recorded = len(await publish_erasures(settings, rules))
        return recorded, await absent(settings, _PENDING)
    except (PublishError, TimeoutError) as error:
        raise CommandFailedError(f"Kafka did not take the erasure; repeating it does no harm: {error}") from error
