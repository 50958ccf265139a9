"""A running pipeline as a fixture's value."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from core.settings.model import Settings
from deploy.embedded.stack import Servers
from tests.pipeline.archive import Archive
from tests.pipeline.services import NAMES, Services
from tests.pipeline.world import drop_world, make_world, settings_for

S = TypeVar("S", bound=Services)


@dataclass
class Run(Generic[S]):
    """Services that run for one world, and its archive."""

    settings: Settings
    services: S
    archive: Archive


Pipeline = Run[Services]


@contextmanager
def pipeline(
    servers: Servers, name: str, folder: Path, *, names: Sequence[str] = NAMES, **extra_env: str
) -> Iterator[Pipeline]:
    """Run services in a world of their own, unless named connector, processor and sink.

    At the end, every one must stop with exit code 0.
    """
    with running(servers, Services, name, folder, names=names, **extra_env) as started:
        yield started


@contextmanager
def running(
    servers: Servers, kind: type[S], name: str, folder: Path, *, names: Sequence[str] = NAMES, **extra_env: str
) -> Iterator[Run[S]]:
    """Do as `pipeline`, with the services run as `kind` says."""
    settings = settings_for(servers, re.sub(r"\W", "_", name), folder)
    asyncio.run(make_world(servers, settings))
    services = kind(settings, **extra_env)
    services.start(*names)
    try:
        yield Run(settings, services, Archive(settings, services))
        services.check()
    finally:
        codes = services.stop()
        asyncio.run(drop_world(servers, settings))
    assert set(codes.values()) <= {0}, {name: services.tail(name) for name, code in codes.items() if code}
