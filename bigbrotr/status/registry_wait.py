"""Waits until the registry has acted on commands, as its records in the topic `relays` show it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from core.kafka.state_change import Change
from core.kafka.state_topic import StateTopic
from core.settings import Settings
from schemas.records.relay import RelayRecord
from schemas.records.relay_command import RelayCommand
from schemas.relay_urls.relay_url import normalize
from schemas.topics import physical

_LOOK_S = 0.2
"""A person waits, and Kafka passes a record on within this time."""


def is_decided(command: RelayCommand, relays: Mapping[str, RelayRecord]) -> bool:
    """Whether `relays` shows what a command wants."""
    record = relays.get(command.target)
    match command.action:
        case "add":
            return record is not None and record.allowed and record.lane == command.lane
        case "deny":
            return (record is not None or "://" not in command.target) and not _any(command, relays, allowed=True)
        case "remove":
            return record is None and not _any(command, relays, allowed=False)


def _any(command: RelayCommand, relays: Mapping[str, RelayRecord], *, allowed: bool) -> bool:
    """Whether a relay that the command is about has a record that says so."""
    if "://" in command.target:
        record = relays.get(command.target)
        return record is not None and record.allowed == allowed
    return any(record.allowed == allowed and is_beneath(url, command.target) for url, record in relays.items())


def is_beneath(url: str, host: str) -> bool:
    """Whether a normalised URL names this host or one beneath it."""
    return f".{normalize(url, allow_private=True).host}".endswith(f".{host}")


async def until_decided(settings: Settings, commands: Sequence[RelayCommand], limit_s: float) -> list[str]:
    """Follow `relays` until it shows what all commands want; the targets of those that it does not show in time."""
    relays: dict[str, RelayRecord] = {}
    open_ = list(commands)

    async def take(changes: Sequence[Change[RelayRecord]]) -> None:
        for change in changes:
            if change.value is None:
                relays.pop(change.key.decode(errors="replace"), None)
            else:
                relays[change.value.url] = change.value

    topic = physical(settings.kafka.topic_prefix, "relays")
    following = StateTopic(settings, topic, lambda _key, value: RelayRecord.decode(value), take)
    try:
        async with asyncio.timeout(limit_s):
            await following.assign()
            while open_ := [command for command in open_ if not is_decided(command, relays)]:
                following.check()
                await asyncio.sleep(_LOOK_S)
    except TimeoutError:
        pass
    finally:
        await following.close()
    return [command.target for command in open_]
