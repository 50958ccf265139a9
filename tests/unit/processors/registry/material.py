"""Findings, commands, and the registry's topics as a registrar writes and hears them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from processors.registry.followed import RegistryTopic
from processors.registry.registrar import Limits, Registrar, Write
from schemas.records.relay import RelayRecord, Report, Source, author_hash
from schemas.records.relay_command import Action, RelayCommand
from schemas.records.relay_found import RelayFound
from schemas.relay_urls.relay_url import Network

NOW_MS = 1_700_000_000_000
DAY_MS = 86_400_000
PARTITIONS = 4
WIDE = Limits(10, 1000, 100, 1000)
URL = "wss://relay.site.example"


def author(number: int) -> str:
    return author_hash(f"{number:064x}")


def found(
    url: str = URL,
    *authors: int,
    source: Source | None = "event",
    at_ms: int = NOW_MS,
    report: Report | None = None,
    command: RelayCommand | None = None,
) -> RelayFound:
    hashes = tuple(sorted(author(number) for number in authors))
    return RelayFound(url=url, source=source, authors=hashes, first_seen_ms=at_ms, report=report, command=command)


def told(command: RelayCommand) -> RelayFound:
    """A command as it is sent to `relays.found`."""
    return found(command.target, source=command.source, at_ms=command.at_ms, command=command)


def wish(target: str = URL, action: Action = "add", *, at_ms: int = NOW_MS, lane: str = "regular") -> RelayCommand:
    return RelayCommand.model_validate({"target": target, "action": action, "at_ms": at_ms, "lane": lane})


def seed(target: str = URL, at_ms: int = NOW_MS) -> RelayCommand:
    return RelayCommand(target=target, action="add", source="seed", at_ms=at_ms)


def met(url: str, state: str, *, tries: int = 0, at_ms: int = NOW_MS) -> RelayFound:
    return found(url, source=None, report=Report.model_validate({"state": state, "tries": tries, "at_ms": at_ms}))


def legacy(url: str = URL, **more: object) -> RelayRecord:
    """A record of before there was a registry."""
    values = {"url": url, "network": Network.CLEARNET, "source": "publish", "updated_at_ms": NOW_MS - DAY_MS}
    return RelayRecord.model_validate(values | more)


class Topics:
    """`relays` and `relays.candidates` as compaction leaves them."""

    def __init__(self) -> None:
        self.relays: dict[str, RelayRecord] = {}
        self.candidates: dict[str, RelayRecord] = {}
        self.writes = 0

    def of(self, topic: RegistryTopic) -> dict[str, RelayRecord]:
        return self.relays if topic == "relays" else self.candidates

    def take(self, writes: Iterable[Write], *hearing: Registrar) -> None:
        """Keep what is written, and have registrars hear it."""
        for write in writes:
            self.writes += 1
            record = None if write.value is None else RelayRecord.decode(write.value)
            if record is None:
                self.of(write.topic).pop(write.url, None)
            else:
                self.of(write.topic)[write.url] = record
            for registrar in hearing:
                registrar.followed.heard(write.topic, write.url, record)

    def known(self) -> list[RelayRecord]:
        return [*self.relays.values(), *self.candidates.values()]


class Running:
    """A registrar with topics that it hears at once; a test says when it is."""

    def __init__(
        self, limits: Limits = WIDE, topics: Topics | None = None, commands: Sequence[RelayCommand] = ()
    ) -> None:
        self.topics = Topics() if topics is None else topics
        self.registrar = Registrar(PARTITIONS, limits)
        for command in commands:
            self.registrar.wanted(command)
        topics_before: tuple[RegistryTopic, ...] = ("relays.candidates", "relays")
        for name in topics_before:
            for url, record in list(self.topics.of(name).items()):
                self.registrar.followed.heard(name, url, record)
        self.registrar.own(range(PARTITIONS))
        self.settle()

    def take(self, *findings: RelayFound, now_ms: int = NOW_MS) -> None:
        for each in findings:
            self.topics.take(self.registrar.found(each, now_ms), self.registrar)
        self.settle(now_ms)

    def settle(self, now_ms: int = NOW_MS) -> None:
        """Decide all that is due, as of this time."""
        self.topics.take(self.registrar.due(now_ms), self.registrar)
        while self.registrar.has_due:
            self.topics.take(self.registrar.due(now_ms), self.registrar)

    @property
    def relays(self) -> dict[str, RelayRecord]:
        return self.topics.relays

    @property
    def candidates(self) -> dict[str, RelayRecord]:
        return self.topics.candidates
