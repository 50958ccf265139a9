"""Asks Kafka which services do not run anywhere, by the members of their consumer groups."""

from __future__ import annotations

from collections.abc import Iterable

from bigbrotr.services import READINGS
from core import kafka
from core.settings import Settings


async def absent(settings: Settings, names: Iterable[str]) -> list[str]:
    """Give those of the named services that do not run, here or elsewhere."""
    groups = {name: READINGS[name].group_id(settings) for name in names}
    client = await kafka.admin(settings)
    try:
        present = await kafka.groups_with_members(client, groups.values())
    finally:
        await kafka.stop_client(client)
    return [name for name, group_id in groups.items() if group_id not in present]
