"""`bigbrotr verify`: JSONL in, one JSON verdict a line out; no server needed."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click
import orjson

from bigbrotr.console.options import Options, pass_options
from bigbrotr.console.snapshot_view import by_reason
from bigbrotr.errors import CommandFailedError
from bigbrotr.importing.judging import verdicts
from bigbrotr.servers import say
from producers.files.event_lines import DamagedFileError, EventLines
from schemas.nostr.judge import Policy
from schemas.reasons import Reason, Verdict

_POLICY: frozenset[str | None] = frozenset({Reason.KIND_NOT_ARCHIVED})
"""Reasons that say nothing against an event: another archive may be set to take it."""
_BY_POLICY = 3

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
@click.argument("file", default="-", metavar="[FILE|-]", type=click.Path(allow_dash=True))
@pass_options
def verify(options: Options, file: str) -> None:
    """Validate every event of a JSONL file or a JSON array (plain, gzip or zstd), without any server.

    A line is an event, an ["EVENT",…] message, or what `export --sightings` writes. Each line of output is a JSON
    object: "line" (its number, or that of the element of an array), "id", "verdict" (accepted, quarantined or refused),
    "reason", and where there is more to say "field" and "detail". Blank lines are passed over. Other files and text in
    other encodings are named in the error, with what to convert them by. The verdicts are those of an import.

    At the end stderr says how many lines there were, of each verdict and for which reasons. The exit code is 0 if all
    were accepted, 3 if the others were refused only by what this archive is set to leave out (the setting
    processor.archive_ephemeral), and 1 else.
    """
    policy = Policy(archive_ephemeral=options.settings().processor.archive_ephemeral)
    counts: Counter[tuple[str, str | None]] = Counter()
    out = sys.stdout.buffer
    with opened(file) as stream:
        try:
            for verdict in verdicts(iter(EventLines(stream)), policy):
                reason = verdict["reason"]
                counts[str(verdict["verdict"]), None if reason is None else str(reason)] += 1
                out.write(orjson.dumps(verdict, option=orjson.OPT_APPEND_NEWLINE))
            out.flush()
        except (DamagedFileError, IsADirectoryError) as error:
            out.flush()
            raise CommandFailedError(f"{file}: {error}") from None
    say(summary(counts))
    if code := exit_code(counts):
        raise click.exceptions.Exit(code)


def summary(counts: Mapping[tuple[str, str | None], int]) -> str:
    """Write how many lines there were of each verdict, those that were not accepted by reason."""
    parts = [f"{sum(counts.values()):,} lines"]
    for verdict in Verdict:
        reasons = {reason or "": lines for (found, reason), lines in counts.items() if found == verdict}
        if reasons:
            listed = "" if verdict is Verdict.ACCEPTED else f" ({by_reason(reasons)})"
            parts.append(f"{sum(reasons.values()):,} {verdict}{listed}")
    return ", ".join(parts)


def exit_code(counts: Iterable[tuple[str, str | None]]) -> int:
    """Return 0 where every line was accepted, 3 where only the policy refused some, else 1."""
    reasons = {reason for verdict, reason in counts if verdict != Verdict.ACCEPTED}
    return 0 if not reasons else _BY_POLICY if reasons <= _POLICY else 1
