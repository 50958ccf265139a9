"""`bigbrotr audit`: checks ids, signatures and derived columns of every row, and names the altered ones."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys

import click

from bigbrotr.console.options import Options, pass_options
from bigbrotr.console.parameters import MOMENT
from bigbrotr.console.progress import StepProgress
from bigbrotr.console.timeout import READING, timeout_option
from bigbrotr.servers import POSTGRES, quiet_log, servers
from bigbrotr.status import archive
from core.settings import Settings
from sinks.integrity.audit import audit
from sinks.integrity.audit_report import NAMED, AuditReport, Scope
from sinks.integrity.sample import Sample

_EPILOG = """\b
Examples:
  bigbrotr audit
  bigbrotr audit --sample 5% --seed 7 --json
  bigbrotr audit --since 2026-11-01 --jobs 2
"""
# A thread that comes back from checking a signature waits so long for one that never rests; Python's default is 5 ms.
_SWITCH_S = 0.0005
_MOST_JOBS = 64  # a connection of the database for each
_SEEDS = 2**32


class _SampleType(click.ParamType):
    """A number of events, or a share of them in per cent: (count, share), one of them None."""

    name = "N|P%"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int | None, float | None]:
        """Give the number or the share."""
        try:
            if value.endswith("%") and 0 < float(value[:-1]) <= 100:  # noqa: PLR2004 - per cent
                return None, float(value[:-1]) / 100
            if int(value) > 0:
                return int(value), None
        except ValueError:
            pass
        raise click.BadParameter(f"{value}: give a number of events such as 10000, or a share such as 5%", ctx, param)


@click.command("audit", epilog=_EPILOG)
@click.option(
    "--sample", metavar="N|P%", type=_SampleType(), help="About so many events, or this share of them, not all."
)
@click.option(
    "--seed", type=click.IntRange(0, _SEEDS - 1), help="Draw the same sample again.  [default: another each time]"
)
@click.option(
    "--since", metavar="TIME", type=MOMENT, help="Only events from then on: Unix seconds, a date, or date and time."
)
@click.option("--until", metavar="TIME", type=MOMENT, help="Only events up to then, included.")
@click.option(
    "--jobs", type=click.IntRange(1, _MOST_JOBS), help="Connections and threads at once.  [default: one per core]"
)
@click.option("--json", "as_document", is_flag=True, help="Write one JSON object.")
@pass_options
@timeout_option(READING)
def audit_(
    options: Options,
    *,
    sample: tuple[int | None, float | None] | None,
    seed: int | None,
    since: int | None,
    until: int | None,
    jobs: int | None,
    as_document: bool,
) -> None:
    """Make every event again from its row, and check its id, its signature and every column that follows from them.

    A row that somebody altered is named, with the column where that can be told, and the exit code is 1. So is an event
    of which another table lacks what follows from it, such as its expiration. Without --sample, --since and --until the
    counts of events and sightings are compared with the rows, too, month by month, registry and health of relays with
    what follows from each URL, and information documents with what was understood of them. Sightings of events that
    are not in the archive are counted: that is no damage, because the two travel apart.
    """
    if seed is not None and sample is None:
        raise click.UsageError("--seed draws a sample: give --sample too, such as --sample 5%")
    settings = options.settings()
    quiet_log(settings)
    seed = secrets.randbelow(_SEEDS) if seed is None else seed
    scope = Scope(since, until, None if sample is None else Sample(seed, sample[1] or 1.0, sample[0]))
    sys.setswitchinterval(_SWITCH_S)
    with servers(settings, POSTGRES) as filled:
        report = asyncio.run(_audit(filled, scope, jobs or os.cpu_count() or 1))
    document = _as_json(report, scope)
    click.echo(json.dumps(document) if as_document else _as_text(report, scope))
    if report.altered or report.miscounts or report.relays or report.documents:
        raise click.exceptions.Exit(1)


async def _audit(settings: Settings, scope: Scope, jobs: int) -> AuditReport:
    with StepProgress() as progress:

        def tell(report: AuditReport) -> None:
            rate = report.events / report.seconds if report.seconds else 0.0
            found = f", {report.altered:,} altered" if report.altered else ""
            text = f"{report.events:,} events, {rate:,.0f}/s{found}"
            progress.show("auditing", min(report.events, report.expected), report.expected or None, text)

        async with archive.readable(settings, jobs + 1) as pool:
            return await audit(pool, scope, jobs=jobs, progress=tell)


def _as_json(report: AuditReport, scope: Scope) -> dict[str, object]:
    sample = scope.sample
    return {
        "events": report.events,
        "sightings": report.sightings,
        "orphans": report.orphans,
        "sample": None if sample is None else {"share": sample.share, "seed": sample.seed},
        "altered": report.altered,
        "findings": [finding._asdict() for finding in report.findings],
        "miscounts": [miscount._asdict() for miscount in report.miscounts],
        "relays": [relay._asdict() for relay in report.relays],
        "documents": [document._asdict() for document in report.documents],
        "seconds": round(report.seconds, 2),
    }


def _as_text(report: AuditReport, scope: Scope) -> str:
    sample = scope.sample
    drawn = "" if sample is None else f", {100 * sample.share:.3g} % of all, drawn by --seed {sample.seed}"
    orphans = "" if not report.orphans else f", {report.orphans:,} of events that are not here (no damage)"
    lines = [
        f"events     {report.events:>12,}  checked in {report.seconds:.1f} s{drawn}",
        f"sightings  {report.sightings:>12,}  rows checked{orphans}",
        f"altered    {report.altered:>12,}",
    ]
    for finding in report.findings:
        which = finding.columns[0] if len(finding.columns) == 1 else f"one of {', '.join(finding.columns)}"
        lines.append(f"  {finding.month} {finding.table} {finding.id}: {which}: {finding.detail}")
    if len(report.findings) == NAMED:
        lines.append(f"  only the first {NAMED:,} are named")
    lines += [
        f"miscounted {each.table} of {each.month}: month_counts says {each.counted:,}, the rows give {each.stored:,}"
        for each in report.miscounts
    ]
    lines += [f"altered {each.table} {each.url}: {each.column}: {each.detail}" for each in report.relays]
    lines += [f"altered relay_documents {each.hash}: {each.detail}" for each in report.documents]
    return "\n".join(lines)
