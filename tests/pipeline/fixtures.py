"""A running pipeline as a fixture's value."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from core.settings_model import Settings
from deploy.embedded.stack import Servers
from tests.pipeline.archive import Archive
from tests.pipeline.services import NAMES, Services
from tests.pipeline.world import drop_world, make_world, settings_for


@dataclass
class Pipeline:
    """Services that run for one world, and its archive."""

    settings: Settings
    services: Services
    archive: Archive


@contextmanager
def pipeline(servers: Servers, name: str, folder: Path, **extra_env: str) -> Iterator[Pipeline]:
    """Run connector, processor and sink in a world of their own; at the end, every one must stop with exit code 0."""
    settings = settings_for(servers, re.sub(r"\W", "_", name), folder)
    asyncio.run(make_world(servers, settings))
    services = Services(settings, **extra_env)
    services.start(*NAMES)
    try:
        yield Pipeline(settings, services, Archive(settings, services))
        services.check()
    finally:
        codes = services.stop()
        asyncio.run(drop_world(servers, settings))
    assert set(codes.values()) == {0}, {name: services.tail(name) for name, code in codes.items() if code}
