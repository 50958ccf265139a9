"""Runs a publication beside a test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from core.tasks import running
from producers.prober.nip66.publication import Publication
from tests.unit.producers.prober.nip66.records import settings
from tests.unit.producers.prober.speaking import DIALLING


@asynccontextmanager
async def publishing(*relays: str, prober: dict[str, Any] | None = None, **monitor: Any) -> AsyncIterator[Publication]:
    """Publish to relays."""
    publication = Publication(settings(*relays, prober=prober, **monitor), DIALLING)
    async with running(publication.run()):
        yield publication
