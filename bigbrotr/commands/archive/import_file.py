"""`bigbrotr import`: events of a file into the pipeline, and with --wait a report of what became of every line."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import click

from bigbrotr.console.options import Options, pass_options
from bigbrotr.console.parameters import RELAY
from bigbrotr.console.progress import ImportProgress
from bigbrotr.console.snapshot_view import by_reason
from bigbrotr.console.timeout import timeout_option
from bigbrotr.errors import CommandFailedError
from bigbrotr.importing.pending import interrupted, pending
from bigbrotr.servers import BOTH, KAFKA, quiet_log, say, starting_servers
from producers.files.event_lines import UnreadableFormatError, check_format

_EPILOG = """\b
Examples:
  bigbrotr import events.jsonl.gz --wait
  zstdcat dump.zst | bigbrotr import - --relay wss://relay.example.com --json
"""


_LABELS = {"new": "  new", "already_archived": "  before"}


@click.command("import", epilog=_EPILOG)
@click.argument("file", metavar="FILE|-", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--wait", is_flag=True, help="Return when every line is archived or refused, and say how many of each.")
@click.option("--json", "as_document", is_flag=True, help="Write the result as one JSON object to stdout.")
@click.option(
    "--relay", type=RELAY, help="The relay that the events came from; else only lines that name one sight it."
)
@pass_options
@timeout_option()
def import_(options: Options, file: str, *, wait: bool, as_document: bool, relay: str | None) -> None:
    """Send the events of a JSONL file or a JSON array (plain, gzip or zstd; - is standard input) through the pipeline.

    A line is an event, an ["EVENT",…] message, or what `export --sightings` writes, and validated like an event from a
    relay. Other files and text in other encodings are named in the error, with what to convert them by.

    With --wait, a processor and a sink are started if none runs for the data directory, and the exit code is 0 only if
    every line is accounted for: archived (new, or there before), a duplicate, refused, quarantined or erased. It is 1
    where all are refused.

    Without --wait, it returns once Kafka has everything, and says whether services run that archive it. To interrupt
    it and to repeat it is safe: an event is archived once.
    """
    settings = options.settings()
    quiet_log(settings)
    source = None if file == "-" else Path(file)
    size_bytes = None
    if source is not None and source.is_file():
        size_bytes = source.stat().st_size
        try:
            check_format(source)
        except UnreadableFormatError as error:
            raise CommandFailedError(f"{file}: {error}") from None
    progress = ImportProgress(size_bytes)
    try:
        with starting_servers(settings, BOTH if wait else KAFKA) as (filled, ready), progress:
            # It loads the clients of both servers, which takes half a second of the time in which those start.
            from bigbrotr.commands.archive import import_run  # noqa: PLC0415

            if wait:
                work = import_run.import_and_wait(filled, source, relay, progress, config=options.config, ready=ready)
            else:
                work = import_run.import_(filled, source, relay, progress, ready=ready)
            result = asyncio.run(work)
    except KeyboardInterrupt:
        say(interrupted(progress.report.sent))
        raise
    click.echo(json.dumps({"file": file, **result}) if as_document else _as_text(result))
    if not wait and result["sent"]:
        say(pending(result["sent"], result["not_running"]))
    if result["damage"]:
        raise CommandFailedError(f"{file}: {result['damage']}; what came before is imported")
    if result.get("complete") is False:
        raise CommandFailedError(f"{result['missing']} lines are neither archived nor refused: {result['missing_ids']}")
    refused = sum(result["refused"].values())
    if refused and refused == result["lines"]:
        raise CommandFailedError(
            f"{file}: nothing of it was taken: all {refused:,} lines are refused ({by_reason(result['refused'])}); "
            "`bigbrotr verify` says of each line why"
        )


def _as_text(result: dict[str, Any]) -> str:
    lines = [f"lines        {result['lines']:>10,}  in {result['seconds']} s"]
    counts = ("sent", "archived", "new", "already_archived", "duplicates", "missing")
    lines += [f"{_LABELS.get(name, name):<12} {result[name]:>10,}" for name in counts if name in result]
    for name in ("refused", "quarantined", "erased"):
        reasons = result.get(name, {})
        if name == "erased" and not reasons:
            continue
        lines.append(f"{name:<12} {sum(reasons.values()):>10,}  {by_reason(reasons)}".rstrip())
    return "\n".join(lines)
