"""Writes what people want of relays: to `relays.commands`, which keeps it, and to `relays.found`, which tells of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from core.kafka import FLUSH_S, Publisher, publishing, read_to_end
from core.settings import Settings
from producers.targets import full_name
from schemas.records.relay import Lane
from schemas.records.relay_command import Action, RelayCommand, Wisher
from schemas.records.relay_found import RelayFound
from schemas.relay_urls.registrable_domain import domain_partition
from schemas.relay_urls.relay_url import RelayUrl, normalize

Settle = Callable[[RelayCommand, RelayCommand | None], RelayCommand | None]
"""Which command is to stand, of the wanted one and the one that stands (None: none does); None: what stands stays."""


@dataclass(slots=True)
class CommandReport:
    """What became of commands.

    Attributes:
        written: were not known.
        unchanged: stood there already.
        standing: those that were written, and those that stood there.
        kept: targets that are denied or removed, and stay so, with the command that says so.
    """

    written: int = 0
    unchanged: int = 0
    standing: list[RelayCommand] = field(default_factory=list)
    kept: list[RelayCommand] = field(default_factory=list)


def adding(
    relays: Iterable[RelayUrl],
    *,
    source: Wisher = "operator",
    lane: Lane = "regular",
    allow_private: bool = False,
    now_ms: int | None = None,
) -> list[RelayCommand]:
    """The commands by which a person, or a list of seeds, has relays read; `now_ms`: None for the present."""
    now_ms = _now_ms() if now_ms is None else now_ms
    return [
        RelayCommand(
            target=url.url,
            action="add",
            source=source,
            spelling=url.spelling,
            lane=lane,
            allow_private=allow_private,
            at_ms=now_ms,
        )
        for url in relays
    ]


def commanding(action: Action, targets: Iterable[str], reason: str = "") -> list[RelayCommand]:
    """The commands by which a person has relays, or all of a host, denied or removed."""
    now_ms = _now_ms()
    return [RelayCommand(target=target, action=action, reason=reason, at_ms=now_ms) for target in targets]


def replacing(wanted: RelayCommand, before: RelayCommand | None) -> RelayCommand:
    """Let the wanted command stand. The spelling that was given first is the one to dial."""
    if before is not None and before.spelling is not None and wanted.action == "add":
        return wanted.model_copy(update={"spelling": before.spelling})
    return wanted


def importing(wanted: RelayCommand, before: RelayCommand | None) -> RelayCommand | None:
    """Take a list over, again and again: what a person has denied or removed, or set otherwise, stays so."""
    if before is not None and wanted.lane == "regular":
        wanted = wanted.model_copy(update={"lane": before.lane})
    return changing_lane(wanted, before)


def changing_lane(wanted: RelayCommand, before: RelayCommand | None) -> RelayCommand | None:
    """Have a relay read in another lane: it may be as private as before; one that is denied or removed stays so."""
    if before is None:
        return wanted
    if before.action != "add":
        return None
    allow_private = wanted.allow_private or before.allow_private
    return replacing(wanted, before).model_copy(update={"allow_private": allow_private})


def listing(wanted: RelayCommand, _before: RelayCommand | None) -> RelayCommand:
    """Let a seed stand as its list has it now, its spelling too: what people say of the relay is kept apart."""
    return wanted


async def publish_commands(settings: Settings, commands: Sequence[RelayCommand], settle: Settle) -> CommandReport:
    """Send commands by a publisher of its own; see `send_commands`."""
    async with publishing(settings) as publisher:
        return await send_commands(settings, publisher, commands, settle)


async def send_commands(
    settings: Settings,
    publisher: Publisher,
    commands: Sequence[RelayCommand],
    settle: Settle,
    *,
    timeout_s: float = FLUSH_S,
) -> CommandReport:
    """Write commands and return when they are durable, then tell the registry of each.

    What is known already is told again, in case that an earlier attempt had ended between the two.

    Args:
        settings: of the process.
        publisher: to send with.
        commands: that are wanted.
        settle: decides which are to stand.
        timeout_s: for the acknowledgements of either.

    Raises:
        TimeoutError: Kafka did not acknowledge in time.
        PublishError: Kafka refused a record.
    """
    topic, found = full_name(settings, "relays.commands"), full_name(settings, "relays.found")
    partitions = await publisher.partition_count(topic)
    numbers = {domain_partition(host_of(command.target), partitions) for command in commands}
    present = await read_to_end(settings, topic, numbers, lambda _key, value: RelayCommand.decode(value))
    report, new = compared(commands, present, settle)
    for command in new:
        place = domain_partition(host_of(command.target), partitions)
        await publisher.send(topic, command.encode(), command.key(), place)
    # The registry finds a command in the topic once it has read that there is one.
    await publisher.flush(timeout_s)
    partitions = await publisher.partition_count(found)
    for command in report.standing:
        place = domain_partition(host_of(command.target), partitions)
        await publisher.send(found, told(command).encode(), command.target.encode(), place)
    await publisher.flush(timeout_s)
    return report


def compared(
    commands: Sequence[RelayCommand], present: Mapping[bytes, RelayCommand], settle: Settle
) -> tuple[CommandReport, list[RelayCommand]]:
    """Compare commands with those that stand, by key; those to write are given beside the report."""
    report, new = CommandReport(), []
    for command in commands:
        before = present.get(command.key())
        settled = settle(command, before)
        if settled is None:
            assert before is not None, "only what stands can stay"
            report.kept.append(before)
        elif before is not None and before.model_copy(update={"at_ms": settled.at_ms}) == settled:
            report.unchanged += 1
            report.standing.append(before)
        else:
            report.written += 1
            report.standing.append(settled)
            new.append(settled)
    return report, new


def told(command: RelayCommand) -> RelayFound:
    """The record that tells the registry of a command; only one that adds a relay names it."""
    return RelayFound(
        url=command.target,
        spelling=command.spelling,
        source=command.source if command.action == "add" else None,
        first_seen_ms=command.at_ms,
        command=command,
    )


def still_said(command: RelayCommand) -> str:
    """Tell a person that a relay was denied or removed before, and stays so."""
    done = "denied" if command.action == "deny" else "removed"
    return f"was {done} by command and stays so; `bigbrotr relays add` takes that back"


def host_of(target: str) -> str:
    """The host of a command's target, which is a URL or a host."""
    return normalize(target, allow_private=True).host if "://" in target else target


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
