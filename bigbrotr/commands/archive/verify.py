"""`bigbrotr verify`: JSONL in, one JSON verdict a line out; no server needed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click
import orjson

from bigbrotr.console.options import Options, pass_options
from bigbrotr.errors import CommandFailedError
from bigbrotr.importing.judging import verdicts
from producers.files.event_lines import DamagedFileError, EventLines
from schemas.nostr.judge import Policy
from schemas.reasons import Verdict

_EPILOG = """\b
Examples:
  bigbrotr verify events.jsonl
  zstdcat dump.jsonl.zst | bigbrotr verify | grep -v '"accepted"'
"""


@contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """Open a file for reading bytes; `-` is standard input.

    Raises:
        BadParameter: the file cannot be opened.
    """
    if path == "-":
        yield sys.stdin.buffer
        return
    try:
        file = Path(path).open("rb")  # noqa: SIM115 - opened in one place, closed by the block below
    except OSError as error:
        raise click.BadParameter(f"{path}: {error.strerror}", param_hint="FILE") from None
    with file:
        yield file


@click.command(epilog=_EPILOG)
@click.argument("file", default="-", metavar="[FILE|-]")
@pass_options
def verify(options: Options, file: str) -> None:
    """Validate every event of a JSONL file or a JSON array (plain, gzip or zstd), without any server.

    A line is an event, an ["EVENT",…] message, or what `export --sightings` writes. Each line of output is a JSON
    object: "line" (its number, or that of the element of an array), "id", "verdict" (accepted, quarantined or refused),
    "reason", and where there is more to say "field" and "detail". Blank lines are passed over. Other files and text in
    other encodings are named in the error, with what to convert them by. The verdicts are those of an import.

    The exit code is 1 if any line was not accepted.
    """
    policy = Policy(archive_ephemeral=options.settings().processor.archive_ephemeral)
    all_accepted = True
    out = sys.stdout.buffer
    with opened(file) as stream:
        try:
            for verdict in verdicts(iter(EventLines(stream)), policy):
                all_accepted = all_accepted and verdict["verdict"] is Verdict.ACCEPTED
                out.write(orjson.dumps(verdict, option=orjson.OPT_APPEND_NEWLINE))
            out.flush()
        except (DamagedFileError, IsADirectoryError) as error:
            out.flush()
            raise CommandFailedError(f"{file}: {error}") from None
    if not all_accepted:
        raise click.exceptions.Exit(1)
