"""What `bigbrotr import` does once servers start. It loads the clients of both, so it is imported beside that start."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, nullcontext
from pathlib import Path
from typing import Any

from bigbrotr.commands.archive.migrate import migrated
from bigbrotr.commands.topics.topics import created
from bigbrotr.console.progress import ImportProgress
from bigbrotr.console.standard_input import interruptible_stdin
from bigbrotr.errors import CommandFailedError
from bigbrotr.importing.import_account import REFUSALS, Account, Began, account
from bigbrotr.importing.import_wait import NEEDED, needed_services, settled
from bigbrotr.servers import READY_POLL_S, Ready
from bigbrotr.status.absent import absent
from bigbrotr.status.lags import open_lags
from core.archive.connection import with_connection
from core.archive.insertions import moment
from core.settings import Settings
from producers.files.event_lines import DamagedFileError, UnreadableFormatError
from producers.files.import_report import ImportReport
from producers.files.importer import import_lines


async def import_(
    settings: Settings, source: Path | None, relay: str | None, progress: ImportProgress, *, ready: Ready
) -> dict[str, Any]:
    """Import, and say which services are missing that archive it; the result as `--json` writes it."""
    await _until(ready)
    await created(settings)
    report, damage = await _read(settings, source, relay, progress)
    return {
        "lines": report.lines,
        "sent": report.sent,
        "not_running": await absent(settings, NEEDED),
        "refused": dict(report.refused),
        "damage": damage,
        "seconds": round(report.seconds, 2),
    }


async def import_and_wait(
    settings: Settings,
    source: Path | None,
    relay: str | None,
    progress: ImportProgress,
    *,
    config: Path | None,
    ready: Ready,
) -> dict[str, Any]:
    """Import, wait until all is archived, and account for every line; the result as `--json` writes it."""
    async with AsyncExitStack() as connections:
        async with needed_services(settings, config, progress.note) as services:
            await _until(ready)
            began_s = time.monotonic()
            await created(settings)
            await migrated(settings)
            services.begin()
            lags = await connections.enter_async_context(open_lags(settings))
            _, ends = await lags.reader.bounds(*(name for name, _ in REFUSALS))
            began = Began(ends, await with_connection(lags.pool, moment))
            report, damage = await _read(settings, source, relay, progress)
            await settled(settings, lags, report, progress, services.check)
            # It asks Kafka and PostgreSQL alone, while the services stop.
            accounting = asyncio.create_task(account(settings, lags, report, began))
        result = await accounting
    return {**_as_json(result), "damage": damage, "seconds": round(time.monotonic() - began_s, 2)}


async def _until(ready: Ready) -> None:
    while not ready():  # noqa: ASYNC110 - the process that starts the servers says so in a file
        await asyncio.sleep(READY_POLL_S)


async def _read(
    settings: Settings, source: Path | None, relay: str | None, progress: ImportProgress
) -> tuple[ImportReport, str | None]:
    """Import, and for a damaged file also what came before the damage."""
    with interruptible_stdin() if source is None else nullcontext():
        try:
            return await import_lines(settings, source, relay=relay, progress=progress.read), None
        except UnreadableFormatError as error:
            raise CommandFailedError(f"{source or 'standard input'}: {error}") from None
        except DamagedFileError as error:
            return progress.report, str(error)


def _as_json(result: Account) -> dict[str, Any]:
    return {
        "lines": result.lines,
        "archived": result.archived,
        "new": result.new,
        "already_archived": result.archived - result.new,
        "duplicates": result.duplicates,
        "refused": dict(result.refused),
        "quarantined": dict(result.quarantined),
        "erased": dict(result.erased),
        "missing": result.missing,
        "missing_ids": result.missing_ids,
        "complete": result.complete,
    }
