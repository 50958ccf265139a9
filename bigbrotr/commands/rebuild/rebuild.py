"""`bigbrotr rebuild`: fills another schema or database from the topics."""

from __future__ import annotations

import asyncio
import json
import re

import click

from bigbrotr.commands.rebuild.target_archive import TARGET, at, named, named_by
from bigbrotr.console.options import Options, pass_options
from bigbrotr.console.parameters import MOMENT
from bigbrotr.console.progress import CountProgress
from bigbrotr.console.timeout import timeout_option
from bigbrotr.errors import CommandFailedError
from bigbrotr.servers import quiet_log, say, servers
from sinks.migrate import MigrationError
from sinks.rebuild.run import Plan, Rebuilt, default_jobs, rebuild
from sinks.rebuild.source import BEGINNING, Start
from sinks.rebuild.target import LiveError, RebuildError
from sinks.writing.stored_offsets import PositionError

_EPILOG = """\b
Examples:
  bigbrotr rebuild --into rebuilt
  bigbrotr digest --compare rebuilt && bigbrotr switch rebuilt
  bigbrotr rebuild --into postgresql://owner@elsewhere/bigbrotr --jobs 8
  bigbrotr rebuild --into rebuilt --from 2026-11-01 --again

It can be interrupted: the same command goes on from what is committed. Leave the password of another database out of
its address, which other users can see (ps): ~/.pgpass gives it, or PGPASSFILE, or PGPASSWORD.
"""

_OFFSET = re.compile(r"(events|sightings|coverage)/(\d{1,6})=(\d{1,18})")


class StartType(click.ParamType):
    """From where topics are read: `beginning`, a time, or offsets such as `events/0=1200,sightings/0=80`."""

    name = "TIME|OFFSETS"

    def convert(self, value: str | Start, param: click.Parameter | None, ctx: click.Context | None) -> Start:
        """Give the start, with a text that is equal for equal starts."""
        if isinstance(value, Start):
            return value
        if value == BEGINNING.text:
            return BEGINNING
        if "=" in value:
            found = [_OFFSET.fullmatch(part.strip()) for part in value.split(",")]
            if not all(found):
                self.fail(f"{value}: give offsets as TOPIC/PARTITION=OFFSET, for example events/0=1200", param, ctx)
            offsets = {(match[1], int(match[2])): int(match[3]) for match in found if match}
            text = ",".join(f"{topic}/{number}={offset}" for (topic, number), offset in sorted(offsets.items()))
            return Start(text, offsets=offsets)
        seconds = MOMENT.convert(value, param, ctx)
        if seconds < 0:
            self.fail(f"{value}: is before 1970, and no topic is that old", param, ctx)
        return Start(f"second {seconds}", time_ms=seconds * 1000)


@click.command("rebuild", epilog=_EPILOG)
@click.option("--into", "target", type=TARGET, required=True, help="A schema, made if need be, or another database.")
@click.option(
    "--from",
    "start",
    type=StartType(),
    help="Read records of this time or later, or from offsets (TOPIC/PARTITION=OFFSET,…).  [default: beginning]",
)
@click.option("--again", is_flag=True, help="Read once more what the target was filled from before; rows converge.")
@click.option(
    "--jobs", type=click.IntRange(1, 64), help="Processes that share the partitions.  [default: one for each core]"
)
@click.option("--json", "as_document", is_flag=True, help="Write one JSON object at the end.")
@pass_options
@timeout_option()
def rebuild_(
    options: Options, *, target: str, start: Start | None, again: bool, jobs: int | None, as_document: bool
) -> None:
    """Fill another schema or database from the topics: erasures first, then all that it is a view of.

    It reads up to where the topics end when it starts, by the code of the sink. The live archive is left alone.
    """
    settings = options.settings()
    quiet_log(settings)
    with servers(settings) as live:
        filled = at(live, target)
        plan = Plan(filled, start, again=again, jobs=jobs or default_jobs())
        try:
            with named_by("--into", target), CountProgress("rebuilding", "records") as progress:
                done = asyncio.run(rebuild(live, plan, progress))
        except LiveError as error:
            raise click.UsageError(f"--into: {error}") from error
        except (RebuildError, MigrationError, PositionError) as error:
            raise CommandFailedError(str(error)) from error
    if as_document:
        click.echo(json.dumps(done._asdict()))
    else:
        _tell(done, named(live, target))


def _tell(done: Rebuilt, where: str) -> None:
    if not done.records:
        say(f"{where} is up to date: there was nothing to read")
        return
    rate = f", {done.records / done.seconds:,.0f}/s" if done.seconds else ""
    say(f"{done.records:,} records were read into {where} in {done.seconds:.1f} s{rate}")
