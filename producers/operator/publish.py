"""`relays publish`: lists of relay URLs into the compacted topic `relays`, the connectors' only source of relays."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from core.kafka import publishing, read_to_end
from core.settings import Settings
from producers.targets import full_name
from schemas.partition import relay_partition
from schemas.records.relay import Lane, RelayRecord
from schemas.relay_urls.relay_url import RelayUrl, RelayUrlError, normalize

SOURCE = "publish"
ALLOW_PRIVATE = "--allow-private"
"""The option by which a person says that relays on private addresses are meant."""


class RefusedUrl(NamedTuple):
    """An entry that is no relay URL: where it stands, what stands there, and why not."""

    place: str
    text: str
    reason: str


@dataclass(slots=True)
class RelayList:
    """What lists and arguments named: relays by normalised URL, in order, and what was refused.

    Attributes:
        private_option: what lets relays on private addresses through, for messages.
    """

    relays: dict[str, RelayUrl] = field(default_factory=dict)
    refused: list[RefusedUrl] = field(default_factory=list)
    duplicates: int = 0
    private_option: str = ALLOW_PRIVATE


class PublishReport(NamedTuple):
    """How many records of `relays` were written, and how many said the same already."""

    written: int
    unchanged: int


def parse_relays(
    lines: Iterable[str], name: str, *, allow_private: bool = False, into: RelayList | None = None
) -> RelayList:
    """Read a list: URLs separated by lines, blanks or commas; `#` begins a comment where a word could begin.

    Args:
        lines: the text.
        name: of the file or argument, for places in messages.
        allow_private: let loopback and private addresses through: the operator's own relays.
        into: a list to go on with.
    """
    found = into if into is not None else RelayList()
    for number, line in enumerate(lines, 1):
        for text in line.replace(",", " ").split():
            if text.startswith("#"):
                break
            take_relay(text, f"{name}:{number}", allow_private=allow_private, into=found)
    return found


def take_relay(text: str, place: str, *, allow_private: bool = False, into: RelayList) -> None:
    """Add one URL to a list, or why it is none with the place where it stands."""
    try:
        url = normalize(text, allow_private=allow_private)
    except RelayUrlError as error:
        remedy = f"; {into.private_option} lets it through, if it is a relay of yours" if _is_private(text) else ""
        into.refused.append(RefusedUrl(place, text, f"{error}{remedy}"))
        return
    if url.url in into.relays:
        into.duplicates += 1
    # The first spelling is the one to dial.
    into.relays.setdefault(url.url, url)


def _is_private(text: str) -> bool:
    """Whether a text that was refused is a relay's URL for its operator."""
    try:
        normalize(text, allow_private=True)
    except RelayUrlError:
        return False
    return True


async def publish_relays(
    settings: Settings, relays: Iterable[RelayUrl], *, allow_private: bool = False, lane: Lane = "regular"
) -> PublishReport:
    """Write a record for each relay unless the record there says the same. A spelling that is there stays.

    Raises:
        TimeoutError: Kafka did not acknowledge in time.
        PublishError: Kafka refused a record.
    """
    topic = full_name(settings, "relays")
    async with publishing(settings) as publisher:
        partitions = await publisher.partition_count(topic)
        present = await read_to_end(settings, topic, range(partitions))
        now_ms = time.time_ns() // 1_000_000
        written = unchanged = 0
        for url in relays:
            key = url.url.encode()
            before = _decoded(present.get(key))
            record = RelayRecord(
                url=url.url,
                spelling=_spelling(before, url),
                network=url.network,
                source=SOURCE,
                lane=lane,
                allow_private=allow_private,
                updated_at_ms=now_ms,
            )
            if before is not None and before.model_copy(update={"updated_at_ms": now_ms}) == record:
                unchanged += 1
                continue
            await publisher.send(topic, record.encode(), key, relay_partition(url.host, partitions))
            written += 1
        await publisher.flush()
    return PublishReport(written, unchanged)


def _decoded(value: bytes | None) -> RelayRecord | None:
    if value is None:
        return None
    try:
        return RelayRecord.decode(value)
    except ValueError:
        return None


def _spelling(before: RelayRecord | None, url: RelayUrl) -> str | None:
    """The spelling that was given first."""
    given = url.spelling or url.url
    if before is None or (before.spelling is None and given != url.url):
        # Records of earlier versions have none: the first is the one that is given now.
        return given
    return before.spelling
