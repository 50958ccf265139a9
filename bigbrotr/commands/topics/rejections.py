"""`bigbrotr rejections list|show|replay`: what was refused or quarantined, why, and whether it still would be."""

from __future__ import annotations

import asyncio
import heapq
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import click

from bigbrotr.console.options import Options, pass_options
from bigbrotr.console.output import opened_output, output_options
from bigbrotr.console.progress import StepProgress
from bigbrotr.console.rejections_options import PLACE, selecting, selection
from bigbrotr.console.rejections_view import HEADING, document, line, replayed, whole
from bigbrotr.console.snapshot_view import by_reason
from bigbrotr.console.timeout import READING, timeout_option
from bigbrotr.errors import CommandFailedError
from bigbrotr.servers import KAFKA, quiet_log, servers
from core.kafka import PublishError
from core.settings import Settings, SettingsError
from producers.rejected.reading import GoneError, read, read_places, stretch
from producers.rejected.records import Place, RejectedInput, Selection
from producers.rejected.replay import ReplayReport, replay


@click.group()
def rejections() -> None:
    """Look at what was refused, quarantined or not written, and send it through the pipeline again."""


@rejections.command(
    name="list",
    epilog="""\b
Examples:
  bigbrotr rejections list --since 2026-11-18 --reason bad_signature
  bigbrotr rejections list --json --limit 0 | jq -r .relay | sort | uniq -c
""",
)
@selecting
@click.option("--limit", type=click.IntRange(min=0), default=20, show_default=True, help="The newest; 0: all of them.")
@click.option("--json", "as_lines", is_flag=True, help="Write a JSON object for each, a line each.")
@pass_options
@timeout_option(READING)
def list_(options: Options, /, *, limit: int, as_lines: bool, **wanted: Any) -> None:
    """List what was refused, newest first, and count it by reason.

    With --limit 0 all are written as they are read, partition by partition. How long they are kept is the topics' rule:
    rejections for 7 days, less where they are many; unwritten for 28 days; quarantine without limit.
    """
    chosen = selection(**wanted)
    settings = options.settings()
    quiet_log(settings)
    counts: Counter[str] = Counter()
    with servers(settings, KAFKA) as filled, StepProgress() as progress:
        asyncio.run(_list(filled, chosen, counts, progress, limit=limit, as_lines=as_lines))
    if not as_lines:
        total = counts.total()
        click.echo(f"{total:,} in all: {by_reason(counts)}" if total else "nothing of that kind was refused")


async def _list(
    settings: Settings,
    chosen: Selection,
    counts: Counter[str],
    progress: StepProgress,
    *,
    limit: int,
    as_lines: bool,
) -> None:
    def write(item: RejectedInput) -> None:
        click.echo(json.dumps(document(item)) if as_lines else line(item))

    newest: list[tuple[int, Place, RejectedInput]] = []
    where = await stretch(settings, chosen)
    if not as_lines and where.records():
        click.echo(HEADING)
    done = 0
    async for item in read(settings, chosen, where):
        done += 1
        progress.show("reading", done, where.records(), f"{done:,} records")
        if item is None:
            continue
        counts[item.reason] += 1
        if not limit:
            write(item)
            continue
        heapq.heappush(newest, (item.time_ms, item.place, item))
        if len(newest) > limit:
            heapq.heappop(newest)
    for _, _, item in sorted(newest, reverse=True):
        write(item)


@rejections.command(
    short_help="Show one refused input, and its bytes as they came.",
    epilog="""\b
Examples:
  bigbrotr rejections show rejections/3/17
  bigbrotr rejections show quarantine/0/2 --raw | bigbrotr verify -
""",
)
@click.argument("place", type=PLACE)
@click.option("--raw", is_flag=True, help="Write the original bytes and nothing else.")
@output_options
@click.option("--json", "as_document", is_flag=True, help="Write the headers as one JSON object.")
@pass_options
@timeout_option(READING)
def show(options: Options, place: Place, *, raw: bool, output: Path | None, as_document: bool) -> None:
    """Show one refused input: why it was refused, and its bytes as they came.

    Whatever a terminal could act on is shown as an escape. PLACE is the topic, the partition and the offset, as
    `bigbrotr rejections list` names them.
    """
    if raw and output is None and sys.stdout.isatty():
        raise click.UsageError("--raw writes untrusted bytes, which a terminal may act on: add -o FILE, or a pipe")
    settings = options.settings()
    quiet_log(settings)
    with servers(settings, KAFKA) as filled:
        try:
            (item,) = asyncio.run(read_places(filled, [place]))
        except GoneError as error:
            raise CommandFailedError(f"{place}: {error}") from None
    if raw:
        content = item.value
    elif as_document:
        content = (json.dumps(document(item)) + "\n").encode()
    else:
        content = "".join(f"{part}\n" for part in whole(item)).encode()
    with opened_output(output) as write:
        write(content)


@rejections.command(
    name="replay",
    short_help="Validate refused input again; send what is accepted.",
    epilog="""\b
Examples:
  bigbrotr rejections replay --dry-run
  bigbrotr rejections replay --stage sink --since 2026-11-18
  bigbrotr rejections replay quarantine/0/2 quarantine/0/3
""",
)
@click.argument("places", type=PLACE, nargs=-1)
@selecting
@click.option("--dry-run", is_flag=True, help="Only say what is accepted now; send nothing.")
@click.option("--json", "as_document", is_flag=True, help="Write the result as one JSON object.")
@pass_options
@timeout_option()
def replay_(options: Options, /, places: tuple[Place, ...], *, dry_run: bool, as_document: bool, **wanted: Any) -> None:
    """Validate refused input again, and send what is accepted now through the pipeline. Safe to repeat.

    Input that was refused as an event is validated by the present code and settings; what is accepted now goes to the
    processor with the relay and the time of the copy that was refused. Records that the sink could not store go back to
    the topic from which they came. PLACEs choose single records; without any, the options choose.
    """
    chosen = selection(**wanted)
    settings = options.settings()
    quiet_log(settings)
    with servers(settings, KAFKA) as filled, StepProgress() as progress:
        report = asyncio.run(_replay(filled, chosen, list(places), progress, dry_run=dry_run))
    if not as_document:
        for told in replayed(report, dry_run=dry_run):
            click.echo(told)
        return
    outcomes = [{**outcome._asdict(), "count": count} for outcome, count in report.outcomes.most_common()]
    counted = {"read": report.read, "selected": report.selected, "sent": report.sent}
    click.echo(json.dumps({**counted, "dry_run": dry_run, "outcomes": outcomes}))


async def _replay(
    settings: Settings, chosen: Selection, places: list[Place], progress: StepProgress, *, dry_run: bool
) -> ReplayReport:
    if places:
        try:
            total, items = len(places), _given(await read_places(settings, places), chosen)
        except GoneError as error:
            raise CommandFailedError(str(error)) from None
    else:
        where = await stretch(settings, chosen)
        total, items = where.records(), read(settings, chosen, where)

    def seen(report: ReplayReport) -> None:
        progress.show("replaying", report.read, total, f"{report.sent:,} sent again of {report.selected:,}")

    try:
        return await replay(settings, items, dry_run=dry_run, progress=seen)
    except PublishError as error:
        raise CommandFailedError(f"Kafka did not take the records: {error}") from error
    except ValueError as error:
        raise SettingsError(f"connector.filters (BIGBROTR_CONNECTOR__FILTERS): {error}") from error


async def _given(items: list[RejectedInput], chosen: Selection) -> AsyncIterator[RejectedInput | None]:
    for item in items:
        yield item if chosen.wants(item) else None
