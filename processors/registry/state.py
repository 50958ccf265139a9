"""What the registry must have read before it takes anything: commands, its candidates, and the relays.

Each process follows all three wholly, whatever its partitions: they are small and bounded, `relays` is partitioned by
host while a process owns domains, and a partition that comes to it is then known already.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from core.kafka.state_change import Change
from core.kafka.state_topic import StateTopic
from core.settings import Settings
from processors.registry.followed import RegistryTopic
from processors.registry.registrar import Registrar
from schemas.records.relay import RelayRecord
from schemas.records.relay_command import RelayCommand
from schemas.topics import physical

States = tuple[StateTopic[RelayCommand], StateTopic[RelayRecord], StateTopic[RelayRecord]]


def follow(settings: Settings, registrar: Registrar) -> States:
    """Make the followers, commands first; each is to be assigned and closed."""

    def topic(name: RegistryTopic) -> StateTopic[RelayRecord]:
        return StateTopic(settings, _name(settings, name), _record, _records_into(registrar, name))

    commands = StateTopic(settings, _name(settings, "relays.commands"), _command, _commands_into(registrar))
    return commands, topic("relays.candidates"), topic("relays")


def _commands_into(registrar: Registrar) -> Callable[[Sequence[Change[RelayCommand]]], Awaitable[None]]:
    async def take(changes: Sequence[Change[RelayCommand]]) -> None:
        for change in changes:
            if change.value is None:
                registrar.unwanted(change.key)
            elif change.value.key() == change.key:
                registrar.wanted(change.value)

    return take


def _records_into(
    registrar: Registrar, topic: RegistryTopic
) -> Callable[[Sequence[Change[RelayRecord]]], Awaitable[None]]:
    async def take(changes: Sequence[Change[RelayRecord]]) -> None:
        for change in changes:
            registrar.followed.heard(topic, change.key.decode("utf-8", "replace"), change.value)

    return take


def _name(settings: Settings, name: str) -> str:
    return physical(settings.kafka.topic_prefix, name)


def _command(_key: bytes, value: bytes) -> RelayCommand:
    return RelayCommand.decode(value)


def _record(_key: bytes, value: bytes) -> RelayRecord:
    return RelayRecord.decode(value)
