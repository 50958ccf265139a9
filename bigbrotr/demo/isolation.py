"""The demo's own topics and data directory: what it has is kept out of others, and each demo begins with none."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from bigbrotr.supervise.running import LOCK_NAME
from core.settings import Settings


def isolated(settings: Settings) -> Settings:
    """Keep the demo's events out of real topics too, where the demo runs on servers of one's own.

    Nothing is published of its relays, which are on this machine, and nothing is written to them: what they offer is
    what the archive is compared with.
    """
    prefix = settings.kafka.topic_prefix
    if settings.kafka.bootstrap_servers is not None:
        prefix = f"demo-{time.time_ns() // 1_000_000}.{prefix}"
    return settings.model_copy(
        update={
            "kafka": settings.kafka.model_copy(update={"topic_prefix": prefix}),
            "prober": settings.prober.model_copy(update={"write": False}),
            "monitor": settings.monitor.model_copy(update={"relays": []}),
        }
    )


def cleared(data_dir: Path) -> None:
    """Remove what an earlier demo has left: each starts with an empty archive, or its figures would say nothing."""
    from deploy.embedded.stack import stop  # noqa: PLC0415 - not needed against one's own servers

    stop(data_dir)
    for entry in data_dir.iterdir():
        if entry.name == LOCK_NAME:
            continue
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()
