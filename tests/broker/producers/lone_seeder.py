"""A seeder with a list of the test's own, inside the test's loop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from core.settings import Settings
from producers.seeding.service import SeederService
from tests.broker.producers.lone_service import running
from tests.waiting import until


@asynccontextmanager
async def seeder(settings: Settings, place: str, *, allow_private: bool = False) -> AsyncIterator[SeederService]:
    group = settings.seeder.model_copy(update={"list": place, "allow_private": allow_private})
    service = SeederService(settings.model_copy(update={"seeder": group}))
    async with running(service):
        yield service


def done(service: SeederService) -> bool:
    return service.status()["seeds"] is not None


async def seed(settings: Settings, place: str, *, allow_private: bool = False) -> None:
    """Run a seeder of its own until it has published what is new in its list."""
    async with seeder(settings, place, allow_private=allow_private) as service:
        await until(partial(done, service), "the list is published")
